/* What the parts of a scan share: container_{scan,dev,name,list}.c. */
#pragma once

#include "charge/container.h"

/* A container while it is put together. */
struct found {
	struct container c;             /* first: found in a tree by it */
	const struct container *before; /* the same in the scan before; NULL: it is new */
	bool known;                     /* its namespace, from the scan before */
	bool wanted;                    /* --netns or --cgroup names it */
	int netns_fd;                   /* of --netns; -1: by @c.pid */
	int rank; /* how good the process is that @c.pid and @c.netns are of */
};

struct scan {
	const struct container_cfg *cfg;
	uint32_t host_netns;
	uint32_t n, room;
	struct found **item; /* [n] */
	uint32_t n_peers;
	struct rt_peer *peer; /* [n_peers], of the host; moves on to the list */
};

/* Is it one that was asked for? */
static inline bool scan_keeps(const struct scan *s, const struct found *f)
{
	return f->wanted || !s->cfg->only;
}

/* Namespaces' cookies and numbers, and the devices at the host. */
int scan_devices(struct scan *s, struct err *e) must_check_;

/* Names of all that have none, from files below @root ("": the machine's). */
void scan_names(struct scan *s, const char *root);

/* Who was asked for, or had a shared namespace, has it, else the oldest of them. */
void scan_mark_shared(struct scan *s);
/* What was asked for, in order, as far as there is room. */
void scan_make_list(struct scan *s, const struct container_roots *roots,
	struct container_list *ret);

/* Of two struct container: one is its cgroup; those without one are told by their namespace. */
int container_by_key(const void *a, const void *b);
bool container_same_cgroup(const struct container *a, const struct container *b);
