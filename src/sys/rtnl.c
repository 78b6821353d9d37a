#include "sys/rtnl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/ns.h"
#include "sys/rtnl_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>

DEFINE_CLEANUP(struct rtnl_addr *, rtnl_addr_put, addr_putp)
DEFINE_CLEANUP(struct rtnl_qdisc *, rtnl_qdisc_put, qdisc_putp)

/* libnl has its own error numbers; these are the ones rtnetlink's answers turn into. */
static int nl_errno(int nl_err)
{
	switch (-nl_err) {
	case NLE_EXIST:
		return EEXIST;
	case NLE_PERM:
	case NLE_NOACCESS:
		return EPERM;
	case NLE_OPNOTSUPP:
		return EOPNOTSUPP;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return ENODEV;
	case NLE_NOMEM:
		return ENOMEM;
	case NLE_BUSY:
		return EBUSY;
	case NLE_RANGE:
		return ERANGE;
	default:
		return EINVAL;
	}
}

int rt_fail(struct err *e, int nl_err, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_say(e, nl_errno(nl_err), "%s: %s", what, nl_geterror(nl_err));
}

int rt_open_here(struct rt **ret, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = xcalloc(1, sizeof(*rt));
	int r;

	rt->sk = nl_socket_alloc();
	if (!rt->sk)
		return err_set(e, ENOMEM, "cannot allocate a netlink socket");
	r = nl_connect(rt->sk, NETLINK_ROUTE);
	if (r < 0)
		return rt_fail(e, r, "cannot open rtnetlink");
	*ret = take_ptr(rt);
	return 0;
}

/* A netlink socket stays in the namespace that it was made in. */
int rt_open(struct rt **ret, int netns_fd, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	return r < 0 ? r : rt_open_here(ret, e);
}

void rt_close(struct rt *rt)
{
	if (!rt)
		return;
	nl_socket_free(rt->sk);
	free(rt);
}

int rt_link_get(struct rt *rt, const char *name, struct rtnl_link **ret, struct err *e)
{
	int r = rtnl_link_get_kernel(rt->sk, 0, name, ret);

	return r < 0 ? rt_fail(e, r, "no link '%s'", name) : 0;
}

static void set_queues(struct rtnl_link *link, uint32_t n)
{
	if (!n)
		return; /* the kernel's own choice */
	rtnl_link_set_num_tx_queues(link, n);
	rtnl_link_set_num_rx_queues(link, n);
}

int rt_veth_add_args(struct rt *rt, const struct rt_veth *v, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = rtnl_link_veth_alloc();
	struct rtnl_link *peer; /* the pair's other half holds a reference of its own */
	int r;

	if (!link)
		return err_set(e, ENOMEM, "cannot allocate a link");
	peer = rtnl_link_veth_get_peer(link);
	rtnl_link_set_name(link, v->name);
	rtnl_link_set_mtu(link, v->mtu);
	rtnl_link_set_name(peer, v->peer_name);
	rtnl_link_set_mtu(peer, v->mtu);
	rtnl_link_set_ns_fd(peer, v->peer_netns_fd);
	set_queues(link, v->queues);
	set_queues(peer, v->queues);
	rtnl_link_put(peer);

	r = rtnl_link_add(rt->sk, link, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? rt_fail(e, r, "cannot add the veth pair '%s' - '%s'", v->name, v->peer_name)
		     : 0;
}

int rt_veth_add(struct rt *rt, const char *name, const char *peer_name, int peer_netns_fd,
	uint32_t mtu, struct err *e)
{
	return rt_veth_add_args(rt, &(struct rt_veth){name, peer_name, peer_netns_fd, mtu, 0}, e);
}

int rt_bridge_add(struct rt *rt, const char *name, uint32_t mtu, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = rtnl_link_alloc();
	int r;

	if (!link || rtnl_link_set_type(link, "bridge") < 0)
		return err_set(e, ENOMEM, "cannot allocate a bridge link");
	rtnl_link_set_name(link, name);
	rtnl_link_set_mtu(link, mtu);
	r = rtnl_link_add(rt->sk, link, NLM_F_CREATE | NLM_F_EXCL);
	return r < 0 ? rt_fail(e, r, "cannot add the bridge '%s'", name) : 0;
}

int rt_link_change(struct rt *rt, const char *name, struct rtnl_link *change, struct err *e,
	const char *fmt, ...)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, name, &link, e);
	char what[200];
	va_list ap;

	if (r < 0)
		return r;
	if (!change)
		return err_set(e, ENOMEM, "cannot allocate a link");
	r = rtnl_link_change(rt->sk, link, change, 0);
	if (r >= 0)
		return 0;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return rt_fail(e, r, "%s", what);
}

