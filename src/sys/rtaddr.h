/* All addresses of a namespace, and a word when any comes or goes, here or in others. */
#pragma once

#include "sys/rtnl.h"

#include <netinet/in.h>

/*
 * rt_addrs_any() - the first @max addresses there are, of whatever scope and state.
 * @ret: IPv4's, which come first, as ::ffff:a.b.c.d
 *
 * No more is read than that, so a namespace with a million takes no longer; @rt is good for
 * rt_close() only then.
 *
 * Return: how many, or negative errno.
 */
int rt_addrs_any(struct rt *rt, struct in6_addr *ret, uint32_t max, struct err *e) must_check_;

/*
 * rt_watch_addrs() - a socket that becomes readable when addresses come or go, here and in each
 *                    namespace that has a number here. It keeps none of them alive.
 *
 * Return: 0; -EPERM: of other namespaces only the privileged are told; or another negative errno.
 */
int rt_watch_addrs(int *ret_fd, struct err *e) must_check_;
/*
 * rt_watch_addrs_take() - where that was: numbers, each once; RT_NSID_NONE: here.
 *
 * Return: how many are in @ret [@max]; RT_WATCH_LOST: at more places, or some was lost.
 */
#define RT_WATCH_LOST (-1)
int rt_watch_addrs_take(int fd, int32_t *ret, uint32_t max);
