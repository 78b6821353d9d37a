/*
 * Containers on ipvlan devices of the host's side of the wire, which all have the host's MAC
 * address: the kernel picks the device by IP address. In mode l2 they are machines of the wire's
 * own subnet; in l3 and l3s they have subnets of their own, which the peer reaches by way of the
 * host's address, and packets are routed by the host's tables (l3s: through its netfilter hooks,
 * too).
 */
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtlink.h"

#include <stdio.h>

static int pod_add(struct lab *lab, uint32_t i, enum rt_ipvlan_mode mode, struct err *e)
{
	int r = lab_pod_new(lab, i, e);
	const struct rt_child eth0 = {"eth0", "wire", lab->pod_fd[i], lab->cfg->mtu};

	return r < 0 ? r : rt_ipvlan_add(lab->host, &eth0, mode, e);
}

static int l2_pod_add(struct lab *lab, uint32_t i, struct err *e)
{
	return pod_add(lab, i, RT_IPVLAN_L2, e);
}

static int l2_build(struct path *p, struct err *e)
{
	return lab_build_on_wire(p, l2_pod_add, e);
}

/* No gateway: there is no ARP in these modes, everything is "on the link". */
static int l3_pod_build(struct lab *lab, uint32_t i, enum rt_ipvlan_mode mode, struct err *e)
{
	const struct lab_addrs *a = lab->addrs;
	char everywhere[64];
	int r = pod_add(lab, i, mode, e);

	if (r == 0)
		r = lab_pod_address(lab, i, a->pod[i].addr, NULL, e);
	if (r < 0)
		return r;
	snprintf(everywhere, sizeof(everywhere), "%s/0", a->any);
	r = rt_route_add(lab->pod[i], "eth0", everywhere, NULL, e);
	return r < 0 ? r : lab_route_from_peer(lab, a->pod[i].net, e);
}

static int l3_build_as(struct path *p, enum rt_ipvlan_mode mode, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *addr[LAB_N_PODS] = {a->pod[0].addr, a->pod[1].addr};

	for (uint32_t i = 0; i < p->lab->n_pods; i++) {
		int r = l3_pod_build(p->lab, i, mode, e);

		if (r < 0)
			return r;
	}
	lab_ends(p, addr);
	return 0;
}

static int l3_build(struct path *p, struct err *e)
{
	return l3_build_as(p, RT_IPVLAN_L3, e);
}

static int l3s_build(struct path *p, struct err *e)
{
	return l3_build_as(p, RT_IPVLAN_L3S, e);
}

const struct path_ops path_ipvlan_l2 = {
	.name = "ipvlan-l2",
	.summary = "container on an ipvlan device with the host's MAC, in the wire's own subnet",
	.hops = "peer, wire, ipvlan, container",
	.crosses = "ipvlan_handle_frame, ipvlan_xmit_mode_l2",
	.needs = "Linux 3.19 (CONFIG_IPVLAN)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.wire = PATH_WIRE_CONTAINER,
	.build = l2_build,
};

const struct path_ops path_ipvlan_l3 = {
	.name = "ipvlan-l3",
	.summary = "container on an ipvlan device that routes by the host's tables",
	.hops = "peer, wire, ipvlan (host's routes), container",
	.crosses = "ipvlan_handle_frame, ipvlan_xmit_mode_l3, ip_route_output_flow",
	.needs = "Linux 3.19 (CONFIG_IPVLAN)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.build = l3_build,
};

const struct path_ops path_ipvlan_l3s = {
	.name = "ipvlan-l3s",
	.summary = "as ipvlan-l3, through the host's netfilter hooks",
	.hops = "peer, wire, host input, ipvlan (host's routes), container",
	.crosses = "ipvlan_l3_rcv, ipvlan_nf_input, ipvlan_xmit_mode_l3",
	.needs = "Linux 4.9 (CONFIG_IPVLAN, CONFIG_IPVLAN_L3S)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.build = l3s_build,
};
