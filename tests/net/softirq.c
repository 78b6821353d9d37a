/*
 * Who pays for softirqs, in namespaces of the test's own. What is counted in packets and what must
 * add up is exact. Shares of time are compared on the one CPU that the test runs on, in the best
 * of a few tries, as the machine's own softirqs there are the host's.
 *
 *	remote (owner 4)           host                        pods (owners 2, 3)
 *	                                    .- pod0 ========== eth0 .10
 *	eth0 .1 ============ wire ---[ br0 ]
 *	                                    '- pod1 ========== eth0 .11
 *
 * Bridged: wire is a port of br0, all are of one network. Routed: wire and br0 have addresses, and
 * the remote knows the host's only, which has it sent on (DNAT) by port.
 */
#include "net.h"

#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"
#include "charge/container.h"
#include "charge/softirq.h"
#include "path/lab.h"
#include "sys/affinity.h"
#include "sys/cgroup.h"
#include "sys/ebpf.h"
#include "sys/ethtool.h"
#include "sys/file.h"
#include "sys/napi.h"
#include "sys/nft.h"
#include "sys/ns.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"
#include "sys/rttunnel.h"
#include "sys/sock.h"
#include "sys/tap.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define N_PODS   2
#define POD      SOFTIRQ_FIRST /* owner of pod 0 */
#define REMOTE   (POD + N_PODS)
#define N_OWNERS 8
#define PORT     7000 /* of pod 0; by DNAT, that of pod 1 is one more */
#define N_SENT   8000
#define N_TRIES  40
#define AT_ONCE  64u /* of one send. Ref: UDP_MAX_SEGMENTS; netdevice.h NAPI_POLL_WEIGHT */
/* So many on their way at most: the kernel drops what a CPU has more of than 1000. */
#define N_AHEAD 200 /* Ref: net.core.netdev_max_backlog */

static const char *const outer[N_PODS] = {"pod0", "pod1"};

struct machine {
	int fd;
	struct rt *rt;
	struct rt_id id; /* of its eth0 */
	char addr[20];
	uint32_t netns;
};

struct topo {
	bool routed;
	int host_fd;
	struct rt *host;
	struct machine remote, pod[N_PODS];
	int sink[N_PODS]; /* sockets that nobody reads */
	struct softirq *s;
};

static uint32_t test_cpu;

static uint32_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint32_t)st.st_ino;
}

/* A machine whose eth0 is the other half of @name. */
static void machine_add(struct topo *t, struct machine *m, const char *name, const char *addr)
{
	char prefix[32];

	must(lab_machine_new(false, &m->fd, &m->rt, &e_));
	must(rt_veth_add(t->host, name, "eth0", m->fd, 1500, &e_));
	must(rt_set_up(t->host, name, &e_));
	must(rt_set_up(m->rt, "eth0", &e_));
	snprintf(m->addr, sizeof(m->addr), "%s", addr);
	snprintf(prefix, sizeof(prefix), "%s/24", addr);
	must(rt_addr_add(m->rt, "eth0", prefix, &e_));
	must(rt_id(m->rt, "eth0", &m->id, &e_));
	m->netns = inode_of(m->fd);
}

static void no_questions(struct topo *t)
{
	struct machine *r = &t->remote;
	struct rt_id wire, br0;

	must(rt_id(t->host, "wire", &wire, &e_));
	must(rt_id(t->host, "br0", &br0, &e_));
	if (t->routed) {
		must(rt_neigh_add(t->host, "wire", r->addr, r->id.mac, &e_));
		must(rt_neigh_add(r->rt, "eth0", "198.18.0.254", wire.mac, &e_));
	} else {
		must(rt_fdb_add(t->host, "wire", r->id.mac, &e_));
	}
	for (int i = 0; i < N_PODS; i++) {
		struct machine *p = &t->pod[i], *other = &t->pod[1 - i];

		must(rt_fdb_add(t->host, outer[i], p->id.mac, &e_));
		must(rt_neigh_add(p->rt, "eth0", other->addr, other->id.mac, &e_));
		if (t->routed) {
			must(rt_neigh_add(t->host, "br0", p->addr, p->id.mac, &e_));
			must(rt_neigh_add(p->rt, "eth0", "198.18.1.254", br0.mac, &e_));
		} else {
			must(rt_neigh_add(r->rt, "eth0", p->addr, p->id.mac, &e_));
			must(rt_neigh_add(p->rt, "eth0", r->addr, r->id.mac, &e_));
		}
	}
}

static void route(struct topo *t)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(freep) char *rules =
		xasprintf("table ip t {\n"
			  "  chain pre {\n"
			  "    type nat hook prerouting priority dstnat;\n"
			  "    ip daddr 198.18.0.254 meta l4proto { tcp, udp } "
			  "dnat to th dport map { %u : %s, %u : %s }\n"
			  "  }\n"
			  "}\n",
			PORT, t->pod[0].addr, PORT + 1, t->pod[1].addr);

	must(rt_addr_add(t->host, "wire", "198.18.0.254/24", &e_));
	must(rt_addr_add(t->host, "br0", "198.18.1.254/24", &e_));
	for (int i = 0; i < N_PODS; i++)
		must(rt_route_add(t->pod[i].rt, "eth0", NULL, "198.18.1.254", &e_));
	must(nft_run(t->host_fd, rules, &e_));
	must(ns_scope_enter(&scope, t->host_fd, &e_));
	must(file_sysctl_write("net/ipv4/ip_forward", "1", &e_));
}

static int socket_at(const struct machine *m, int type, uint16_t port)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	must(ns_scope_enter(&scope, m->fd, &e_));
	return must(sock_bind(type, "0.0.0.0", port, &e_));
}

/* So small that every datagram but the first few is dropped, at the same cost. */
static int sink_at(const struct machine *m, uint16_t port)
{
	int fd = socket_at(m, SOCK_DGRAM, port);

	must(sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, 1, "receive buffer", &e_));
	return fd;
}

static uint16_t port_of(const struct topo *t, int pod)
{
	return (uint16_t)(t->routed ? PORT + pod : PORT);
}

static void topo_open(struct topo *t, bool routed)
{
	*t = (struct topo){.routed = routed};
	must(lab_machine_new(false, &t->host_fd, &t->host, &e_));
	must(rt_bridge_quiet_add(t->host, "br0", 1500, &e_));
	must(rt_set_up(t->host, "br0", &e_));
	machine_add(t, &t->remote, "wire", "198.18.0.1");
	for (int i = 0; i < N_PODS; i++) {
		char addr[20];

		snprintf(addr, sizeof(addr), "198.18.%d.%d", routed, 10 + i);
		machine_add(t, &t->pod[i], outer[i], addr);
		must(rt_set_master(t->host, outer[i], "br0", &e_));
	}
	if (!routed)
		must(rt_set_master(t->host, "wire", "br0", &e_));
	no_questions(t);
	if (routed)
		route(t);
	must(rt_wait_up(t->host, "wire", net_deadline(), &e_));
	for (int i = 0; i < N_PODS; i++) {
		must(rt_wait_up(t->host, outer[i], net_deadline(), &e_));
		t->sink[i] = sink_at(&t->pod[i], port_of(t, i));
	}
}

