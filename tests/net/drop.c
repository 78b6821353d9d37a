/*
 * Packets of a container over its budget are dropped, at each hook, and nobody else's:
 *
 *	peer                      host                        pod0: has no tokens
 *	wire (198.18.0.1) ====== wire [br0] pod0 ------------ eth0 (198.18.0.10)
 *	                              [br0] pod1 ------------ eth0 (198.18.0.11)
 *	          xdp, tc ingress ^       ^ tc egress         ^ tc inside
 *	                                                      pod1: has tokens
 *
 * The peer's packets go through in soft interrupts of the CPU that sends, so a last datagram to a
 * protected port comes when all before it are through.
 */
#include "net.h"

#include "base/cleanup.h"
#include "base/macro.h"
#include "base/str.h"
#include "frame/csum.h"
#include "guard/drop.h"
#include "guard/early.h"
#include "path/lab.h"
#include "sys/affinity.h"
#include "sys/ebpf.h"
#include "sys/exec.h"
#include "sys/file.h"
#include "sys/nft.h"
#include "sys/ns.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"
#include "sys/rtlink.h"
#include "sys/rtnl.h"
#include "sys/rtpeer.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define N_POD     2
#define OWNER(i)  (SOFTIRQ_FIRST + (uint32_t)(i))
#define N_OWNERS  (SOFTIRQ_FIRST + N_POD)
#define PORT      5000
#define KEPT_PORT 5001
#define N_PACKETS 64

/* How the peer reaches the pods. */
struct way {
	const char *name, *pod[N_POD];
	bool ipv6;
};
static const struct way ways[] = {
	{"ipv4", {"198.18.0.10", "198.18.0.11"}, false},
	{"ipv6", {"2001:2::10", "2001:2::11"}, true},
	{"vlan", {"198.19.0.10", "198.19.0.11"}, false},
};

struct net {
	int peer_fd, host_fd, pod_fd[N_POD];
	struct rt *peer, *host, *pod[N_POD];
	int wire, outer[N_POD], inner[N_POD]; /* ifindex */
};

static struct net net;
static uint32_t cpu_here;                /* where the test is pinned */
static size_t n_ways = ARRAY_SIZE(ways); /* the last one is VLAN, which not every kernel has */
static const char *const outer_name[] = {"pod0", "pod1"};

static int ifindex_of(struct rt *rt, const char *name)
{
	struct rt_id id;

	must(rt_id(rt, name, &id, &e_));
	return id.ifindex;
}

/* An end with an address of each way, VLAN 7 on top. */
static void address(struct rt *rt, const char *dev, const char *v4, const char *v6, const char *v7)
{
	const struct rt_child child = {"v7", dev, -1, 1500};
	struct err e = {0};

	must(rt_set_up(rt, dev, &e_));
	must(rt_addr_add(rt, dev, v4, &e_));
	must(rt_addr_add(rt, dev, v6, &e_));
	if (rt_vlan_add(rt, &child, 7, &e) < 0) {
		assert_int_equal(e.code, -EOPNOTSUPP);
		if (n_ways == ARRAY_SIZE(ways))
			net_skip("packets in a VLAN, but for made-up ones", &e);
		n_ways = ARRAY_SIZE(ways) - 1;
		return;
	}
	must(rt_set_up(rt, "v7", &e_));
	must(rt_addr_add(rt, "v7", v7, &e_));
}

static void build_pod(int i)
{
	static const char *const addr[N_POD][3] = {
		{"198.18.0.10/24", "2001:2::10/64", "198.19.0.10/24"},
		{"198.18.0.11/24", "2001:2::11/64", "198.19.0.11/24"},
	};

	must(lab_machine_new(true, &net.pod_fd[i], &net.pod[i], &e_));
	must(rt_veth_add(net.host, outer_name[i], "eth0", net.pod_fd[i], 1500, &e_));
	must(rt_set_master(net.host, outer_name[i], "br0", &e_));
	must(rt_set_up(net.host, outer_name[i], &e_));
	address(net.pod[i], "eth0", addr[i][0], addr[i][1], addr[i][2]);
	must(rt_wait_up(net.host, outer_name[i], net_deadline(), &e_));
	net.outer[i] = ifindex_of(net.host, outer_name[i]);
	net.inner[i] = ifindex_of(net.pod[i], "eth0");
}

static int build(void **state)
{
	(void)state;
	must(lab_machine_new(true, &net.peer_fd, &net.peer, &e_));
	must(lab_machine_new(true, &net.host_fd, &net.host, &e_));
	must(rt_bridge_quiet_add(net.host, "br0", 1500, &e_));
	must(rt_set_up(net.host, "br0", &e_));
	must(rt_veth_add(net.host, "wire", "wire", net.peer_fd, 1500, &e_));
	must(rt_set_master(net.host, "wire", "br0", &e_));
	must(rt_set_up(net.host, "wire", &e_));
	net.wire = ifindex_of(net.host, "wire");
	for (int i = 0; i < N_POD; i++)
		build_pod(i);
	address(net.peer, "wire", "198.18.0.1/24", "2001:2::1/64", "198.19.0.1/24");
	must(rt_wait_up(net.host, "wire", net_deadline(), &e_));
	return 0;
}

static int clean(void **state)
{
	(void)state;
	for (int i = 0; i < N_POD; i++) {
		rt_close(net.pod[i]);
		close(net.pod_fd[i]);
	}
	rt_close(net.peer);
	rt_close(net.host);
	close(net.peer_fd);
	close(net.host_fd);
	return 0;
}

static const struct softirq_budget at_floor = {.tokens_ns = -1000000000,
	.cap_ns = 1000000000,
	.floor_ns = -1000000000,
	.keep = 1,
	.drop = 1};

static void set_tokens(struct drop *d, uint32_t owner, int64_t tokens_ns)
{
	struct softirq_budget b = at_floor;

	b.tokens_ns = tokens_ns;
	must(drop_set_budget(d, owner, &b, &e_));
}

static struct drop *drop_new_on(const struct softirq_shared *shared, bool no_tcx)
{
	const struct drop_cfg cfg = {.n_owners = N_OWNERS, .no_tcx = no_tcx};
	struct drop *d = NULL;

	must(drop_open(&d, &cfg, shared, &e_));
	for (int i = 0; i < N_POD; i++) {
		for (size_t w = 0; w < ARRAY_SIZE(ways); w++)
			must(drop_set_addr(d, OWNER(i), ways[w].pod[i], &e_));
		must(drop_set_dev(d, OWNER(i), net.outer[i], &e_));
		must(drop_protect(d, OWNER(i), IPPROTO_UDP, KEPT_PORT, DROP_PORT_OWN, &e_));
	}
	return d;
}

/* All addresses are known; pod 0 has no tokens left, pod 1 has all. */
static struct drop *drop_new(bool no_tcx)
{
	struct drop *d = drop_new_on(NULL, no_tcx);

	for (int i = 0; i < N_POD; i++)
		set_tokens(d, OWNER(i), i == 0 ? at_floor.floor_ns : at_floor.cap_ns);
	return d;
}

/* Where a hook's program goes; the pods' hooks at both pods. Return: as drop_add_device(). */
static int add(struct drop *d, uint32_t hook, struct err *e)
{
	struct drop_used used;
	int r = 0;

	if (hook <= DROP_TC_INGRESS)
		return drop_add_device(d, &(struct drop_device){net.host_fd, net.wire, hook}, &used,
			e);
	for (int i = 0; r == 0 && i < N_POD; i++) {
		const bool inside = hook == DROP_TC_INSIDE;
		const struct drop_device dev = {inside ? net.pod_fd[i] : net.host_fd,
			inside ? net.inner[i] : net.outer[i], hook};

		r = drop_add_device(d, &dev, &used, e);
	}
	return r;
}

