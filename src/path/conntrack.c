/*
 * The path bridge behind a stateful firewall: connections are tracked, nothing is translated. What
 * it costs over bridge is the price of tracking; what nat costs over it is that of translation.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "path/bridge.h"
#include "path/table.h"
#include "sys/nft.h"

static int firewall(const struct lab *lab, struct err *e)
{
	const char *ip = lab->cfg->ipv6 ? "ip6" : "ip";
	const char *net = lab->addrs->pod[0].net;
	_cleanup_(freep) char *script =
		xasprintf("table %s tare {\n"
			  "  chain forward {\n"
			  "    type filter hook forward priority filter; policy drop;\n"
			  "    ct state established,related accept\n"
			  "    ct state invalid drop\n"
			  "    %s daddr %s meta l4proto { tcp, udp } ct state new accept\n"
			  "    %s saddr %s ct state new accept\n"
			  "  }\n"
			  "}\n",
			ip, ip, net, ip, net);

	return nft_run(lab->host_fd, script, e);
}

static int conntrack_build(struct path *p, struct err *e)
{
	int r = bridge_build(p, e);

	return r < 0 ? r : firewall(p->lab, e);
}

const struct path_ops path_conntrack = {
	.name = "conntrack",
	.summary = "bridge behind a firewall that tracks connections; no NAT",
	.hops = "peer, wire, host routing (conntrack), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, nft_do_chain, ip_forward, br_forward, veth_xmit",
	.needs = "CONFIG_NF_CONNTRACK, CONFIG_NFT_CT",
	.set = PATH_SET_NAT,
	.pods_not = "tracks what the host routes, which pods of one bridge do not need",
	.build = conntrack_build,
};
