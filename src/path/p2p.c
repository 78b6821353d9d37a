/*
 * Two ports with nothing but the host's switch between them, the base of every other topology:
 *
 *	near == wire == S == pod0 == far
 *
 * Ref: RFC 8204 (phy-to-phy). The far port is a device in a namespace of its own.
 */
#include "base/str.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"

enum p2p_switch {
	P2P_BRIDGE,
	P2P_ROUTE,
	P2P_N,
};
static const char *const p2p_switch_name[] = {
	[P2P_BRIDGE] = "bridge",
	[P2P_ROUTE] = "route",
};
static_assert(ARRAY_SIZE(p2p_switch_name) == P2P_N);

static const struct opt p2p_opts[] = {
	OPT_ENUM(struct path_cfg, p2p_switch, "switch", 0, p2p_switch_name,
		"what the host does between the ports: a Linux bridge, or IP routing"),
	OPT_END,
};

/* @rt tells its bridge and the end beyond what is behind @port, the device @dev of @end. */
static int port_add(struct lab *lab, const char *port, struct rt *end, const char *dev,
	struct rt_id *ret, struct err *e)
{
	int r = rt_set_master(lab->host, port, "s0", e);

	if (r == 0)
		r = rt_id(end, dev, ret, e);
	return r < 0 ? r : rt_fdb_add(lab->host, port, ret->mac, e);
}

static int bridge_ports(struct lab *lab, struct err *e)
{
	struct rt_id near, far;
	int r = rt_bridge_quiet_add(lab->host, "s0", lab->cfg->mtu, e);

	if (r == 0)
		r = rt_set_up(lab->host, "s0", e);
	if (r == 0)
		r = port_add(lab, "wire", lab->peer, "wire", &near, e);
	if (r == 0)
		r = port_add(lab, lab_outer[0], lab->pod[0], "eth0", &far, e);
	if (r == 0)
		r = rt_neigh_add(lab->peer, "wire", lab->addrs->wire_addr[0], far.mac, e);
	return r < 0 ? r : rt_neigh_add(lab->pod[0], "eth0", lab->addrs->peer, near.mac, e);
}

static int p2p_build(struct path *p, struct err *e)
{
	int r;

	if (p->cfg.p2p_switch == P2P_ROUTE)
		return lab_build_routed(p, lab_pod_add, e);
	r = lab_switch_only(p->lab, e);
	if (r == 0)
		r = lab_build_on_wire(p, lab_pod_add, e);
	return r < 0 ? r : bridge_ports(p->lab, e);
}

const struct path_ops path_p2p = {
	.name = "p2p",
	.summary = "port to port by the host's switch alone, no function between",
	.hops = "peer, wire, bridge or host routing, veth pair, container",
	.crosses = "br_handle_frame, br_forward or ip_forward, veth_xmit",
	.set = PATH_SET_CHAIN,
	.pods_not = "has a port at each side of the host",
	.opts = p2p_opts,
	.opts_title = "Path p2p",
	.build = p2p_build,
};
