/*
 * What the accounting of softirqs costs, over
 *
 *	remote eth0 => wire [br0] pod0 => eth0 of a pod
 *
 * all of it on one CPU, in one thread, whose CPU time is taken: by live frames of 64 bytes as fast
 * as they go, into a socket that is full, and by 64 KiB of a TCP stream with segmentation left to
 * the devices; and by a loop that reads the clock where nothing else is to do. By turns without it,
 * with programs in its places that do nothing, with it, and with a clock reading at each packet;
 * differences are of pairs in one round.
 *
 * Usage: tare-softirq [<rounds> [frames | tcp | idle]]
 */
#include "base/clock.h"
#include "base/macro.h"
#include "charge/softirq.h"
#include "live.h"
#include "must.h"
#include "path/lab.h"
#include "stat/estimate.h"
#include "stat/gaps.h"
#include "sys/affinity.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define N_FRAMES   (1 << 17) /* of a trial */
#define N_SENDS    (1 << 13)
#define N_STEPS    4096
#define IDLE_NS    (200 * NSEC_PER_MSEC)
#define MAX_ROUNDS 100
#define POD        SOFTIRQ_FIRST

enum {
	OFF,
	EMPTY,
	LAZY,
	PRECISE,
	MODE_N,
};
static const char *const mode_name[] = {"off", "empty", "lazy", "precise"};

static int host_fd, remote_fd, pod_fd;
static struct rt *host, *remote, *pod;
static struct rt_id remote_id, pod_id, half_id;
static struct frame_tx *tx;
static int tcp_fd[2]; /* the remote's, and the pod's */

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

static void open_sender(void)
{
	const struct live_end from = {remote_fd, "eth0", "198.18.0.1", &remote_id},
			      to = {pod_fd, "eth0", "198.18.0.2", &pod_id};

	live_fill_sink(pod_fd);
	tx = live_open(&from, &to);
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

	must(-(softirq_open(&s, &cfg, &e_) != 0));
	must(softirq_set_netns(s, inode_of(pod_fd), POD, &e_));
	must(softirq_set_dev(s, &dev, POD, &e_));
	softirq_changed(s);
	return s;
}

/* Where the accounting has its programs. */
static const char *const places[] = {"softirq_entry", "softirq_exit", "netif_receive_skb",
	"net_dev_start_xmit", "napi_poll", "qdisc_enqueue", "irq_handler_entry",
	"call_function_single_entry"};

/* Programs that return at once. */
struct empty {
	int fd[ARRAY_SIZE(places)];
};

static void empty_attach(struct empty *m)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
		_cleanup_(closep) int prog_fd = -1;
		int id = libbpf_find_vmlinux_btf_id(places[i], BPF_TRACE_RAW_TP);

		m->fd[i] = -1;
		if (id <= 0) /* of x86 only */
			continue;
		opts.attach_btf_id = (uint32_t)id;
		prog_fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", insn, ARRAY_SIZE(insn),
			&opts);
		m->fd[i] = bpf_raw_tracepoint_open(NULL, prog_fd);
		if (m->fd[i] < 0) {
			fprintf(stderr, "cannot attach to %s\n", places[i]);
			exit(1);
		}
	}
}

static void empty_detach(struct empty *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		closep(&m->fd[i]);
}

/* ns of CPU time by frame. */
static double run_frames(void)
{
	uint64_t from_ns = clock_thread_ns(), n = live_send(tx, N_FRAMES, 0, 1);

	return (double)(clock_thread_ns() - from_ns) / (double)n;
}

static void open_tcp(void)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(7),
		.sin_addr.s_addr = htonl(0xc6120002)}; /* 198.18.0.2 */
	_cleanup_(closep) int listen_fd = -1;
	struct ns_scope scope = NS_SCOPE_NONE;

	must(ns_scope_enter(&scope, pod_fd, &e_));
	must(listen_fd = sock_bind(SOCK_STREAM, "0.0.0.0", 7, &e_));
	must(-(listen(listen_fd, 1) < 0));
	ns_scope_leave(&scope);
	must(ns_scope_enter(&scope, remote_fd, &e_));
	must(tcp_fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(connect(tcp_fd[0], (const struct sockaddr *)&to, sizeof(to)));
	ns_scope_leave(&scope);
	must(tcp_fd[1] = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC));
}

