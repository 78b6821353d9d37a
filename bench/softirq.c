/*
 * What the accounting of softirqs costs a packet: live frames of 64 bytes as fast as they go,
 *
 *	remote eth0 => wire [br0] pod0 => eth0 of a pod, whose socket is full
 *
 * all of it on one CPU, in the sending thread: its CPU time by packet, without the accounting, with
 * it, and with a clock reading at each packet, by turns; differences are of pairs in one round.
 *
 * Usage: tare-softirq [<rounds>]
 */
#include "base/clock.h"
#include "base/str.h"
#include "charge/softirq.h"
#include "frame/io.h"
#include "path/lab.h"
#include "stat/estimate.h"
#include "sys/affinity.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"
#include "sys/sock.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define N_FRAMES   (1 << 17) /* of a trial */
#define MAX_ROUNDS 100
#define POD        SOFTIRQ_FIRST

enum {
	OFF,
	LAZY,
	PRECISE,
	MODE_N,
};
static const char *const mode_name[] = {"off", "lazy", "precise"};

static int host_fd, remote_fd, pod_fd;
static struct rt *host, *remote, *pod;
static struct rt_id remote_id, pod_id, half_id;
static struct frame_tx *tx;

/* The benchmark's only way to fail. */
#define must(call)                                                                                 \
	do {                                                                                       \
		struct err e_ = {0};                                                               \
                                                                                                   \
		if ((call) < 0) {                                                                  \
			fprintf(stderr, "%s: %s\n", #call, e_.text);                               \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static void add(const char *name, int *fd, struct rt **rt, struct rt_id *id, const char *prefix)
{
	must(lab_machine_new(false, fd, rt, &e_));
	must(rt_veth_add(host, name, "eth0", *fd, 1500, &e_));
	must(rt_set_up(host, name, &e_));
	must(rt_set_up(*rt, "eth0", &e_));
	must(rt_addr_add(*rt, "eth0", prefix, &e_));
	must(rt_set_master(host, name, "br0", &e_));
	must(rt_id(*rt, "eth0", id, &e_));
	must(rt_fdb_add(host, name, id->mac, &e_));
	must(rt_wait_up(host, name, clock_now_ns() + 5 * NSEC_PER_SEC, &e_));
}

static void build(void)
{
	must(lab_machine_new(false, &host_fd, &host, &e_));
	must(rt_bridge_quiet_add(host, "br0", 1500, &e_));
	must(rt_set_up(host, "br0", &e_));
	add("wire", &remote_fd, &remote, &remote_id, "198.18.0.1/24");
	add("pod0", &pod_fd, &pod, &pod_id, "198.18.0.2/24");
	must(rt_id(host, "pod0", &half_id, &e_));
	must(ethtool_set(host_fd, "wire", ETHTOOL_GRO, true, &e_));
}

static void fill_sink(void)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd;

	must(ns_scope_enter(&scope, pod_fd, &e_));
	must(fd = sock_bind(SOCK_DGRAM, "0.0.0.0", 7, &e_));
	must(sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, 1, "receive buffer", &e_));
}

static void open_sender(void)
{
	static const struct frame_form form;
	struct frame_addr addr = {.src_ip = {198, 18, 0, 1}, .dst_ip = {198, 18, 0, 2}};
	const struct frame_vary vary = {.flows = 1, .networks = 1, .macs = 1};
	struct frame_port port = {.netns_fd = remote_fd,
		.ifindex = (uint32_t)remote_id.ifindex,
		.mtu = remote_id.mtu};
	struct frame_stream *stream;
	struct frame_mix mix;
	const struct frame_stream_args args = {&form, &addr, &vary, &mix, 1};

	str_set(port.dev, "eth0");
	memcpy(port.mac, remote_id.mac, 6);
	memcpy(addr.src_mac, remote_id.mac, 6);
	memcpy(addr.dst_mac, pod_id.mac, 6);
	must(frame_mix_parse(&mix, "64", 1500, &e_));
	must(frame_stream_new(&stream, &args, &e_));
	must(frame_tx_find("live")->open(&tx, &port, stream, &e_));
}

static uint32_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
}

static struct softirq *account(int mode)
{
	const struct softirq_cfg cfg = {.n_owners = 64, .precise = mode == PRECISE};
	const struct softirq_dev dev = {inode_of(host_fd), (uint32_t)half_id.ifindex};
	struct softirq *s;

	must(-softirq_open(&s, &cfg, &e_)); /* 1 is a failure here, too */
	must(softirq_set_netns(s, inode_of(pod_fd), POD, &e_));
	must(softirq_set_dev(s, &dev, POD, &e_));
	softirq_changed(s);
	return s;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ns of CPU time by packet. */
static double trial(int mode)
{
	struct softirq *s = mode == OFF ? NULL : account(mode);
	struct frame_plan plan = {.magic = FRAME_MAGIC_TEST,
		.trial = 1,
		.begin_ns = clock_now_ns() + 3 * NSEC_PER_MSEC,
		.burst = 1,
		.n_phases = 1,
		.phase = {{.n_frames = N_FRAMES}}};
	const atomic_bool stop = false;
	struct frame_sent sent;
	uint64_t from_ns;

	plan.end_ns = plan.begin_ns + 5 * NSEC_PER_SEC;
	from_ns = cpu_ns();
	must(frame_tx_find("live")->run(tx, &plan, &stop, &sent, &e_));
	from_ns = cpu_ns() - from_ns;
	if (s) {
		struct softirq_account a;

		softirq_read_sum(s, POD, &a);
		if (mode == LAZY)
			fprintf(stderr, "pod: %llu packets, %.0f ns each\n",
				(unsigned long long)a.rx_pkts, (double)a.rx_ns / (double)a.rx_pkts);
		softirq_close(s);
	}
	return (double)from_ns / (double)sent.sent;
}

int main(int argc, char **argv)
{
	static double ns[MODE_N][MAX_ROUNDS], more[MAX_ROUNDS];
	uint32_t cpu[AFFINITY_MAX_CPUS], n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10;

	n = n < 2 ? 2 : n > MAX_ROUNDS ? MAX_ROUNDS : n;
	if (affinity_allowed(cpu) > 0)
		must(affinity_pin(cpu[0], &e_));
	build();
	fill_sink();
	open_sender();
	(void)trial(OFF);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < MODE_N; k++) {
			uint32_t mode = (i + k) % MODE_N;

			ns[mode][i] = trial((int)mode);
		}
	for (uint32_t mode = 0; mode < MODE_N; mode++) {
		struct estimate all = estimate_mean(ns[mode], n), diff;

		for (uint32_t i = 0; i < n; i++)
			more[i] = ns[mode][i] - ns[OFF][i];
		diff = estimate_mean(more, n);
		printf("%-8s %7.1f ns a packet", mode_name[mode], all.mean);
		if (mode != OFF)
			printf(", %+.1f +- %.1f, %+.1f %%", diff.mean,
				(diff.ci_high - diff.ci_low) / 2,
				100 * diff.mean / estimate_mean(ns[OFF], n).mean);
		printf("\n");
	}
	return 0;
}