static void machine_close(struct machine *m)
{
	rt_close(m->rt);
	close(m->fd);
}

static void topo_close(struct topo *t)
{
	softirq_close(t->s);
	for (int i = 0; i < N_PODS; i++) {
		close(t->sink[i]);
		machine_close(&t->pod[i]);
	}
	machine_close(&t->remote);
	rt_close(t->host);
	close(t->host_fd);
}

/* Accounting of the topology's owners. */
static void charge(struct topo *t, const struct softirq_cfg *with)
{
	struct softirq_cfg cfg = with ? *with : (struct softirq_cfg){0};

	cfg.n_owners = N_OWNERS;
	assert_int_equal(must(softirq_open(&t->s, &cfg, &e_)), 0);
	must(softirq_set_netns(t->s, t->remote.netns, REMOTE, &e_));
	for (uint32_t i = 0; i < N_PODS; i++) {
		struct softirq_dev dev = {.netns = inode_of(t->host_fd)};
		struct rt_id id;

		must(rt_id(t->host, outer[i], &id, &e_));
		dev.ifindex = (uint32_t)id.ifindex;
		must(softirq_set_netns(t->s, t->pod[i].netns, POD + i, &e_));
		must(softirq_set_dev(t->s, &dev, POD + i, &e_));
	}
	softirq_changed(t->s);
}

#define BUDGET_NS (3600 * NSEC_PER_SEC)

/* The same, and a bucket of pod 0 that nothing fills. */
static struct softirq_budget *charge_budget(struct topo *t)
{
	struct softirq_budget *b;

	charge(t, &(struct softirq_cfg){.enforce = true});
	b = softirq_budget(t->s, POD);
	b->cap_ns = b->tokens_ns = BUDGET_NS;
	b->floor_ns = -1000;
	__atomic_store_n(&b->keep, 1, __ATOMIC_RELEASE);
	return b;
}

/* It has paid what it is billed, to the nanosecond. */
static void check_budget(const struct topo *t, const struct softirq_budget *b)
{
	struct softirq_account a;

	softirq_read_sum(t->s, POD, &a);
	assert_true(a.rx_ns > 0);
	assert_int_equal(BUDGET_NS - (uint64_t)b->tokens_ns,
		a.rx_ns + a.tx_ns + a.other_ns + a.thread_ns);
}

/* All accounts on the test's CPU, or on all of them. */
struct reading {
	struct softirq_account a[N_OWNERS];
};

static struct reading read_here(const struct topo *t)
{
	struct reading r;

	for (uint32_t i = 0; i < N_OWNERS; i++)
		softirq_read(t->s, test_cpu, i, &r.a[i]);
	return r;
}

static uint64_t rx_pkts(const struct topo *t, uint32_t owner)
{
	struct softirq_account a;

	softirq_read_sum(t->s, owner, &a);
	return a.rx_pkts;
}

/* One of POD is counted in its namespace, and not at the host's half of its pair again. */
static uint64_t pod_pkts(const struct reading *a, const struct reading *b)
{
	return b->a[POD].rx_pkts - a->a[POD].rx_pkts + b->a[POD].tx_pkts - a->a[POD].tx_pkts;
}

static uint64_t host_pkts(const struct reading *a, const struct reading *b)
{
	return b->a[SOFTIRQ_HOST].rx_pkts - a->a[SOFTIRQ_HOST].rx_pkts;
}

/* The host's part by that of owners from POD on; @n: what it has to see if nobody else sends. */
static void check_host(double *ret, const struct reading *a, const struct reading *b, uint64_t n)
{
	double ns = 0;

	for (uint32_t i = POD; i < N_OWNERS; i++)
		ns += (double)(b->a[i].rx_ns - a->a[i].rx_ns);
	if (host_pkts(a, b) == n)
		*ret = (double)(b->a[SOFTIRQ_HOST].rx_ns - a->a[SOFTIRQ_HOST].rx_ns) / ns;
}

static void assert_host(const char *what, double share)
{
	if (isnan(share))
		print_message("# skipped %s, the host's share: others sent all the time\n", what);
	else
		assert_true(share <= 0.05);
}

static uint64_t drops_of(struct rt *rt, const char *dev)
{
	struct rt_stats st;

	must(rt_stats(rt, dev, &st, &e_));
	return st.tx_dropped;
}

/* What found the CPU's backlog full, which others' packets may fill, too. Ref: veth_xmit */
static uint64_t n_lost(const struct topo *t)
{
	uint64_t n = drops_of(t->host, "wire") + drops_of(t->remote.rt, "eth0");

	for (int i = 0; i < N_PODS; i++)
		n += drops_of(t->host, outer[i]) + drops_of(t->pod[i].rt, "eth0");
	return n;
}

#define LOOK_NS (5 * NSEC_PER_MSEC)

/* ksoftirqd may still be at it. */
static void wait_rx(const struct topo *t, uint32_t owner, uint64_t n)
{
	const uint64_t deadline_ns = net_deadline();
	uint64_t look_ns = clock_now_ns() + LOOK_NS;

	while (rx_pkts(t, owner) < n) {
		if (clock_now_ns() < look_ns)
			continue;
		if (rx_pkts(t, owner) + n_lost(t) >= n)
			return;
		if (clock_now_ns() > deadline_ns)
			fail_msg("owner %u received %llu of %llu packets", owner,
				(unsigned long long)rx_pkts(t, owner), (unsigned long long)n);
		look_ns = clock_now_ns() + LOOK_NS;
	}
}

/* None more than was sent, and each that was not lost. */
static void check_rx(const struct topo *t, uint32_t owner, uint64_t n)
{
	assert_true(rx_pkts(t, owner) <= n);
	if (rx_pkts(t, owner) < n)
		assert_true(rx_pkts(t, owner) + n_lost(t) >= n);
}

/* Sends one of four to pod 0 and the others to pod 1, @n in all. */
static void send_1_3(struct topo *t, uint32_t n)
{
	const uint64_t before[N_PODS] = {rx_pkts(t, POD), rx_pkts(t, POD + 1)};
	struct sockaddr_storage to[N_PODS];
	int fd = socket_at(&t->remote, SOCK_DGRAM, 0);

	for (int i = 0; i < N_PODS; i++)
		assert_true(sock_addr(&to[i], t->routed ? "198.18.0.254" : t->pod[i].addr,
				    port_of(t, i), NULL) > 0);
	for (uint32_t i = 1; i <= n; i++) {
		assert_int_equal(sendto(fd, "0123456789abcdef01", 18, 0,
					 (const struct sockaddr *)&to[i % 4 != 0],
					 sizeof(struct sockaddr_in)),
			18);
		if (i % N_AHEAD == 0 || i == n) {
			wait_rx(t, POD, before[0] + i / 4);
			wait_rx(t, POD + 1, before[1] + i - i / 4);
		}
	}
	close(fd);
	check_rx(t, POD, before[0] + n / 4);
	check_rx(t, POD + 1, before[1] + n / 4 * 3);
}

