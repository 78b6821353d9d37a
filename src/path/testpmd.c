/* DPDK's testpmd between two devices of the kernel, on packet or AF_XDP sockets. */
#include "base/mem.h"
#include "path/dpdk.h"
#include "path/switch.h"
#include "path/table.h"
#include "sys/xdp.h"

#include <errno.h>

/* Jumbo frames. */
#define AF_PACKET_MAX_MTU 9216
/* Ref: DPDK drivers/net/af_xdp: frames of 2048 bytes, headroom in them. */
#define AF_XDP_MAX_MTU 1500

static const char *const driver[] = {
	[DPDK_PORT_AF_PACKET] = "net_af_packet",
	[DPDK_PORT_AF_XDP] = "net_af_xdp",
};
static_assert(ARRAY_SIZE(driver) == DPDK_PORT_N);

static int testpmd_check(const struct path_spec *spec, struct err *e)
{
	bool xdp = spec->cfg.dpdk_port == DPDK_PORT_AF_XDP;
	uint32_t max = xdp ? AF_XDP_MAX_MTU : AF_PACKET_MAX_MTU;

	if (spec->cfg.mtu > max)
		return err_say(e, EINVAL, "path '%s': %s ports take an MTU of at most %u",
			spec->ops->name, driver[spec->cfg.dpdk_port], max);
	return xdp ? switch_check_unshaped(spec, "AF_XDP sockets send", e) : 0;
}

static void testpmd_close(struct path *p)
{
	dpdk_close(take_ptr(p->state));
}

static int testpmd_rest(struct path *p, bool rest, struct err *e)
{
	return dpdk_rest(p->state, rest, e);
}

static char *vdev(const struct path *p, uint32_t i)
{
	const char *dev = switch_ports(p->lab)[i];

	return p->cfg.dpdk_port == DPDK_PORT_AF_XDP ? xasprintf("net_af_xdp%u,iface=%s", i, dev)
						    : dpdk_packet_port(p, i, dev);
}

static int testpmd_build(struct path *p, struct err *e)
{
	_cleanup_(freep) char *port0 = vdev(p, 0);
	_cleanup_(freep) char *port1 = vdev(p, 1);
	struct dpdk *d = NULL;
	int r = p->cfg.dpdk_port == DPDK_PORT_AF_XDP ? xdp_probe(e) : 0;

	if (r == 0)
		r = lab_build_on_wire(p, lab_pod_add, e);
	if (r == 0)
		r = dpdk_open(&d, e);
	p->state = d;
	if (r == 0)
		r = dpdk_start(d, p, (const char *const[]){port0, port1}, e);
	return r < 0 ? r : switch_offload(p, e);
}

const struct path_ops path_dpdk_testpmd = {
	.name = "dpdk-testpmd",
	.summary = "DPDK's testpmd between the wire and the container",
	.hops = "peer, wire, poll-mode driver, testpmd, poll-mode driver, veth pair, container",
	.crosses = "tpacket_rcv, dpdk-testpmd, packet_sendmsg; with af_xdp: xsk_rcv, xsk_sendmsg",
	.needs = "dpdk-testpmd; no huge pages",
	.set = PATH_SET_SWITCH,
	.pods_ok = true,
	.opts = switch_opts,
	.opts_title = SWITCH_OPTS_TITLE,
	.check = testpmd_check,
	.build = testpmd_build,
	.rest = testpmd_rest,
	.close = testpmd_close,
};