int rt_set_up(struct rt *rt, const char *name, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_flags(change, IFF_UP);
	return rt_link_change(rt, name, change, e, "cannot set '%s' up", name);
}

int rt_set_down(struct rt *rt, const char *name, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_unset_flags(change, IFF_UP);
	return rt_link_change(rt, name, change, e, "cannot set '%s' down", name);
}

int rt_wait_up(struct rt *rt, const char *name, uint64_t deadline_ns, struct err *e)
{
	for (;;) {
		_cleanup_(link_putp) struct rtnl_link *link = NULL;
		int r = rt_link_get(rt, name, &link, e);

		if (r < 0)
			return r;
		if (rtnl_link_get_operstate(link) == IF_OPER_UP)
			return 0;
		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ETIMEDOUT, "'%s' does not come up", name);
		poll(NULL, 0, 1);
	}
}

int rt_set_mtu(struct rt *rt, const char *name, uint32_t mtu, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_mtu(change, mtu);
	return rt_link_change(rt, name, change, e, "cannot set the MTU of '%s' to %u", name, mtu);
}

int rt_set_master(struct rt *rt, const char *name, const char *master, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *port = NULL, *bridge = NULL;
	int r = rt_link_get(rt, name, &port, e);

	if (r < 0)
		return r;
	r = rt_link_get(rt, master, &bridge, e);
	if (r < 0)
		return r;
	r = rtnl_link_enslave(rt->sk, bridge, port);
	return r < 0 ? rt_fail(e, r, "cannot add '%s' to '%s'", name, master) : 0;
}

int rt_addr_parse(const char *text, struct nl_addr **ret, struct err *e)
{
	int r = nl_addr_parse(text, AF_UNSPEC, ret);

	return r < 0 ? rt_fail(e, r, "'%s' is not an address", text) : 0;
}

int rt_addr_add(struct rt *rt, const char *name, const char *prefix, struct err *e)
{
	_cleanup_(addr_putp) struct rtnl_addr *addr = rtnl_addr_alloc();
	_cleanup_(nl_addr_putp) struct nl_addr *local = NULL;
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_addr_parse(prefix, &local, e);

	if (r < 0)
		return r;
	r = rt_link_get(rt, name, &link, e);
	if (r < 0)
		return r;
	rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
	rtnl_addr_set_local(addr, local);
	if (nl_addr_get_family(local) == AF_INET6)
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
	r = rtnl_addr_add(rt->sk, addr, NLM_F_CREATE);
	return r < 0 ? rt_fail(e, r, "cannot add %s to '%s'", prefix, name) : 0;
}

static int set_destination(struct rtnl_route *route, const char *prefix, int family, struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *dst = NULL;
	int r = nl_addr_parse(prefix ? prefix : "default", family, &dst);

	if (r >= 0)
		r = rtnl_route_set_dst(route, dst);
	return r < 0 ? rt_fail(e, r, "'%s' is not a destination", prefix) : 0;
}

static int set_source(struct rtnl_route *route, const char *source, struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *addr = NULL;
	int r = source ? rt_addr_parse(source, &addr, e) : 0;

	if (r < 0 || !source)
		return r;
	r = rtnl_route_set_pref_src(route, addr);
	return r < 0 ? rt_fail(e, r, "'%s' is no source of a route", source) : 0;
}

int rt_route_add(struct rt *rt, const char *name, const char *prefix, const char *gateway,
	struct err *e)
{
	return rt_route_add_from(rt, name, prefix, gateway, NULL, e);
}

int rt_route_add_from(struct rt *rt, const char *name, const char *prefix, const char *gateway,
	const char *source, struct err *e)
{
	_cleanup_(route_putp) struct rtnl_route *route = rtnl_route_alloc();
	_cleanup_(nl_addr_putp) struct nl_addr *via = NULL;
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	struct rtnl_nexthop *hop; /* owned by the route once added */
	int r;

	r = rt_addr_parse(gateway ? gateway : prefix, &via, e);
	if (r < 0)
		return r;
	r = rt_link_get(rt, name, &link, e);
	if (r < 0)
		return r;
	rtnl_route_set_family(route, nl_addr_get_family(via));
	r = set_destination(route, prefix, nl_addr_get_family(via), e);
	if (r == 0)
		r = set_source(route, source, e);
	if (r < 0)
		return r;

	hop = rtnl_route_nh_alloc();
	if (!hop)
		return err_set(e, ENOMEM, "cannot allocate a route");
	rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
	if (gateway)
		rtnl_route_nh_set_gateway(hop, via);
	else
		rtnl_route_set_scope(route, RT_SCOPE_LINK);
	rtnl_route_add_nexthop(route, hop);

	r = rtnl_route_add(rt->sk, route, NLM_F_CREATE);
	return r < 0 ? rt_fail(e, r, "cannot add the route to %s on '%s'",
			       prefix ? prefix : "default", name)
		     : 0;
}