/* A datagram socket for a pod, told of the octet that has ECN. */
static int pod_socket(const struct way *w, int i, uint16_t port)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd;

	must(ns_scope_enter(&scope, net.pod_fd[i], &e_));
	fd = must(sock_bind(SOCK_DGRAM, w->pod[i], port, &e_));
	/* Where each packet has a page (a veth with XDP, Linux 6.1), 49 fill the usual room. */
	must(sock_set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20, "receive buffer", &e_));
	if (w->ipv6)
		must(sock_set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "class", &e_));
	else
		must(sock_set_int(fd, IPPROTO_IP, IP_RECVTOS, 1, "TOS", &e_));
	return fd;
}

/* A datagram to each port first, so that neighbours are known. */
static int peer_socket(const char *to, uint16_t port, uint32_t tos)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd;

	must(ns_scope_enter(&scope, net.peer_fd, &e_));
	fd = must(sock_open(SOCK_DGRAM, to, &e_));
	must(sock_set_tos(fd, tos, &e_));
	must(sock_connect(fd, to, port, net_deadline(), &e_));
	return fd;
}

/* What a socket has got. */
struct got {
	uint32_t n, n_ce;
};

static uint8_t octet_of(struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int class = 0;

	assert_non_null(c);
	if (c->cmsg_type == IP_TOS && c->cmsg_level == IPPROTO_IP)
		return *CMSG_DATA(c);
	memcpy(&class, CMSG_DATA(c), sizeof(class));
	return (uint8_t) class;
}

static struct got take_all(int fd)
{
	struct got ret = {0};

	for (;;) {
		char byte, control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = {&byte, sizeof(byte)};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};

		if (recvmsg(fd, &msg, MSG_DONTWAIT) < 0) {
			assert_int_equal(errno, EAGAIN);
			return ret;
		}
		ret.n++;
		ret.n_ce += (octet_of(&msg) & 3) == 3;
	}
}

/* Sends with a peer's socket, waits until all is through, and says what came to a pod's port. */
static struct got send_by(int to_pod, const struct way *w, int i, uint32_t n)
{
	int pod = pod_socket(w, i, PORT), kept = pod_socket(w, i, KEPT_PORT);
	int to_kept = peer_socket(w->pod[i], KEPT_PORT, 0);
	struct got got;

	/* Neighbours are found out, and nothing waits for that later. */
	assert_int_equal(send(to_kept, "k", 1, 0), 1);
	assert_int_equal(sock_wait_readable(kept, net_deadline()), 0);
	assert_int_equal(take_all(kept).n, 1);
	for (uint32_t k = 0; k < n; k++)
		assert_int_equal(send(to_pod, "x", 1, 0), 1);
	assert_int_equal(send(to_kept, "k", 1, 0), 1);
	assert_int_equal(sock_wait_readable(kept, net_deadline()), 0);
	got = take_all(pod);
	close(pod);
	close(kept);
	close(to_kept);
	return got;
}

static struct got send_to(const struct way *w, int i, uint32_t tos, uint32_t n)
{
	int to_pod = peer_socket(w->pod[i], PORT, tos);
	struct got got = send_by(to_pod, w, i, n);

	close(to_pod);
	return got;
}

static struct drop_count count_of(const struct drop *d, int i)
{
	struct drop_count c;

	drop_read(d, OWNER(i), &c);
	return c;
}

/* At each hook, by each way: all of pod 0's but the protected ones, and none of pod 1's. */
static void drops_at_hook(void **state)
{
	const uint32_t hook = (uint32_t)(uintptr_t)*state;
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	struct drop_count c;
	struct err e = {0};

	if (add(d, hook, &e) < 0) {
		if (e.code != -EOPNOTSUPP)
			fail_msg("%s: %s", drop_hook_name[hook], e.text);
		net_skip(drop_hook_name[hook], &e);
		return;
	}
	for (size_t w = 0; w < n_ways; w++) {
		drop_clear(d, OWNER(0));
		must(drop_protect(d, OWNER(0), IPPROTO_UDP, KEPT_PORT, DROP_PORT_OWN, &e_));
		drop_beat(d);
		assert_int_equal(send_to(&ways[w], 0, 0, N_PACKETS).n, 0);
		assert_int_equal(send_to(&ways[w], 1, 0, N_PACKETS).n, N_PACKETS);
		c = count_of(d, 0);
		assert_int_equal(c.dropped, N_PACKETS);
		assert_true(c.kept >= 2); /* and neighbour discovery */
		assert_int_equal(c.marked + c.stale, 0);
		c = count_of(d, 1);
		assert_int_equal(c.dropped + c.kept + c.marked + c.stale, 0);
	}
	drop_read_hook(d, hook, &c);
	assert_int_equal(c.dropped, n_ways * N_PACKETS);
	drop_close(take_ptr(d));
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, N_PACKETS);
}

/*
 * A hair above the floor everything is chosen still, but marked: what knows ECN arrives, with a
 * header that the kernel takes, and the rest does not. IPv6 is not marked by generic XDP.
 */
static void marks_at_hook(void **state)
{
	const uint32_t hook = (uint32_t)(uintptr_t)*state;
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	struct err e = {0};

	set_tokens(d, OWNER(0), at_floor.floor_ns + 1);
	if (add(d, hook, &e) < 0)
		return; /* drops_at_hook() has said so */
	for (size_t w = 0; w < n_ways; w++) {
		const bool marks = hook != DROP_XDP_GENERIC || !ways[w].ipv6;

		for (uint32_t tos = 0; tos < 4; tos++) {
			struct got got;

			drop_beat(d);
			got = send_to(&ways[w], 0, tos, N_PACKETS);
			assert_int_equal(got.n, tos && marks ? N_PACKETS : 0);
			assert_int_equal(got.n_ce, got.n);
		}
	}
}

/* A packet, whole, as it is on the wire. */
struct packet {
	uint8_t at[128];
	uint32_t len, l3;
};

struct packet_spec {
	const char *to; /* of IPv4 or IPv6; NULL: ARP */
	uint32_t n_tags;
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t flags; /* of TCP; type of ICMP */
	uint8_t tos;
	uint16_t frag; /* offset in units of 8 bytes */
	uint32_t cut;  /* bytes that are missing at the end */
	uint8_t hops;  /* 0: 64 */
};

static void put(struct packet *p, const void *bytes, uint32_t n)
{
	assert_true(p->len + n <= sizeof(p->at));
	memcpy(p->at + p->len, bytes, n);
	p->len += n;
}

static void put16(struct packet *p, uint16_t v)
{
	put(p, &(uint16_t){htons(v)}, sizeof(v));
}

static void put_ip(struct packet *p, const struct packet_spec *s, uint32_t l4_bytes)
{
	struct ipv6hdr v6 = {.version = 6,
		.nexthdr = s->proto,
		.hop_limit = s->hops ? s->hops : 64};
	struct iphdr v4 = {.version = 4, .ihl = 5, .ttl = 64, .protocol = s->proto, .tos = s->tos};

	if (strchr(s->to, ':')) {
		v6.priority = s->tos >> 4;
		v6.flow_lbl[0] = (uint8_t)(s->tos << 4);
		v6.payload_len = htons((uint16_t)l4_bytes);
		assert_int_equal(inet_pton(AF_INET6, s->to, &v6.daddr), 1);
		put(p, &v6, sizeof(v6));
		return;
	}
	v4.tot_len = htons((uint16_t)(sizeof(v4) + l4_bytes));
	v4.frag_off = htons(s->frag);
	assert_int_equal(inet_pton(AF_INET, s->to, &v4.daddr), 1);
	v4.check = (uint16_t)~csum_fold(csum_add(0, &v4, sizeof(v4)));
	put(p, &v4, sizeof(v4));
}

