/*
 * What the frame tester's own sender and receiver cost, above what the kernel needs anyway: frames
 * of 64 bytes as fast as they go over one veth pair, each end in a namespace of its own, by turns:
 *
 *	bare	a live-frame program that only redirects; one that only drops
 *	full	"live": schedule, number, stamp, check, table of slots; "xdp": mark, bit, counts
 *
 * Rates are by the CPU time of the sending thread, so that others on its CPU do not count: first
 * with the receiving work inline on the sender's CPU, then in a NAPI thread on another one.
 * "full rx" behind a bare sender sees frames without a mark, and passes them on, so it is no bound.
 *
 * Usage: tare-frames [<rounds> [<frames of a batch of the bare sender>]]
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "frame/io.h"
#include "sys/affinity.h"
#include "sys/ebpf.h"
#include "sys/ethtool.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/rtnl.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>

#define KEY      0x1234
#define N_FRAMES (1 << 18) /* of a trial */

static struct frame_port port[2];
static const struct frame_tx_ops *tx_ops;
static const struct frame_rx_ops *rx_ops;

static void check(int r, const struct err *e)
{
	if (r < 0) {
		fprintf(stderr, "%s\n", e->text);
		exit(1);
	}
}

static void build(void)
{
	struct err e = {0};
	struct rt *rt[2];

	for (int i = 0; i < 2; i++) {
		check(ns_net_new(&port[i].netns_fd, &e), &e);
		check(rt_open(&rt[i], port[i].netns_fd, &e), &e);
		str_set(port[i].dev, i ? "b" : "a");
	}
	check(rt_veth_add(rt[0], "a", "b", port[1].netns_fd, 1500, &e), &e);
	for (int i = 0; i < 2; i++) {
		struct rt_id id;

		check(rt_set_up(rt[i], port[i].dev, &e), &e);
		check(rt_id(rt[i], port[i].dev, &id, &e), &e);
		port[i].ifindex = (uint32_t)id.ifindex;
		memcpy(port[i].mac, id.mac, 6);
		port[i].mtu = id.mtu;
		check(ethtool_set(port[i].netns_fd, port[i].dev, ETHTOOL_GRO, true, &e), &e);
	}
}

/* A stream of one slot, without the checksums that nobody looks at here. */
static struct frame_slot slot;
static uint8_t bytes[60];
static struct frame_stream stream = {.key = KEY, .n_slots = 1, .slot = &slot, .max_len = 60};

static void make_stream(void)
{
	static const uint8_t head[] = {0x45, 0, 0, 46, 0, 0, 0, 0, 10, 17, 0, 0, 198, 18, 0, 1, 198,
		18, 0, 2, 0xc0, 0x20, 0, 7, 0, 26, 0, 0};

	memcpy(bytes, port[1].mac, 6);
	memcpy(bytes + 6, port[0].mac, 6);
	bytes[12] = 8;
	memcpy(bytes + 14, head, sizeof(head));
	slot = (struct frame_slot){FRAME_SLOT_TEST, sizeof(bytes), 42, bytes};
}

static int bare_prog(const struct bpf_insn *insn, size_t n)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, NULL, "", insn, n, NULL);
	struct err e = {0};

	if (fd < 0)
		check(err_set(&e, -fd, "cannot load the bare program"), &e);
	return fd;
}

static uint64_t received(void)
{
	struct err e = {0};
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct rt_stats st;

	check(rt_open(&rt, port[1].netns_fd, &e), &e);
	check(rt_stats(rt, "b", &st, &e), &e);
	return st.rx_packets;
}

static uint32_t batch = 64;
static double refused;

static uint64_t send_bare(void)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 1, .imm = (int)port[0].ifindex},
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_(closep) int fd = bare_prog(insn, ARRAY_SIZE(insn));
	const struct ebpf_live l = {.prog_fd = fd,
		.ifindex = port[0].ifindex,
		.bytes = bytes,
		.len = sizeof(bytes),
		.repeat = N_FRAMES,
		.batch = batch};
	uint64_t begin_ns = clock_thread_ns();
	struct err e = {0};

	check(ebpf_live_run(&l, &e), &e);
	return clock_thread_ns() - begin_ns;
}

static uint64_t send_full(uint8_t number, struct frame_sent *sent)
{
	struct frame_plan plan = {.magic = FRAME_MAGIC_TEST,
		.trial = number,
		.burst = 1,
		.n_phases = 1,
		.phase = {{.n_frames = N_FRAMES}}};
	const atomic_bool stop = false;
	uint64_t begin_ns, ns;
	struct frame_tx *tx;
	struct err e = {0};

	check(tx_ops->open(&tx, &port[0], &stream, &e), &e);
	plan.begin_ns = clock_now_ns();
	plan.end_ns = plan.begin_ns + 10 * NSEC_PER_SEC;
	begin_ns = clock_thread_ns();
	check(tx_ops->run(tx, &plan, &stop, sent, &e), &e);
	ns = clock_thread_ns() - begin_ns;
	tx_ops->close(tx);
	return ns;
}

