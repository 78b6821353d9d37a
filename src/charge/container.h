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
#include "sys/rtpeer.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum container_kind {
	CONTAINER_DOCKER,
	CONTAINER_PODMAN, /* of podman's pods the pod */
	CONTAINER_CONTAINERD,
	CONTAINER_CRIO,
	CONTAINER_POD,     /* of Kubernetes */
	CONTAINER_SERVICE, /* of systemd, in the host's network namespace unless it has its own */
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
	/*
	 * Its directory is @root and @cgroup: in the cpu hierarchy, or in the one of v2 when it has
	 * none of its own there.
	 */
	char cgroup[512];     /* of a pod the pod's; "": none */
	char root[128];       /* where that hierarchy is mounted */
	char usage_root[128]; /* where cpuacct is; "": it is in cpu.stat of v2 */
	bool is_leaf;         /* no directory is below it */
	uint64_t cgroup_id;   /* of the cpu hierarchy's directory; 0: none of its own */
	uint64_t cgroup2_id; /* of v2's, where sockets are told by; of v2 alone the same; 0: none */
	pid_t pid;           /* one of its processes; 0: none, or of a namespace unknown to us */
	uint64_t pid_start;  /* when that began, clock ticks since boot: pids are used again */
	uint32_t netns;      /* inode; of a service the host's; 0: not to be seen by this user */
	uint64_t netns_cookie; /* never used again, as inodes are; 0: unknown */
	int32_t nsid;          /* the host's number for it; negative: it has none */
	bool host_netns;       /* it has the host's: packets are told by the socket's cgroup */
	bool shared_netns;     /* another one lives in it, too, and is the one that is charged */
	uint32_t n_devs;       /* at most CONTAINER_MAX_DEVS: more are the host's */
	struct softirq_dev dev[CONTAINER_MAX_DEVS]; /* its devices' other halves, at the host */
};

/* Where hierarchies are mounted; "": they are not. */
struct container_roots {
	char cpu[128];   /* of v1 */
	char usage[128]; /* of v1: cpuacct */
	char v2[128];
};

struct container_list {
	uint32_t n, room;
	struct container *item; /* [n], by kind and name: places change from scan to scan */
	uint32_t n_left_out;    /* beyond the limit */
	uint32_t host_netns;    /* inode of the caller's own, which is the host's here */
	struct container_roots roots;
	uint32_t n_peers;
	struct rt_peer *peer; /* [n_peers], the host's halves of pairs that reach out of it */
};

/* What to look for besides what is found. */
struct container_cfg {
	const char *const *netns;  /* words of sys/nsref.h, NULL-terminated; NULL: none */
	const char *const *cgroup; /* directories, NULL-terminated; NULL: none */
	bool only;                 /* these, and nothing that is found */
	bool gone_ok;              /* what is named and not there is left out, no error */
	bool services;             /* systemd's services, too */
	bool ask;                  /* run podman for a name that no file tells */
	uint32_t max;              /* at most so many; 0: no limit */
	/*
	 * The scan before: who is still there keeps name and namespace without another look, and
	 * the one of a shared namespace who is charged stays the same. NULL: there was none.
	 */
	const struct container_list *before;
	/*
	 * The kernel has said nothing of the host's devices since: where all namespaces are known,
	 * devices are as they were, and there is no dump of them.
	 */
	bool same_devs;
};

/*
 * container_of_path() - what a cgroup's path says: pure, no file is looked at.
 * @path: as in /proc/PID/cgroup, "/kubepods.slice/.../cri-containerd-<id>.scope"
 * @ret: kind, id, name as far as the path has one, and cgroup: the directory that is charged, a
 *       part of @path; all else is 0
 *
 * A container within a container belongs to the outer one, whose directory has all of its CPU
 * time; the lab's within one is its own. Where containers of a pod have no directory in common
 * ("SLICE:cri-containerd:ID"), each is of the pod by itself.
 *
 * Return: true if it is one.
 */
bool container_of_path(const char *path, struct container *ret);

/*
 * containers_scan() - all there are now. Processes that come and go meanwhile are no error.
 *
 * Return: 0, or negative errno: -ENOENT for what @cfg names and is not there, unless gone_ok.
 */
int containers_scan(struct container_list *ret, const struct container_cfg *cfg, struct err *e)
	must_check_;
void container_list_fini(struct container_list *l); /* for the attribute, too */

/*
 * Are both the same one, later? By cgroup and namespace, never by name, process or place in a list:
 * one that moved to another namespace is another one.
 */
bool container_same(const struct container *a, const struct container *b);

/*
 * container_usage() - CPU time of its processes, ns, since it began, those that ended included.
 *
 * Return: 0; -EOPNOTSUPP: it has no cgroup; or negative errno once it is gone.
 */
int container_usage(const struct container *c, uint64_t *ret, struct err *e) must_check_;

/* The same from a descriptor that is kept: one system call instead of three and a path to walk. */
int container_usage_open(const struct container *c, struct err *e) must_check_;
int container_usage_read(const struct container *c, int fd, uint64_t *ret, struct err *e)
	must_check_;

/*
 * container_netns_open() - its network namespace, by the process that it is known by.
 *
 * Return: a descriptor; -ESRCH: that process is gone or lives elsewhere by now, or none is known;
 * or another negative errno.
 */
int container_netns_open(const struct container *c, struct err *e) must_check_;

/* Its directory, for sys/cpuquota.h. Return: false: it has none. */
bool container_dir(const struct container *c, char *ret, size_t size);

/*
 * container_cgroups() - the ids of its cgroup and of all below it, where its processes really are:
 *                       of a pod they are in its containers', of a service maybe in parts of it.
 *
 * Return: how many are in @ret [@max], its own first; or negative errno, as container_usage().
 */
int container_cgroups(const struct container *c, uint64_t *ret, uint32_t max, struct err *e)
	must_check_;