static void packet_make(struct packet *p, const struct packet_spec *s)
{
	uint8_t l4[20] = {0};

	*p = (struct packet){.len = 2 * ETH_ALEN};
	for (uint32_t i = s->n_tags; i > 0; i--) {
		put16(p, i == 2 ? ETH_P_8021AD : ETH_P_8021Q);
		put16(p, 7);
	}
	put16(p, !s->to ? ETH_P_ARP : strchr(s->to, ':') ? ETH_P_IPV6 : ETH_P_IP);
	p->l3 = p->len;
	if (s->to)
		put_ip(p, s, sizeof(l4));
	if (s->proto == IPPROTO_TCP || s->proto == IPPROTO_UDP) {
		memcpy(l4, &(uint16_t){htons(s->sport)}, 2);
		memcpy(l4 + 2, &(uint16_t){htons(s->dport)}, 2);
		l4[13] = s->flags;
	} else {
		l4[0] = s->flags;
	}
	put(p, l4, sizeof(l4));
	p->len -= s->cut;
}

/* Runs a hook's program on it so often. Return: what it said; @p: what became of the packet. */
static uint32_t run(const struct drop *d, uint32_t hook, struct packet *p, int repeat)
{
	uint8_t in[sizeof(p->at)];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = p->len,
		.data_out = p->at, .data_size_out = sizeof(p->at), .repeat = repeat);
	int r;

	memcpy(in, p->at, sizeof(in));
	r = bpf_prog_test_run_opts(drop_program_fd(d, hook), &opts);
	if (r < 0)
		fail_msg("%s: test run: %s", drop_hook_name[hook], strerror(-r));
	p->len = opts.data_size_out;
	return opts.retval;
}

static bool is_dropped(uint32_t hook, uint32_t said)
{
	if (hook <= DROP_XDP_GENERIC) {
		assert_true(said == XDP_DROP || said == XDP_PASS);
		return said == XDP_DROP;
	}
	assert_true(said == TC_ACT_SHOT || said == (uint32_t)TC_ACT_UNSPEC);
	return said == TC_ACT_SHOT;
}

enum fate {
	PASSES,
	KEPT,
	SPARED, /* kept, but dropped at the floor */
	DROPPED,
};

#define SYN 0x02
#define ACK 0x10
#define RST 0x04
#define A   "198.18.0.10"
#define A6  "2001:2::10"

/* Pod 0's rules: ICMP and SYN, FIN, RST are protected, KEPT_PORT, and the peers' TCP port 179. */
static const struct {
	const char *name;
	struct packet_spec spec;
	enum fate fate;
} rows[] = {
	{"udp", {A, 0, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"udp6", {A6, 0, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"a tag", {A, 1, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"two tags", {A, 2, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"three tags: not looked behind", {A, 3, IPPROTO_UDP, 1, PORT}, PASSES},
	{"a tag, IPv6", {A6, 1, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"within a prefix", {"203.0.113.77", 0, IPPROTO_UDP, 1, PORT}, DROPPED},
	{"a longer prefix is another's", {"203.0.113.200", 0, IPPROTO_UDP, 1, PORT}, PASSES},
	{"nobody's", {"192.0.2.1", 0, IPPROTO_UDP, 1, PORT}, PASSES},
	{"nobody's, IPv6", {"2001:2::99", 0, IPPROTO_UDP, 1, PORT}, PASSES},
	{"the other pod's", {"198.18.0.11", 0, IPPROTO_UDP, 1, PORT}, PASSES},
	{"arp", {NULL}, PASSES},
	{"published", {"192.0.2.9", 0, IPPROTO_TCP, 1, 8080, ACK}, DROPPED},
	{"published, but not of this protocol", {"192.0.2.9", 0, IPPROTO_UDP, 1, 8080}, PASSES},
	{"the host's own", {"192.0.2.9", 0, IPPROTO_TCP, 1, 22, ACK}, PASSES},
	{"a port as published, but not at the host", {"192.0.2.1", 0, IPPROTO_TCP, 1, 8080, ACK},
		PASSES},
	{"protected port", {A, 0, IPPROTO_UDP, 1, KEPT_PORT}, KEPT},
	{"protected port of another protocol", {A, 0, IPPROTO_TCP, 1, KEPT_PORT, ACK}, DROPPED},
	{"protected port as source", {A, 0, IPPROTO_UDP, KEPT_PORT, PORT}, DROPPED},
	{"protected peer", {A, 0, IPPROTO_TCP, 179, PORT, ACK}, KEPT},
	{"protected peer, IPv6", {A6, 0, IPPROTO_TCP, 179, PORT, ACK}, KEPT},
	{"protected peer's as destination", {A, 0, IPPROTO_TCP, PORT, 179, ACK}, DROPPED},
	{"syn", {A, 0, IPPROTO_TCP, 1, PORT, SYN}, SPARED},
	{"rst", {A, 0, IPPROTO_TCP, 1, PORT, RST | ACK}, SPARED},
	{"ack", {A, 0, IPPROTO_TCP, 1, PORT, ACK}, DROPPED},
	{"icmp", {A, 0, IPPROTO_ICMP}, SPARED},
	{"icmpv6 echo", {A6, 0, IPPROTO_ICMPV6, .flags = 128}, SPARED},
	{"neighbour solicitation", {A6, 0, IPPROTO_ICMPV6, .flags = 135, .hops = 255}, KEPT},
	{"one that was forwarded", {A6, 0, IPPROTO_ICMPV6, .flags = 135}, SPARED},
	{"a later fragment has no ports", {A, 0, IPPROTO_UDP, 1, KEPT_PORT, .frag = 100}, DROPPED},
	{"a protocol without ports", {A, 0, 47}, DROPPED},
	{"IPv4 cut short", {A, 0, IPPROTO_UDP, 1, PORT, .cut = 21}, PASSES},
	{"UDP cut short", {A, 0, IPPROTO_UDP, 1, KEPT_PORT, .cut = 18}, DROPPED},
};

static void rules(struct drop *d)
{
	must(drop_set_addr(d, OWNER(0), "203.0.113.0/24", &e_));
	must(drop_set_addr(d, OWNER(1), "203.0.113.192/26", &e_));
	must(drop_set_addr(d, SOFTIRQ_HOST, "192.0.2.9", &e_));
	must(drop_set_port(d, OWNER(0), IPPROTO_TCP, 8080, &e_));
	must(drop_protect(d, OWNER(0), IPPROTO_TCP, 179, DROP_PORT_PEER, &e_));
	must(drop_set_how(d, OWNER(0), &(struct drop_how){.keep = DROP_KEEP_ICMP | DROP_KEEP_TCP},
		&e_));
}

/* At the floor, and just above it, where nearly all are dropped that may be. */
static void is_told_apart(struct drop *d, uint32_t hook, size_t row, bool above)
{
	const bool spared = rows[row].fate == SPARED;
	const bool drops = rows[row].fate == DROPPED || (spared && !above);
	const bool keeps = rows[row].fate == KEPT || (spared && above);
	struct drop_count before = count_of(d, 0), after;
	struct packet p;
	bool dropped;

	packet_make(&p, &rows[row].spec);
	drop_beat(d);
	dropped = is_dropped(hook, run(d, hook, &p, 1));
	after = count_of(d, 0);
	if (dropped != drops || after.dropped - before.dropped != drops ||
		after.kept - before.kept != keeps)
		fail_msg("%s, %s, %s the floor: %s", drop_hook_name[hook], rows[row].name,
			above ? "above" : "at", dropped ? "dropped" : "passed");
}

static void tells_packets_apart(void **state)
{
	static const uint32_t hooks[] = {DROP_XDP_NATIVE, DROP_TC_INGRESS, DROP_TC_INSIDE};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);

	(void)state;
	rules(d);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows) * ARRAY_SIZE(hooks); i++) {
		const uint32_t hook = hooks[i % ARRAY_SIZE(hooks)];
		const size_t row = i / ARRAY_SIZE(hooks) % ARRAY_SIZE(rows);
		const bool above = i >= ARRAY_SIZE(rows) * ARRAY_SIZE(hooks);

		/* Linux refuses to make an skb of less than its headers. */
		if (rows[row].spec.cut && hook > DROP_XDP_GENERIC)
			continue;
		set_tokens(d, OWNER(0), at_floor.floor_ns + above);
		is_told_apart(d, hook, row, above);
	}
}

/* Two bits more in the header, and its sum is right; nothing else has changed. */
static void marks_only_ecn(void **state)
{
	static const uint32_t hooks[] = {DROP_XDP_NATIVE, DROP_XDP_GENERIC, DROP_TC_INGRESS};
	static const char *const to[] = {A, A6};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);

	(void)state;
	set_tokens(d, OWNER(0), at_floor.floor_ns + 1);
	for (uint32_t i = 0; i < 2 * 3 * 256 * 3; i++) {
		const uint32_t hook = hooks[i % 3], tos = i / 3 % 256, tags = i / 768 % 3;
		const char *const addr = to[i / 2304];
		const bool ipv6 = addr == to[1];
		struct packet p, want;

		if ((tos & 3) == 0 || (ipv6 && hook == DROP_XDP_GENERIC))
			continue;
		packet_make(&p, &(struct packet_spec){addr, tags, IPPROTO_UDP, 1, PORT,
					.tos = (uint8_t)tos});
		packet_make(&want, &(struct packet_spec){addr, tags, IPPROTO_UDP, 1, PORT,
					   .tos = (uint8_t)(tos | 3)});
		if (tos % 16 == 1)
			drop_beat(d);
		assert_false(is_dropped(hook, run(d, hook, &p, 1)));
		assert_int_equal(p.len, want.len);
		assert_memory_equal(p.at, want.at, want.len);
	}
	assert_int_equal(count_of(d, 0).dropped, 0);
}

#define N_RANDOM 20000

/*
 * Half-way and a quarter of the way from where it begins to the floor. 6 standard deviations of a
 * binomial share either side: by chance in two of 10^9 runs.
 */
static void drops_its_share(void **state)
{
	static const struct {
		int64_t tokens_ns;
		uint32_t of_1000, slack;
	} share[] = {
		{600000000, 0, 0},
		{500000000, 0, 0},
		{125000000, 250, 19},
		{-250000000, 500, 22},
		{-999000000, 999, 2},
		{-1000000000, 1000, 0},
	};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);

	(void)state;
	must(drop_set_how(d, OWNER(0), &(struct drop_how){.early_ns = 500000000}, &e_));
	for (size_t i = 0; i < ARRAY_SIZE(share); i++) {
		uint64_t before = count_of(d, 0).dropped, n;
		struct packet p;

		packet_make(&p, &(struct packet_spec){A, 0, IPPROTO_UDP, 1, PORT});
		set_tokens(d, OWNER(0), share[i].tokens_ns);
		drop_beat(d);
		(void)run(d, DROP_XDP_NATIVE, &p, N_RANDOM);
		n = count_of(d, 0).dropped - before;
		assert_in_range(n, (share[i].of_1000 - share[i].slack) * N_RANDOM / 1000,
			(share[i].of_1000 + share[i].slack) * N_RANDOM / 1000);
	}
}

