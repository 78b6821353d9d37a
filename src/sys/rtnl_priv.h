/* What rtnl.c and its siblings rt*.c share of libnl. No other file includes this. */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>

struct rt {
	struct nl_sock *sk;
};

DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put, link_putp)
DEFINE_CLEANUP(struct nl_addr *, nl_addr_put, nl_addr_putp)
DEFINE_CLEANUP(struct nl_cache *, nl_cache_free, cache_freep)
DEFINE_CLEANUP(struct nl_msg *, nlmsg_free, msg_freep)
DEFINE_CLEANUP(struct rtnl_neigh *, rtnl_neigh_put, neigh_putp)
DEFINE_CLEANUP(struct rtnl_route *, rtnl_route_put, route_putp)

/* libnl's error, in words behind a colon. Return: a negative errno for it. */
int rt_fail(struct err *e, int nl_err, const char *fmt, ...) printf_(3, 4);

/* "198.18.0.1", with or without a length. */
int rt_addr_parse(const char *text, struct nl_addr **ret, struct err *e) must_check_;

/* Has the kernel change @name into @change (NULL: no memory for it); else says the words. */
int rt_link_change(struct rt *rt, const char *name, struct rtnl_link *change, struct err *e,
	const char *fmt, ...) printf_(5, 6) must_check_;

int rt_link_get(struct rt *rt, const char *name, struct rtnl_link **ret, struct err *e) must_check_;

/* Sends @msg; messages of the answer go to @take. Return: libnl's. */
int rt_ask(struct rt *rt, struct nl_msg *msg, nl_recvmsg_msg_cb_t take, void *arg) must_check_;

/* A socket for what the kernel tells of itself, RTMGRP_... */
int rt_listen(int *ret_fd, uint32_t groups, struct err *e) must_check_;
/* In one go; whoever says more than that meanwhile is read the next time. */
#define RT_WATCH_MAX_READS 1000
