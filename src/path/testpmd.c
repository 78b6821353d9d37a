/*
 * DPDK's own test program as the switch: one of its threads polls two ports and moves frames from
 * one to the other, unchanged. Ports are the kernel's devices through poll-mode drivers on packet
 * or AF_XDP sockets, so it needs neither huge pages nor a NIC.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/switch.h"
#include "path/table.h"
#include "sys/affinity.h"
#include "sys/exec.h"
#include "sys/room.h"
#include "sys/xdp.h"

#include <errno.h>
#include <stdio.h>

/*
 * It takes half a second, most of it for a hundred drivers that are loaded; an emulated machine
 * needs far longer for that.
 */
#define READY_NS (45 * NSEC_PER_SEC)
/* Jumbo frames. */
#define AF_PACKET_MAX_MTU 9216
/* Ref: DPDK drivers/net/af_xdp: frames of 2048 bytes, headroom in them. */
#define AF_XDP_MAX_MTU 1500

/* More than both ports' rings and what is on its way between them: AF_XDP has 3 * 2048 a port. */
#define N_MBUFS 12288U
/* Of each of the four: locked memory, of which a user has 8 MiB. 512 frames of 2048 bytes. */
#define RING_BYTES (1U << 20)
/* Ref: struct rte_mbuf, mempool header and headroom. */
#define MBUF_HEADER_BYTES 384U

struct testpmd {
	struct room *room;
	struct exec_proc proc;
};

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
	struct testpmd *t = p->state;

	room_close(t->room);
	exec_stop(&t->proc);
	free(t);
}

static int testpmd_rest(struct path *p, bool rest, struct err *e)
{
	struct testpmd *t = p->state;

	return room_freeze(t->room, rest, e);
}

/* Both threads may run on any of our CPUs: which one is free, the scheduler knows. */
static char *lcores(void)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	uint32_t n = affinity_allowed(cpus);
	char list[AFFINITY_MAX_CPUS * 5] = "";

	for (uint32_t i = 0; i < n; i++)
		str_addf(list, sizeof(list), "%s%u", i ? "," : "", cpus[i]);
	return xasprintf("--lcores=0@(%s),1@(%s)", list, list);
}

/* The frames of its rings hold a whole packet behind a header of at most 200 bytes. */
static uint32_t frame_bytes(const struct path *p)
{
	uint32_t size = 2048;

	while (size < p->cfg.mtu + 200)
		size *= 2;
	return size;
}

/* Its buffers, and 32 MiB for all else. */
static uint32_t memory_mib(const struct path *p)
{
	return (N_MBUFS * (frame_bytes(p) + MBUF_HEADER_BYTES) >> 20) + 32;
}

static char *vdev(const struct path *p, uint32_t i)
{
	const char *name = driver[p->cfg.dpdk_port], *dev = switch_ports(p->lab)[i];
	uint32_t frame = frame_bytes(p);

	if (p->cfg.dpdk_port == DPDK_PORT_AF_XDP)
		return xasprintf("--vdev=%s%u,iface=%s", name, i, dev);
	return xasprintf("--vdev=%s%u,iface=%s,framesz=%u,blocksz=%u,framecnt=%u", name, i, dev,
		frame, MAX(frame, 4096U), RING_BYTES / frame);
}

/* It starts without the ports that it could not open, too. */
static int wait_ready(const struct path *p, struct testpmd *t, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + READY_NS;
	int r = exec_wait_words(&t->proc, "packet forwarding - ports=", deadline_ns, p->cancel_fd,
		e);

	if (r == 0 && exec_wait_words(&t->proc, "ports=2 ", 0, -1, NULL) < 0)
		return err_say(e, EIO,
			"dpdk-testpmd could not open the devices as ports (its rings need %u MiB "
			"of locked memory)",
			2 * SWITCH_N_PORTS * RING_BYTES >> 20);
	return r;
}

static int start(struct path *p, struct testpmd *t, struct err *e)
{
	_cleanup_(freep) char *cores = lcores();
	_cleanup_(freep) char *port0 = vdev(p, 0);
	_cleanup_(freep) char *port1 = vdev(p, 1);
	/* Behind the headroom that every buffer has (RTE_PKTMBUF_HEADROOM). */
	_cleanup_(freep) char *mbuf = xasprintf("--mbuf-size=%u", frame_bytes(p) + 128);
	/*
	 * The lab waits for the links, not it, which takes 9 s. With statistics it does not read
	 * its input, at whose end it would stop; what it has said gets out with the first of them,
	 * which is due when the machine has been up for that time.
	 */
	_cleanup_(freep) char *count = xasprintf("--total-num-mbufs=%u", N_MBUFS);
	_cleanup_(freep) char *mib = xasprintf("%u", memory_mib(p));
	const char *argv[] = {"dpdk-testpmd", cores, "--no-huge", "-m", mib, "--no-pci",
		"--no-telemetry", port0, port1, "--", "--forward-mode=io", "--auto-start",
		"--disable-link-check", "--stats-period=10", count, mbuf, NULL};
	const char *env[] = {EXEC_NO_XDP_PINS, NULL};
	const struct exec_args args = {.argv = argv,
		.env = env,
		.room = t->room,
		.netns_fd = p->lab->host_fd};
	int r = exec_start(&t->proc, &args, e);

	if (r == -ENOENT)
		return err_say(e, EOPNOTSUPP, "dpdk-testpmd is not installed (Debian: dpdk-dev)");
	if (r < 0)
		return r;
	return wait_ready(p, t, e);
}

static int testpmd_build(struct path *p, struct err *e)
{
	struct testpmd *t = xcalloc(1, sizeof(*t));
	int r;

	p->state = t;
	t->proc = (struct exec_proc)EXEC_PROC_NONE;
	r = p->cfg.dpdk_port == DPDK_PORT_AF_XDP ? xdp_probe(e) : 0;
	if (r == 0)
		r = switch_ends(p, e);
	if (r == 0)
		r = room_open(&t->room, e);
	if (r == 0)
		r = start(p, t, e);
	if (r < 0)
		return r;
	path_note(p, "a thread of the switch polls all the time: it keeps one CPU busy whatever "
		     "the traffic");
	return switch_offload(p, e);
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