/* Nothing is dropped without a budget, or one that is not to be kept by dropping. */
static void needs_a_budget(void **state)
{
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	struct packet p;

	(void)state;
	packet_make(&p, &(struct packet_spec){A, 0, IPPROTO_UDP, 1, PORT});
	for (uint32_t i = 0; i < 4; i++) {
		struct softirq_budget b = at_floor;

		b.keep = i & 1;
		b.drop = i >> 1;
		must(drop_set_budget(d, OWNER(0), &b, &e_));
		drop_beat(d);
		assert_int_equal(is_dropped(DROP_XDP_NATIVE, run(d, DROP_XDP_NATIVE, &p, 1)),
			i == 3);
	}
	must(drop_set_addr(d, OWNER(1), A, &e_));
	assert_false(is_dropped(DROP_XDP_NATIVE, run(d, DROP_XDP_NATIVE, &p, 1)));
	drop_unset_addr(d, A);
	assert_false(is_dropped(DROP_XDP_NATIVE, run(d, DROP_XDP_NATIVE, &p, 1)));
}

static void refuses_what_is_wrong(void **state)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "::1/129", "x",
		"1.2.3.4/-1", "fe80::1%eth0"};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	struct err e = {0};
	int r = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (drop_set_addr(d, OWNER(0), bad[i], &e) != -EINVAL)
			fail_msg("'%s' was taken for an address", bad[i]);
	assert_int_equal(drop_set_addr(d, N_OWNERS, A, &e), -EINVAL);
	assert_int_equal(drop_set_how(d, OWNER(0), &(struct drop_how){.early_ns = INT64_MAX}, &e),
		-ERANGE);
	for (uint16_t i = 0; r == 0; i++) {
		assert_true(i < DROP_PORTS_PER_OWNER);
		r = drop_protect(d, OWNER(0), IPPROTO_UDP, i, DROP_PORT_OWN, &e);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(drop_protect(d, OWNER(0), IPPROTO_UDP, 0, DROP_PORT_OWN, &e), 0);
}

/* A device's only XDP program stays; tc is taken, or it is refused and the other one named. */
static void leaves_others_alone(void **state)
{
	struct drop *d = drop_new(false), *other = drop_new(false);
	struct drop_device wire = {net.host_fd, net.wire, DROP_XDP_GENERIC};
	struct drop_used used;
	struct err e = {0};
	char name[64];

	(void)state;
	must(drop_add_device(other, &wire, &used, &e_));
	assert_int_equal(drop_add_device(d, &wire, &used, &e), -EBUSY);
	assert_non_null(strstr(e.text, "drop_xdp_skb"));
	wire.hook = DROP_BEST;
	must(drop_add_device(d, &wire, &used, &e_));
	assert_int_equal(used.hook, DROP_TC_INGRESS);
	assert_non_null(strstr(used.words, "veth"));
	assert_int_equal(drop_add_device(d, &wire, &used, &e), -EEXIST);
	assert_int_equal(must(ebpf_xdp_find(net.host_fd, net.wire, name, sizeof(name), &e_)), 1);
	drop_close(other);

	/* Of two at one hook, both are heard: one drops pod 0's, the other pod 1's. */
	other = drop_new(false);
	set_tokens(other, OWNER(0), at_floor.cap_ns);
	set_tokens(other, OWNER(1), at_floor.floor_ns);
	must(drop_add_device(other, &wire, &used, &e_));
	drop_beat(d);
	if (!used.outlasts) /* a filter takes the place of one that was left, as this one is */
		assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
	drop_beat(other);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, 0);
	drop_remove_device(other, &wire);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, N_PACKETS);
	drop_close(other);
	drop_close(d);
}

static void nobody_looks_after_it(void **state)
{
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	uint64_t deadline_ns = net_deadline(), dropped;
	struct packet p;

	(void)state;
	must(add(d, DROP_TC_INGRESS, &e_));
	do {
		packet_make(&p, &(struct packet_spec){A, 0, IPPROTO_UDP, 1, PORT});
		if (clock_now_ns() > deadline_ns)
			fail_msg("still dropped without a sign of life");
		net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
	} while (is_dropped(DROP_TC_INGRESS, run(d, DROP_TC_INGRESS, &p, 1)));
	dropped = count_of(d, 0).dropped;
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, N_PACKETS);
	assert_int_equal(count_of(d, 0).dropped, dropped);
	assert_true(count_of(d, 0).stale > N_PACKETS);
	drop_beat(d);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
}