int rt_shape(struct rt *rt, const char *name, uint64_t rate_bytes_per_s, uint32_t burst_bytes,
	uint32_t limit_bytes, struct err *e)
{
	_cleanup_(qdisc_putp) struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r;

	if (rate_bytes_per_s > INT32_MAX)
		return err_say(e, ERANGE, "the wire can be shaped to at most 17Gbps");
	r = rt_link_get(rt, name, &link, e);
	if (r < 0)
		return r;
	rtnl_tc_set_link(TC_CAST(qdisc), link);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	r = rtnl_tc_set_kind(TC_CAST(qdisc), "tbf");
	if (r < 0)
		return rt_fail(e, r, "cannot set up a token-bucket filter");
	rtnl_qdisc_tbf_set_rate(qdisc, (int)rate_bytes_per_s, (int)burst_bytes, 0);
	rtnl_qdisc_tbf_set_limit(qdisc, (int)limit_bytes);
	r = rtnl_qdisc_add(rt->sk, qdisc, NLM_F_CREATE);
	return r < 0 ? rt_fail(e, r, "cannot shape '%s' (sch_tbf)", name) : 0;
}

int rt_stats(struct rt *rt, const char *name, struct rt_stats *ret, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, name, &link, e);

	if (r < 0)
		return r;
	*ret = (struct rt_stats){
		.rx_packets = rtnl_link_get_stat(link, RTNL_LINK_RX_PACKETS),
		.rx_bytes = rtnl_link_get_stat(link, RTNL_LINK_RX_BYTES),
		.rx_dropped = rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED),
		.tx_packets = rtnl_link_get_stat(link, RTNL_LINK_TX_PACKETS),
		.tx_bytes = rtnl_link_get_stat(link, RTNL_LINK_TX_BYTES),
		.tx_dropped = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED),
	};
	return 0;
}

int rt_id(struct rt *rt, const char *name, struct rt_id *ret, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, name, &link, e);
	const struct nl_addr *mac;

	if (r < 0)
		return r;
	mac = rtnl_link_get_addr(link);
	if (!mac || nl_addr_get_len(mac) != sizeof(ret->mac))
		return err_say(e, EINVAL, "'%s' has no hardware address", name);
	ret->ifindex = rtnl_link_get_ifindex(link);
	ret->mtu = rtnl_link_get_mtu(link);
	memcpy(ret->mac, nl_addr_get_binary_addr(mac), sizeof(ret->mac));
	return 0;
}

int rt_qdisc_set(struct rt *rt, const char *name, const char *kind, struct err *e)
{
	_cleanup_(qdisc_putp) struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();
	_cleanup_(link_putp) struct rtnl_link *link = NULL;
	int r = rt_link_get(rt, name, &link, e);

	if (r < 0)
		return r;
	rtnl_tc_set_link(TC_CAST(qdisc), link);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
	r = rtnl_tc_set_kind(TC_CAST(qdisc), kind);
	if (r >= 0)
		r = rtnl_qdisc_add(rt->sk, qdisc, NLM_F_CREATE);
	return r < 0 ? rt_fail(e, r, "cannot give '%s' qdisc %s", name, kind) : 0;
}

/* A socket's own address, without its port; an IPv4-mapped one as IPv4. */
static struct nl_addr *own_address(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return NULL;
	if (a.any.sa_family == AF_INET)
		return nl_addr_build(AF_INET, &a.v4.sin_addr, sizeof(a.v4.sin_addr));
	if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
		return nl_addr_build(AF_INET, &a.v6.sin6_addr.s6_addr[12], 4);
	return nl_addr_build(AF_INET6, &a.v6.sin6_addr, sizeof(a.v6.sin6_addr));
}

/* 0: none has it. */
static int device_with(struct nl_cache *addrs, const struct nl_addr *want)
{
	for (struct nl_object *o = nl_cache_get_first(addrs); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		const struct nl_addr *have = rtnl_addr_get_local(a);

		if (have && nl_addr_get_len(have) == nl_addr_get_len(want) &&
			memcmp(nl_addr_get_binary_addr(have), nl_addr_get_binary_addr(want),
				nl_addr_get_len(want)) == 0)
			return rtnl_addr_get_ifindex(a);
	}
	return 0;
}

