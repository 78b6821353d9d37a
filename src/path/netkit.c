/*
 * The path "veth" with a netkit pair in place of the veth pair, without programs on it: what the
 * device alone makes of it. A packet crosses it within the sender's call, on no backlog.
 */
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtlink.h"

#define NETKIT_L3 0 /* the kernel's default */
static const char *const netkit_mode_name[] = {
	[NETKIT_L3] = "l3",
	"l2",
};

static const struct opt netkit_opts[] = {
	OPT_ENUM(struct path_cfg, netkit_mode, "netkit-mode", 0, netkit_mode_name,
		"netkit without Ethernet addresses and ARP, or with"),
	OPT_END,
};

static int pod_add(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_pod_new(lab, i, e);
	const struct rt_netkit pair = {lab_outer[i], "eth0", lab->pod_fd[i], lab->cfg->mtu,
		.l3 = lab->cfg->netkit_mode == NETKIT_L3};

	if (r == 0)
		r = rt_netkit_add(lab->host, &pair, e);
	if (r < 0)
		return r;
	lab->pod_pair[i] = true;
	return rt_set_up(lab->host, lab_outer[i], e);
}

static int netkit_build(struct path *p, struct err *e)
{
	return lab_build_routed(p, pod_add, e);
}

const struct path_ops path_netkit = {
	.name = "netkit",
	.summary = "container on a routed netkit pair, no programs on it",
	.hops = "peer, wire, host routing, netkit pair, container",
	.crosses = "ip_forward, netkit_xmit",
	.needs = "Linux 6.7 (CONFIG_NETKIT)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.opts = netkit_opts,
	.opts_title = "Netkit",
	.build = netkit_build,
};
