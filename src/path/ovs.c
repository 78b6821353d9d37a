/*
 * Containers on an Open vSwitch bridge that the wire is a port of. The switch is one of tare's own
 * (sys/ovs.h): its userspace datapath on packet sockets or on AF_XDP sockets, or its kernel one.
 */
#include "sys/ovs.h"

#include "path/switch.h"
#include "path/table.h"
#include "sys/xdp.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

static int ovs_open(struct path *p, const char *const *set, struct err *e)
{
	const struct ovs_args args = {.netns_fd = p->lab->host_fd,
		.cancel_fd = p->cancel_fd,
		.set = set};

	return ovs_start((struct ovs **)&p->state, &args, e);
}

static void ovs_close(struct path *p)
{
	ovs_stop(p->state);
}

static int ovs_rest(struct path *p, bool rest, struct err *e)
{
	return ovs_freeze(p->state, rest, e);
}

static int add_bridge(struct path *p, const char *datapath, struct err *e)
{
	char type[64];
	const char *words[] = {"add-br", "br0", "--", "set", "bridge", "br0", type, NULL};

	snprintf(type, sizeof(type), "datapath_type=%s", datapath);
	return ovs_vsctl(p->state, words, e);
}

/*
 * Unless it is told not to, the switch replaces a port's queueing discipline by its own, which
 * would end the shaping of the wire. Ref: ovs-vswitchd.conf.db(5), QoS type linux-noop.
 */
static int add_port(struct path *p, const char *dev, const char *type, struct err *e)
{
	char iface_type[64];
	const char *words[] = {"add-port", "br0", dev, "--", "set", "interface", dev, iface_type,
		"--", "set", "port", dev, "qos=@q", "--", "--id=@q", "create", "qos",
		"type=linux-noop", NULL};

	snprintf(iface_type, sizeof(iface_type), "type=%s", type);
	return ovs_vsctl(p->state, words, e);
}

static int build(struct path *p, const char *const *set, const char *datapath, const char *port,
	struct err *e)
{
	int r = lab_build_on_wire(p, lab_pod_add, e);

	if (r == 0)
		r = ovs_open(p, set, e);
	if (r == 0)
		r = add_bridge(p, datapath, e);
	for (uint32_t i = 0; r == 0 && i < SWITCH_N_PORTS; i++)
		r = add_port(p, switch_ports(p->lab)[i], port, e);
	return r;
}

static int netdev_build(struct path *p, struct err *e)
{
	static const char *const tso[] = {"other_config:userspace-tso-enable=true", NULL};
	int r = build(p, p->cfg.ovs_tso ? tso : NULL, "netdev", "system", e);

	if (r < 0)
		return r;
	return p->cfg.ovs_tso ? switch_no_udp_segments(p, e) : switch_offload(p, e);
}

static int afxdp_build(struct path *p, struct err *e)
{
	bool pmd = p->cfg.ovs_pmd == OVS_PMD_PMD;
	int r = xdp_probe(e);

	if (r == 0)
		r = build(p, NULL, "netdev", pmd ? "afxdp" : "afxdp-nonpmd", e);
	if (r < 0)
		return r;
	if (pmd)
		path_note(p, "a thread of the switch polls all the time: it keeps one CPU busy "
			     "whatever the traffic");
	return switch_offload(p, e);
}

/* Ref: drivers/net/veth.c veth_xdp_set: page - XDP headroom - Ethernet - skb_shared_info. */
#define AFXDP_MAX_MTU 3506

static int afxdp_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.mtu > AFXDP_MAX_MTU)
		return err_say(e, EINVAL,
			"path '%s' takes an MTU of at most %u: a packet in a page", spec->ops->name,
			AFXDP_MAX_MTU);
	return switch_check_unshaped(spec, "AF_XDP sockets send", e);
}

static int kernel_build(struct path *p, struct err *e)
{
	int r = build(p, NULL, "system", "system", e);

	if (r < 0 && p->state && ovs_logged(p->state, "'ovs_datapath' does not exist"))
		return err_say(e, EOPNOTSUPP,
			"this kernel has no Open vSwitch datapath (CONFIG_OPENVSWITCH, module "
			"openvswitch)");
	return r;
}

const struct path_ops path_ovs_netdev = {
	.name = "ovs-netdev",
	.summary = "Open vSwitch in user space, its ports on packet sockets",
	.hops = "peer, wire, packet socket, ovs-vswitchd, packet socket, veth pair, container",
	.crosses = "packet_rcv, ovs-vswitchd (dpif-netdev), packet_sendmsg, veth_xmit",
	.needs = "openvswitch-switch, /dev/net/tun",
	.set = PATH_SET_SWITCH,
	.pods_ok = true,
	.opts = switch_opts,
	.opts_title = SWITCH_OPTS_TITLE,
	.build = netdev_build,
	.rest = ovs_rest,
	.close = ovs_close,
};

const struct path_ops path_ovs_afxdp = {
	.name = "ovs-afxdp",
	.summary = "Open vSwitch in user space, its ports on AF_XDP sockets",
	.hops = "peer, wire, AF_XDP socket, ovs-vswitchd, AF_XDP socket, veth pair, container",
	.crosses = "veth_xdp_rcv, xsk_rcv, ovs-vswitchd (dpif-netdev), xsk_sendmsg, veth_xmit",
	.needs = "Linux 4.18 (CONFIG_XDP_SOCKETS), CAP_BPF, openvswitch-switch with AF_XDP",
	.set = PATH_SET_SWITCH,
	.pods_ok = true,
	.opts = switch_opts,
	.opts_title = SWITCH_OPTS_TITLE,
	.check = afxdp_check,
	.build = afxdp_build,
	.rest = ovs_rest,
	.close = ovs_close,
};

const struct path_ops path_ovs_kernel = {
	.name = "ovs-kernel",
	.summary = "Open vSwitch with its datapath in the kernel",
	.hops = "peer, wire, ovs datapath (flow table), veth pair, container",
	.crosses = "netdev_frame_hook, ovs_dp_process_packet, ovs_vport_send, veth_xmit",
	.needs = "Linux 3.3 (CONFIG_OPENVSWITCH), openvswitch-switch",
	.set = PATH_SET_SWITCH,
	.pods_ok = true,
	.build = kernel_build,
	.close = ovs_close,
};