/* Tries to read a CPU between two softirqs. */
static bool read_settled(const struct topo *t, uint32_t cpu, struct reading *ret,
	struct softirq_cpu *ret_cpu)
{
	uint32_t seq = softirq_seq(t->s, cpu);

	for (uint32_t i = 0; i < N_OWNERS; i++)
		softirq_read(t->s, cpu, i, &ret->a[i]);
	softirq_read_cpu(t->s, cpu, ret_cpu);
	return seq % 2 == 0 && softirq_seq(t->s, cpu) == seq;
}

/* Every nanosecond has an owner, and one only. */
static void adds_up(const struct topo *t)
{
	for (uint32_t cpu = 0; cpu < softirq_n_cpus(t->s); cpu++) {
		const uint64_t deadline_ns = net_deadline();
		uint64_t rx = 0, tx = 0, ksoft = 0, irqs = 0, irqs_in = 0;
		struct softirq_cpu sum;
		struct reading r;

		while (!read_settled(t, cpu, &r, &sum))
			if (clock_now_ns() > deadline_ns)
				fail_msg("CPU %u is never between two softirqs", cpu);
		for (uint32_t i = 0; i < N_OWNERS; i++) {
			rx += r.a[i].rx_ns;
			tx += r.a[i].tx_ns;
			ksoft += r.a[i].ksoft_ns;
			irqs += r.a[i].irqs;
			irqs_in += r.a[i].irqs_own + r.a[i].irqs_gained;
			assert_true(r.a[i].irqs_own <= r.a[i].irqs);
		}
		assert_true(irqs_in <= irqs); /* others came while nobody's processes ran */
		assert_int_equal(rx, sum.rx_ns);
		assert_int_equal(tx, sum.tx_ns);
		assert_int_equal(ksoft, sum.ksoft_ns);
		assert_true(sum.ksoft_ns + sum.idle_ns <= sum.rx_ns + sum.tx_ns);
	}
}

/* Equal packets cost the same, and the host nothing but what is none of them. */
static void splits(bool routed, bool precise)
{
	const struct softirq_cfg cfg = {.precise = precise};
	double share = 0, host = NAN;
	struct topo t;

	topo_open(&t, routed);
	charge(&t, &cfg);
	send_1_3(&t, 64);
	for (int i = 0; i < N_TRIES && !(fabs(share - 0.75) <= 0.02 && host <= 0.05); i++) {
		struct reading a = read_here(&t), b;
		double ns[N_PODS];

		send_1_3(&t, N_SENT);
		b = read_here(&t);
		for (int k = 0; k < N_PODS; k++)
			ns[k] = (double)(b.a[POD + k].rx_ns - a.a[POD + k].rx_ns);
		share = ns[1] / (ns[0] + ns[1]);
		check_host(&host, &a, &b, N_SENT);
		print_message("# %s%s: %.4f of it, host %.4f, overhead %.4f, %.0f ns a packet\n",
			routed ? "routed" : "bridged", precise ? ", precise" : "", share, host,
			(double)(b.a[SOFTIRQ_OVERHEAD].rx_ns - a.a[SOFTIRQ_OVERHEAD].rx_ns) /
				(ns[0] + ns[1]),
			(ns[0] + ns[1]) / N_SENT);
	}
	assert_true(fabs(share - 0.75) <= 0.02);
	assert_host("splits", host);
	adds_up(&t);
	topo_close(&t);
}

static void splits_bridged(void **state)
{
	(void)state;
	splits(false, false);
}

static void splits_precisely(void **state)
{
	(void)state;
	splits(false, true);
}

static void splits_routed(void **state)
{
	(void)state;
	splits(true, false);
}

/* Where packets go, and the owner that receives them at last; NOBODY: N_AHEAD at most. */
#define NOBODY UINT32_MAX
struct target {
	const char *ip;
	uint16_t port;
	uint32_t owner;
};

static struct target to_pod(const struct topo *t)
{
	return (struct target){t->pod[0].addr, PORT, POD};
}

static void send_n(const struct topo *t, int fd, const struct target *to, uint32_t n, size_t len)
{
	static char bytes[1400];
	const uint64_t before = to->owner == NOBODY ? 0 : rx_pkts(t, to->owner);
	struct sockaddr_storage addr;

	assert_true(to->owner != NOBODY || n <= N_AHEAD);
	assert_true(sock_addr(&addr, to->ip, to->port, NULL) > 0);
	for (uint32_t i = 1; i <= n; i++) {
		assert_int_equal(sendto(fd, bytes, len, 0, (const struct sockaddr *)&addr,
					 sizeof(struct sockaddr_in)),
			len);
		if (to->owner != NOBODY && (i % N_AHEAD == 0 || i == n))
			wait_rx(t, to->owner, before + i);
	}
}

/*
 * What a container sends is its own up to the device that it leaves by:
 *
 *	eth0 of pod 0 => pod0 [br0] wire => eth0 of the remote
 *	^ tx_pkts        ^ rx_pkts, its     ^ rx_pkts, the remote's
 */
static void bills_the_sender(void **state)
{
	double host = NAN;
	struct target to;
	struct topo t;
	int sink, fd;

	(void)state;
	topo_open(&t, false);
	charge(&t, NULL);
	sink = sink_at(&t.remote, PORT);
	to = (struct target){t.remote.addr, PORT, REMOTE};
	fd = socket_at(&t.pod[0], SOCK_DGRAM, 0);
	for (int i = 0; i < N_TRIES && !(host <= 0.05); i++) {
		struct reading a = read_here(&t), b;
		struct softirq_account pod;

		send_n(&t, fd, &to, N_SENT, 18);
		b = read_here(&t);
		softirq_read_sum(t.s, POD, &pod);
		assert_int_equal(pod.tx_pkts, (i + 1) * N_SENT);
		assert_int_equal(pod_pkts(&a, &b), N_SENT);
		assert_true(b.a[POD].rx_ns > a.a[POD].rx_ns);
		check_host(&host, &a, &b, 0);
		print_message("# sent: sender %llu ns, receiver %llu ns, host %.4f\n",
			(unsigned long long)(b.a[POD].rx_ns - a.a[POD].rx_ns),
			(unsigned long long)(b.a[REMOTE].rx_ns - a.a[REMOTE].rx_ns), host);
	}
	assert_host("bills_the_sender", host);
	adds_up(&t);
	close(fd);
	close(sink);
	topo_close(&t);
}