/* Ref: include/uapi/linux/bpf.h, v6.6 */
#define TCX_INGRESS ((enum bpf_attach_type)46)

/* Programs at the wire's XDP and tcx hooks. */
static uint32_t programs(uint32_t *ret_id)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	uint32_t n = 1;

	must(ns_scope_enter(&scope, net.host_fd, &e_));
	assert_int_equal(ebpf_xdp_id(net.wire, &ret_id[1]), 0);
	if (bpf_prog_query(net.wire, TCX_INGRESS, 0, NULL, ret_id, &n) < 0)
		n = 0;
	return n + (ret_id[1] != 0);
}

/* Programs of tc on links, which go with the process and hold no namespace: Linux 6.6. */
static bool has_tcx(const char *test)
{
	const struct drop_device wire = {net.host_fd, net.wire, DROP_TC_INGRESS};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);
	struct drop_used used;
	struct err e = {0};

	must(drop_add_device(d, &wire, &used, &e_));
	if (!used.outlasts)
		return true;
	err_say(&e, EOPNOTSUPP, "this kernel has no links of tc programs");
	net_skip(test, &e);
	return false;
}

/* Runs until it is killed. */
static pid_t start_guard(bool no_tcx, bool xdp)
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct drop *d;
		struct err e;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		d = drop_new(no_tcx);
		if (add(d, DROP_TC_INGRESS, &e) == 0 && (!xdp || add(d, DROP_XDP_GENERIC, &e) == 0))
			(void)!write(ready[1], "r", 1);
		for (;;) {
			drop_beat(d);
			net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
		}
	}
	close(ready[1]);
	assert_int_equal(sock_wait_readable(ready[0], net_deadline()), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_guard(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void kill_leaves_nothing(void **state)
{
	uint64_t deadline_ns = net_deadline();
	uint32_t id[2] = {0}, none[2] = {0};
	pid_t pid;

	(void)state;
	if (!has_tcx("kill_leaves_nothing"))
		return;
	pid = start_guard(false, true);
	assert_int_equal(programs(id), 2);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
	kill_guard(pid);
	assert_int_equal(programs(none), 0);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, N_PACKETS);
	/* The kernel frees them when nobody can be running them. */
	for (int i = 0; i < 2; i++) {
		int fd;

		while ((fd = bpf_prog_get_fd_by_id(id[i])) >= 0) {
			close(fd);
			if (clock_now_ns() > deadline_ns)
				fail_msg("program %u is still there", id[i]);
			net_wait_until(clock_now_ns() + NSEC_PER_MSEC);
		}
	}
}

static int n_filters(void)
{
	return must(rt_clsact_filters(net.host, net.wire, &e_));
}

/* Is there a clsact qdisc? Asked by making one, which goes again. */
static bool has_clsact(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = net.wire,
		.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r;

	must(ns_scope_enter(&scope, net.host_fd, &e_));
	r = bpf_tc_hook_create(&hook);
	if (r == 0)
		assert_int_equal(bpf_tc_hook_destroy(&hook), 0);
	return r == -EEXIST;
}

/* As on kernels before 6.6: a filter stays after kill -9, passes all, and the next guard has it. */
static void filter_is_taken_over(void **state)
{
	const struct drop_device wire = {net.host_fd, net.wire, DROP_TC_INGRESS};
	struct drop_used used = {0};
	struct drop *d;

	(void)state;
	kill_guard(start_guard(true, false));
	assert_int_equal(n_filters(), 1);
	d = drop_new(true);
	must(drop_add_device(d, &wire, &used, &e_));
	assert_true(used.outlasts);
	assert_int_equal(n_filters(), 1);
	drop_beat(d); /* attaching may have taken long: an emulated CPU */
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
	assert_int_equal(count_of(d, 0).dropped, N_PACKETS);
	drop_close(d);
	assert_false(has_clsact());
}

/* Children have a clock that is ahead of the kernel's own. Return: before; -1: none to be had. */
static int enter_time(const char *test)
{
	struct err e = {0};
	int fd = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || unshare(CLONE_NEWTIME) < 0) {
		err_set(&e, errno, "no time namespace");
		net_skip(test, &e);
		closep(&fd);
		return -1;
	}
	must(file_write("/proc/self/timens_offsets", "monotonic 100000 0\n", &e_));
	return fd;
}

/* A sign of life from there is none of the future, by which the filter would drop for a day. */
static void time_namespace(void **state)
{
	const uint64_t deadline_ns = net_deadline();
	const struct drop_device wire = {net.host_fd, net.wire, DROP_TC_INGRESS};
	int before_fd = enter_time("time_namespace");
	struct drop_used used;
	struct drop *d;
	pid_t pid;

	(void)state;
	if (before_fd < 0)
		return;
	pid = start_guard(true, false);
	assert_int_equal(setns(before_fd, CLONE_NEWTIME), 0);
	close(before_fd);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
	kill_guard(pid);
	while (send_to(&ways[0], 0, 0, N_PACKETS).n < N_PACKETS)
		if (clock_now_ns() > deadline_ns)
			fail_msg("it still drops");
	d = drop_new(true);
	must(drop_add_device(d, &wire, &used, &e_));
	drop_close(d);
	assert_false(has_clsact());
}

/* Another's filter, and the qdisc for it, stay. */
static void filter_of_another_stays(void **state)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = net.wire, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 5, .priority = 7);
	struct drop *d = drop_new(true), *other = drop_new(true);
	struct ns_scope scope = NS_SCOPE_NONE;

	(void)state;
	must(add(d, DROP_TC_INGRESS, &e_));
	opts.prog_fd = drop_program_fd(other, DROP_TC_INSIDE);
	must(ns_scope_enter(&scope, net.host_fd, &e_));
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	ns_scope_leave(&scope);
	assert_int_equal(n_filters(), 2);
	drop_close(d);
	assert_int_equal(n_filters(), 1);
	must(ns_scope_enter(&scope, net.host_fd, &e_));
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	assert_int_equal(bpf_tc_hook_destroy(&hook), 0);
	ns_scope_leave(&scope);
	drop_close(other);
}

/* Containers come and go: their devices, with programs on them, and then the guard lets go. */
static void survives_its_device(void **state)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct drop *d[2];
	uint32_t before;
	int fd = -1;

	(void)state;
	if (!has_tcx("survives_its_device"))
		return;
	d[0] = drop_new(false);
	d[1] = drop_new(true);
	before = net_count_fds();
	for (int i = 0; i < 2; i++) {
		struct drop_device dev = {.hook = DROP_TC_EGRESS};
		struct drop_used used;
		struct err e;

		must(lab_machine_new(true, &fd, &rt, &e_));
		must(rt_veth_add(rt, "gone", "peer", net.host_fd, 1500, &e_));
		dev.netns_fd = fd;
		dev.ifindex = ifindex_of(rt, "gone");
		must(drop_add_device(d[i], &dev, &used, &e_));
		rt_closep(&rt);
		closep(&fd);
		drop_close(d[i]);
		must(lab_machine_new(true, &fd, &rt, &e_));
		dev.netns_fd = fd;
		assert_true(drop_add_device(d[!i], &dev, &used, &e) < 0);
		rt_closep(&rt);
		closep(&fd);
		d[i] = drop_new(i == 1);
	}
	assert_int_equal(net_count_fds(), before);
	drop_close(d[0]);
	drop_close(d[1]);
}

