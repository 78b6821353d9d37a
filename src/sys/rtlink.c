#include "sys/rtlink.h"

#include "base/str.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link/ipvlan.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/vlan.h>

/* What a refusal is about. */
struct kind {
	const char *name;
	const char *config; /* the kernel's option */
};

static int refused(int nl_err, const struct kind *kind, const char *name, struct err *e)
{
	if (nl_err == -NLE_OPNOTSUPP)
		return err_say(e, EOPNOTSUPP, "this kernel has no %s devices (%s)", kind->name,
			kind->config);
	return rt_fail(e, nl_err, "cannot add the %s device '%s'", kind->name, name);
}

/* Ref: net/core/rtnetlink.c rtnl_newlink: IFLA_LINK is looked for where the request is made. */
static int add_child(struct rt *rt, struct rtnl_link *link, const struct rt_child *child,
	const struct kind *kind, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *parent = NULL;
	int r = rt_link_get(rt, child->parent, &parent, e);

	if (r < 0)
		return r;
	rtnl_link_set_name(link, child->name);
	rtnl_link_set_link(link, rtnl_link_get_ifindex(parent));
	rtnl_link_set_mtu(link, child->mtu);
	if (child->netns_fd >= 0)
		rtnl_link_set_ns_fd(link, child->netns_fd);
	r = rtnl_link_add(rt->sk, link, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? refused(r, kind, child->name, e) : 0;
}

int rt_macvlan_add(struct rt *rt, const struct rt_child *child, const char *mode, struct err *e)
{
	static const struct kind kind = {"macvlan", "CONFIG_MACVLAN"};
	_cleanup_(link_putp) struct rtnl_link *link = rtnl_link_macvlan_alloc();
	int value = rtnl_link_macvlan_str2mode(mode);

	if (!link)
		return err_set(e, ENOMEM, "cannot allocate a link");
	if (value < 0)
		return err_say(e, EINVAL, "'%s' is no mode of macvlan", mode);
	rtnl_link_macvlan_set_mode(link, (uint32_t)value);
	return add_child(rt, link, child, &kind, e);
}

/* libnl 3.7 has names for the first two only. */
static_assert((int)RT_IPVLAN_L2 == (int)IPVLAN_MODE_L2);
static_assert((int)RT_IPVLAN_L3 == (int)IPVLAN_MODE_L3);
static_assert((int)RT_IPVLAN_L3S == (int)IPVLAN_MODE_L3S);

int rt_ipvlan_add(struct rt *rt, const struct rt_child *child, enum rt_ipvlan_mode mode,
	struct err *e)
{
	static const struct kind kind = {"ipvlan", "CONFIG_IPVLAN"};
	_cleanup_(link_putp) struct rtnl_link *link = rtnl_link_ipvlan_alloc();

	if (!link)
		return err_set(e, ENOMEM, "cannot allocate a link");
	rtnl_link_ipvlan_set_mode(link, (uint16_t)mode);
	return add_child(rt, link, child, &kind, e);
}

int rt_vlan_add(struct rt *rt, const struct rt_child *child, uint16_t id, struct err *e)
{
	static const struct kind kind = {"VLAN", "CONFIG_VLAN_8021Q"};
	_cleanup_(link_putp) struct rtnl_link *link = rtnl_link_vlan_alloc();

	if (!link)
		return err_set(e, ENOMEM, "cannot allocate a link");
	rtnl_link_vlan_set_id(link, id);
	return add_child(rt, link, child, &kind, e);
}

int rt_nic(struct rt *rt, const char *name, struct rt_nic *ret, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL, *master = NULL;
	int r = rt_link_get(rt, name, &link, e);
	unsigned flags;

	if (r < 0)
		return r;
	flags = rtnl_link_get_flags(link);
	*ret = (struct rt_nic){.ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER,
		.loopback = flags & IFF_LOOPBACK,
		.up = flags & IFF_UP,
		.carrier = flags & IFF_RUNNING,
		.mtu = rtnl_link_get_mtu(link)};
	if (rtnl_link_get_master(link) == 0)
		return 0;
	r = rtnl_link_get_kernel(rt->sk, rtnl_link_get_master(link), NULL, &master);
	str_set(ret->master, r < 0 ? "?" : rtnl_link_get_name(master));
	return 0;
}

/*
 * libnl 3.7 does not know the kind, and the headers of Linux 6.1 don't, either.
 * Ref: include/uapi/linux/if_link.h, v6.7.
 */
enum netkit_attr {
	NETKIT_PEER_INFO = 1,
	NETKIT_MODE = 5,
};
enum netkit_mode_value {
	NETKIT_MODE_L2,
	NETKIT_MODE_L3,
};

/* A half of the pair: its name, MTU and, for the far one, its namespace. Return: 0 or libnl's. */
static int put_half(struct nl_msg *msg, const char *name, uint32_t mtu, int netns_fd)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	int r = nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO);

	if (r == 0)
		r = nla_put_string(msg, IFLA_IFNAME, name);
	if (r == 0)
		r = nla_put_u32(msg, IFLA_MTU, mtu);
	if (r == 0 && netns_fd >= 0)
		r = nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	return r;
}

/* The kind's own attributes. Return: 0 or libnl's. */
static int put_pair(struct nl_msg *msg, const struct rt_netkit *pair)
{
	struct nlattr *data = nla_nest_start(msg, IFLA_INFO_DATA), *peer;
	int r;

	if (!data)
		return -NLE_MSGSIZE;
	r = nla_put_u32(msg, NETKIT_MODE, pair->l3 ? NETKIT_MODE_L3 : NETKIT_MODE_L2);
	peer = r == 0 ? nla_nest_start(msg, NETKIT_PEER_INFO) : NULL;
	if (!peer)
		return -NLE_MSGSIZE;
	r = put_half(msg, pair->peer_name, pair->mtu, pair->peer_netns_fd);
	nla_nest_end(msg, peer);
	nla_nest_end(msg, data);
	return r;
}

static int put_netkit(struct nl_msg *msg, const struct rt_netkit *pair)
{
	int r = put_half(msg, pair->name, pair->mtu, -1);
	struct nlattr *info = r == 0 ? nla_nest_start(msg, IFLA_LINKINFO) : NULL;

	if (!info)
		return -NLE_MSGSIZE;
	r = nla_put_string(msg, IFLA_INFO_KIND, "netkit");
	if (r == 0)
		r = put_pair(msg, pair);
	nla_nest_end(msg, info);
	return r;
}

int rt_netkit_add(struct rt *rt, const struct rt_netkit *pair, struct err *e)
{
	static const struct kind kind = {"netkit", "CONFIG_NETKIT, Linux 6.7"};
	_cleanup_(msg_freep) struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	int r;

	if (!msg)
		return err_set(e, ENOMEM, "cannot allocate a message");
	r = put_netkit(msg, pair);
	if (r < 0)
		return rt_fail(e, r, "cannot describe the netkit device '%s'", pair->name);
	r = nl_send_sync(rt->sk, take_ptr(msg)); /* frees it */
	return r < 0 ? refused(r, &kind, pair->name, e) : 0;
}