#define TCP_BYTES ((size_t)4 << 20)

/*
 * The ACKs are the receiver's, and forwarding what TCP has cloned, whose bytes move as the host
 * makes room for a header, is still not the host's.
 */
static void bills_acks(void **state)
{
	double host = NAN;
	struct topo t;
	int listener, near, far;

	(void)state;
	topo_open(&t, true);
	charge(&t, NULL);
	listener = socket_at(&t.pod[0], SOCK_STREAM, PORT);
	assert_int_equal(listen(listener, 1), 0);
	near = socket_at(&t.remote, SOCK_STREAM, 0);
	must(sock_connect(near, "198.18.0.254", PORT, net_deadline(), &e_));
	far = must(sock_accept(listener, net_deadline(), &e_));
	for (int i = 0; i < N_TRIES && !(host <= 0.05); i++) {
		struct reading a = read_here(&t), b;

		net_push(near, far, TCP_BYTES);
		b = read_here(&t);
		assert_true(b.a[POD].tx_pkts > a.a[POD].tx_pkts);
		/* Data at the wire and ACKs at br0: as many as the pod had. */
		check_host(&host, &a, &b, pod_pkts(&a, &b));
		print_message("# TCP: pod %llu ns, remote %llu ns, host %.4f\n",
			(unsigned long long)(b.a[POD].rx_ns - a.a[POD].rx_ns),
			(unsigned long long)(b.a[REMOTE].rx_ns - a.a[REMOTE].rx_ns), host);
	}
	assert_host("bills_acks", host);
	adds_up(&t);
	close(near);
	close(far);
	close(listener);
	topo_close(&t);
}

/* A paced sender sends from a timer's softirq, which is billed from its first packet on. */
static void bills_pacing(void **state)
{
	struct softirq_account pod, host;
	int listener, near, far;
	struct topo t;

	(void)state;
	topo_open(&t, false);
	charge(&t, NULL);
	listener = socket_at(&t.remote, SOCK_STREAM, PORT);
	assert_int_equal(listen(listener, 1), 0);
	near = socket_at(&t.pod[0], SOCK_STREAM, 0);
	must(sock_set_pacing(near, 1000000000, &e_));
	must(sock_connect(near, t.remote.addr, PORT, net_deadline(), &e_));
	far = must(sock_accept(listener, net_deadline(), &e_));
	net_push(near, far, TCP_BYTES);
	softirq_read_sum(t.s, POD, &pod);
	softirq_read_sum(t.s, SOFTIRQ_HOST, &host);
	print_message("# paced: other %llu ns, host's %llu\n", (unsigned long long)pod.other_ns,
		(unsigned long long)host.other_ns);
	assert_true(pod.other_ns > 0);
	assert_int_equal(host.other_ns, 0); /* it is none's before someone sends */
	adds_up(&t);
	close(near);
	close(far);
	close(listener);
	topo_close(&t);
}

/*
 * A queue on the wire is emptied by NET_TX softirqs, long after the sender's:
 *
 *	eth0 of pod 0 => pod0 [br0] wire (token bucket) => eth0 of the remote
 */
static void bills_the_queue(void **state)
{
	double share = 0;
	struct target to;
	struct topo t;
	int sink, fd;

	(void)state;
	topo_open(&t, false);
	charge(&t, NULL);
	if (!softirq_kernel(t.s)->queues) {
		print_message("# skipped bills_the_queue: no tracepoint qdisc_enqueue\n");
		topo_close(&t);
		return;
	}
	must(rt_shape(t.host, "wire", 20000000, 5000, 4 << 20, &e_));
	sink = sink_at(&t.remote, PORT);
	to = (struct target){t.remote.addr, PORT, REMOTE};
	fd = socket_at(&t.pod[0], SOCK_DGRAM, 0);
	for (int i = 0; i < N_TRIES && share < 0.95; i++) {
		struct softirq_account a[N_OWNERS], b[N_OWNERS];
		uint64_t all = 0;

		for (uint32_t k = 0; k < N_OWNERS; k++)
			softirq_read_sum(t.s, k, &a[k]);
		send_n(&t, fd, &to, 1500, 1000);
		for (uint32_t k = 0; k < N_OWNERS; k++) {
			softirq_read_sum(t.s, k, &b[k]);
			all += b[k].tx_ns - a[k].tx_ns;
		}
		share = (double)(b[POD].tx_ns - a[POD].tx_ns) / (double)all;
		print_message("# queued: %.4f of %llu ns in NET_TX\n", share,
			(unsigned long long)all);
	}
	assert_true(share >= 0.95);
	adds_up(&t);
	close(fd);
	close(sink);
	topo_close(&t);
}

#define MAX_FDS 256 /* of this process */

/* This process's map of that name. */
static int map_fd(const char *name, uint32_t max_entries)
{
	for (int fd = 0; fd < MAX_FDS; fd++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);

		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
			info.max_entries == max_entries && strcmp(info.name, name) == 0)
			return fd;
	}
	fail_msg("no BPF map '%s'", name);
	return -1;
}

static uint32_t n_queued(void)
{
	int fd = map_fd("queued", SOFTIRQ_N_QUEUED);
	uint32_t n = 0;

	for (uint32_t i = 0; i < SOFTIRQ_N_QUEUED; i++) {
		struct softirq_queued q;

		assert_int_equal(bpf_map_lookup_elem(fd, &i, &q), 0);
		n += q.head != 0;
	}
	return n;
}

/*
 * Who queued a packet is forgotten when it leaves, and not taken for who queued the next one in its
 * memory, also where it leaves by a container's own device:
 *
 *	eth0 of pod 0 => pod0 [br0] pod1 (token bucket) => eth0 of pod 1
 */
static void forgets_the_queue(void **state)
{
	struct target to;
	struct topo t;
	int fd;

	(void)state;
	topo_open(&t, false);
	charge(&t, NULL);
	if (!softirq_kernel(t.s)->queues) {
		print_message("# skipped forgets_the_queue: no tracepoint qdisc_enqueue\n");
		topo_close(&t);
		return;
	}
	must(rt_shape(t.host, "pod1", 20000000, 5000, 4 << 20, &e_));
	to = (struct target){t.pod[1].addr, PORT, POD + 1};
	fd = socket_at(&t.pod[0], SOCK_DGRAM, 0);
	send_n(&t, fd, &to, N_AHEAD, 1000);
	assert_int_equal(n_queued(), 0);
	adds_up(&t);
	close(fd);
	topo_close(&t);
}

/* The directory that the scheduler knows it by. */
static uint64_t cgroup_id(const struct topo *t, const struct cgroup *cg)
{
	const char *file = softirq_kernel(t->s)->ebpf_cgroup2 ? "cpu.weight" : "cpu.shares";
	const char *dir = cgroup_with(cg, file);
	struct stat st;

	return dir && stat(dir, &st) == 0 ? st.st_ino : 0;
}