/* The accounting, told of the pods; its buckets are not filled by time. */
static struct softirq *accounting(void)
{
	const struct softirq_cfg cfg = {.n_owners = N_OWNERS, .enforce = true};
	struct softirq *s = NULL;

	must(softirq_open(&s, &cfg, &e_));
	for (int i = 0; i < N_POD; i++) {
		struct softirq_budget *b = softirq_budget(s, OWNER(i));
		struct stat pod, host;

		assert_int_equal(fstat(net.pod_fd[i], &pod) | fstat(net.host_fd, &host), 0);
		must(softirq_set_netns(s, (uint32_t)pod.st_ino, OWNER(i), &e_));
		must(softirq_set_dev(s,
			&(struct softirq_dev){(uint32_t)host.st_ino, (uint32_t)net.outer[i]},
			OWNER(i), &e_));
		*b = at_floor;
		b->tokens_ns = i == 0 ? b->floor_ns : b->cap_ns;
	}
	softirq_changed(s);
	return s;
}

/* Time that owners have on this CPU, and that there is in all, at one moment. */
static void times(const struct softirq *s, uint64_t ret_owner[static N_OWNERS], uint64_t *ret_all)
{
	const uint64_t deadline_ns = net_deadline();
	struct softirq_cpu all;
	uint32_t seq;

	do {
		assert_true(clock_now_ns() < deadline_ns);
		seq = softirq_seq(s, cpu_here);
		for (uint32_t i = 0; i < N_OWNERS; i++) {
			struct softirq_account a;

			softirq_read(s, cpu_here, i, &a);
			ret_owner[i] = a.rx_ns + a.tx_ns;
		}
		softirq_read_cpu(s, cpu_here, &all);
		*ret_all = all.rx_ns + all.tx_ns;
	} while (seq % 2 || seq != softirq_seq(s, cpu_here));
}

/* What pod 0 has had of softirqs. The last packet, to see that all are through, is pod 1's. */
static struct softirq_account after_dropping(const struct softirq *s, uint32_t n)
{
	int fd = peer_socket(ways[0].pod[0], PORT, 0);
	struct softirq_account a;

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(send(fd, "x", 1, 0), 1);
	close(fd);
	assert_int_equal(send_to(&ways[0], 1, 0, 1).n, 1);
	softirq_read_sum(s, OWNER(0), &a);
	return a;
}

/*
 * With the accounting's budgets: what is dropped is counted in its owner's account, and billed to
 * it, who gets nothing else meanwhile; and all still adds up.
 */
static void bills_what_it_drops(void **state)
{
	const uint32_t hook = (uint32_t)(uintptr_t)*state;
	_cleanup_(softirq_closep) struct softirq *s = NULL;
	_cleanup_(drop_closep) struct drop *d = NULL;
	uint64_t owner[N_OWNERS], all, sum = 0;
	struct softirq_account before, after;
	struct softirq_shared shared;
	struct err e = {0};

	if (softirq_probe(&e) != 0) {
		net_skip("billing", &e);
		return;
	}
	s = accounting();
	softirq_share(s, &shared);
	d = drop_new_on(&shared, false);
	if (add(d, hook, &e) < 0)
		return;
	assert_int_equal(send_to(&ways[0], 0, 0, 0).n, 0); /* its neighbours are known then */
	before = after_dropping(s, 0);
	drop_beat(d);
	after = after_dropping(s, N_PACKETS);
	assert_int_equal(after.drop_pkts - before.drop_pkts, N_PACKETS);
	assert_true(after.rx_ns > before.rx_ns);
	times(s, owner, &all);
	for (uint32_t i = 0; i < N_OWNERS; i++)
		sum += owner[i];
	assert_int_equal(sum, all);
	softirq_read_sum(s, OWNER(1), &after);
	assert_int_equal(after.drop_pkts, 0);
	assert_true(softirq_budget(s, OWNER(1))->tokens_ns < at_floor.cap_ns);
}

/* "ip addr add", "ip addr del" */
static void ip_addr(int netns_fd, const char *verb, const char *prefix, const char *dev)
{
	const char *const argv[] = {"ip", "addr", verb, prefix, "dev", dev, NULL};
	const struct exec_args args = {.argv = argv,
		.netns_fd = netns_fd,
		.timeout_ns = NET_DEADLINE_NS,
		.cancel_fd = -1};
	struct exec_result *x = NULL;

	assert_int_equal(must(exec_run(&x, &args, &e_)), 0);
	free(x);
}

#define HOST_ADDR "198.18.0.2"

#define PACED_BYTES (1 << 16)
#define N_RUN       20 /* packets, after which one is neither a run's first nor its last */

/* A TCP connection of the host to pod 0, so far that timers send. Ref: tcp_update_skb_after_send */
static void paced_connection(int *ret_near, int *ret_far)
{
	struct ns_scope scope = NS_SCOPE_NONE;
	int listener;

	must(ns_scope_enter(&scope, net.pod_fd[0], &e_));
	listener = must(sock_bind(SOCK_STREAM, A, PORT, &e_));
	assert_int_equal(listen(listener, 1), 0);
	ns_scope_leave(&scope);
	must(ns_scope_enter(&scope, net.host_fd, &e_));
	*ret_near = must(sock_open(SOCK_STREAM, A, &e_));
	ns_scope_leave(&scope);
	must(sock_set_pacing(*ret_near, 16000000, &e_));
	must(sock_connect(*ret_near, A, PORT, net_deadline(), &e_));
	*ret_far = must(sock_accept(listener, net_deadline(), &e_));
	close(listener);
	net_push(*ret_near, *ret_far, PACED_BYTES);
}

/* Once so many packets of pod 0 are dropped. */
static struct softirq_account when_dropped(const struct softirq *s, uint64_t n)
{
	const uint64_t deadline_ns = net_deadline();
	struct softirq_account a;

	do {
		assert_true(clock_now_ns() < deadline_ns);
		softirq_read_sum(s, OWNER(0), &a);
	} while (a.drop_pkts < n);
	return a;
}

/*
 * A timer's softirq sends to a pod, and what it sends is dropped before any device has met it: it
 * has no beginning, so nobody is billed for it, least of all the time since the machine booted.
 *
 *	host: TCP, paced => br0, tc egress of pod0
 */
static void bills_no_timer_that_it_drops(void **state)
{
	const uint64_t begin_ns = clock_now_ns();
	static const char bytes[PACED_BYTES];
	_cleanup_(softirq_closep) struct softirq *s = NULL;
	_cleanup_(drop_closep) struct drop *d = NULL;
	_cleanup_(closep) int near = -1, far = -1, flood = -1;
	struct softirq_account a;
	struct softirq_shared shared;
	struct err e = {0};

	(void)state;
	if (softirq_probe(&e) != 0) {
		net_skip("billing", &e);
		return;
	}
	ip_addr(net.host_fd, "add", HOST_ADDR "/24", "br0");
	paced_connection(&near, &far);
	s = accounting();
	softirq_share(s, &shared);
	d = drop_new_on(&shared, false);
	must(add(d, DROP_TC_EGRESS, &e_));
	flood = peer_socket(A, PORT, 0);
	drop_beat(d);
	for (uint32_t i = 0; i < N_RUN; i++) /* within a run of one owner the clock is not read */
		assert_int_equal(send(flood, "x", 1, 0), 1);
	(void)when_dropped(s, N_RUN);
	assert_int_equal(send(near, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL),
		sizeof(bytes));
	a = when_dropped(s, N_RUN + 3);
	print_message("# of timers: %llu ns\n", (unsigned long long)a.other_ns);
	assert_true(a.other_ns < clock_now_ns() - begin_ns);
	ip_addr(net.host_fd, "del", HOST_ADDR "/24", "br0");
}

