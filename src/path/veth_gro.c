/*
 * The path veth with GRO on both halves of the container's pair. By default a veth device hands
 * each packet to the CPU's backlog; with GRO it is polled by a NAPI of its own, as a NIC is, and
 * segments of a flow are joined before IP sees them.
 */
#include "path/lab.h"
#include "path/table.h"
#include "sys/ethtool.h"

static int switch_on(const struct lab *lab, uint32_t i, struct err *e)
{
	int r = ethtool_set(lab->host_fd, lab_outer[i], ETHTOOL_GRO, true, e);

	return r < 0 ? r : ethtool_set(lab->pod_fd[i], "eth0", ETHTOOL_GRO, true, e);
}

static int veth_gro_build(struct path *p, struct err *e)
{
	int r = path_veth.build(p, e);

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = switch_on(p->lab, i, e);
	return r;
}

const struct path_ops path_veth_gro = {
	.name = "veth-gro",
	.summary = "the path veth, its devices polled and joining segments (GRO), as NICs do",
	.hops = "peer, wire, host routing, veth pair with NAPI and GRO, container",
	.crosses = "ip_forward, veth_xmit, veth_poll, napi_gro_receive",
	.needs = "Linux 5.13 (GRO on veth without XDP)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.build = veth_gro_build,
};