/* CPU time of its processes. */
static uint64_t usage_ns(const struct cgroup *cg)
{
	const char *v1 = cgroup_with(cg, "cpuacct.usage");
	struct container c = {.cgroup = "/"};
	uint64_t ns;

	if (v1)
		str_set(c.usage_root, v1);
	else
		str_set(c.root, cgroup_with(cg, "cpu.stat"));
	must(container_usage(&c, &ns, &e_));
	return ns;
}

/* When they wait. */
static uint64_t usage_at_rest(const struct cgroup *cg)
{
	uint64_t ns, before_ns;

	do {
		before_ns = usage_ns(cg);
		poll(NULL, 0, 1);
		ns = usage_ns(cg);
	} while (ns != before_ns);
	return ns;
}

/* As a process of that cgroup, which says when it is one, and is told to go on. Never returns. */
static _Noreturn void send_from(const struct topo *t, const struct cgroup *cg, int sync_fd)
{
	const struct target to = to_pod(t);
	struct err e = {0};
	char c = 0;
	int fd;

	if (cgroup_join(cg, &e) < 0 || write(sync_fd, &c, 1) != 1 || read(sync_fd, &c, 1) != 1)
		_exit(2);
	fd = socket_at(&t->pod[1], SOCK_DGRAM, 0);
	send_n(t, fd, &to, N_SENT, 18);
	_exit(0);
}

/*
 * Its bucket lost what it used: the time that the scheduler has in its processes' is in it once,
 * less what it gained, whether softirqs are in that time, or, with irq_time, are not.
 */
static void has_spent(const struct topo *t, const struct softirq_account *a, uint64_t process_ns,
	uint64_t spent_ns)
{
	const bool irq_time = softirq_kernel(t->s)->irq_time;
	const uint64_t softirq_ns = a->rx_ns + a->tx_ns + a->other_ns + a->thread_ns;
	const uint64_t used_ns =
		process_ns + softirq_ns - (irq_time ? 0 : a->own_ns + a->gained_ns);

	print_message("# irq_time %d: process %llu, spent %llu, due %llu ns\n", irq_time,
		(unsigned long long)process_ns, (unsigned long long)spent_ns,
		(unsigned long long)used_ns);
	/* v2 says microseconds. */
	assert_in_range(spent_ns, used_ns - 2 * NSEC_PER_USEC, used_ns + 2 * NSEC_PER_USEC);
}

/*
 * A process of pod 1 sends to pod 0, and softirqs at the end of its system calls do all of it:
 *
 *	process, eth0 of pod 1 => pod1 [br0] pod0 => eth0 of pod 0
 *	                          pod 1's: own      pod 0's: pod 1 gains
 */
