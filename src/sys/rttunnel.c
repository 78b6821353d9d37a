#include "sys/rttunnel.h"

#include "base/macro.h"
#include "sys/rtnl_priv.h"

#include <errno.h>
#include <linux/ip6_tunnel.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/route/link/geneve.h>
#include <netlink/route/link/ip6gre.h>
#include <netlink/route/link/ip6tnl.h>
#include <netlink/route/link/ipgre.h>
#include <netlink/route/link/ipip.h>
#include <netlink/route/link/vxlan.h>

/* Any number does, as long as both ends have the same. */
#define TUNNEL_VNI 42
/* Ref: RFC 7348 s.5, RFC 8926 s.3.3: the ports IANA gave them; the kernel's default is older. */
#define VXLAN_PORT  4789
#define GENEVE_PORT 6081
/* Left out, libnl sends 0 for IPv6: the first hop would drop it. */
#define TUNNEL_TTL 64

/* The addresses of both ends as the kernel's attributes have them. */
struct ends {
	struct nl_addr *local, *remote;
};

static uint32_t v4(struct nl_addr *a)
{
	uint32_t ret;

	memcpy(&ret, nl_addr_get_binary_addr(a), sizeof(ret));
	return ret;
}

static struct in6_addr v6(struct nl_addr *a)
{
	struct in6_addr ret;

	memcpy(&ret, nl_addr_get_binary_addr(a), sizeof(ret));
	return ret;
}

static void set_vxlan(struct rtnl_link *l, const struct ends *ends)
{
	rtnl_link_vxlan_set_id(l, TUNNEL_VNI);
	rtnl_link_vxlan_set_local(l, ends->local);
	rtnl_link_vxlan_set_group(l, ends->remote);
	rtnl_link_vxlan_set_port(l, VXLAN_PORT);
}

static void set_geneve(struct rtnl_link *l, const struct ends *ends)
{
	rtnl_link_geneve_set_id(l, TUNNEL_VNI);
	rtnl_link_geneve_set_remote(l, ends->remote);
	rtnl_link_geneve_set_port(l, GENEVE_PORT);
}

static void set_ipip(struct rtnl_link *l, const struct ends *ends)
{
	rtnl_link_ipip_set_local(l, v4(ends->local));
	rtnl_link_ipip_set_remote(l, v4(ends->remote));
	rtnl_link_ipip_set_ttl(l, TUNNEL_TTL);
	rtnl_link_ipip_set_pmtudisc(l, 1);
}

static void set_gre(struct rtnl_link *l, const struct ends *ends)
{
	rtnl_link_ipgre_set_local(l, v4(ends->local));
	rtnl_link_ipgre_set_remote(l, v4(ends->remote));
	rtnl_link_ipgre_set_ttl(l, TUNNEL_TTL);
	rtnl_link_ipgre_set_pmtudisc(l, 1);
}

/* The encapsulation limit of RFC 2473 s.4.1.1 would be 8 bytes more in each packet. */
static void set_ip6tnl(struct rtnl_link *l, const struct ends *ends)
{
	struct in6_addr local = v6(ends->local), remote = v6(ends->remote);

	rtnl_link_ip6_tnl_set_local(l, &local);
	rtnl_link_ip6_tnl_set_remote(l, &remote);
	rtnl_link_ip6_tnl_set_ttl(l, TUNNEL_TTL);
	rtnl_link_ip6_tnl_set_proto(l, IPPROTO_IPV6);
	rtnl_link_ip6_tnl_set_flags(l, IP6_TNL_F_IGN_ENCAP_LIMIT);
}

static void set_ip6gre(struct rtnl_link *l, const struct ends *ends)
{
	struct in6_addr local = v6(ends->local), remote = v6(ends->remote);

	rtnl_link_ip6gre_set_local(l, &local);
	rtnl_link_ip6gre_set_remote(l, &remote);
	rtnl_link_ip6gre_set_ttl(l, TUNNEL_TTL);
	rtnl_link_ip6gre_set_flags(l, IP6_TNL_F_IGN_ENCAP_LIMIT);
}

static struct rtnl_link *alloc_wireguard(void)
{
	struct rtnl_link *l = rtnl_link_alloc();

	if (l && rtnl_link_set_type(l, "wireguard") == 0)
		return l;
	rtnl_link_put(l);
	return NULL;
}

struct kind {
	const char *name, *config;
	struct rtnl_link *(*alloc)(void);
	void (*set)(struct rtnl_link *l, const struct ends *ends); /* NULL: has no ends */
};

/* [kind][IPv6] */
static const struct kind kinds[][2] = {
	[RT_TUNNEL_VXLAN] = {{"vxlan", "CONFIG_VXLAN", rtnl_link_vxlan_alloc, set_vxlan},
		{"vxlan", "CONFIG_VXLAN", rtnl_link_vxlan_alloc, set_vxlan}},
	[RT_TUNNEL_GENEVE] = {{"geneve", "CONFIG_GENEVE", rtnl_link_geneve_alloc, set_geneve},
		{"geneve", "CONFIG_GENEVE", rtnl_link_geneve_alloc, set_geneve}},
	[RT_TUNNEL_IPIP] = {{"ipip", "CONFIG_NET_IPIP", rtnl_link_ipip_alloc, set_ipip},
		{"ip6tnl", "CONFIG_IPV6_TUNNEL", rtnl_link_ip6_tnl_alloc, set_ip6tnl}},
	[RT_TUNNEL_GRE] = {{"gre", "CONFIG_NET_IPGRE", rtnl_link_ipgre_alloc, set_gre},
		{"ip6gre", "CONFIG_IPV6_GRE", rtnl_link_ip6gre_alloc, set_ip6gre}},
	[RT_TUNNEL_WIREGUARD] = {{"wireguard", "CONFIG_WIREGUARD", alloc_wireguard, NULL},
		{"wireguard", "CONFIG_WIREGUARD", alloc_wireguard, NULL}},
};
static_assert(ARRAY_SIZE(kinds) == RT_TUNNEL_N);

static int add(struct rt *rt, const struct rt_tunnel *t, const struct kind *kind,
	const struct ends *ends, struct err *e)
{
	_cleanup_(link_putp) struct rtnl_link *l = kind->alloc();
	int r;

	if (!l)
		return err_set(e, ENOMEM, "cannot allocate a %s link", kind->name);
	rtnl_link_set_name(l, t->name);
	rtnl_link_set_mtu(l, t->mtu);
	if (kind->set)
		kind->set(l, ends);
	r = rtnl_link_add(rt->sk, l, NLM_F_CREATE | NLM_F_EXCL);
	if (r == -NLE_OPNOTSUPP)
		return err_say(e, EOPNOTSUPP, "this kernel has no %s device (%s)", kind->name,
			kind->config);
	return r < 0 ? rt_fail(e, r, "cannot add the %s '%s'", kind->name, t->name) : 0;
}

int rt_tunnel_add(struct rt *rt, const struct rt_tunnel *t, struct err *e)
{
	_cleanup_(nl_addr_putp) struct nl_addr *local = NULL;
	_cleanup_(nl_addr_putp) struct nl_addr *remote = NULL;
	bool ipv6;
	int r = rt_addr_parse(t->local, &local, e);

	if (r == 0)
		r = rt_addr_parse(t->remote, &remote, e);
	if (r < 0)
		return r;
	ipv6 = nl_addr_get_family(local) == AF_INET6;
	return add(rt, t, &kinds[t->kind][ipv6], &(struct ends){local, remote}, e);
}
