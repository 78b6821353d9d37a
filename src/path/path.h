/*
 * A path: a way for packets between two endpoints, near and far, built in namespaces of its own:
 *
 *	peer ====== wire ====== host ------ (path under test) ------ container
 *
 * near is the peer (the other machine), far the host (native) or a container on it. With
 * between = pods, near and far are both containers of the host and the wire carries nothing.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

enum path_between {
	PATH_BETWEEN_MACHINES,
	PATH_BETWEEN_PODS,
	PATH_BETWEEN_N,
};
extern const char *const path_between_name[PATH_BETWEEN_N];

struct path_cfg {
	bool ipv6;
	uint64_t wire_rate_bps; /* 0: as fast as the machine */
	uint32_t mtu;
	uint32_t between; /* enum path_between */
};
extern const struct path_cfg path_cfg_default;
extern const struct opt path_opts[];

/* Ports published for one end, TCP and UDP, from its first port on. */
#define PATH_N_PORTS 1024

struct path_end {
	int netns_fd;   /* borrowed from the lab */
	bool container; /* its process gets namespaces and a cgroup of its own */
	char addr[46];  /* where the other end reaches this one (behind NAT: the host) */
	uint16_t port;  /* first of PATH_N_PORTS ports reachable there */
	char dev[16];   /* its device on the path */
};

struct lab;

struct path {
	const struct path_ops *ops;
	struct path_cfg cfg;
	struct lab *lab;
	struct path_end near, far;
};

struct path_ops {
	const char *name;
	const char *summary; /* one line */
	const char *hops;    /* what a packet crosses, in order */
	bool pods_ok;        /* can have both ends in containers */

	/* Builds inside p->lab and fills near and far. */
	int (*build)(struct path *p, struct err *e);
};

extern const struct path_ops *const path_table[]; /* NULL-terminated, native first */
const struct path_ops *path_find(const char *name);

/* Return: 0, or -EINVAL when this path can't exist with this configuration. */
int path_check(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e) must_check_;

/*
 * path_probe() - can this kind of path be built here at all? Creates and drops a namespace.
 *
 * Return: 0, PATH_UNAVAILABLE with the reason in @e, or negative errno.
 */
#define PATH_UNAVAILABLE 1
int path_probe(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e) must_check_;

/*
 * path_open() - build the path and verify it with a packet each way.
 *
 * Return: 0; PATH_UNAVAILABLE, with the reason, when the kernel lacks a part; or negative errno.
 */
int path_open(struct path **ret, const struct path_ops *ops, const struct path_cfg *cfg,
	struct err *e) must_check_;
void path_close(struct path *p);
DEFINE_CLEANUP(struct path *, path_close, path_closep)

/*
 * path_ceiling_bps() - the most TCP payload the shaped wire can carry, 0 when it is not shaped or
 * not crossed: rate * (mtu - IP - TCP with timestamps) / (mtu + 38 bytes of Ethernet).
 * Ref: IEEE 802.3 (14 header, 4 FCS, 8 preamble, 12 gap), RFC 7323 (12 bytes of timestamps).
 */
double path_ceiling_bps(const struct path *p);