/* ns of CPU time by 64 KiB: the same thread sends and takes them. */
static double run_tcp(void)
{
	static char buf[1 << 16];
	uint64_t from_ns = clock_thread_ns(), n_bytes = 0;

	while (n_bytes < (uint64_t)N_SENDS * sizeof(buf)) {
		ssize_t n;

		(void)send(tcp_fd[0], buf, sizeof(buf), MSG_DONTWAIT); /* full: it is taken below */
		while ((n = recv(tcp_fd[1], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			n_bytes += (uint64_t)n;
	}
	return (double)(clock_thread_ns() - from_ns) / (double)n_bytes * sizeof(buf);
}

/* ns of a ms that a loop does not get where nothing else is to do. */
static double run_idle(void)
{
	static uint64_t step[N_STEPS];
	const uint64_t least_ns = gaps_calibrate(step, N_STEPS, &(uint64_t){0}),
		       begin_ns = clock_now_ns();
	struct gaps g;

	gaps_begin(&g, least_ns, begin_ns, begin_ns + IDLE_NS);
	while (gaps_add(&g, clock_now_ns()))
		;
	return (double)g.gap_ns / (double)(IDLE_NS / NSEC_PER_MSEC);
}

static const struct load {
	const char *name, *unit;
	double (*run)(void); /* ns by unit */
} loads[] = {
	{"frames", "packet", run_frames},
	{"tcp", "64 KiB", run_tcp},
	{"idle", "ms", run_idle},
};

static double trial(const struct load *l, int mode)
{
	struct softirq *s = mode == LAZY || mode == PRECISE ? account(mode) : NULL;
	struct empty empty;
	double ns;

	if (mode == EMPTY)
		empty_attach(&empty);
	ns = l->run();
	if (mode == EMPTY)
		empty_detach(&empty);
	if (s) {
		struct softirq_account a;

		softirq_read_sum(s, POD, &a);
		if (mode == LAZY)
			fprintf(stderr, "pod: %llu packets, %.0f ns each\n",
				(unsigned long long)a.rx_pkts, (double)a.rx_ns / (double)a.rx_pkts);
	}
	softirq_close(s);
	return ns;
}

static void measure(const struct load *l, uint32_t n)
{
	static double ns[MODE_N][MAX_ROUNDS], more[MAX_ROUNDS];

	(void)trial(l, OFF);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < MODE_N; k++) {
			uint32_t mode = (i + k) % MODE_N;

			ns[mode][i] = trial(l, (int)mode);
		}
	/* A median is not moved by a round that somebody else's interrupts fell into. */
	for (uint32_t mode = 0; mode < MODE_N; mode++) {
		struct estimate all = estimate_mean(ns[mode], n), off = estimate_mean(ns[OFF], n),
				diff;

		for (uint32_t i = 0; i < n; i++)
			more[i] = ns[mode][i] - ns[OFF][i];
		diff = estimate_mean(more, n);
		printf("%-7s %-8s %8.1f ns a %s", l->name, mode_name[mode], all.mean, l->unit);
		if (mode != OFF)
			printf(", %+.1f +- %.1f, median %+.1f, %+.1f %%", diff.mean,
				(diff.ci_high - diff.ci_low) / 2, diff.median,
				100 * diff.median / off.median);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	uint32_t cpu[AFFINITY_MAX_CPUS], n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10;

	n = n < 2 ? 2 : n > MAX_ROUNDS ? MAX_ROUNDS : n;
	if (affinity_allowed(cpu) > 0)
		must(affinity_pin(cpu[0], &e_));
	build();
	open_sender();
	open_tcp();
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		if (argc < 3 || strcmp(argv[2], loads[i].name) == 0)
			measure(&loads[i], n);
	return 0;
}
