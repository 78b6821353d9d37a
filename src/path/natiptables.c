/*
 * The rules of the path nat, set by iptables in the shape that Docker gives them. Only the nat
 * table: what differs from nat is who set the rules and what part of the kernel reads them.
 * Ref: moby libnetwork/drivers/bridge/setup_ip_tables.go, port_mapping (chain DOCKER).
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "path/nat.h"
#include "path/table.h"
#include "sys/iptables.h"

static char *publish(const struct nat_base *b, uint32_t i)
{
	return i >= b->n_ends
		       ? xstrdup("")
		       : xasprintf("-A DOCKER -d %s -p tcp --dport %u:%u -j DNAT --to-destination "
				   "%s\n"
				   "-A DOCKER -d %s -p udp --dport %u:%u -j DNAT --to-destination "
				   "%s\n",
				 b->published, b->end[i].first_port, b->end[i].last_port,
				 b->end[i].addr, b->published, b->end[i].first_port,
				 b->end[i].last_port, b->end[i].addr);
}

static int natiptables_rules(const struct path *p, const struct nat_base *b, struct err *e)
{
	_cleanup_(freep) char *far = publish(b, 0);
	_cleanup_(freep) char *near = publish(b, 1);
	_cleanup_(freep) char *script =
		xasprintf("*nat\n"
			  ":PREROUTING ACCEPT\n"
			  ":OUTPUT ACCEPT\n"
			  ":POSTROUTING ACCEPT\n"
			  ":DOCKER -\n"
			  "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
			  "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER\n"
			  "-A POSTROUTING -s %s ! -o br0 -j MASQUERADE\n"
			  "-A POSTROUTING -s %s -o br0 -m conntrack --ctstate DNAT -j MASQUERADE\n"
			  "%s%s"
			  "COMMIT\n",
			b->net, b->net, far, near);

	return iptables_restore(p->lab->host_fd, p->cfg.ipv6, script, p->cancel_fd, e);
}

static int natiptables_build(struct path *p, struct err *e)
{
	struct nat_base base;
	char version[64];
	int r = iptables_version(p->cfg.ipv6, version, sizeof(version), e);

	if (r == 0)
		r = nat_base_build(p, NULL, &base, e);
	if (r == 0)
		r = natiptables_rules(p, &base, e);
	if (r == 0)
		path_note(p, "rules by %s", version);
	return r;
}

const struct path_ops path_natiptables = {
	.name = "nat-iptables",
	.summary = "the same as nat by iptables, in Docker's chains",
	.hops = "peer, wire, host NAT (conntrack, iptables), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, nft_do_chain with nft_compat or ipt_do_table, ip_forward, "
		   "br_forward, veth_xmit",
	.needs = "the program iptables",
	.set = PATH_SET_NAT,
	.pods_ok = true,
	.wire = PATH_WIRE_BY_HOST,
	.build = natiptables_build,
};
