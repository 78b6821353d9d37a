#include "sys/rtpeer.h"

#include "base/mem.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/handlers.h>
#include <netlink/netlink.h>

#define DUMP_TRIES 8

struct peers {
	struct rt_peer *at; /* [n] */
	uint32_t n, room;
};

static void peers_fini(struct peers *p)
{
	free(p->at);
}

/* A macvlan's link is its parent, which is no other half: the packets are the parent's, too. */
static bool is_pair(struct nlmsghdr *hdr)
{
	struct nlattr *info = nlmsg_find_attr(hdr, sizeof(struct ifinfomsg), IFLA_LINKINFO);
	struct nlattr *kind = info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND) : NULL;

	return kind && (nla_strcmp(kind, "veth") == 0 || nla_strcmp(kind, "netkit") == 0);
}

static int take_peer(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	struct nlattr *a = nlmsg_find_attr(hdr, sizeof(struct ifinfomsg), IFLA_LINK_NETNSID);
	const struct ifinfomsg *link = nlmsg_data(hdr);
	struct peers *p = arg;

	if (hdr->nlmsg_type != RTM_NEWLINK || !a || nla_len(a) < (int)sizeof(int32_t) ||
		(int32_t)nla_get_u32(a) < 0 || !is_pair(hdr))
		return NL_OK;
	if (p->n == p->room) {
		p->room = p->room ? 2 * p->room : 64;
		p->at = xreallocarray(p->at, p->room, sizeof(*p->at));
	}
	p->at[p->n++] = (struct rt_peer){(uint32_t)link->ifi_index, (int32_t)nla_get_u32(a)};
	return NL_OK;
}

int rt_ask(struct rt *rt, struct nl_msg *msg, nl_recvmsg_msg_cb_t take, void *arg)
{
	int r = nl_socket_modify_cb(rt->sk, NL_CB_VALID, NL_CB_CUSTOM, take, arg);

	if (r == 0)
		r = nl_send_auto(rt->sk, msg);
	if (r >= 0)
		r = nl_recvmsgs_default(rt->sk);
	(void)nl_socket_modify_cb(rt->sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return r;
}

/* One dump, whose messages are read as they come: nothing else of devices is wanted. */
static int dump_links(struct rt *rt, struct peers *p)
{
	_cleanup_(msg_freep) struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP);
	struct ifinfomsg all = {.ifi_family = AF_UNSPEC};
	int r = msg ? nlmsg_append(msg, &all, sizeof(all), NLMSG_ALIGNTO) : -NLE_NOMEM;

	if (r == 0) /* counters are half of what each device has to say */
		r = nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return r == 0 ? rt_ask(rt, msg, take_peer, p) : r;
}

int rt_peers(struct rt *rt, struct rt_peer **ret, uint32_t *ret_n, struct err *e)
{
	_cleanup_(peers_fini) struct peers p = {0};
	int r;

	for (int i = 0; i < DUMP_TRIES; i++) {
		p.n = 0;
		r = dump_links(rt, &p);
		if (r != -NLE_DUMP_INTR) /* devices changed meanwhile */
			break;
	}
	if (r < 0)
		return rt_fail(e, r, "cannot list devices");
	*ret_n = p.n;
	*ret = take_ptr(p.at);
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
		r = rt_ask(rt, msg, take_nsid, &nsid);
	if (r >= 0) /* the answer is a message of its own before this; an error is one instead */
		r = nl_wait_for_ack(rt->sk);
	if (r < 0)
		return rt_fail(e, r, "cannot ask for the number of a network namespace");
	*ret = nsid;
	return 0;
}

int rt_listen(int *ret_fd, uint32_t groups, struct err *e)
{
	_cleanup_(closep) int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};

	if (fd < 0 || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_set(e, errno, "cannot watch devices and addresses");
	*ret_fd = take_fd(fd);
	return 0;
}

int rt_watch(int *ret_fd, struct err *e)
{
	return rt_listen(ret_fd, RTMGRP_LINK, e);
}

/* ENOBUFS: the kernel had more to say than there was room for. */
bool rt_watch_take(int fd)
{
	bool any = false;
	char byte;

	for (int i = 0; i < RT_WATCH_MAX_READS; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_TRUNC) < 0 && errno != ENOBUFS)
			break;
		any = true;
	}
	return any;
}
