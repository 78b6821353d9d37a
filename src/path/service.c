/*
 * A service of Kubernetes as kube-proxy makes it: an address that no machine has, which the host
 * translates to one of N backends, chosen at random for each connection.
 *
 *	peer ==== wire ==== host: service address -> backend 1 .. N -- br0 -- container
 *
 * By nftables the choice is one look-up in a map; by iptables each backend is a rule that is tried
 * with the probability of 1 in those that are left. All N backends are the one container: a UDP
 * socket that is connected has one address, and what is weighed is the number of rules. What a
 * container opens leaves with the service's address, so that the other end sees only that.
 * Ref: kubernetes pkg/proxy/iptables/proxier.go, pkg/proxy/nftables/proxier.go.
 */
#include "base/cleanup.h"
#include "base/macro.h"
#include "base/mem.h"
#include "path/nat.h"
#include "path/table.h"
#include "sys/iptables.h"
#include "sys/nft.h"

#include <errno.h>
#include <stdio.h>

/* Above that iptables takes longer to load the rules than a trial takes. */
#define SERVICE_MAX_BACKENDS 1024

static const struct opt service_opts[] = {
	OPT_U32(struct path_cfg, backends, "backends", 0, "<n>",
		"backends that a connection to the service may go to", .min = 1,
		.max = SERVICE_MAX_BACKENDS),
	OPT_ENUM(struct path_cfg, service_by, "service-by", 0, path_service_by_name,
		"whose rules choose the backend"),
	OPT_END,
};

static void nft_end(FILE *f, const struct nat_base *b, uint32_t i, uint32_t backends)
{
	const char *name = b->end[i].name;

	for (uint32_t k = 0; k < backends; k++)
		fprintf(f, "  chain endpoint-%s-%u { dnat to %s; }\n", name, k, b->end[i].addr);
	fprintf(f, "  chain service-%s {\n    numgen random mod %u vmap {", name, backends);
	for (uint32_t k = 0; k < backends; k++)
		fprintf(f, "%s %u : goto endpoint-%s-%u", k ? "," : "", k, name, k);
	fprintf(f, " }\n  }\n");
}

static void nft_script(FILE *f, const struct nat_base *b, uint32_t backends)
{
	fprintf(f, "table %s tare {\n", b->ip);
	for (uint32_t i = 0; i < b->n_ends; i++)
		nft_end(f, b, i, backends);
	fprintf(f, "  chain prerouting {\n    type nat hook prerouting priority dstnat;\n");
	for (uint32_t i = 0; i < b->n_ends; i++)
		fprintf(f,
			"    %s daddr %s meta l4proto { tcp, udp } th dport %u-%u goto "
			"service-%s\n",
			b->ip, b->published, b->end[i].first_port, b->end[i].last_port,
			b->end[i].name);
	fprintf(f,
		"  }\n"
		"  chain postrouting {\n"
		"    type nat hook postrouting priority srcnat;\n"
		"    oifname \"wire\" %s saddr %s snat to %s\n"
		"    oifname \"br0\" %s saddr %s ct status dnat snat to %s\n"
		"  }\n"
		"}\n",
		b->ip, b->net, b->published, b->ip, b->net, b->published);
}

static void iptables_end(FILE *f, const struct nat_base *b, uint32_t i, uint32_t backends)
{
	const char *name = b->end[i].name, *const protocol[] = {"tcp", "udp"};

	fprintf(f, ":KUBE-SVC-%s -\n", name);
	for (uint32_t k = 0; k < backends; k++)
		fprintf(f, ":KUBE-SEP-%s-%u -\n", name, k);
	for (size_t k = 0; k < ARRAY_SIZE(protocol); k++)
		fprintf(f, "-A KUBE-SERVICES -d %s -p %s --dport %u:%u -j KUBE-SVC-%s\n",
			b->published, protocol[k], b->end[i].first_port, b->end[i].last_port, name);
	for (uint32_t k = 0; k < backends; k++) {
		fprintf(f, "-A KUBE-SVC-%s", name);
		if (k < backends - 1)
			fprintf(f, " -m statistic --mode random --probability %.11f",
				1.0 / (backends - k));
		fprintf(f, " -j KUBE-SEP-%s-%u\n", name, k);
		fprintf(f, "-A KUBE-SEP-%s-%u -j DNAT --to-destination %s\n", name, k,
			b->end[i].addr);
	}
}

static void iptables_script(FILE *f, const struct nat_base *b, uint32_t backends)
{
	fprintf(f, "*nat\n:PREROUTING ACCEPT\n:POSTROUTING ACCEPT\n:KUBE-SERVICES -\n"
		   "-A PREROUTING -j KUBE-SERVICES\n");
	for (uint32_t i = 0; i < b->n_ends; i++)
		iptables_end(f, b, i, backends);
	fprintf(f,
		"-A POSTROUTING -s %s -o wire -j SNAT --to-source %s\n"
		"-A POSTROUTING -s %s -o br0 -m conntrack --ctstate DNAT -j SNAT --to-source %s\n"
		"COMMIT\n",
		b->net, b->published, b->net, b->published);
}

static int service_rules(struct path *p, const struct nat_base *b, struct err *e)
{
	bool by_iptables = p->cfg.service_by == PATH_SERVICE_IPTABLES;
	_cleanup_(freep) char *script = NULL;
	size_t size;
	FILE *f = open_memstream(&script, &size);
	int r;

	if (!f)
		return err_set(e, ENOMEM, "cannot write the service's rules");
	(by_iptables ? iptables_script : nft_script)(f, b, p->cfg.backends);
	r = fclose(f);
	if (r < 0)
		return err_set(e, ENOMEM, "cannot write the service's rules");
	return by_iptables ? iptables_restore(p->lab->host_fd, p->cfg.ipv6, script, p->cancel_fd, e)
			   : nft_run(p->lab->host_fd, script, e);
}

static int service_build(struct path *p, struct err *e)
{
	const char *service = p->lab->addrs->service;
	char chooser[64] = "nftables";
	struct nat_base base;
	int r = 0;

	if (p->cfg.service_by == PATH_SERVICE_IPTABLES)
		r = iptables_version(p->cfg.ipv6, chooser, sizeof(chooser), e);
	if (r == 0)
		r = nat_base_build(p, service, &base, e);
	if (r == 0)
		r = lab_route_from_peer(p->lab, service, e);
	if (r == 0)
		r = service_rules(p, &base, e);
	if (r == 0)
		path_note(p, "%u backends, chosen by %s", p->cfg.backends, chooser);
	return r;
}

const struct path_ops path_service = {
	.name = "service",
	.summary = "a service address with backends chosen at random, as kube-proxy does",
	.hops = "peer, wire, host NAT (conntrack, choice of backend), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, nft_do_chain or ipt_do_table, nf_nat_setup_info, ip_forward, "
		   "br_forward, veth_xmit",
	.needs = "Linux 4.9 (CONFIG_NFT_NUMGEN); with service-by=iptables that program",
	.set = PATH_SET_NAT,
	.pods_ok = true,
	.opts = service_opts,
	.opts_title = "Services",
	.build = service_build,
};