/* The guard's early drop, told of the pods; packets of those that it is to drop all are. */
struct early_scene {
	struct ns_scope host;
	struct softirq *soft;
	struct early *early;
	struct container who[N_POD];
};

/* A pod is known by what is no pid here, but its number. */
static int open_pod(void *ctx, const struct container *who, struct err *e)
{
	(void)ctx;
	(void)e;
	return fcntl(net.pod_fd[who->pid], F_DUPFD_CLOEXEC, 0);
}

/* @told: the kernel tells of changes; else addresses are read now and then. */
static bool scene_open(struct early_scene *s, const char *nics, bool told)
{
	const struct early_cfg cfg = {nics, 100 * NSEC_PER_MSEC, open_pod, NULL};
	struct err e = {0};

	*s = (struct early_scene){.host = NS_SCOPE_NONE};
	if (softirq_probe(&e) != 0) {
		net_skip("early drop on the accounting's budgets", &e);
		return false;
	}
	must(ns_scope_enter(&s->host, net.host_fd, &e_));
	s->soft = accounting();
	must(early_open(&s->early, s->soft, &cfg, &e_));
	for (int i = 0; i < N_POD; i++) {
		s->who[i] = (struct container){.pid = i, .nsid = RT_NSID_NONE};
		str_set(s->who[i].name, outer_name[i]);
		if (told)
			must(rt_nsid(net.host, net.pod_fd[i], &s->who[i].nsid, &e_));
		assert_int_equal(s->who[i].nsid >= 0, told);
		early_ops.see(s->early, OWNER(i), &s->who[i]);
	}
	return true;
}

static void scene_close(struct early_scene *s)
{
	early_closep(&s->early);
	softirq_closep(&s->soft);
	ns_scope_leave(&s->host);
}

/* A pod whose budget is spent, and stays so. */
static void scene_add(struct early_scene *s, int i, const struct guard_rule *rule)
{
	struct softirq_budget *b = softirq_budget(s->soft, OWNER(i));

	must(early_ops.add(s->early, OWNER(i), rule, 0.5, &e_));
	b->keep = 0;
	b->rate_ppb = 0;
	b->tokens_ns = b->floor_ns;
	b->keep = 1;
}

/* What a change does is seen by packets, a step or a second later; then it stays. */
static void arrive(struct early_scene *s, const struct way *w, int i, uint32_t want)
{
	const uint64_t deadline_ns = net_deadline();

	do {
		if (clock_now_ns() > deadline_ns)
			fail_msg("not %u packets come to %s", want, w->pod[i]);
		early_ops.beat(s->early);
	} while (send_to(w, i, 0, N_PACKETS).n != want);
}

/* What early drop says of a pod, a step or a second later. */
static void says(struct early_scene *s, int i, const char *want)
{
	const uint64_t deadline_ns = net_deadline();

	do {
		if (clock_now_ns() > deadline_ns)
			fail_msg("not '%s', but '%s'", want, early_ops.why(s->early, OWNER(i)));
		early_ops.beat(s->early);
	} while (strcmp(early_ops.why(s->early, OWNER(i)), want) != 0);
}

/* The peer's packets for an address go to this pod, whoever else has it. */
static void lead_to_pod(const char *addr, int i)
{
	struct rt_id id;

	must(rt_id(net.pod[i], "eth0", &id, &e_));
	must(rt_neigh_add(net.peer, "wire", addr, id.mac, &e_));
}

static const struct guard_rule kept = {.n_ports = 1, .port = {KEPT_PORT}};

/* An address that a pod gets and loses while it is guarded. */
static void follows_addresses(void **state)
{
	static const struct way late = {"late", {"198.18.0.20", "198.18.0.20"}, false};
	struct early_scene s;

	if (!scene_open(&s, "wire", *state != NULL))
		return;
	scene_add(&s, 0, &kept);
	arrive(&s, &ways[0], 0, 0);
	arrive(&s, &ways[1], 0, 0);
	ip_addr(net.pod_fd[0], "add", "198.18.0.20/24", "eth0");
	lead_to_pod("198.18.0.20", 0);
	assert_int_equal(send_to(&late, 0, 0, N_PACKETS).n, N_PACKETS);
	arrive(&s, &late, 0, 0);
	ip_addr(net.pod_fd[0], "del", "198.18.0.20/24", "eth0");
	ip_addr(net.pod_fd[1], "add", "198.18.0.20/24", "eth0");
	lead_to_pod("198.18.0.20", 1);
	arrive(&s, &late, 1, N_PACKETS);
	assert_string_equal(early_ops.why(s.early, OWNER(0)), "");
	early_ops.see(s.early, OWNER(0), NULL);
	arrive(&s, &ways[0], 0, N_PACKETS);
	ip_addr(net.pod_fd[1], "del", "198.18.0.20/24", "eth0");
	scene_close(&s);
}

/* Whoever gives itself another's address gets nothing of its dropped, and nothing of its own. */
static void contested_is_nobodys(void **state)
{
	struct early_scene s;

	(void)state;
	if (!scene_open(&s, "wire", true))
		return;
	lead_to_pod("198.18.0.11", 1);
	scene_add(&s, 0, &kept);
	arrive(&s, &ways[0], 0, 0);
	arrive(&s, &ways[0], 1, N_PACKETS);
	/* pod 1 has no budget: pod 0's is not for it. */
	ip_addr(net.pod_fd[0], "add", "198.18.0.11/32", "eth0");
	says(&s, 0, "198.18.0.11 is pod1's, too: packets to it pass --nic");
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, N_PACKETS);
	arrive(&s, &ways[0], 0, 0);
	/* pod 1's is spent: what only it has is its, and the other address once it is its alone. */
	scene_add(&s, 1, &kept);
	arrive(&s, &ways[1], 1, 0);
	arrive(&s, &ways[0], 1, N_PACKETS);
	ip_addr(net.pod_fd[0], "del", "198.18.0.11/32", "eth0");
	arrive(&s, &ways[0], 1, 0);
	assert_string_equal(early_ops.why(s.early, OWNER(0)), "");
	assert_string_equal(early_ops.why(s.early, OWNER(1)), "");
	scene_close(&s);
}

/* A socket of the host's own, which a pod has given itself the address of. */
static void hosts_stays_the_hosts(void **state)
{
	_cleanup_(closep) int host = -1, peer = -1;
	struct early_scene s;

	(void)state;
	ip_addr(net.host_fd, "add", HOST_ADDR "/24", "br0");
	ip_addr(net.pod_fd[0], "add", HOST_ADDR "/32", "lo");
	if (!scene_open(&s, "wire", true))
		return;
	scene_add(&s, 0, &kept);
	arrive(&s, &ways[0], 0, 0);
	says(&s, 0, HOST_ADDR " is the host's, too: packets to it pass --nic");
	host = must(sock_bind(SOCK_DGRAM, HOST_ADDR, PORT, &e_));
	ip_addr(net.pod_fd[0], "del", HOST_ADDR "/32", "lo"); /* it answers for it, too */
	peer = peer_socket(HOST_ADDR, PORT, 0);
	assert_int_equal(send(peer, "x", 1, 0), 1);
	assert_int_equal(sock_wait_readable(host, net_deadline()), 0);
	ip_addr(net.host_fd, "del", HOST_ADDR "/24", "br0");
	scene_close(&s);
}

/* What comes to pod 0 of what is sent by a socket. */
static uint32_t came_by(struct early_scene *s, int fd)
{
	early_ops.beat(s->early);
	return send_by(fd, &ways[0], 0, N_PACKETS).n;
}

