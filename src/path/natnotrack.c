/*
 * NAT without connection tracking. Without memory a rule can only exchange one address for
 * another, whatever the connection: all TCP and UDP that the peer sends to the host goes to the
 * container, all that the container sends out carries the host's address. That is static NAT, one
 * to one, as clouds do for public addresses; masquerading and published ports need tracking.
 * ICMP stays as it is: the host's own neighbours and errors are not the container's.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "path/nat.h"
#include "path/table.h"
#include "sys/nft.h"

static int natnotrack_rules(const struct path *p, const struct nat_base *b, struct err *e)
{
	/* Whatever follows raw's priority sees packets marked as not to be tracked. */
	_cleanup_(freep) char *script = xasprintf(
		"table %s tare {\n"
		"  chain untracked {\n"
		"    type filter hook prerouting priority raw; policy accept;\n"
		"    notrack\n"
		"  }\n"
		"  chain in {\n"
		"    type filter hook prerouting priority dstnat; policy accept;\n"
		"    iifname \"wire\" %s daddr %s meta l4proto { tcp, udp } %s daddr set %s\n"
		"  }\n"
		"  chain out {\n"
		"    type filter hook postrouting priority srcnat; policy accept;\n"
		"    oifname \"wire\" %s saddr %s meta l4proto { tcp, udp } %s saddr set %s\n"
		"  }\n"
		"}\n",
		b->ip, b->ip, b->published, b->ip, b->end[0].addr, b->ip, b->end[0].addr, b->ip,
		b->published);

	return nft_run(p->lab->host_fd, script, e);
}

static int natnotrack_build(struct path *p, struct err *e)
{
	struct nat_base base;
	int r = nat_base_build(p, NULL, &base, e);

	return r < 0 ? r : natnotrack_rules(p, &base, e);
}

const struct path_ops path_natnotrack = {
	.name = "nat-notrack",
	.summary = "nat without connection tracking: one address for another, packet by packet",
	.hops = "peer, wire, host address rewriting, bridge, veth pair, container",
	.crosses = "nft_do_chain, nft_notrack_eval, nft_payload_set_eval, ip_forward, br_forward, "
		   "veth_xmit",
	.needs = "Linux 4.10 (CONFIG_NFT_CT)",
	.set = PATH_SET_NAT,
	.pods_not = "rewrites addresses on the wire only",
	.wire = PATH_WIRE_BY_HOST,
	.build = natnotrack_build,
};
