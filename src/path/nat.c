/*
 * What Docker does by default: a bridge, source NAT (masquerade) of what leaves it, destination
 * NAT of published ports, connection tracking on. The peer knows only the host's address.
 */
#include "path/nat.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "path/bridge.h"
#include "path/table.h"
#include "sys/nft.h"

#include <stdio.h>

int nat_base_build(struct path *p, const char *published, struct nat_base *ret, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *host = p->lab->n_pods > 1 ? a->pod[0].gateway : a->host;
	const char *at = published ? published : host;
	const char *addr[LAB_N_PODS] = {at, at};
	int r = bridge_pods(p->lab, e);

	if (r < 0)
		return r;
	lab_ends(p, addr);
	*ret = (struct nat_base){.ip = p->cfg.ipv6 ? "ip6" : "ip",
		.net = a->pod[0].net,
		.published = at,
		.n_ends = p->lab->n_pods};
	for (uint32_t i = 0; i < ret->n_ends; i++) {
		uint16_t port = i == 0 ? p->far.port : p->near.port;

		ret->end[i].name = i == 0 ? "far" : "near";
		ret->end[i].addr = a->bridged_addr[i];
		ret->end[i].first_port = port;
		ret->end[i].last_port = (uint16_t)(port + PATH_N_PORTS - 1);
	}
	return 0;
}

/* One end's published ports. */
static char *publish(const struct nat_base *b, uint32_t i)
{
	if (i >= b->n_ends)
		return xstrdup("");
	return xasprintf("%s daddr %s meta l4proto { tcp, udp } th dport %u-%u dnat to %s\n", b->ip,
		b->published, b->end[i].first_port, b->end[i].last_port, b->end[i].addr);
}

static int nat_rules(const struct path *p, const struct nat_base *b, struct err *e)
{
	_cleanup_(freep) char *far = publish(b, 0);
	_cleanup_(freep) char *near = publish(b, 1);
	/* The last rule sends a pod's answer to another pod back through the host (hairpin). */
	_cleanup_(freep) char *script =
		xasprintf("table %s tare {\n"
			  "  chain prerouting {\n"
			  "    type nat hook prerouting priority dstnat; policy accept;\n"
			  "    %s    %s"
			  "  }\n"
			  "  chain postrouting {\n"
			  "    type nat hook postrouting priority srcnat; policy accept;\n"
			  "    oifname \"wire\" %s saddr %s masquerade\n"
			  "    oifname \"br0\" %s saddr %s ct status dnat masquerade\n"
			  "  }\n"
			  "}\n",
			b->ip, far, near, b->ip, b->net, b->ip, b->net);

	return nft_run(p->lab->host_fd, script, e);
}

int nat_build(struct path *p, struct err *e)
{
	struct nat_base base;
	int r = nat_base_build(p, NULL, &base, e);

	return r < 0 ? r : nat_rules(p, &base, e);
}

const struct path_ops path_nat = {
	.name = "nat",
	.summary = "bridge, masquerade out, published ports in: Docker's default",
	.hops = "peer, wire, host NAT (conntrack), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, nf_nat_ipv4_pre_routing, ip_forward, br_forward, veth_xmit",
	.set = PATH_SET_BASIC,
	.pods_ok = true,
	.wire = PATH_WIRE_BY_HOST,
	.build = nat_build,
};
