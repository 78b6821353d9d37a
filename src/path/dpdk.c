#include "path/dpdk.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/affinity.h"
#include "sys/exec.h"
#include "sys/room.h"

#include <errno.h>
#include <stdio.h>

/*
 * It takes half a second, most of it for a hundred drivers that are loaded; an emulated machine
 * needs far longer for that.
 */
#define READY_NS (45 * NSEC_PER_SEC)

/* More than both ports' rings and what is on its way between them: AF_XDP has 3 * 2048 a port. */
#define N_MBUFS 12288U
/* Of each device's two: locked memory, of which a user has 8 MiB. 512 frames of 2048 bytes. */
#define RING_BYTES (1U << 20)
/* Ref: struct rte_mbuf, mempool header and headroom. */
#define MBUF_HEADER_BYTES 384U
/* In the room. */
#define VHOST_SOCKET ROOM_DIR "/vhost"

struct dpdk {
	struct room *room;
	struct exec_proc proc;
};

int dpdk_open(struct dpdk **ret, struct err *e)
{
	_cleanup_(dpdk_closep) struct dpdk *d = xcalloc(1, sizeof(*d));
	int r;

	d->proc = (struct exec_proc)EXEC_PROC_NONE;
	r = room_open(&d->room, e);
	if (r == 0)
		*ret = take_ptr(d);
	return r;
}

void dpdk_close(struct dpdk *d)
{
	if (!d)
		return;
	room_close(d->room);
	exec_stop(&d->proc);
	free(d);
}

int dpdk_rest(struct dpdk *d, bool rest, struct err *e)
{
	return room_freeze(d->room, rest, e);
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

char *dpdk_packet_port(const struct path *p, uint32_t i, const char *dev)
{
	uint32_t frame = frame_bytes(p);

	return xasprintf("net_af_packet%u,iface=%s,framesz=%u,blocksz=%u,framecnt=%u", i, dev,
		frame, MAX(frame, 4096U), RING_BYTES / frame);
}

char *dpdk_vhost_port(const struct dpdk *d, char *ret_path, size_t size)
{
	room_path(d->room, VHOST_SOCKET, ret_path, size);
	return xstrdup("net_vhost0,iface=" VHOST_SOCKET);
}

/* It starts without the ports that it could not open, too. */
static int wait_ready(struct dpdk *d, const struct path *p, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + READY_NS;
	int r = exec_wait_words(&d->proc, "packet forwarding - ports=", deadline_ns, p->cancel_fd,
		e);

	if (r == 0 && exec_wait_words(&d->proc, "ports=2 ", 0, -1, NULL) < 0)
		return err_say(e, EIO,
			"dpdk-testpmd could not open its ports (the rings of a device need %u MiB "
			"of locked memory)",
			2 * RING_BYTES >> 20);
	return r;
}

int dpdk_start(struct dpdk *d, struct path *p, const char *const vdev[static 2], struct err *e)
{
	_cleanup_(freep) char *cores = lcores();
	_cleanup_(freep) char *port0 = xasprintf("--vdev=%s", vdev[0]);
	_cleanup_(freep) char *port1 = xasprintf("--vdev=%s", vdev[1]);
	/* Behind the headroom that every buffer has (RTE_PKTMBUF_HEADROOM). */
	_cleanup_(freep) char *mbuf = xasprintf("--mbuf-size=%u", frame_bytes(p) + 128);
	/*
	 * Links are not waited for, which takes 9 s: the lab does it, and a guest is still to
	 * come. With statistics it does not read its input, at whose end it would stop; what it
	 * has said gets out with the first of them, which is due when the machine has been up for
	 * that time.
	 */
	_cleanup_(freep) char *count = xasprintf("--total-num-mbufs=%u", N_MBUFS);
	_cleanup_(freep) char *mib = xasprintf("%u", memory_mib(p));
	const char *argv[] = {"dpdk-testpmd", cores, "--no-huge", "-m", mib, "--no-pci",
		"--no-telemetry", port0, port1, "--", "--forward-mode=io", "--auto-start",
		"--disable-link-check", "--stats-period=10", count, mbuf, NULL};
	const char *env[] = {EXEC_NO_XDP_PINS, NULL};
	const struct exec_args args = {.argv = argv,
		.env = env,
		.room = d->room,
		.netns_fd = p->lab->host_fd};
	int r = exec_start(&d->proc, &args, e);

	if (r == -ENOENT)
		return err_say(e, EOPNOTSUPP, "dpdk-testpmd is not installed (Debian: dpdk-dev)");
	if (r < 0)
		return r;
	r = wait_ready(d, p, e);
	if (r == 0)
		path_note(p, "a thread of the switch polls all the time: it keeps one CPU busy "
			     "whatever the traffic");
	return r;
}
