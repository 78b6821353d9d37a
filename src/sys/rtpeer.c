#include "sys/rtpeer.h"

#include "base/mem.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>

/* In one go; whoever says more than that meanwhile is read the next time. */
#define WATCH_MAX_READS 1000

/* A macvlan's link is its parent, which is no other half: the packets are the parent's, too. */
static bool is_pair(struct rtnl_link *link)
{
	const char *kind = rtnl_link_get_type(link);

	return kind && (strcmp(kind, "veth") == 0 || strcmp(kind, "netkit") == 0);
}

int rt_peers(struct rt *rt, struct rt_peer **ret, uint32_t *ret_n, struct err *e)
{
	_cleanup_(cache_freep) struct nl_cache *links = NULL;
	_cleanup_(freep) struct rt_peer *all = NULL;
	int r = rtnl_link_alloc_cache(rt->sk, AF_UNSPEC, &links);
	uint32_t n = 0;

	if (r < 0)
		return rt_fail(e, r, "cannot list devices");
	all = xcalloc((size_t)nl_cache_nitems(links), sizeof(*all));
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *link = (struct rtnl_link *)o;
		int32_t nsid;

		if (is_pair(link) && rtnl_link_get_link_netnsid(link, &nsid) == 0 && nsid >= 0)
			all[n++] = (struct rt_peer){(uint32_t)rtnl_link_get_ifindex(link), nsid};
	}
	*ret = take_ptr(all);
	*ret_n = n;
	return 0;
}

static int take_nsid(struct nl_msg *msg, void *arg)
{
	const struct nlattr *a =
		nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct rtgenmsg), NETNSA_NSID);

	if (a && nla_len(a) >= (int)sizeof(int32_t))
		*(int32_t *)arg = (int32_t)nla_get_u32(a);
	return NL_OK;
}

/* The answer is a message of its own before the acknowledgement; an error is one instead. */
static int ask_nsid(struct rt *rt, struct nl_msg *msg, int32_t *nsid)
{
	int r = nl_socket_modify_cb(rt->sk, NL_CB_VALID, NL_CB_CUSTOM, take_nsid, nsid);

	if (r == 0)
		r = nl_send_auto(rt->sk, msg);
	if (r >= 0)
		r = nl_recvmsgs_default(rt->sk);
	if (r >= 0)
		r = nl_wait_for_ack(rt->sk);
	(void)nl_socket_modify_cb(rt->sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return r;
}

/* Ref: net/core/net_namespace.c rtnl_net_getid */
int rt_nsid(struct rt *rt, int netns_fd, int32_t *ret, struct err *e)
{
	_cleanup_(msg_freep) struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, 0);
	struct rtgenmsg gen = {.rtgen_family = AF_UNSPEC};
	int32_t nsid = RT_NSID_NONE;
	int r;

	if (!msg)
		return err_set(e, ENOMEM, "cannot allocate a message");
	r = nlmsg_append(msg, &gen, sizeof(gen), NLMSG_ALIGNTO);
	if (r == 0)
		r = nla_put_u32(msg, NETNSA_FD, (uint32_t)netns_fd);
	if (r == 0)
		r = ask_nsid(rt, msg, &nsid);
	if (r < 0)
		return rt_fail(e, r, "cannot ask for the number of a network namespace");
	*ret = nsid;
	return 0;
}

int rt_watch(int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(e, errno, "cannot watch devices");
	*ret_fd = take_fd(fd);
	return 0;
}

/* ENOBUFS: the kernel had more to say than there was room for. */
bool rt_watch_take(int fd)
{
	bool any = false;
	char byte;

	for (int i = 0; i < WATCH_MAX_READS; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_TRUNC) < 0 && errno != ENOBUFS)
			break;
		any = true;
	}
	return any;
}