static void bills_the_context(void **state)
{
	_cleanup_(janitor_finishp) struct janitor *janitor = NULL;
	const struct softirq_cfg cfg = {.enforce = true};
	const int64_t full_ns = 3600LL * (int64_t)NSEC_PER_SEC;
	struct softirq_account from, to;
	struct softirq_budget *b;
	struct cgroup cg;
	struct err e = {0};
	struct topo t;
	uint64_t id, before_ns;
	int status, sync[2];
	pid_t pid;
	char c;

	(void)state;
	topo_open(&t, false);
	charge(&t, &cfg);
	must(janitor_start(&janitor, &e_));
	id = cgroup_make(&cg, "softirq", janitor, &e) == 0 ? cgroup_id(&t, &cg) : 0;
	if (!id) {
		net_skip("bills_the_context: no cgroup of the cpu controller", &e);
		topo_close(&t);
		return;
	}
	must(softirq_set_cgroup(t.s, id, POD + 1, &e_));
	softirq_changed(t.s);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		send_from(&t, &cg, sync[1]);
	close(sync[1]);
	assert_int_equal(read(sync[0], &c, 1), 1);
	before_ns = usage_at_rest(&cg);
	b = softirq_budget(t.s, POD + 1);
	*b = (struct softirq_budget){.tokens_ns = full_ns, .cap_ns = 2 * full_ns};
	__atomic_store_n(&b->keep, 1, __ATOMIC_RELEASE);
	assert_int_equal(write(sync[0], &c, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(sync[0]);
	assert_int_equal(status, 0);
	wait_rx(&t, POD, N_SENT);
	adds_up(&t);
	softirq_read_sum(t.s, POD + 1, &from);
	softirq_read_sum(t.s, POD, &to);
	print_message("# pod 1: rx %llu, own %llu, gained %llu; pod 0: rx %llu\n",
		(unsigned long long)from.rx_ns, (unsigned long long)from.own_ns,
		(unsigned long long)from.gained_ns, (unsigned long long)to.rx_ns);
	assert_true(from.own_ns > 0 && from.own_ns <= from.rx_ns + from.tx_ns + from.other_ns);
	assert_true(from.gained_ns > 0);
	assert_int_equal(to.own_ns + to.gained_ns + to.irqs_own + to.irqs_gained, 0);
	has_spent(&t, &from, usage_ns(&cg) - before_ns, (uint64_t)(full_ns - b->tokens_ns));
	topo_close(&t);
}

#define HOST_PORT 9000
#define N_READ    100 /* fit into a receive buffer: what is dropped there is the host's */

/* A process of the host's own namespace, that reads what comes. Never returns. */
static _Noreturn void read_in(const struct topo *t, const struct cgroup *cg, int ready_fd)
{
	const struct machine host = {.fd = t->host_fd};
	char buf[64];
	int fd;

	if (cgroup_join(cg, NULL) < 0)
		_exit(2);
	fd = socket_at(&host, SOCK_DGRAM, HOST_PORT);
	if (write(ready_fd, "x", 1) != 1)
		_exit(1);
	for (;;)
		(void)recv(fd, buf, sizeof(buf), 0);
}

/*
 * A process in the host's own namespace, as of a pod with hostNetwork: told by its socket's cgroup.
 *
 *	eth0 of the remote => wire, 198.18.0.254: socket of POD + 3
 */
static void bills_host_sockets(void **state)
{
	_cleanup_(janitor_finishp) struct janitor *janitor = NULL;
	const struct target to = {"198.18.0.254", HOST_PORT, SOFTIRQ_HOST};
	double host = NAN;
	struct cgroup cg;
	struct err e = {0};
	struct topo t;
	int ready[2], fd;
	uint64_t id;
	char byte;
	pid_t pid;

	(void)state;
	topo_open(&t, true);
	charge(&t, NULL);
	must(janitor_start(&janitor, &e_));
	if (!softirq_kernel(t.s)->sk_events) {
		print_message("# skipped bills_host_sockets: no tracepoint of sockets, or the cpu "
			      "controller is not in cgroup v2\n");
		topo_close(&t);
		return;
	}
	id = cgroup_make(&cg, "sockets", janitor, &e) == 0 ? cgroup_id(&t, &cg) : 0;
	if (!id) {
		net_skip("bills_host_sockets: no cgroup of the cpu controller", &e);
		topo_close(&t);
		return;
	}
	must(softirq_set_cgroup(t.s, id, POD + 3, &e_));
	softirq_changed(t.s);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		read_in(&t, &cg, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	fd = socket_at(&t.remote, SOCK_DGRAM, 0);
	for (int i = 0; i < N_TRIES && !(host <= 0.05); i++) {
		struct reading a = read_here(&t), b;

		send_n(&t, fd, &to, N_READ, 18);
		b = read_here(&t);
		assert_true(b.a[POD + 3].rx_ns > a.a[POD + 3].rx_ns);
		check_host(&host, &a, &b, N_READ);
		print_message("# socket of the host's namespace: host %.4f\n", host);
	}
	close(fd);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_host("bills_host_sockets", host);
	adds_up(&t);
	topo_close(&t);
}

/*
 * Pod 0 and the remote, by a tunnel that the host is one end of:
 *
 *	tun0 .1.1 --- eth0 ==== wire --- tun0 [br0] pod0 ==== eth0 .1.10     bridged
 *	tun0 .1.1 --- eth0 ==== wire --- tun0, br0, pod0 ==== eth0 .1.10     routed
 */
static const struct tunnel {
	enum rt_tunnel_kind kind;
	const char *name;
	bool bridged;
} tunnels[] = {
	{RT_TUNNEL_VXLAN, "vxlan", true},
	{RT_TUNNEL_VXLAN, "vxlan, routed", false},
	{RT_TUNNEL_GENEVE, "geneve", true},
	{RT_TUNNEL_IPIP, "ipip", false},
	{RT_TUNNEL_GRE, "gre", false},
};

#define TUNNEL_ADDR "198.18.1.1"

static int tunnel_end(struct rt *rt, enum rt_tunnel_kind kind, const char *local,
	const char *remote, struct err *e)
{
	const struct rt_tunnel tunnel = {.kind = kind,
		.name = "tun0",
		.local = local,
		.remote = remote,
		.mtu = 1400};
	int r = rt_tunnel_add(rt, &tunnel, e);

	return r < 0 ? r : rt_set_up(rt, "tun0", e);
}

static void tunnel_bridge(struct topo *t)
{
	struct machine *pod = &t->pod[0];
	struct rt_id tun;

	must(rt_id(t->remote.rt, "tun0", &tun, &e_));
	must(rt_addr_add(t->remote.rt, "tun0", TUNNEL_ADDR "/24", &e_));
	must(rt_neigh_add(t->remote.rt, "tun0", pod->addr, pod->id.mac, &e_));
	must(rt_neigh_add(pod->rt, "eth0", TUNNEL_ADDR, tun.mac, &e_));
	must(rt_set_master(t->host, "tun0", "br0", &e_));
	must(rt_fdb_add(t->host, "tun0", tun.mac, &e_));
}

static void tunnel_route(struct topo *t, enum rt_tunnel_kind kind)
{
	must(rt_addr_add(t->remote.rt, "tun0", TUNNEL_ADDR "/32", &e_));
	must(rt_route_add(t->remote.rt, "tun0", "198.18.1.0/24", NULL, &e_));
	must(rt_route_add(t->host, "tun0", TUNNEL_ADDR "/32", NULL, &e_));
	if (kind == RT_TUNNEL_VXLAN) {
		struct rt_id tun;

		must(rt_id(t->host, "tun0", &tun, &e_));
		must(rt_neigh_add(t->remote.rt, "tun0", t->pod[0].addr, tun.mac, &e_));
	}
	/* The pod has the remote for a neighbour, and the host is to take what is for it. */
	must(rt_route_add(t->pod[0].rt, "eth0", TUNNEL_ADDR "/32", "198.18.1.254", &e_));
}

/* Return: 0, or negative errno: this kernel has no such tunnel. */
static int tunnel_open(struct topo *t, const struct tunnel *tun, struct err *e)
{
	int r;

	topo_open(t, true);
	r = tunnel_end(t->host, tun->kind, "198.18.0.254", t->remote.addr, e);
	if (r < 0) {
		topo_close(t);
		return r;
	}
	must(tunnel_end(t->remote.rt, tun->kind, t->remote.addr, "198.18.0.254", &e_));
	if (tun->bridged)
		tunnel_bridge(t);
	else
		tunnel_route(t, tun->kind);
	return 0;
}

/* The host's share of packets to pod 0, sent by @sends calls, that it meets @n times. */
static double tunnel_share(const struct topo *t, int fd, size_t len, uint32_t sends, uint32_t n)
{
	double host = NAN;

	for (int i = 0; i < N_TRIES && !(host <= 0.05); i++) {
		struct target to = to_pod(t);
		struct reading a = read_here(t), b;
		uint64_t pod, over;

		for (uint32_t k = 0; k < sends; k++) {
			const uint64_t before = rx_pkts(t, POD);

			send_n(t, fd, &to, 1, len);
			wait_rx(t, POD, before + n / sends / 2);
		}
		b = read_here(t);
		pod = b.a[POD].rx_ns - a.a[POD].rx_ns;
		over = b.a[SOFTIRQ_OVERHEAD].rx_ns - a.a[SOFTIRQ_OVERHEAD].rx_ns;
		check_host(&host, &a, &b, n);
		print_message("#   %.0f ns a packet, host %.4f, overhead %.4f\n",
			(double)pod / n * 2, host, (double)over / (double)pod);
	}
	return host;
}

static void tunnel_receives(const struct tunnel *tun)
{
	struct softirq_budget *b;
	struct err e = {0};
	struct topo t;
	int fd, r = tunnel_open(&t, tun, &e);

	if (r < 0) {
		net_skip(tun->name, &e);
		return;
	}
	b = charge_budget(&t);
	fd = socket_at(&t.remote, SOCK_DGRAM, 0);
	print_message("# %s, one by one:\n", tun->name);
	assert_host(tun->name, tunnel_share(&t, fd, 18, N_SENT, 2 * N_SENT));
	adds_up(&t);
	/* More than a poll takes, so that the tunnel's is in the next softirq. */
	must(ethtool_feature_off(t.remote.fd, "tun0", "tx-udp-segmentation", &e_));
	must(sock_set_int(fd, IPPROTO_UDP, UDP_SEGMENT, 18, "segments", &e_));
	print_message("# %s, %u at once:\n", tun->name, AT_ONCE);
	assert_host(tun->name, tunnel_share(&t, fd, 18 * AT_ONCE, 100, 2 * 100 * AT_ONCE));
	adds_up(&t);
	check_budget(&t, b);
	close(fd);
	topo_close(&t);
}

/* What a packet takes before it comes out of a tunnel is its, too. */
static void bills_tunnels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++)
		tunnel_receives(&tunnels[i]);
}

/* What a container sends into a tunnel is its own, up to the wire. */
static void bills_into_tunnels(void **state)
{
	double host = NAN;
	struct err e = {0};
	struct topo t;
	int sink, fd;

	(void)state;
	if (tunnel_open(&t, &tunnels[0], &e) < 0) {
		net_skip("bills_into_tunnels", &e);
		return;
	}
	charge(&t, NULL);
	sink = sink_at(&t.remote, PORT);
	fd = socket_at(&t.pod[0], SOCK_DGRAM, 0);
	for (int i = 0; i < N_TRIES && !(host <= 0.05); i++) {
		/* The remote receives each packet twice: at eth0 and at tun0. */
		const struct target to = {TUNNEL_ADDR, PORT, REMOTE};
		const uint64_t before = rx_pkts(&t, REMOTE);
		struct reading a = read_here(&t), b;

		send_n(&t, fd, &to, N_SENT, 18);
		wait_rx(&t, REMOTE, before + 2 * N_SENT);
		b = read_here(&t);
		assert_true(b.a[POD].rx_ns > a.a[POD].rx_ns);
		check_host(&host, &a, &b, 0);
		print_message("# into a tunnel: sender %llu ns, host %.4f\n",
			(unsigned long long)(b.a[POD].rx_ns - a.a[POD].rx_ns), host);
	}
	assert_host("bills_into_tunnels", host);
	adds_up(&t);
	close(fd);
	close(sink);
	topo_close(&t);
}

/* Runs a program in the driver of the remote's eth0 that drops everything. Return: its link. */
static int drop_at_remote(const struct topo *t)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int link_fd, prog_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "", insn, ARRAY_SIZE(insn),
			     NULL);

	assert_true(prog_fd >= 0);
	must(ebpf_xdp_attach(&link_fd, t->remote.fd, t->remote.id.ifindex, prog_fd, EBPF_XDP_NATIVE,
		&e_));
	close(prog_fd);
	return link_fd;
}