static int root_qdiscs(struct rt *rt, struct nl_cache **ret, struct err *e)
{
	int r = rtnl_qdisc_alloc_cache(rt->sk, ret);

	return r < 0 ? rt_fail(e, r, "cannot list the qdiscs") : 0;
}

static bool is_root(struct nl_object *o)
{
	return rtnl_tc_get_parent((struct rtnl_tc *)o) == TC_H_ROOT;
}

int rt_qdisc_of(struct rt *rt, int fd, char *ret, size_t size, struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *own = own_address(fd);
	_cleanup_(cache_freep) struct nl_cache *addrs = NULL;
	_cleanup_(cache_freep) struct nl_cache *qdiscs = NULL;
	int ifindex, r = own ? rtnl_addr_alloc_cache(rt->sk, &addrs) : -NLE_INVAL;

	if (r < 0)
		return rt_fail(e, r, "cannot list the addresses");
	ifindex = device_with(addrs, own);
	if (ifindex == 0)
		return err_say(e, ENODEV, "no device has the socket's address");
	r = root_qdiscs(rt, &qdiscs, e);
	if (r < 0)
		return r;
	ret[0] = '\0';
	for (struct nl_object *o = nl_cache_get_first(qdiscs); o; o = nl_cache_get_next(o))
		if (is_root(o) && rtnl_tc_get_ifindex((struct rtnl_tc *)o) == ifindex)
			snprintf(ret, size, "%s", rtnl_tc_get_kind((struct rtnl_tc *)o));
	return 0;
}

int rt_drops(struct rt *rt, struct rt_drops *ret, struct err *e)
{
	_cleanup_(cache_freep) struct nl_cache *links = NULL;
	_cleanup_(cache_freep) struct nl_cache *qdiscs = NULL;
	int r = rtnl_link_alloc_cache(rt->sk, AF_UNSPEC, &links);

	if (r < 0)
		return rt_fail(e, r, "cannot list the links");
	r = root_qdiscs(rt, &qdiscs, e);
	if (r < 0)
		return r;
	*ret = (struct rt_drops){0};
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		ret->rx += rtnl_link_get_stat((struct rtnl_link *)o, RTNL_LINK_RX_DROPPED);
		ret->tx += rtnl_link_get_stat((struct rtnl_link *)o, RTNL_LINK_TX_DROPPED);
	}
	for (struct nl_object *o = nl_cache_get_first(qdiscs); o; o = nl_cache_get_next(o))
		if (is_root(o))
			ret->qdisc += rtnl_tc_get_stat((struct rtnl_tc *)o, RTNL_TC_DROPS);
	return 0;
}

static bool in_use(struct rtnl_addr *a, int family)
{
	const unsigned int unproven = IFA_F_TENTATIVE | IFA_F_DADFAILED;

	return rtnl_addr_get_family(a) == family && rtnl_addr_get_local(a) &&
	       rtnl_addr_get_scope(a) == RT_SCOPE_UNIVERSE && !(rtnl_addr_get_flags(a) & unproven);
}

/* Fills in one address. Return: whether its device is up. */
static bool describe_addr(struct nl_cache *links, struct rtnl_addr *a, struct rt_addr *ret)
{
	_cleanup_(link_putp) struct rtnl_link *link =
		rtnl_link_get(links, rtnl_addr_get_ifindex(a));

	if (!link || !(rtnl_link_get_flags(link) & IFF_UP))
		return false;
	inet_ntop(rtnl_addr_get_family(a), nl_addr_get_binary_addr(rtnl_addr_get_local(a)),
		ret->addr, sizeof(ret->addr));
	str_set(ret->dev, rtnl_link_get_name(link));
	ret->mtu = rtnl_link_get_mtu(link);
	return true;
}

int rt_addrs(struct rt *rt, bool ipv6, struct rt_addr *ret, uint32_t max, struct err *e)
{
	_cleanup_(cache_freep) struct nl_cache *links = NULL;
	_cleanup_(cache_freep) struct nl_cache *addrs = NULL;
	uint32_t n = 0;
	int r = rtnl_link_alloc_cache(rt->sk, AF_UNSPEC, &links);

	if (r >= 0)
		r = rtnl_addr_alloc_cache(rt->sk, &addrs);
	if (r < 0)
		return rt_fail(e, r, "cannot list the addresses");
	for (struct nl_object *o = nl_cache_get_first(addrs); o && n < max;
		o = nl_cache_get_next(o))
		if (in_use((struct rtnl_addr *)o, ipv6 ? AF_INET6 : AF_INET))
			n += describe_addr(links, (struct rtnl_addr *)o, &ret[n]);
	return (int)n;
}
