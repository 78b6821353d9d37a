/*
 * A container whose device is a tap: a process of the host copies each frame between that tap and
 * another one on a bridge. That is the data path of pasta and slirp4netns (rootless containers) and
 * of a virtual machine's network back end, without their protocol work. Checksums and segmentation
 * that are still to be done are passed on with a frame (IFF_VNET_HDR), as QEMU and passt do.
 */
#include "base/mem.h"
#include "base/str.h"
#include "path/bridge.h"
#include "path/forward.h"
#include "path/table.h"
#include "sys/tap.h"

#include <errno.h>
struct tap_state {
	struct spawned forward[LAB_N_PODS];
};

static int tap_check(const struct path_spec *spec, struct err *e)
{
	return tap_check_mtu(spec->cfg.mtu, e);
}

static int device(int netns_fd, struct rt *rt, const char *name, uint32_t mtu, int *ret_fd,
	struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r = tap_open(netns_fd, name, true, 1, &fd, e);

	if (r == 0)
		r = tap_offload(fd, e);
	if (r == 0)
		r = rt_set_mtu(rt, name, mtu, e);
	if (r == 0)
		r = rt_set_up(rt, name, e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

static int join(struct lab *lab, uint32_t i, struct spawned *forward, struct err *e)
{
	_cleanup_(closep) int outer_fd = -1;
	_cleanup_(closep) int eth0_fd = -1;
	int r = device(lab->host_fd, lab->host, lab_outer[i], lab->cfg->mtu, &outer_fd, e);

	if (r == 0)
		r = rt_set_master(lab->host, lab_outer[i], "br0", e);
	if (r == 0)
		r = device(lab->pod_fd[i], lab->pod[i], "eth0", lab->cfg->mtu, &eth0_fd, e);
	return r < 0 ? r : forward_start(forward, (const int[]){outer_fd, eth0_fd}, e);
}

static int pod_build(struct lab *lab, uint32_t i, struct spawned *forward, struct err *e)
{
	const struct lab_addrs *a = lab->addrs;
	int r = lab_pod_new(lab, i, e);

	if (r == 0)
		r = join(lab, i, forward, e);
	return r < 0 ? r : lab_pod_address(lab, i, a->bridged_addr[i], a->pod[0].gateway, e);
}

static int tap_build(struct path *p, struct err *e)
{
	struct tap_state *s = p->state = xcalloc(1, sizeof(*s));
	struct lab *lab = p->lab;
	int r = bridge_add(lab, e);

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		s->forward[i] = (struct spawned)FORWARD_NONE;
	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++)
		r = pod_build(lab, i, &s->forward[i], e);
	if (r == 0)
		r = lab_route_from_peer(lab, lab->addrs->pod[0].net, e);
	if (r < 0)
		return r;
	lab_ends(p, lab->addrs->bridged_addr);
	str_set(p->far.outer, lab_outer[0]);
	if (lab->n_pods > 1)
		str_set(p->near.outer, lab_outer[1]);
	path_note(p, "a process of the host copies every frame, one for each container: its CPU "
		     "time is in the machine's, not in that of either end's threads");
	return 0;
}

static void tap_close(struct path *p)
{
	struct tap_state *s = p->state;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		forward_stop(&s->forward[i]);
	free(s);
}

const struct path_ops path_tap = {
	.name = "tap",
	.summary = "container on a tap device, frames copied by a process of the host",
	.hops = "peer, wire, host routing, bridge, tap, forwarder, tap, container",
	.crosses = "br_forward, tun_net_xmit, tun_chr_read_iter, tun_chr_write_iter",
	.needs = "Linux 2.6.27 (CONFIG_TUN, /dev/net/tun)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.check = tap_check,
	.build = tap_build,
	.close = tap_close,
};
