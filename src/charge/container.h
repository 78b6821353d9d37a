/*
 * Who there is to be charged. A container is a cgroup and the network namespace its processes live
 * in; containers of a pod share one namespace, so the pod is the one that is charged, and so is a
 * service of systemd. Found in /proc and in cgroups' directories; no runtime is asked unless a
 * name is wanted.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "bpf/softirq.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum container_kind {
	CONTAINER_DOCKER,
	CONTAINER_PODMAN,
	CONTAINER_CONTAINERD,
	CONTAINER_CRIO,
	CONTAINER_POD,     /* of Kubernetes */
	CONTAINER_SERVICE, /* of systemd, in the host's network namespace */
	CONTAINER_LAB,     /* a pod of tare's own lab */
	CONTAINER_NETNS,   /* a namespace with processes, of nobody above; or --netns */
	CONTAINER_CGROUP,  /* --cgroup */
	CONTAINER_KIND_N,
};
extern const char *const container_kind_name[CONTAINER_KIND_N];

#define CONTAINER_MAX_DEVS 16

struct container {
	uint32_t kind;   /* enum container_kind */
	char id[65];     /* of the runtime, of a pod its uid; "" if nobody gave one */
	char name[128];  /* what people call it; at worst the first 12 digits of the id */
	char k8s_ns[64]; /* Kubernetes' namespace of a pod, when a runtime's state tells; else "" */
	char cgroup[512]; /* below the cpu hierarchy's root; of a pod the pod's; "": none */
	uint64_t cgroup_id;
	pid_t pid;         /* one of its processes */
	uint32_t netns;    /* inode; of a service the host's */
	bool host_netns;   /* it has the host's: packets are told by the socket's cgroup */
	bool shared_netns; /* one of another pod lives in it, too: the first is charged */
	uint32_t n_devs;
	struct softirq_dev dev[CONTAINER_MAX_DEVS]; /* its devices' other halves, at the host */
};

struct container_list {
	uint32_t n, room;
	struct container *item; /* [n], by kind and name: places change from scan to scan */
	uint32_t n_left_out;    /* beyond the limit */
};

/* What to look for besides what is found. */
struct container_cfg {
	const char *const *netns;  /* words of sys/nsref.h, NULL-terminated; NULL: none */
	const char *const *cgroup; /* directories, NULL-terminated; NULL: none */
	bool only;                 /* these, and nothing that is found */
	bool services;             /* systemd's services, too */
	uint32_t max;              /* at most so many */
};

/*
 * container_of_path() - what a cgroup's path says: pure, no file is looked at.
 * @path: as in /proc/PID/cgroup, "/kubepods.slice/.../cri-containerd-<id>.scope"
 * @ret: kind, id, and cgroup: the directory that is charged, a part of @path
 *
 * Return: true if it is one.
 */
bool container_of_path(const char *path, struct container *ret);

/*
 * containers_scan() - all there are now. Processes that come and go meanwhile are no error.
 *
 * Return: 0, or negative errno: -ENOENT for what @cfg names and is not there.
 */
int containers_scan(struct container_list *ret, const struct container_cfg *cfg, struct err *e)
	must_check_;
void container_list_fini(struct container_list *l); /* for the attribute, too */

/* Are both the same one, later? By cgroup, or by namespace where there is none; never by name. */
bool container_same(const struct container *a, const struct container *b);
/* CPU time of its processes, ns, since it began; negative errno once it is gone. */
int container_usage(const struct container *c, uint64_t *ret, struct err *e) must_check_;
