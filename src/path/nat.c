/*
 * What Docker does by default: a bridge, source NAT (masquerade) of what leaves it, destination
 * NAT of published ports, connection tracking on. The peer knows only the host's address.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "path/bridge.h"
#include "path/table.h"
#include "sys/nft.h"

#include <stdio.h>

/* One end's published ports on the address @daddr of the host. */
static char *publish(const struct lab *lab, const char *daddr, const char *to, uint16_t port)
{
	return xasprintf("%s daddr %s meta l4proto { tcp, udp } th dport %u-%u dnat to %s\n",
		lab->cfg->ipv6 ? "ip6" : "ip", daddr, port, port + PATH_N_PORTS - 1, to);
}

static int nat_rules(struct path *p, const char *daddr, struct err *e)
{
	struct lab *lab = p->lab;
	const char *ip = lab->cfg->ipv6 ? "ip6" : "ip";
	const char *net = lab->addrs->pod[0].net;
	const char *const *to = lab->addrs->bridged_addr;
	_cleanup_(freep) char *far = publish(lab, daddr, to[0], p->far.port);
	_cleanup_(freep) char *near =
		lab->n_pods > 1 ? publish(lab, daddr, to[1], p->near.port) : xstrdup("");
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
			ip, far, near, ip, net, ip, net);

	return nft_run(lab->host_fd, script, e);
}

static int nat_build(struct path *p, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	bool pods = p->lab->n_pods > 1;
	const char *published = pods ? a->pod[0].gateway : a->host;
	const char *addr[LAB_N_PODS] = {published, published};
	int r = bridge_pods(p->lab, e);

	if (r < 0)
		return r;
	lab_ends(p, addr);
	return nat_rules(p, published, e);
}

const struct path_ops path_nat = {
	.name = "nat",
	.summary = "bridge, masquerade out, published ports in: Docker's default",
	.hops = "peer, wire, host NAT (conntrack), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, nf_nat_ipv4_pre_routing, ip_forward, br_forward, veth_xmit",
	.set = PATH_SET_BASIC,
	.pods_ok = true,
	.build = nat_build,
};
