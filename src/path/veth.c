/* A routed veth pair: the host forwards between the wire and the container, no bridge, no NAT. */
#include "path/lab.h"
#include "path/table.h"

static int veth_build(struct path *p, struct err *e)
{
	return lab_build_routed(p, lab_pod_add, e);
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
