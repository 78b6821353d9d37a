#include "sys/rtbridge.h"

#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>

/* In 1/100 s; the kernel's own is 300 s. Ref: net/bridge/br_netlink.c IFLA_BR_AGEING_TIME */
#define AGEING_CSEC (24 * 3600 * 100)

/* The kind's own attributes; libnl 3.7 has none of them. Return: 0 or libnl's. */
static int put_bridge(struct nl_msg *msg)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO), *data;
	int r;

	if (!info)
		return -NLE_MSGSIZE;
	r = nla_put_string(msg, IFLA_INFO_KIND, "bridge");
	data = r == 0 ? nla_nest_start(msg, IFLA_INFO_DATA) : NULL;
	if (!data)
		return -NLE_MSGSIZE;
	r = nla_put_u32(msg, IFLA_BR_AGEING_TIME, AGEING_CSEC);
	if (r == 0)
		r = nla_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return r;
}

static int put_link(struct nl_msg *msg, const char *name, uint32_t mtu)
{
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	int r = nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO);

	if (r == 0)
		r = nla_put_string(msg, IFLA_IFNAME, name);
	if (r == 0)
		r = nla_put_u32(msg, IFLA_MTU, mtu);
	return r < 0 ? r : put_bridge(msg);
}

int rt_bridge_quiet_add(struct rt *rt, const char *name, uint32_t mtu, struct err *e)
{
	_cleanup_(msg_freep) struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	int r;

	if (!msg)
		return err_set(e, ENOMEM, "cannot allocate a message");
	r = put_link(msg, name, mtu);
	if (r == 0)
		r = nl_send_sync(rt->sk, take_ptr(msg)); /* frees it */
	return r < 0 ? rt_fail(e, r, "cannot add the bridge '%s'", name) : 0;
}

int rt_fdb_add(struct rt *rt, const char *port, const uint8_t mac[static 6], struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *hw = nl_addr_build(AF_LLC, mac, ETH_ALEN);
	_cleanup_(neigh_putp) struct rtnl_neigh *entry = rtnl_neigh_alloc();
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, port, &link, e);

	if (r < 0)
		return r;
	if (!hw || !entry)
		return err_set(e, ENOMEM, "cannot allocate a bridge's entry");
	rtnl_neigh_set_family(entry, AF_BRIDGE);
	rtnl_neigh_set_ifindex(entry, rtnl_link_get_ifindex(link));
	rtnl_neigh_set_lladdr(entry, hw);
	rtnl_neigh_set_flags(entry, NTF_MASTER);
	rtnl_neigh_set_state(entry, NUD_NOARP); /* static: never aged, never moved by ageing */
	r = rtnl_neigh_add(rt->sk, entry, NLM_F_CREATE | NLM_F_REPLACE);
	return r < 0 ? rt_fail(e, r, "cannot tell the bridge of '%s' what is behind it", port) : 0;
}