static int attach_bare(void)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};
	_cleanup_(closep) int fd = bare_prog(insn, ARRAY_SIZE(insn));
	struct err e = {0};
	int link_fd = -1;

	check(ebpf_xdp_attach(&link_fd, port[1].netns_fd, (int)port[1].ifindex, fd, EBPF_XDP_NATIVE,
		      &e),
		&e);
	return link_fd;
}

/* Return: frames that came in per microsecond of the sender. */
static double trial(bool full_tx, bool full_rx)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = N_FRAMES};
	_cleanup_(closep) int link_fd = -1;
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	static uint8_t number;
	struct frame_sent sent = {.sent = N_FRAMES};
	struct frame_rx *rx = NULL;
	struct frame_count got;
	uint64_t before, ns;
	struct err e = {0};

	if (!full_rx)
		link_fd = attach_bare();
	number++;
	if (full_rx) {
		check(rx_ops->open(&rx, &port[1], &args, &e), &e);
		check(rx_ops->begin(rx, number, false, &e), &e);
	}
	check(ns_scope_enter(&scope, port[0].netns_fd, &e), &e);
	before = received();
	ns = full_tx ? send_full(number, &sent) : send_bare();
	(void)usleep(2000);
	if (full_tx && full_rx) {
		check(rx_ops->read(rx, sent.sent, &got, NULL, &e), &e);
		if (got.received != sent.sent)
			printf("  sent %" PRIu64 ", received %" PRIu64 "\n", sent.sent,
				got.received);
	}
	refused += (double)sent.refused / (double)N_FRAMES;
	if (rx)
		rx_ops->close(rx);
	return (double)(received() - before) * 1e3 / (double)ns;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void rounds(const char *place, uint32_t n)
{
	static const char *const name[] = {"bare both", "full rx", "full tx", "full both"};
	double *rate[4];

	for (int k = 0; k < 4; k++)
		rate[k] = xcalloc(n, sizeof(double));
	refused = 0;
	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < 4; k++)
			rate[k][i] = trial(k & 2, k & 1);
	for (int k = 3; k >= 0; k--) {
		double *ratio = xcalloc(n, sizeof(double));

		for (uint32_t i = 0; i < n; i++)
			ratio[i] = rate[k][i] / rate[0][i];
		qsort(ratio, n, sizeof(double), by_value);
		qsort(rate[k], n, sizeof(double), by_value);
		printf("%-9s %-9s median %.3f max %.3f Mpps (%.0f ns); ratio median %.3f, %.3f to %.3f of %u\n",
			place, name[k], rate[k][n / 2], rate[k][n - 1], 1e3 / rate[k][n - 1],
			ratio[n / 2], ratio[0], ratio[n - 1], n);
	}
	printf("%-9s refused, and sent again: %.3f of each frame\n", place, refused / 2 / n);
}

/* NAPI threads of port 1; their names begin with napi/b-. */
static void thread_napi(uint32_t cpu)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct err e = {0};
	struct dirent *d;
	DIR *dir;
	FILE *f;

	check(ns_scope_enter(&scope, port[1].netns_fd, &e), &e);
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		check(err_set(&e, errno, "cannot see the devices' files"), &e);
	f = fopen("/sys/class/net/b/threaded", "w");
	if (!f || fputs("1", f) < 0 || fclose(f) != 0)
		check(err_set(&e, errno, "cannot have NAPI threads"), &e);
	dir = opendir("/proc");
	while ((d = readdir(dir))) {
		char path[64], name[32] = "";
		cpu_set_t set;

		if (!d->d_name[0] || d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/comm", d->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (!fgets(name, sizeof(name), f))
			name[0] = '\0';
		fclose(f);
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (strncmp(name, "napi/b-", 7) == 0 &&
			sched_setaffinity(atoi(d->d_name), sizeof(set), &set) < 0)
			check(err_set(&e, errno, "cannot move a NAPI thread"), &e);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 5;

	if (argc > 2)
		batch = (uint32_t)atoi(argv[2]);
	tx_ops = frame_tx_find("live");
	rx_ops = frame_rx_find("xdp");
	build();
	make_stream();
	for (int i = 0; i < 2; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(0, &set);
		if (i)
			thread_napi(1);
		sched_setaffinity(0, sizeof(set), &set);
		rounds(i ? "threaded" : "inline", n);
		CPU_SET(1, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	return 0;
}
