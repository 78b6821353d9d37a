/*
 * A container with a VLAN of its own: the peer's and the host's side of the wire get an 802.1Q
 * device, the host's is moved into the container, as CNI's plugin "vlan" does. A wire has one
 * device of a VLAN, so the VLAN holds one container of the host (more would need a bridge or
 * macvlan on top), and there is no between = pods.
 */
#include "base/str.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtlink.h"

#include <stdio.h>

#define VLAN_ID  100 /* any; ids 0, 1 and 4095 have meanings of their own */
#define VLAN_DEV "wire.100"

static int peer_build(struct lab *lab, struct err *e)
{
	const struct rt_child dev = {VLAN_DEV, "wire", -1, lab->cfg->mtu};
	char prefix[64];
	int r = rt_vlan_add(lab->peer, &dev, VLAN_ID, e);

	if (r == 0)
		r = rt_set_up(lab->peer, VLAN_DEV, e);
	if (r < 0)
		return r;
	snprintf(prefix, sizeof(prefix), "%s%s", lab->addrs->pod[0].gateway, lab->addrs->wire_len);
	return rt_addr_add(lab->peer, VLAN_DEV, prefix, e);
}

static int pod_build(struct lab *lab, struct err *e)
{
	int r = lab_pod_new(lab, 0, e);
	const struct rt_child eth0 = {"eth0", "wire", lab->pod_fd[0], lab->cfg->mtu};

	if (r == 0)
		r = rt_vlan_add(lab->host, &eth0, VLAN_ID, e);
	return r < 0 ? r : lab_pod_address(lab, 0, lab->addrs->pod[0].addr, NULL, e);
}

static int vlan_build(struct path *p, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *addr[LAB_N_PODS] = {a->pod[0].addr};
	int r = peer_build(p->lab, e);

	if (r == 0)
		r = pod_build(p->lab, e);
	if (r < 0)
		return r;
	lab_ends(p, addr);
	str_set(p->near.addr, a->pod[0].gateway);
	str_set(p->near.dev, VLAN_DEV);
	return 0;
}

const struct path_ops path_vlan = {
	.name = "vlan",
	.summary = "container with a VLAN (802.1Q) device of the wire moved into it",
	.hops = "peer, VLAN device, wire, VLAN device, container",
	.crosses = "vlan_dev_hard_start_xmit, vlan_do_receive",
	.needs = "Linux 2.6 (CONFIG_VLAN_8021Q)",
	.set = PATH_SET_KERNEL,
	.build = vlan_build,
};