#define GUEST (REMOTE + 1)

/* Frames that no protocol takes. Ref: IEEE 802, local experimental Ethertype 1 */
static void send_frames(int tap_fd, const uint8_t to[static 6], const uint8_t from[static 6])
{
	uint8_t frame[60] = {[12] = 0x88, [13] = 0xb5};

	memcpy(frame, to, 6);
	memcpy(frame + 6, from, 6);
	for (uint32_t i = 0; i < N_AHEAD / 2; i++)
		assert_int_equal(write(tap_fd, frame, sizeof(frame)), sizeof(frame));
}

/*
 * A guest's packets are counted at its tap, and its own word for in and out is the one that counts:
 *
 *	eth0 of the remote == wire [br0] tap0 -- guest
 */
static void counts_at_taps(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 50};
	const struct target to = {"198.18.0.50", PORT, GUEST};
	struct softirq_account a;
	struct softirq_dev dev;
	struct err e = {0};
	struct rt_id id;
	struct topo t;
	int tap, fd;

	(void)state;
	topo_open(&t, false);
	if (tap_open(t.host_fd, "tap0", false, 1, &tap, &e) < 0) {
		net_skip("counts_at_taps", &e);
		topo_close(&t);
		return;
	}
	must(rt_set_master(t.host, "tap0", "br0", &e_));
	must(rt_set_up(t.host, "tap0", &e_));
	must(rt_fdb_add(t.host, "tap0", mac, &e_));
	must(rt_neigh_add(t.remote.rt, "eth0", to.ip, mac, &e_));
	must(rt_id(t.host, "tap0", &id, &e_));
	charge(&t, NULL);
	dev = (struct softirq_dev){inode_of(t.host_fd), (uint32_t)id.ifindex};
	must(softirq_set_tap(t.s, &dev, GUEST, &e_));
	softirq_changed(t.s);
	fd = socket_at(&t.remote, SOCK_DGRAM, 0);
	send_n(&t, fd, &to, N_AHEAD, 18);
	send_frames(tap, t.remote.id.mac, mac);
	softirq_read_sum(t.s, GUEST, &a);
	assert_int_equal(a.rx_pkts, N_AHEAD);
	assert_int_equal(a.tx_pkts, N_AHEAD / 2);
	assert_true(a.rx_ns > 0);
	adds_up(&t);
	close(fd);
	close(tap);
	topo_close(&t);
}

#define N_POLLS 400

/* Of what the sender and the remote have, that is the remote's. */
static double share_of_polls(struct topo *t, int fd, bool precise)
{
	const struct target to = {t->remote.addr, PORT, NOBODY};
	struct softirq_account pod, remote;

	charge(t, &(struct softirq_cfg){.precise = precise});
	for (uint32_t i = 0; i < N_POLLS; i++) /* each in a softirq of its own */
		send_n(t, fd, &to, 1, 18);
	adds_up(t);
	softirq_read_sum(t->s, POD, &pod);
	softirq_read_sum(t->s, REMOTE, &remote);
	softirq_close(take_ptr(t->s));
	print_message("# dropped by a driver%s: %llu ns, sender %llu ns\n",
		precise ? ", precise" : "", (unsigned long long)remote.rx_ns,
		(unsigned long long)pod.rx_ns);
	assert_int_equal(remote.rx_pkts, 0);
	return (double)remote.rx_ns / (double)(remote.rx_ns + pod.rx_ns);
}

/*
 * A poll of a container's device that hands no packet to the stack is the container's, also where
 * it follows one of another container's run of packets:
 *
 *	eth0 of pod 0 => pod0 [br0] wire => eth0 of the remote, whose driver drops them
 */
static void bills_polls(void **state)
{
	double share = 0, precise = 1;
	struct topo t;
	int link, fd;

	(void)state;
	topo_open(&t, false);
	link = drop_at_remote(&t);
	fd = socket_at(&t.pod[0], SOCK_DGRAM, 0);
	for (int i = 0; i < N_TRIES && !(share >= 0.8 * precise); i++) {
		share = share_of_polls(&t, fd, false);
		precise = share_of_polls(&t, fd, true);
	}
	assert_true(share > 0 && share >= 0.8 * precise);
	close(fd);
	close(link);
	topo_close(&t);
}

