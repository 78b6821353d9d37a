/* A routed veth pair: the host forwards between the wire and the container, no bridge, no NAT. */
#include "path/lab.h"
#include "path/table.h"

static int pod_build(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_pod_add(lab, i, e);

	if (r == 0)
		r = lab_pod_routed(lab, i, e);
	return r < 0 ? r : lab_route_from_peer(lab, lab->addrs->pod[i].net, e);
}

static int veth_build(struct path *p, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *addr[LAB_N_PODS] = {a->pod[0].addr, a->pod[1].addr};
	int r = lab_forward(p->lab, e);

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = pod_build(p->lab, i, e);
	if (r < 0)
		return r;
	lab_ends(p, addr);
	return 0;
}

const struct path_ops path_veth = {
	.name = "veth",
	.summary = "container on a routed veth pair: no bridge, no NAT",
	.hops = "peer, wire, host routing, veth pair, container",
	.crosses = "ip_forward, veth_xmit, net_rx_action",
	.set = PATH_SET_BASIC,
	.pods_ok = true,
	.build = veth_build,
};
