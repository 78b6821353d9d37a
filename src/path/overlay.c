/*
 * Tunnels between two nodes, as CNIs build them for pods of different machines: the peer is one
 * node, the host the other, the wire the underlay.
 *
 *	pod -- veth -- [br0] -- tun0 -- peer ==== wire ==== host -- tun0 -- [br0] -- veth -- pod
 *
 * vxlan and geneve carry Ethernet: tun0 is a port of a bridge, and both pods are in one subnet, as
 * in Docker's overlay networks. ipip, gre and wireguard carry IP: each node routes its pods'
 * subnet, and the other's lies behind tun0, as with Calico's IP-in-IP or Flannel's WireGuard.
 */
#include "base/macro.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/rttunnel.h"
#include "sys/wg.h"

#include <errno.h>
/* Ref: RFC 8200 s.5: no IPv6 link below 1280. */
#define IPV6_MIN_MTU 1280

static const struct opt overlay_opts[] = {
	OPT_ENUM(struct path_cfg, overlay_mtu, "overlay-mtu", 0, path_overlay_mtu_name,
		"lower the MTU of pods by what the tunnel adds, or keep the wire's, to see what a "
		"forgotten MTU costs"),
	OPT_END,
};

struct overlay {
	const struct path_ops *ops;
	enum rt_tunnel_kind kind;
	bool bridged;
	uint32_t overhead_bytes[2]; /* [IPv6]: put in front of (and behind) each inner IP packet */
	uint32_t reserve_bytes;     /* what CNIs leave free for it, where that is more */
};

/*
 * Outer IP is 20 bytes, IPv6 40; UDP 8.
 * vxlan: IP + UDP + 8 + inner Ethernet 14 (RFC 7348 s.5); geneve: the same without options (RFC
 * 8926 s.3); ipip: IP (RFC 2003 s.3, RFC 2473 s.3); gre: IP + 4 (RFC 2784 s.2); wireguard: IP +
 * UDP + 16 + tag 16 (Donenfeld, WireGuard, s.5.4.6), for which wg-quick and the kernel's device
 * always leave the 80 bytes of IPv6 (drivers/net/wireguard/device.c wg_setup).
 */
static const struct overlay overlays[] = {
	{&path_vxlan, RT_TUNNEL_VXLAN, true, {50, 70}, 0},
	{&path_geneve, RT_TUNNEL_GENEVE, true, {50, 70}, 0},
	{&path_ipip, RT_TUNNEL_IPIP, false, {20, 40}, 0},
	{&path_gre, RT_TUNNEL_GRE, false, {24, 44}, 0},
	{&path_wireguard, RT_TUNNEL_WIREGUARD, false, {60, 80}, 80},
};

static const struct overlay *overlay_of(const struct path_ops *ops)
{
	for (size_t i = 0; i < ARRAY_SIZE(overlays); i++)
		if (overlays[i].ops == ops)
			return &overlays[i];
	assert(false);
	return NULL;
}

static uint32_t inner_mtu(const struct overlay *o, const struct path_cfg *cfg)
{
	uint32_t overhead = MAX(o->overhead_bytes[cfg->ipv6], o->reserve_bytes);

	return cfg->overlay_mtu == PATH_OVERLAY_KEEP ? cfg->mtu : cfg->mtu - overhead;
}

static int overlay_check(const struct path_spec *spec, struct err *e)
{
	uint32_t mtu = inner_mtu(overlay_of(spec->ops), &spec->cfg);

	if (spec->cfg.ipv6 && mtu < IPV6_MIN_MTU)
		return err_say(e, EINVAL,
			"--mtu %u leaves %u bytes in path '%s', and IPv6 needs %u", spec->cfg.mtu,
			mtu, spec->ops->name, IPV6_MIN_MTU);
	return 0;
}

/* A node: the machine that pod @pod is on; node 0 is the host, node 1 the peer. */
static int node_fd(const struct lab *lab, uint32_t pod)
{
	return pod == 0 ? lab->host_fd : lab->peer_fd;
}

static int tunnel_add(struct path *p, const struct overlay *o, uint32_t pod, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	struct rt *rt = lab_machine_of(p->lab, pod);
	const struct rt_tunnel tunnel = {.kind = o->kind,
		.name = "tun0",
		.local = pod == 0 ? a->host : a->peer,
		.remote = pod == 0 ? a->peer : a->host,
		.mtu = p->mtu};
	int r = rt_tunnel_add(rt, &tunnel, e);

	return r < 0 ? r : rt_set_up(rt, "tun0", e);
}

/* Pod and tunnel are ports of a bridge, which has no address: nothing is routed here. */
static int bridged_node(struct path *p, uint32_t pod, struct err *e)
{
	struct rt *rt = lab_machine_of(p->lab, pod);
	int r = rt_bridge_add(rt, "br0", p->mtu, e);

	if (r == 0)
		r = rt_set_up(rt, "br0", e);
	if (r == 0)
		r = rt_set_master(rt, lab_outer[pod], "br0", e);
	if (r == 0)
		r = rt_set_master(rt, "tun0", "br0", e);
	if (r == 0)
		r = lab_pod_address(p->lab, pod, p->lab->addrs->bridged_addr[pod], NULL, e);
	return r;
}

static int routed_node(struct path *p, uint32_t pod, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	int r = lab_forward_at(p->lab, node_fd(p->lab, pod), e);

	if (r == 0)
		r = lab_pod_routed(p->lab, pod, e);
	return r < 0 ? r
		     : rt_route_add(lab_machine_of(p->lab, pod), "tun0", a->pod[!pod].net, NULL, e);
}

