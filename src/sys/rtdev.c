#include "sys/rtdev.h"

#include "base/macro.h"
#include "base/str.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>

#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/classifier.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/tc.h>

/* Has it an address? Those of IPv4 stay on a device that is down. */
static bool has_addr(struct nl_cache *addrs, int ifindex)
{
	for (struct nl_object *o = nl_cache_get_first(addrs); o; o = nl_cache_get_next(o))
		if (rtnl_addr_get_ifindex((struct rtnl_addr *)o) == ifindex)
			return true;
	return false;
}

/* Is another device on top of it, as a VLAN? A veth has the number of its peer, elsewhere. */
static bool has_upper(struct nl_cache *links, int ifindex)
{
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *link = (struct rtnl_link *)o;
		int32_t elsewhere;

		if (rtnl_link_get_link(link) == ifindex &&
			rtnl_link_get_link_netnsid(link, &elsewhere) < 0)
			return true;
	}
	return false;
}

static const char *use_of(struct rtnl_link *link, struct nl_cache *links, struct nl_cache *addrs)
{
	int ifindex = rtnl_link_get_ifindex(link);

	if (rtnl_link_get_flags(link) & IFF_UP)
		return "is up";
	if (rtnl_link_get_master(link) != 0)
		return "is part of a bridge or bond";
	if (has_addr(addrs, ifindex))
		return "has an address";
	return has_upper(links, ifindex) ? "has a device on top of it" : NULL;
}

int rt_dev(struct rt *rt, const char *name, struct rt_dev *ret, struct err *e)
{
	_cleanup_(cache_freep) struct nl_cache *links = NULL;
	_cleanup_(cache_freep) struct nl_cache *addrs = NULL;
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, name, &link, e);

	if (r < 0)
		return r;
	r = rtnl_link_alloc_cache(rt->sk, AF_UNSPEC, &links);
	if (r >= 0)
		r = rtnl_addr_alloc_cache(rt->sk, &addrs);
	if (r < 0)
		return rt_fail(e, r, "cannot list links and addresses");
	*ret = (struct rt_dev){
		.ifindex = rtnl_link_get_ifindex(link),
		.mtu = rtnl_link_get_mtu(link),
		.up = rtnl_link_get_flags(link) & IFF_UP,
		.use = use_of(link, links, addrs),
	};
	if (rtnl_link_get_addr(link))
		nl_addr2str(rtnl_link_get_addr(link), ret->mac, sizeof(ret->mac));
	return 0;
}

int rt_neigh_add(struct rt *rt, const char *name, const char *addr, const uint8_t mac[static 6],
	struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *hw = nl_addr_build(AF_LLC, mac, ETH_ALEN);
	_cleanup_(neigh_putp) struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	_cleanup_(nl_addr_putp) struct nl_addr *dst = NULL;
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_addr_parse(addr, &dst, e);

	if (r == 0)
		r = rt_link_get(rt, name, &link, e);
	if (r < 0)
		return r;
	if (!hw || !neigh || rtnl_neigh_set_dst(neigh, dst) < 0)
		return err_set(e, ENOMEM, "cannot allocate a neighbour");
	rtnl_neigh_set_ifindex(neigh, rtnl_link_get_ifindex(link));
	rtnl_neigh_set_lladdr(neigh, hw);
	rtnl_neigh_set_state(neigh, NUD_PERMANENT);
	r = rtnl_neigh_add(rt->sk, neigh, NLM_F_CREATE | NLM_F_REPLACE);
	return r < 0 ? rt_fail(e, r, "cannot tell '%s' where %s is", name, addr) : 0;
}

int rt_dev_move(struct rt *rt, const char *name, int netns_fd, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_ns_fd(change, netns_fd);
	return rt_link_change(rt, name, change, e, "cannot move '%s' into another namespace", name);
}

int rt_sort(struct rt *rt, int ifindex, struct rt_sort *ret, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rtnl_link_get_kernel(rt->sk, ifindex, NULL, &link);

	if (r < 0)
		return rt_fail(e, r, "cannot find device %d", ifindex);
	*ret = (struct rt_sort){.ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER};
	str_set(ret->kind, rtnl_link_get_type(link) ?: "");
	return 0;
}

int rt_clsact_filters(struct rt *rt, int ifindex, struct err *e)
{
	static const uint32_t side[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(side); i++) {
		_cleanup_(cache_freep) struct nl_cache *filters = NULL;
		int r = rtnl_cls_alloc_cache(rt->sk, ifindex, TC_H_MAKE(TC_H_CLSACT, side[i]),
			&filters);

		if (r < 0)
			return rt_fail(e, r, "cannot list the filters of device %d", ifindex);
		/* Each priority is listed, too, as a filter without a number. */
		for (struct nl_object *o = nl_cache_get_first(filters); o; o = nl_cache_get_next(o))
			n += rtnl_tc_get_handle((struct rtnl_tc *)o) != 0;
	}
	return n;
}

int rt_rename(struct rt *rt, const char *name, const char *to, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_name(change, to);
	return rt_link_change(rt, name, change, e, "cannot call '%s' '%s'", name, to);
}
