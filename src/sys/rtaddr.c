#include "sys/rtaddr.h"

#include "sys/rtnl_priv.h"
#include "sys/rtpeer.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/netlink.h>

struct addrs {
	struct in6_addr *at; /* [n] */
	uint32_t n, max;
};

/* The other end of a point-to-point link is in IFA_ADDRESS. Ref: linux/if_addr.h */
static struct nlattr *own_addr(struct nlmsghdr *hdr)
{
	return nlmsg_find_attr(hdr, sizeof(struct ifaddrmsg), IFA_LOCAL)
		       ?: nlmsg_find_attr(hdr, sizeof(struct ifaddrmsg), IFA_ADDRESS);
}

static int take_addr(struct nl_msg *msg, void *arg)
{
	static const struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
	const struct ifaddrmsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *a = own_addr(nlmsg_hdr(msg));
	const size_t len = head->ifa_family == AF_INET ? 4 : 16;
	struct addrs *p = arg;

	if (p->n == p->max)
		return NL_STOP;
	if (!a || (size_t)nla_len(a) < len ||
		(head->ifa_family != AF_INET && head->ifa_family != AF_INET6))
		return NL_OK;
	p->at[p->n] = mapped;
	memcpy(&p->at[p->n++].s6_addr[16 - len], nla_data(a), len);
	return NL_OK;
}

/* Changed meanwhile: who wants to know of that listens. */
int rt_addrs_any(struct rt *rt, struct in6_addr *ret, uint32_t max, struct err *e)
{
	_cleanup_(msg_freep) struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP);
	struct ifaddrmsg all = {.ifa_family = AF_UNSPEC};
	struct addrs p = {.at = ret, .max = max};
	int r = msg ? nlmsg_append(msg, &all, sizeof(all), NLMSG_ALIGNTO) : -NLE_NOMEM;

	if (r == 0)
		r = rt_ask(rt, msg, take_addr, &p);
	return r < 0 && r != -NLE_DUMP_INTR ? rt_fail(e, r, "cannot list addresses") : (int)p.n;
}

/* Ref: netlink(7), NETLINK_LISTEN_ALL_NSID; net/netlink/af_netlink.c do_one_broadcast */
int rt_watch_addrs(int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	const int on = 1;
	int r = rt_listen(&fd, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, e);

	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0)
		return err_set(e, errno, "cannot watch addresses of other namespaces");
	*ret_fd = take_fd(fd);
	return 0;
}

/* What is from here has none. Ref: net/netlink/af_netlink.c netlink_cmsg_listen_all_nsid */
static int32_t nsid_of(struct msghdr *msg)
{
	int32_t ret = RT_NSID_NONE;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&ret, CMSG_DATA(c), sizeof(ret));
	return ret;
}

/* Return: false: the kernel has nothing more to say. */
static bool take_nsid(int fd, int32_t *ret, bool *lost)
{
	char byte, control[CMSG_SPACE(sizeof(int32_t))];
	struct iovec iov = {&byte, sizeof(byte)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	if (recvmsg(fd, &msg, 0) >= 0) {
		*ret = nsid_of(&msg);
		return true;
	}
	*ret = RT_NSID_NONE;
	*lost |= errno == ENOBUFS; /* it had more to say than there was room for */
	return errno == ENOBUFS;
}

static bool has_nsid(const int32_t *nsid, uint32_t n, int32_t one)
{
	for (uint32_t i = 0; i < n; i++)
		if (nsid[i] == one)
			return true;
	return false;
}

int rt_watch_addrs_take(int fd, int32_t *ret, uint32_t max)
{
	bool lost = false;
	uint32_t n = 0;
	int32_t nsid;

	for (int i = 0; i < RT_WATCH_MAX_READS && take_nsid(fd, &nsid, &lost); i++) {
		if (has_nsid(ret, n, nsid))
			continue;
		if (n == max)
			lost = true;
		else
			ret[n++] = nsid;
	}
	return lost ? RT_WATCH_LOST : (int)n;
}