static int node_build(struct path *p, const struct overlay *o, uint32_t pod, struct err *e)
{
	int r = tunnel_add(p, o, pod, e);

	if (r == 0)
		r = lab_pod_add(p->lab, pod, e);
	if (r < 0)
		return r;
	return o->bridged ? bridged_node(p, pod, e) : routed_node(p, pod, e);
}

/* Each node knows the other's public key, address and pods. */
static int wireguard_keys(struct path *p, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	struct wg_keys keys[2];
	int r = wg_keys_make(&keys[0], e);

	if (r == 0)
		r = wg_keys_make(&keys[1], e);
	for (uint32_t i = 0; r == 0 && i < 2; i++) {
		const struct wg_peer other = {.public_key = keys[!i].public_key,
			.addr = i == 0 ? a->peer : a->host,
			.allowed = a->pod[!i].net};

		r = wg_set(node_fd(p->lab, i), "tun0", keys[i].private_key, &other, e);
	}
	return r;
}

static void add_note(struct path *p)
{
	if (p->cfg.overlay_mtu == PATH_OVERLAY_KEEP)
		path_note(p,
			"pods use the wire's MTU of %u, and the tunnel adds %u bytes to each "
			"packet: full ones are fragmented or refused",
			p->mtu, p->overhead_bytes);
	else
		path_note(p,
			"the pods' MTU is %u: UDP payloads above %u bytes are fragmented by their "
			"sender",
			p->mtu, p->mtu - 8 - (p->cfg.ipv6 ? 40 : 20));
}

static int overlay_build(struct path *p, struct err *e)
{
	const struct overlay *o = overlay_of(p->ops);
	const struct lab_addrs *a = p->lab->addrs;
	const char *routed[LAB_N_PODS] = {a->pod[0].addr, a->pod[1].addr};
	int r = 0;

	p->mtu = p->lab->pod_mtu = inner_mtu(o, &p->cfg);
	p->overhead_bytes = o->overhead_bytes[p->cfg.ipv6];
	lab_two_nodes(p->lab);
	for (uint32_t i = 0; r == 0 && i < LAB_N_PODS; i++)
		r = node_build(p, o, i, e);
	if (r == 0 && o->kind == RT_TUNNEL_WIREGUARD)
		r = wireguard_keys(p, e);
	if (r < 0)
		return r;
	lab_ends(p, o->bridged ? a->bridged_addr : routed);
	path_add_hop(p, p->lab->peer_fd);
	add_note(p);
	return 0;
}

#define OVERLAY_PATH                                                                               \
	.set = PATH_SET_OVERLAY, .pods_not = "is crossed by pods of two nodes only",               \
	.opts = overlay_opts, .opts_title = "Overlays", .check = overlay_check,                    \
	.build = overlay_build

const struct path_ops path_vxlan = {
	.name = "vxlan",
	.summary =
		"pods of two nodes on bridges joined by VXLAN: Docker's overlay networks, Flannel",
	.hops = "pod, veth pair, bridge, vxlan, wire, vxlan, bridge, veth pair, pod",
	.crosses = "br_forward, vxlan_xmit, udp_tunnel_xmit_skb, vxlan_rcv, gro_cells_receive",
	.needs = "Linux 3.7 (CONFIG_VXLAN)",
	OVERLAY_PATH,
};

const struct path_ops path_geneve = {
	.name = "geneve",
	.summary = "pods of two nodes on bridges joined by Geneve, as OVN and Cilium encapsulate",
	.hops = "pod, veth pair, bridge, geneve, wire, geneve, bridge, veth pair, pod",
	.crosses = "br_forward, geneve_xmit, udp_tunnel_xmit_skb, geneve_udp_encap_recv",
	.needs = "Linux 4.2 (CONFIG_GENEVE)",
	OVERLAY_PATH,
};

const struct path_ops path_ipip = {
	.name = "ipip",
	.summary = "pods of two nodes routed through IP-in-IP: Calico's default",
	.hops = "pod, veth pair, routing, ipip, wire, ipip, routing, veth pair, pod",
	.crosses = "ip_forward, ipip_tunnel_xmit (ip6_tnl_xmit), ipip_rcv, gro_cells_receive",
	.needs = "CONFIG_NET_IPIP; for IPv6 CONFIG_IPV6_TUNNEL",
	OVERLAY_PATH,
};

const struct path_ops path_gre = {
	.name = "gre",
	.summary = "pods of two nodes routed through GRE",
	.hops = "pod, veth pair, routing, gre, wire, gre, routing, veth pair, pod",
	.crosses = "ip_forward, ipgre_xmit (ip6gre_tunnel_xmit), gre_rcv, gro_cells_receive",
	.needs = "CONFIG_NET_IPGRE; for IPv6 CONFIG_IPV6_GRE",
	OVERLAY_PATH,
};

const struct path_ops path_wireguard = {
	.name = "wireguard",
	.summary =
		"pods of two nodes routed through WireGuard: encrypted, as Flannel and Calico can",
	.hops = "pod, veth pair, routing, wireguard, wire, wireguard, routing, veth pair, pod",
	.crosses = "ip_forward, wg_xmit, wg_packet_encrypt_worker, wg_packet_decrypt_worker, "
		   "wg_packet_rx_poll",
	.needs = "Linux 5.6 (CONFIG_WIREGUARD)",
	OVERLAY_PATH,
};
