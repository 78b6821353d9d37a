#include "path/switch.h"

#include "sys/ethtool.h"

#include <errno.h>

static const char *const offload_name[] = {
	[SWITCH_OFFLOAD_FIX] = "fix",
	[SWITCH_OFFLOAD_KEEP] = "keep",
};
static_assert(ARRAY_SIZE(offload_name) == SWITCH_OFFLOAD_N);

static const char *const pmd_name[] = {
	[OVS_PMD_PMD] = "pmd",
	[OVS_PMD_NONPMD] = "nonpmd",
};
static_assert(ARRAY_SIZE(pmd_name) == OVS_PMD_N);

static const char *const dpdk_port_name[] = {
	[DPDK_PORT_AF_PACKET] = "af_packet",
	[DPDK_PORT_AF_XDP] = "af_xdp",
};
static_assert(ARRAY_SIZE(dpdk_port_name) == DPDK_PORT_N);

static const char *const off_on[] = {"off", "on"};

const struct opt switch_opts[] = {
	OPT_ENUM(struct path_cfg, switch_offload, "switch-offload", 0, offload_name,
		"fix: the ends compute checksums, as a switch in user space does not; "
		"keep: they leave them to it"),
	OPT_ENUM(struct path_cfg, ovs_tso, "ovs-tso", 0, off_on,
		"ovs-netdev: carry checksums and segmentation through (userspace-tso-enable)"),
	OPT_ENUM(struct path_cfg, ovs_pmd, "ovs-pmd", 0, pmd_name,
		"ovs-afxdp: a thread that polls all the time, or the main thread"),
	OPT_ENUM(struct path_cfg, dpdk_port, "dpdk-port", 0, dpdk_port_name,
		"dpdk-testpmd: the poll-mode driver of its ports"),
	OPT_END,
};

const char *const *switch_ports(const struct lab *lab)
{
	static const char *const machines[SWITCH_N_PORTS] = {"wire", "pod0"};

	return lab->n_pods > 1 ? lab_outer : machines;
}

int switch_offload(struct path *p, struct err *e)
{
	int r;

	if (p->cfg.switch_offload == SWITCH_OFFLOAD_KEEP)
		return 0;
	r = ethtool_set(p->near.netns_fd, p->near.dev, ETHTOOL_TX_CSUM, false, e);
	if (r == 0)
		r = ethtool_set(p->far.netns_fd, p->far.dev, ETHTOOL_TX_CSUM, false, e);
	if (r < 0)
		return r;
	path_note(p, "tx checksum offload, and TSO with it, is off at both ends, as this switch "
		     "forwards checksums as they are: each segment crosses all of the path as a "
		     "packet of its own");
	return 0;
}

int switch_no_udp_segments(struct path *p, struct err *e)
{
	static const char feature[] = "tx-udp-segmentation";
	int r;

	if (p->cfg.switch_offload == SWITCH_OFFLOAD_KEEP)
		return 0;
	r = ethtool_feature_off(p->near.netns_fd, p->near.dev, feature, e);
	if (r == 0)
		r = ethtool_feature_off(p->far.netns_fd, p->far.dev, feature, e);
	if (r < 0)
		return r;
	path_note(p,
		"%s is off at both ends: the switch carries TCP's large segments through and "
		"loses UDP's",
		feature);
	return 0;
}

int switch_check_unshaped(const struct path_spec *spec, const char *why, struct err *e)
{
	if (!spec->cfg.wire_rate_bps)
		return 0;
	return err_say(e, EINVAL,
		"path '%s' can't have a --wire-rate: %s past the queue that shapes it",
		spec->ops->name, why);
}
