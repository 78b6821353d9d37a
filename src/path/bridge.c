/* Containers on a Linux bridge of the host, which routes between bridge and wire; no NAT. */
#include "path/bridge.h"

#include "path/table.h"

#include <stdio.h>

int bridge_pod_add(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_pod_add(lab, i, e);

	if (r < 0)
		return r;
	r = rt_set_master(lab->host, lab_outer[i], "br0", e);
	if (r < 0)
		return r;
	return lab_pod_address(lab, i, lab->addrs->bridged_addr[i], lab->addrs->pod[0].gateway, e);
}

int bridge_add(struct lab *lab, struct err *e)
{
	char gateway[64];
	int r = lab_forward(lab, e);

	if (r < 0)
		return r;
	r = rt_bridge_add(lab->host, "br0", lab->cfg->mtu, e);
	if (r < 0)
		return r;
	r = rt_set_up(lab->host, "br0", e);
	if (r < 0)
		return r;
	snprintf(gateway, sizeof(gateway), "%s%s", lab->addrs->pod[0].gateway,
		lab->addrs->wire_len);
	return rt_addr_add(lab->host, "br0", gateway, e);
}

int bridge_pods(struct lab *lab, struct err *e)
{
	int r = bridge_add(lab, e);

	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++)
		r = bridge_pod_add(lab, i, e);
	return r;
}

int bridge_build(struct path *p, struct err *e)
{
	int r = bridge_pods(p->lab, e);

	if (r < 0)
		return r;
	r = lab_route_from_peer(p->lab, p->lab->addrs->pod[0].net, e);
	if (r < 0)
		return r;
	lab_ends(p, p->lab->addrs->bridged_addr);
	return 0;
}

const struct path_ops path_bridge = {
	.name = "bridge",
	.summary = "container on a Linux bridge, routed to the wire without NAT",
	.hops = "peer, wire, host routing, bridge, veth pair, container",
	.crosses = "br_handle_frame, br_forward, ip_forward, veth_xmit",
	.set = PATH_SET_BASIC,
	.pods_ok = true,
	.build = bridge_build,
};
