/*
 * tare-frame-io: how many frames a second a sender and a receiver of the frame tester move over one
 * veth pair of their own, without a SUT. The sender has CPU 0, the receiver CPU 1.
 *
 * Usage: tare-frame-io TX RX inline|threaded SECONDS [SIZE [PACE_PPS]]
 *
 * TX is a row of the tester's table, or a testpmd that sends on its own, named by its driver and
 * that one's arguments: "net_af_packet0,iface=tx0,qdisc_bypass=1". RX is a row, or "drop": the
 * device is down to nothing but its counter. Where frames are received by the device's NAPI thread
 * ("threaded") it is on CPU 1, too; "inline", the sender's CPU does it.
 *
 * Prints one line of NAME=VALUE words. device_pps is by the receiving device's counter, the same
 * for everybody.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/macro.h"
#include "base/num.h"
#include "frame/io.h"
#include "sys/affinity.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/rtdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY        0x1234
#define MAX_FRAMES (1U << 28)
#define STARTUP_NS (2500 * NSEC_PER_MSEC) /* of testpmd */
#define DRAIN_NS   (200 * NSEC_PER_MSEC)
#define NAPI_CPU   1

struct bench {
	const char *tx_name, *rx_name;
	bool threaded;
	uint64_t ns;
	const char *size;
	double pace_pps;
	int tx_netns, rx_netns;
	struct frame_port tx, rx;
	struct rt *rx_rt;
	uint64_t cpu_ns; /* of the sender, in the measured span */
	struct frame_stream *stream;
	struct frame_rx *receiver;
	const struct frame_rx_ops *rx_ops;
	atomic_bool stop_rx, never;
};

#define must(call)                                                                                 \
	({                                                                                         \
		struct err must_e_ = {0};                                                          \
		int must_r_ = call;                                                                \
		if (must_r_ != 0) {                                                                \
			fprintf(stderr, "tare-frame-io: %s: %s\n", #call, must_e_.text);           \
			exit(1);                                                                   \
		}                                                                                  \
	})
#define E (&must_e_)

static void port(struct frame_port *p, int netns, const char *dev, const char *addr, struct rt *rt)
{
	struct rt_id id;

	must(ethtool_offloads_off(netns, dev, E));
	must(rt_addr_add(rt, dev, addr, E));
	must(rt_set_up(rt, dev, E));
	must(rt_id(rt, dev, &id, E));
	*p = (struct frame_port){.netns_fd = netns, .ifindex = (uint32_t)id.ifindex, .mtu = id.mtu};
	snprintf(p->dev, sizeof(p->dev), "%s", dev);
	memcpy(p->mac, id.mac, sizeof(p->mac));
}

static void build(struct bench *b)
{
	_cleanup_(rt_closep) struct rt *tx_rt = NULL;
	uint64_t deadline = clock_now_ns() + 5 * NSEC_PER_SEC;

	must(ns_net_new(&b->tx_netns, E));
	must(ns_net_new(&b->rx_netns, E));
	must(rt_open(&tx_rt, b->tx_netns, E));
	must(rt_open(&b->rx_rt, b->rx_netns, E));
	must(rt_veth_add(tx_rt, "tx0", "rx0", b->rx_netns, 1500, E));
	port(&b->tx, b->tx_netns, "tx0", "198.18.0.1/24", tx_rt);
	port(&b->rx, b->rx_netns, "rx0", "198.18.0.2/24", b->rx_rt);
	must(rt_wait_up(tx_rt, "tx0", deadline, E));
	must(rt_neigh_add(tx_rt, "tx0", "198.18.0.2", b->rx.mac, E));
}

/* sysfs of the receiver's namespace, mounted in a mount namespace of this thread. */
static void thread_napi(void)
{
	_cleanup_(closep) int fd = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		perror("tare-frame-io: sysfs");
	fd = open("/sys/class/net/rx0/threaded", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		perror("tare-frame-io: threaded NAPI");
}

/* With the scheduling of this program, e.g. by chrt on a machine that has more to do. */
static void pin_thread(pid_t pid)
{
	struct sched_param param;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(NAPI_CPU, &set);
	sched_setaffinity(pid, sizeof(set), &set);
	sched_getparam(0, &param);
	sched_setscheduler(pid, sched_getscheduler(0), &param);
}

/* The kernel thread "napi/rx0-<id>". */
static void pin_napi(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while ((d = readdir(proc))) {
		char path[300], name[32] = "";
		_cleanup_(closep) int fd = -1;

		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 &&
			strncmp(name, "napi/rx0", 8) == 0)
			pin_thread((pid_t)strtol(d->d_name, NULL, 10));
	}
	closedir(proc);
}

static void place(const struct bench *b)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	if (!b->threaded)
		return;
	must(ethtool_set(b->rx_netns, "rx0", ETHTOOL_GRO, true, E));
	must(ns_scope_enter(&scope, b->rx_netns, E));
	thread_napi();
	pin_napi();
}

