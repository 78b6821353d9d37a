#include "sys/rtroute.h"

#include "base/str.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include <netlink/cache.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

static int describe_link(struct rt *rt, struct rt_hop *ret, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	const struct nl_addr *mac;
	int r = rtnl_link_get_kernel(rt->sk, ret->ifindex, NULL, &link);

	if (r < 0)
		return rt_fail(e, r, "no link %d", ret->ifindex);
	str_set(ret->dev, rtnl_link_get_name(link));
	ret->mtu = rtnl_link_get_mtu(link);
	ret->loopback = rtnl_link_get_flags(link) & IFF_LOOPBACK;
	ret->no_arp = rtnl_link_get_flags(link) & IFF_NOARP;
	ret->ethernet = rtnl_link_get_arptype(link) == ARPHRD_ETHER;
	mac = rtnl_link_get_addr(link);
	if (mac && nl_addr_get_len(mac) == sizeof(ret->mac))
		memcpy(ret->mac, nl_addr_get_binary_addr(mac), sizeof(ret->mac));
	return 0;
}

/* States in which the kernel sends to the address that it has. Ref: neighbour.h NUD_VALID */
#define NUD_USABLE (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static int find_neighbour(struct rt *rt, struct nl_addr *next, struct rt_hop *ret, struct err *e)
{
	_cleanup_(neigh_putp) struct rtnl_neigh *n = NULL;
	_cleanup_(cache_freep) struct nl_cache *all = NULL;
	const struct nl_addr *mac;
	int r = rtnl_neigh_alloc_cache(rt->sk, &all);

	if (r < 0)
		return rt_fail(e, r, "cannot list the neighbours");
	n = rtnl_neigh_get(all, ret->ifindex, next);
	if (!n || !(rtnl_neigh_get_state(n) & NUD_USABLE))
		return 0;
	mac = rtnl_neigh_get_lladdr(n);
	if (!mac || nl_addr_get_len(mac) != sizeof(ret->next_mac))
		return 0;
	memcpy(ret->next_mac, nl_addr_get_binary_addr(mac), sizeof(ret->next_mac));
	ret->known = true;
	return 0;
}

static int find_route(struct rt *rt, const char *to, struct nl_addr *dst, struct rtnl_route **ret,
	struct err *e)
{
	int r = rtnl_route_lookup(rt->sk, dst, ret);

	if (r < 0)
		return rt_fail(e, r, "no route to %s", to);
	return rtnl_route_get_nnexthops(*ret) > 0 ? 0
						  : err_say(e, ENETUNREACH, "no route to %s", to);
}

int rt_hop(struct rt *rt, const char *to, struct rt_hop *ret, struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *dst = NULL;
	_cleanup_(route_putp) struct rtnl_route *route = NULL;
	struct nl_addr *src, *gateway;
	struct rtnl_nexthop *nh;
	int r = rt_addr_parse(to, &dst, e);

	if (r == 0)
		r = find_route(rt, to, dst, &route, e);
	if (r < 0)
		return r;
	nh = rtnl_route_nexthop_n(route, 0);
	gateway = rtnl_route_nh_get_gateway(nh);
	src = rtnl_route_get_pref_src(route);
	*ret = (struct rt_hop){.ifindex = rtnl_route_nh_get_ifindex(nh),
		.ipv6 = nl_addr_get_family(dst) == AF_INET6};
	memcpy(ret->dst, nl_addr_get_binary_addr(dst), nl_addr_get_len(dst));
	if (src)
		memcpy(ret->src, nl_addr_get_binary_addr(src), nl_addr_get_len(src));
	r = describe_link(rt, ret, e);
	if (r < 0 || !ret->no_arp)
		return r < 0 ? r : find_neighbour(rt, gateway ? gateway : dst, ret, e);
	memcpy(ret->next_mac, ret->mac, sizeof(ret->mac));
	ret->known = true;
	return 0;
}