/* What is forgotten is the host's, and a number that is given out again begins at nothing. */
static void forgets(void **state)
{
	struct softirq_account a;
	struct softirq_dev dev;
	struct rt_id id;
	struct topo t;

	(void)state;
	topo_open(&t, false);
	charge(&t, NULL);
	send_1_3(&t, 400);
	must(rt_id(t.host, outer[0], &id, &e_));
	dev = (struct softirq_dev){inode_of(t.host_fd), (uint32_t)id.ifindex};
	softirq_unset_dev(t.s, &dev);
	softirq_unset_dev(t.s, &dev);
	softirq_unset_netns(t.s, t.pod[0].netns);
	softirq_changed(t.s);
	softirq_clear(t.s, POD);
	softirq_read_sum(t.s, POD, &a);
	assert_memory_equal(&a, &(struct softirq_account){0}, sizeof(a));
	must(softirq_set_netns(t.s, t.pod[0].netns, POD + 3, &e_));
	softirq_changed(t.s);
	{
		int fd = socket_at(&t.remote, SOCK_DGRAM, 0);

		send_n(&t, fd, &(struct target){t.pod[0].addr, PORT, POD + 3}, 100, 18);
		close(fd);
	}
	softirq_read_sum(t.s, POD, &a);
	assert_int_equal(a.rx_pkts + a.tx_pkts + a.rx_ns, 0);
	topo_close(&t);
}

/* A bucket that nothing fills loses what is billed, to the nanosecond, and stops at its floor. */
static void keeps_budgets(void **state)
{
	struct softirq_budget *b;
	struct target to;
	struct topo t;
	int fd;

	(void)state;
	topo_open(&t, false);
	b = charge_budget(&t);
	to = to_pod(&t);
	fd = socket_at(&t.remote, SOCK_DGRAM, 0);
	send_n(&t, fd, &to, N_SENT, 18);
	adds_up(&t); /* waits for the last softirq to end */
	check_budget(&t, b);
	__atomic_store_n(&b->tokens_ns, 0, __ATOMIC_RELAXED);
	send_n(&t, fd, &to, N_SENT, 18);
	adds_up(&t);
	assert_int_equal(b->tokens_ns, -1000);
	/* Filled by time, up to its cap. */
	b->rate_ppb = NSEC_PER_SEC;
	b->cap_ns = 5000;
	send_n(&t, fd, &to, N_SENT, 18);
	assert_true(b->tokens_ns <= 5000 && b->tokens_ns >= -1000);
	close(fd);
	topo_close(&t);
}

/*
 * A device whose packets a thread of the kernel receives, outside of any softirq:
 *
 *	eth0 of the remote => wire [br0] pod0 => eth0 of pod 0, threaded
 */
static void bills_threads(void **state)
{
	struct softirq_account a;
	struct err e = {0};
	struct target to;
	struct topo t;
	int fd, napi, r;

	(void)state;
	topo_open(&t, false);
	/* Ref: drivers/net/veth.c veth_skb_is_eligible_for_gro */
	must(ethtool_set(t.host_fd, "pod0", ETHTOOL_TX_CSUM, false, &e_));
	must(ethtool_set(t.pod[0].fd, "eth0", ETHTOOL_GRO, true, &e_));
	napi = must(napi_open(t.pod[0].fd, &e_));
	r = napi_set_threaded(napi, "eth0", true, &e);
	close(napi);
	if (r < 0) {
		net_skip("bills_threads", &e);
		topo_close(&t);
		return;
	}
	charge(&t, NULL);
	fd = socket_at(&t.remote, SOCK_DGRAM, 0);
	to = to_pod(&t);
	send_n(&t, fd, &to, N_SENT, 18);
	close(fd);
	{
		const uint64_t deadline_ns = net_deadline();

		do
			softirq_read_sum(t.s, POD, &a);
		while (a.thread_ns == 0 && clock_now_ns() < deadline_ns);
	}
	print_message("# in threads: %llu ns of %llu packets\n", (unsigned long long)a.thread_ns,
		(unsigned long long)a.rx_pkts);
	assert_true(a.thread_ns > 0);
	adds_up(&t);
	topo_close(&t);
}

/* The kernel frees a map a moment after the last user has gone. */
static uint32_t map_id(const struct softirq *s)
{
	struct softirq_shared shared;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	softirq_share(s, &shared);
	assert_int_equal(bpf_obj_get_info_by_fd(shared.slices_fd, &info, &len), 0);
	return info.id;
}

static void wait_gone(uint32_t id)
{
	uint64_t deadline_ns = net_deadline();
	int fd;

	while ((fd = bpf_map_get_fd_by_id(id)) >= 0) {
		close(fd);
		if (clock_left_ms(deadline_ns) == 0)
			fail_msg("BPF map %u is still there", id);
		net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
	}
	assert_int_equal(fd, -ENOENT);
}

/* A program holds its maps, so where these are gone, it is. */
static void close_leaves_nothing(void **state)
{
	const struct softirq_cfg cfg = {.n_owners = N_OWNERS};
	const uint32_t n_fds = net_count_fds();
	struct softirq *s;
	uint32_t id;

	(void)state;
	assert_int_equal(must(softirq_open(&s, &cfg, &e_)), 0);
	id = map_id(s);
	softirq_close(s);
	wait_gone(id);
	assert_int_equal(net_count_fds(), n_fds);
}

static void kill_leaves_nothing(void **state)
{
	const struct softirq_cfg cfg = {.n_owners = N_OWNERS};
	uint32_t id = 0;
	int said[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct softirq *s;

		if (softirq_open(&s, &cfg, NULL) == 0)
			id = map_id(s);
		(void)!write(said[1], &id, sizeof(id));
		for (;;)
			pause();
	}
	close(said[1]);
	assert_int_equal(read(said[0], &id, sizeof(id)), sizeof(id));
	close(said[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(id > 0);
	wait_gone(id);
}

static bool is_possible(void)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];
	struct err e = {0};
	int r = softirq_probe(&e);

	if (r > 0) {
		printf("1..0 # SKIP %s\n", e.text);
		return false;
	}
	if (r < 0)
		printf("# softirq_probe: %s\n", e.text);
	assert(r == 0);
	/* Softirqs of what it sends are done on the same CPU. */
	assert(affinity_allowed(cpu) > 0);
	test_cpu = cpu[0];
	r = affinity_pin(test_cpu, &e);
	assert(r == 0);
	return true;
}

/* usage: net-softirq [TEST], all by default */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_leaves_nothing),
		cmocka_unit_test(kill_leaves_nothing),
		cmocka_unit_test(splits_bridged),
		cmocka_unit_test(splits_precisely),
		cmocka_unit_test(splits_routed),
		cmocka_unit_test(bills_the_sender),
		cmocka_unit_test(bills_acks),
		cmocka_unit_test(bills_pacing),
		cmocka_unit_test(bills_the_queue),
		cmocka_unit_test(forgets_the_queue),
		cmocka_unit_test(bills_the_context),
		cmocka_unit_test(bills_host_sockets),
		cmocka_unit_test(bills_tunnels),
		cmocka_unit_test(bills_into_tunnels),
		cmocka_unit_test(counts_at_taps),
		cmocka_unit_test(bills_polls),
		cmocka_unit_test(forgets),
		cmocka_unit_test(keeps_budgets),
		cmocka_unit_test(bills_threads),
	};

	if (net_begin() < 0 || !is_possible())
		return 0;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("softirq", tests, NULL, NULL);
}