static void make_stream(struct bench *b)
{
	const struct frame_form form = {0};
	const struct frame_vary vary = {.flows = 1, .networks = 1, .macs = 1};
	struct frame_addr addr = {.src_ip = {198, 18, 0, 1}, .dst_ip = {198, 18, 0, 2}};
	struct frame_mix mix;
	const struct frame_stream_args args = {&form, &addr, &vary, &mix, KEY};

	memcpy(addr.src_mac, b->tx.mac, 6);
	memcpy(addr.dst_mac, b->rx.mac, 6);
	must(frame_mix_parse(&mix, b->size, 1500, E));
	must(frame_stream_new(&b->stream, &args, E));
}

static void *receive(void *arg)
{
	struct bench *b = arg;

	must(affinity_pin(1, E));
	must(b->rx_ops->run(b->receiver, &b->stop_rx, E));
	return NULL;
}

/* Of all threads of a process. Ref: Documentation/scheduler/sched-stats.rst */
static uint64_t process_cpu_ns(pid_t pid)
{
	char path[300];
	struct dirent *d;
	uint64_t sum = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		unsigned long long ns = 0;
		_cleanup_(fclosep) FILE *f = NULL;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, d->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

static void send_ours(struct bench *b, struct frame_sent *sent)
{
	uint64_t cpu_ns;
	const struct frame_tx_ops *ops = frame_tx_find(b->tx_name);
	struct frame_plan plan = {
		.magic = FRAME_MAGIC_TEST,
		.trial = 1,
		.begin_ns = clock_now_ns(),
		.burst = 32,
		.n_phases = 1,
	};
	struct frame_tx *tx;

	if (!ops) {
		fprintf(stderr, "tare-frame-io: no sender '%s'\n", b->tx_name);
		exit(2);
	}
	plan.end_ns = plan.begin_ns + b->ns;
	plan.phase[0] =
		(struct frame_phase){MAX_FRAMES, b->pace_pps > 0 ? FRAME_GAP_Q16(b->pace_pps) : 0};
	must(ops->probe(&b->tx, E));
	must(ops->open(&tx, &b->tx, b->stream, E));
	must(affinity_pin(0, E));
	cpu_ns = clock_thread_ns();
	must(ops->run(tx, &plan, &b->never, sent, E));
	b->cpu_ns = clock_thread_ns() - cpu_ns;
	ops->close(tx);
}

/* One core to send on; the other one only reads its (absent) console. */
static void exec_testpmd(const struct bench *b)
{
	char peer[64], vdev[200], txpkts[32];

	snprintf(vdev, sizeof(vdev), "--vdev=%s", b->tx_name);
	snprintf(peer, sizeof(peer), "--eth-peer=0,%02x:%02x:%02x:%02x:%02x:%02x", b->rx.mac[0],
		b->rx.mac[1], b->rx.mac[2], b->rx.mac[3], b->rx.mac[4], b->rx.mac[5]);
	snprintf(txpkts, sizeof(txpkts), "--txpkts=%ld", strtol(b->size, NULL, 10) - 4);
	execlp("dpdk-testpmd", "dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci",
		"--no-telemetry", "--no-shconf", "--lcores=0@1,1@0", vdev, "--",
		"--forward-mode=txonly", "--auto-start", "--nb-cores=1",
		"--tx-ip=198.18.0.1,198.18.0.2", "--tx-udp=49184,7", "--no-flush-rx",
		"--total-num-mbufs=8192", "--stats-period=1000", peer, txpkts, NULL);
	_exit(127);
}

static void send_testpmd(struct bench *b, double *ret_pps)
{
	struct rt_stats before, after;
	uint64_t cpu_ns;
	uint64_t begin;
	pid_t pid = fork();

	if (pid == 0) {
		struct ns_scope scope = NS_SCOPE_NONE;
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		must(ns_scope_enter(&scope, b->tx_netns, E));
		if (getenv("VERBOSE") == NULL) {
			dup2(null, 1);
			dup2(null, 2);
		}
		exec_testpmd(b);
	}
	nanosleep(&(struct timespec){STARTUP_NS / NSEC_PER_SEC, STARTUP_NS % NSEC_PER_SEC}, NULL);
	must(rt_stats(b->rx_rt, "rx0", &before, E));
	begin = clock_now_ns();
	cpu_ns = process_cpu_ns(pid);
	nanosleep(&(struct timespec){(time_t)(b->ns / NSEC_PER_SEC), (long)(b->ns % NSEC_PER_SEC)},
		NULL);
	must(rt_stats(b->rx_rt, "rx0", &after, E));
	b->cpu_ns = process_cpu_ns(pid) - cpu_ns;
	*ret_pps = (double)(after.rx_packets - before.rx_packets) * 1e9 /
		   (double)(clock_now_ns() - begin);
	kill(pid, SIGKILL); /* nothing of it is left behind: the namespaces go */
	waitpid(pid, NULL, 0);
}

static void report(struct bench *b, const struct frame_sent *sent, double device_pps)
{
	struct frame_count got = {0};
	uint64_t overflowed = 0;

	if (b->rx_ops) {
		must(b->rx_ops->read(b->receiver, sent->sent, &got, NULL, E));
		overflowed = b->rx_ops->overflowed ? b->rx_ops->overflowed(b->receiver) : 0;
	}
	printf("tx=%s rx=%s place=%s size=%s device_pps=%.0f cpu_ns_per_frame=%.0f sent=%lu refused=%lu received=%lu "
	       "overflowed=%lu duplicated=%lu reordered=%lu corrupt=%lu alien=%lu lost=%ld\n",
		b->tx_name, b->rx_name, b->threaded ? "threaded" : "inline", b->size, device_pps,
		(double)b->cpu_ns * 1e9 / (device_pps * (double)b->ns + 1), sent->sent,
		sent->refused, got.received, overflowed, got.duplicated, got.reordered, got.corrupt,
		got.alien, (long)(sent->sent - got.received));
}

static void run(struct bench *b)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = MAX_FRAMES};
	struct frame_sent sent = {0};
	struct rt_stats before, after;
	pthread_t thread;
	double pps = 0;

	b->rx_ops = frame_rx_find(b->rx_name);
	if (b->rx_ops) {
		must(b->rx_ops->probe(&b->rx, E));
		must(b->rx_ops->open(&b->receiver, &b->rx, &args, E));
	}
	place(b);
	if (b->rx_ops) {
		must(b->rx_ops->begin(b->receiver, 1, false, E));
		pthread_create(&thread, NULL, receive, b);
	}
	if (strncmp(b->tx_name, "net_", 4) == 0) {
		send_testpmd(b, &pps);
	} else {
		must(rt_stats(b->rx_rt, "rx0", &before, E));
		send_ours(b, &sent);
		must(rt_stats(b->rx_rt, "rx0", &after, E));
		pps = (double)(after.rx_packets - before.rx_packets) * 1e9 / (double)b->ns;
	}
	nanosleep(&(struct timespec){0, DRAIN_NS}, NULL);
	atomic_store(&b->stop_rx, true);
	if (b->rx_ops)
		pthread_join(thread, NULL);
	report(b, &sent, pps);
	if (b->rx_ops)
		b->rx_ops->close(b->receiver);
}

int main(int argc, char **argv)
{
	struct bench b = {.size = "64"};
	double s = 0;

	if (argc < 5 || argc > 7) {
		fprintf(stderr,
			"usage: tare-frame-io TX RX inline|threaded SECONDS [SIZE [PPS]]\n");
		return 2;
	}
	b.tx_name = argv[1];
	b.rx_name = argv[2];
	b.threaded = strcmp(argv[3], "threaded") == 0;
	s = strtod(argv[4], NULL);
	b.ns = (uint64_t)(s * 1e9);
	if (argc > 5)
		b.size = argv[5];
	if (argc > 6)
		b.pace_pps = strtod(argv[6], NULL);
	build(&b);
	make_stream(&b);
	run(&b);
	return 0;
}