/* What comes to a pod by a port of the host's: real rules turn it there, behind the hook. */
static void published_ports_are_its(void **state)
{
	static const char nat[] =
		"table ip t {\n"
		"	chain in {\n"
		"		type nat hook prerouting priority -100;\n"
		"		udp dport { 8080, 8081 } dnat to 198.18.0.10:5000\n"
		"	}\n"
		"}\n";
	struct guard_rule rule = kept;
	_cleanup_(closep) int published = -1, other = -1;
	struct early_scene s;
	struct err e = {0};

	(void)state;
	if (!scene_open(&s, "wire", true))
		return;
	if (nft_run(net.host_fd, nat, &e) < 0) {
		net_skip("published ports", &e);
		scene_close(&s);
		return;
	}
	must(file_sysctl_write("net/ipv4/ip_forward", "1", &e_));
	ip_addr(net.host_fd, "add", HOST_ADDR "/24", "br0");
	published = peer_socket(HOST_ADDR, 8080, 0);
	other = peer_socket(HOST_ADDR, 8081, 0);
	assert_int_equal(came_by(&s, published), N_PACKETS);
	scene_add(&s, 0, &rule);
	arrive(&s, &ways[0], 0, 0);
	assert_int_equal(came_by(&s, published), N_PACKETS);
	early_ops.remove(s.early, OWNER(0));
	rule.published[rule.n_published++] = (struct guard_publish){IPPROTO_UDP, 8080};
	scene_add(&s, 0, &rule);
	arrive(&s, &ways[0], 0, 0);
	assert_int_equal(came_by(&s, published), 0);
	assert_int_equal(came_by(&s, other), N_PACKETS);
	/* Of two with one port it is neither's. */
	scene_add(&s, 1, &rule);
	arrive(&s, &ways[0], 1, 0);
	assert_int_equal(came_by(&s, published), N_PACKETS);
	says(&s, 1, "port 8080/udp is pod0's, too: packets to it pass --nic");
	early_ops.remove(s.early, OWNER(1));
	arrive(&s, &ways[0], 1, N_PACKETS);
	assert_int_equal(came_by(&s, published), 0);
	early_ops.remove(s.early, OWNER(0));
	arrive(&s, &ways[0], 0, N_PACKETS);
	assert_int_equal(came_by(&s, published), N_PACKETS);
	must(nft_run(net.host_fd, "delete table ip t", &e_));
	must(file_sysctl_write("net/ipv4/ip_forward", "0", &e_));
	ip_addr(net.host_fd, "del", HOST_ADDR "/24", "br0");
	scene_close(&s);
}

static void see_dev(struct early_scene *s, int i, int outer)
{
	s->who[i].n_devs = outer >= 0;
	if (outer >= 0)
		s->who[i].dev[0].ifindex = (uint32_t)net.outer[outer];
	early_ops.see(s->early, OWNER(i), &s->who[i]);
	early_ops.beat(s->early);
}

/* Without a NIC: the host's halves of devices that a pod gets, loses, and another one has then. */
static void follows_devices(void **state)
{
	struct early_scene s;

	(void)state;
	if (!scene_open(&s, "", true))
		return;
	scene_add(&s, 0, &kept);
	scene_add(&s, 1, &kept);
	see_dev(&s, 0, -1);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, N_PACKETS);
	see_dev(&s, 0, 0);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, 0);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, N_PACKETS);
	see_dev(&s, 0, 1);
	assert_int_equal(send_to(&ways[0], 0, 0, N_PACKETS).n, N_PACKETS);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, 0);
	early_ops.see(s.early, OWNER(0), NULL);
	see_dev(&s, 1, 1);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, 0);
	see_dev(&s, 1, -1);
	assert_int_equal(send_to(&ways[0], 1, 0, N_PACKETS).n, N_PACKETS);
	scene_close(&s);
}

static uint64_t cost_ns(struct drop *d, uint32_t hook, const char *to)
{
	uint8_t out[128];
	struct packet p;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p.at, .data_out = out,
		.data_size_out = sizeof(out), .repeat = 200000);

	packet_make(&p, &(struct packet_spec){to, 0, IPPROTO_UDP, 1, PORT});
	opts.data_size_in = p.len;
	drop_beat(d);
	assert_int_equal(bpf_prog_test_run_opts(drop_program_fd(d, hook), &opts), 0);
	return opts.duration;
}

/* What a packet costs, said; nothing is decided by it. */
static void says_its_cost(void **state)
{
	static const uint32_t hooks[] = {DROP_XDP_NATIVE, DROP_TC_INGRESS};
	_cleanup_(drop_closep) struct drop *d = drop_new(false);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		print_message("# %s: dropped %" PRIu64 " ns, another's %" PRIu64
			      " ns, nobody's %" PRIu64 " ns\n",
			drop_hook_name[hooks[i]], cost_ns(d, hooks[i], A),
			cost_ns(d, hooks[i], "198.18.0.11"), cost_ns(d, hooks[i], "192.0.2.1"));
}

#define AT(func, hook_)                                                                            \
	{                                                                                          \
		.name = #func " " #hook_, .test_func = func,                                       \
		.initial_state = (void *)(uintptr_t)(hook_)                                        \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT(drops_at_hook, DROP_XDP_NATIVE),
		AT(drops_at_hook, DROP_XDP_GENERIC),
		AT(drops_at_hook, DROP_TC_INGRESS),
		AT(drops_at_hook, DROP_TC_EGRESS),
		AT(drops_at_hook, DROP_TC_INSIDE),
		AT(marks_at_hook, DROP_XDP_NATIVE),
		AT(marks_at_hook, DROP_XDP_GENERIC),
		AT(marks_at_hook, DROP_TC_INGRESS),
		AT(marks_at_hook, DROP_TC_EGRESS),
		AT(marks_at_hook, DROP_TC_INSIDE),
		cmocka_unit_test(tells_packets_apart),
		cmocka_unit_test(marks_only_ecn),
		cmocka_unit_test(drops_its_share),
		cmocka_unit_test(needs_a_budget),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(leaves_others_alone),
		cmocka_unit_test(nobody_looks_after_it),
		cmocka_unit_test(kill_leaves_nothing),
		cmocka_unit_test(filter_is_taken_over),
		cmocka_unit_test(time_namespace),
		cmocka_unit_test(filter_of_another_stays),
		cmocka_unit_test(survives_its_device),
		AT(bills_what_it_drops, DROP_XDP_NATIVE),
		AT(bills_what_it_drops, DROP_XDP_GENERIC),
		AT(bills_what_it_drops, DROP_TC_INGRESS),
		AT(bills_what_it_drops, DROP_TC_EGRESS),
		AT(bills_what_it_drops, DROP_TC_INSIDE),
		cmocka_unit_test(bills_no_timer_that_it_drops),
		{.name = "follows_addresses, told",
			.test_func = follows_addresses,
			.initial_state = &net},
		{.name = "follows_addresses, untold", .test_func = follows_addresses},
		cmocka_unit_test(contested_is_nobodys),
		cmocka_unit_test(hosts_stays_the_hosts),
		cmocka_unit_test(published_ports_are_its),
		cmocka_unit_test(follows_devices),
		cmocka_unit_test(says_its_cost),
	};
	uint32_t cpu[AFFINITY_MAX_CPUS];
	struct err e = {0};
	int r;

	if (net_begin() < 0)
		return 0;
	r = drop_probe(&e);
	if (r != 0) {
		printf("1..0 # SKIP %s\n", e.text);
		return r < 0;
	}
	if (affinity_allowed(cpu) == 0 || affinity_pin(cpu[0], &e) < 0) {
		printf("1..0 # SKIP not pinned: %s\n", e.text);
		return 0;
	}
	cpu_here = cpu[0];
	return cmocka_run_group_tests_name("drop", tests, build, clean);
}
