/*
 * Which devices here have their other half in another network namespace, and a word when any comes
 * or goes.
 */
#pragma once

#include "sys/rtnl.h"

/* The kernel's numbers of other namespaces, as this one knows them; each has its own. */
#define RT_NSID_NONE (-1)

struct rt_peer {
	uint32_t ifindex; /* here */
	int32_t nsid;     /* where the other half is */
};

/*
 * rt_peers() - all pairs (veth, netkit) that reach out of here, by one dump.
 * @ret: *ret_n of them, to be freed
 */
int rt_peers(struct rt *rt, struct rt_peer **ret, uint32_t *ret_n, struct err *e) must_check_;

/* The number of the namespace @netns_fd; RT_NSID_NONE: nothing here has to do with it. */
int rt_nsid(struct rt *rt, int netns_fd, int32_t *ret, struct err *e) must_check_;

/* A socket that becomes readable when devices of this namespace come, go or change. */
int rt_watch(int *ret_fd, struct err *e) must_check_;
/* Takes what it said, the contents of which don't matter. Return: did it say anything? */
bool rt_watch_take(int fd);
