/*
 * The load udp over a real path, both ends in this process:
 *
 *	near (198.18.0.1) ====== host ------ veth ------ far (198.18.1.2)
 */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "load/table.h"
#include "load/udp_seq.h"
#include "meter/drops.h"
#include "meter/table.h"
#include "path/table.h"
#include "sys/ns.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/*
 * What must not be lost fits into the smallest socket buffer as a whole, so that a reader which
 * gets no CPU loses nothing: 201 times 1280 bytes of an skb, and RCVBUF_BYTES counts twice.
 */
#define PACKET_BYTES 500U
#define LAST_BYTES   100U
#define PACKETS      201U
#define BYTES        ((PACKETS - 1) * PACKET_BYTES + LAST_BYTES)
#define RCVBUF_BYTES (200 << 10)
#define PACED_PPS    4000U /* of all flows of a direction */
/* End datagrams of one flow; see load/worker.c. */
#define MAX_ENDS 5U

struct variant {
	char name[96];
	bool ipv6;
	struct load_cfg cfg;
};

struct totals {
	struct load_count near, far;
	uint64_t gap_tx, gap_rx, pdv; /* samples of both ends */
};

static uint64_t samples(const struct pair *p, enum load_hist id)
{
	static struct hist h;

	hist_init(&h);
	load_hist(p->near, id, &h);
	load_hist(p->far, id, &h);
	return h.count;
}

static void count(const struct pair *p, struct totals *ret)
{
	load_count(p->near, &ret->near);
	load_count(p->far, &ret->far);
}

/* Until all that was to be sent has been, and all receivers have been told so. */
static void run_to_end(struct pair *p, uint64_t n_receivers, struct totals *ret)
{
	uint64_t deadline_ns = net_deadline();

	must(pair_start(p, 1, INT64_MAX, &e_));
	do {
		net_wait_until(clock_now_ns() + 2 * NSEC_PER_MSEC);
		count(p, ret);
	} while (ret->near.flows_ended + ret->far.flows_ended < n_receivers &&
		 clock_left_ms(deadline_ns) > 0);
	must(pair_stop(p, &e_));
	count(p, ret);
	assert_int_equal(ret->near.flows_ended + ret->far.flows_ended, n_receivers);
	ret->gap_tx = samples(p, LOAD_HIST_GAP_TX);
	ret->gap_rx = samples(p, LOAD_HIST_GAP_RX);
	ret->pdv = samples(p, LOAD_HIST_PDV);
}

static void one_way_is_exact(const struct load_count *tx, const struct load_count *rx,
	const struct load_cfg *cfg)
{
	assert_int_equal(tx->bytes_tx, BYTES);
	assert_int_equal(rx->bytes_rx, BYTES);
	assert_int_equal(tx->packets_tx, PACKETS);
	assert_int_equal(rx->packets_rx, PACKETS);
	assert_int_equal(rx->packets_expected, PACKETS);
	assert_int_equal(rx->reordered + rx->duplicated + rx->socket_drops, 0);
	if (cfg->gso == LOAD_SWITCH_OFF)
		assert_int_equal(tx->packets_gso, 0);
	if (cfg->gro == LOAD_SWITCH_OFF)
		assert_int_equal(rx->packets_gro, 0);
}

static void counts_are_exact(void **state)
{
	const struct variant *v = *state;
	bool both = v->cfg.dir == LOAD_DIR_BOTH;
	uint32_t receivers = v->cfg.flows * (both ? 2 : 1);
	struct path_cfg path_cfg = path_cfg_default;
	struct path *path = NULL;
	struct totals t;
	struct pair p;

	path_cfg.ipv6 = v->ipv6;
	must(net_path_open(&path, &path_veth, &path_cfg, &e_));
	must(pair_open(&p, path, &load_udp, &v->cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	run_to_end(&p, receivers, &t);
	if (v->cfg.dir != LOAD_DIR_RX)
		one_way_is_exact(&t.near, &t.far, &v->cfg);
	if (v->cfg.dir != LOAD_DIR_TX)
		one_way_is_exact(&t.far, &t.near, &v->cfg);
	/* Every datagram but each flow's first has a gap before it. */
	assert_int_equal(t.gap_tx, v->cfg.rate_bps && v->cfg.pace <= LOAD_PACE_OWN
					   ? t.near.packets_tx + t.far.packets_tx - receivers
					   : 0);
	assert_int_equal(t.gap_rx, t.pdv);
	assert_int_equal(t.gap_rx > 0, v->cfg.rate_bps > 0);
	pair_close(&p);
	path_close(path);
}

/* In-kernel counters of one end's namespace, in the course of a test. */
struct watch {
	const struct path_end *end;
	void *state;
	struct drops_reading drops;
};

static void watch_begin(struct watch *w, const struct path_end *end)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct meter_scope nothing = {0};

	*w = (struct watch){.end = end, .state = xcalloc(1, meter_drops.state_bytes)};
	must(ns_scope_enter(&scope, end->netns_fd, &e_));
	must(meter_drops.open(w->state, &e_));
	must(meter_drops.begin(w->state, &nothing, &e_));
}

static void watch_end(struct watch *w)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct meter_scope nothing = {0};

	must(ns_scope_enter(&scope, w->end->netns_fd, &e_));
	must(meter_drops.end(w->state, &nothing, &w->drops, &e_));
	meter_drops.close(w->state);
	free(w->state);
}

/*
 * More than the wire takes: what does not arrive is in its queue's counter, or in the socket's.
 *
 *	near (64 flows) ====== wire, 50 Mbit/s ====== far
 */
static void each_loss_is_in_a_counter(void **state)
{
	struct load_cfg cfg = *load_udp.defaults;
	struct path_cfg path_cfg = path_cfg_default;
	struct path *path = NULL;
	uint64_t lost, dropped;
	struct watch near, far;
	struct totals t;
	struct pair p;

	(void)state;
	path_cfg.wire_rate_bps = 50000000;
	cfg.dir = LOAD_DIR_TX;
	cfg.flows = 64;
	cfg.threads = 1;
	cfg.packet_bytes = PACKET_BYTES;
	cfg.gso = cfg.gro = LOAD_SWITCH_OFF;
	cfg.bytes = 6000ULL * PACKET_BYTES;
	must(net_path_open(&path, &path_native, &path_cfg, &e_));
	must(pair_open(&p, path, &load_udp, &cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	watch_begin(&near, &path->near);
	watch_begin(&far, &path->far);
	run_to_end(&p, cfg.flows, &t);
	watch_end(&near);
	watch_end(&far);
	assert_int_equal(t.near.packets_tx, 6000);
	assert_int_equal(t.far.packets_expected, 6000);
	lost = t.far.packets_expected - t.far.packets_rx;
	dropped = near.drops.qdisc_drops + t.far.socket_drops;
	print_message("# lost %llu: qdisc %llu, socket %llu\n", (unsigned long long)lost,
		(unsigned long long)near.drops.qdisc_drops, (unsigned long long)t.far.socket_drops);
	assert_int_equal(far.drops.udp_rcvbuf_errors, t.far.socket_drops);
	/* The counters know end datagrams too. */
	assert_in_range(dropped - lost, 0, (MAX_ENDS - 1) * cfg.flows);
	pair_close(&p);
	path_close(path);
}

/* A receiver of one flow, and a socket that its datagrams are sent by hand with. */
struct by_hand {
	struct path *path;
	struct load *far;
	int fd;
};

static void by_hand_open(struct by_hand *h, const struct load_cfg *cfg)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct load_args args = {.ops = &load_udp, .cfg = cfg};
	const struct load_peer nobody = {.port = 1};
	const char greeting[8] = "";

	*h = (struct by_hand){.fd = -1};
	must(net_path_open(&h->path, &path_native, &path_cfg_default, &e_));
	must(load_open(&h->far, &args, &e_));
	must(ns_scope_enter(&scope, h->path->far.netns_fd, &e_));
	must(load_listen(h->far, "0.0.0.0", h->path->far.port, &e_));
	h->fd = must(net_bind(h->path, &h->path->near, SOCK_DGRAM, 0, &e_));
	must(sock_connect(h->fd, h->path->far.addr, h->path->far.port, net_deadline(), &e_));
	assert_int_equal(send(h->fd, greeting, sizeof(greeting), 0), sizeof(greeting));
	must(load_connect(h->far, &nobody, net_deadline(), &e_));
	must(load_start(h->far, 1, INT64_MAX, &e_));
}

static void by_hand_send(struct by_hand *h, uint64_t seq, size_t len)
{
	uint8_t packet[64] = {0};

	udp_seq_put(packet, seq, 1000 * seq, true);
	assert_int_equal(send(h->fd, packet, len, 0), len);
}

static void by_hand_end(struct by_hand *h, uint64_t sent, struct load_count *ret)
{
	uint64_t deadline_ns = net_deadline();
	uint8_t end[UDP_SEQ_END_BYTES];

	udp_seq_put_end(end, sent, 0);
	assert_int_equal(send(h->fd, end, sizeof(end), 0), sizeof(end));
	do {
		load_count(h->far, ret);
	} while (!ret->flows_ended && clock_left_ms(deadline_ns) > 0);
	must(load_stop(h->far, &e_));
	load_count(h->far, ret);
	load_close(h->far);
	closep(&h->fd);
	path_close(h->path);
	assert_int_equal(ret->flows_ended, 1);
}

static void late_double_and_strange_are_told_apart(void **state)
{
	static const uint64_t order[] = {1, 2, 4, 3, 3, 7, 1, 6};
	struct load_cfg cfg = *load_udp.defaults;
	struct load_count c;
	struct by_hand h;

	(void)state;
	cfg.dir = LOAD_DIR_TX;
	cfg.packet_bytes = 32;
	for (cfg.gro = LOAD_SWITCH_OFF; cfg.gro <= LOAD_SWITCH_ON; cfg.gro++) {
		by_hand_open(&h, &cfg);
		for (size_t i = 0; i < ARRAY_SIZE(order); i++)
			by_hand_send(&h, order[i], 20);
		by_hand_send(&h, 8, 0);
		by_hand_send(&h, 8, UDP_SEQ_MIN_BYTES - 1);
		by_hand_send(&h, 0, 20);
		by_hand_send(&h, UDP_SEQ_MAX_AHEAD * 2, 20);
		by_hand_send(&h, 1ULL << 63 | 8, 20);
		by_hand_end(&h, 9, &c);
		assert_int_equal(c.packets_rx, ARRAY_SIZE(order));
		assert_int_equal(c.bytes_rx, ARRAY_SIZE(order) * 20);
		assert_int_equal(c.reordered, 2); /* 3 and 6 */
		assert_int_equal(c.duplicated, 2);
		assert_int_equal(c.packets_expected, 9);
		assert_int_equal(c.packets_alien, 5);
		assert_int_equal(c.socket_drops, 0);
	}
}

/* Two connected sockets on loopback. */
static void socket_pair(int fd[2])
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	for (int i = 0; i < 2; i++)
		fd[i] = must(sock_bind(SOCK_DGRAM, "127.0.0.1", 0, &e_));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(getsockname(fd[1 - i], (struct sockaddr *)&a, &len), 0);
		must(sock_connect(fd[i], "127.0.0.1", ntohs(a.sin_port), net_deadline(), &e_));
	}
}

/* As with an iperf3 at the other end: old counters, and nobody says how many there were. */
static void adopted_sockets_work(void **state)
{
	struct load_args args = {.ops = &load_udp, .opener = LOAD_OPENER_NONE};
	struct load_cfg cfg = *load_udp.defaults;
	uint64_t deadline_ns = net_deadline();
	struct load_count rx = {0};
	struct pair p = {0};
	struct totals t;
	int fd[2];

	(void)state;
	cfg.dir = LOAD_DIR_TX;
	cfg.packet_bytes = PACKET_BYTES;
	cfg.bytes = BYTES;
	cfg.udp_counters_32bit = true;
	cfg.udp_end_marker = false;
	args.cfg = &cfg;
	socket_pair(fd);
	must(load_open(&p.far, &args, &e_));
	args.near = true;
	must(load_open(&p.near, &args, &e_));
	must(load_adopt(p.near, 0, fd[0], &e_));
	must(load_adopt(p.far, 0, fd[1], &e_));
	must(load_start(p.far, 1, INT64_MAX, &e_));
	must(load_start(p.near, 1, INT64_MAX, &e_));
	while (rx.packets_rx < PACKETS && clock_left_ms(deadline_ns) > 0)
		load_count(p.far, &rx);
	must(pair_stop(&p, &e_));
	count(&p, &t);
	assert_int_equal(t.far.flows_ended, 0);
	one_way_is_exact(&t.near, &t.far, &cfg);
	pair_close(&p);
}

/* A queue that keeps packets until their time is found and used; nothing else is different. */
static void fq_keeps_the_schedule(void **state)
{
	struct load_cfg cfg = *load_udp.defaults;
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct path *path = NULL;
	struct err e = {0};
	struct totals t;
	struct pair p;

	(void)state;
	cfg.dir = LOAD_DIR_TX;
	cfg.packet_bytes = PACKET_BYTES;
	cfg.rcvbuf_bytes = RCVBUF_BYTES;
	cfg.bytes = BYTES;
	cfg.rate_bps = PACED_PPS * PACKET_BYTES * 8ULL;
	must(net_path_open(&path, &path_native, &path_cfg_default, &e_));
	must(rt_open(&rt, path->near.netns_fd, &e_));
	if (rt_qdisc_set(rt, path->near.dev, "fq", &e) < 0) {
		net_skip("pacing by sch_fq", &e);
		path_close(path);
		return;
	}
	for (cfg.pace = LOAD_PACE_AUTO; cfg.pace < LOAD_PACE_N; cfg.pace++) {
		_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

		must(pair_open(&p, path, &load_udp, &cfg, &e_));
		must(pair_connect(&p, net_deadline(), &e_));
		/* As the end's own process would be. */
		must(ns_scope_enter(&scope, path->near.netns_fd, &e_));
		run_to_end(&p, 1, &t);
		one_way_is_exact(&t.near, &t.far, &cfg);
		/* The sender's own clock is in use only where it says its gaps. */
		assert_int_equal(t.gap_tx > 0, cfg.pace == LOAD_PACE_OWN);
		pair_close(&p);
	}
	path_close(path);
}

/* What a device can't cut into segments goes singly, in fragments. */
static void segments_larger_than_the_mtu_go_singly(void **state)
{
	struct load_cfg cfg = *load_udp.defaults;
	struct path_cfg path_cfg = path_cfg_default;
	struct path *path = NULL;
	struct totals t;
	struct pair p;

	(void)state;
	path_cfg.mtu = 1000;
	cfg.dir = LOAD_DIR_TX;
	cfg.gso = LOAD_SWITCH_ON;
	cfg.bytes = 50ULL * LOAD_PACKET_BYTES;
	must(net_path_open(&path, &path_native, &path_cfg, &e_));
	must(pair_open(&p, path, &load_udp, &cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	run_to_end(&p, 1, &t);
	assert_int_equal(t.near.packets_tx, 50);
	assert_int_equal(t.far.packets_rx, 50);
	assert_int_equal(t.far.bytes_rx, cfg.bytes);
	assert_int_equal(t.near.packets_gso, 0);
	pair_close(&p);
	path_close(path);
}

static void refuses(const struct load_cfg *cfg, const char *word)
{
	const struct load_args args = {.ops = &load_udp, .cfg = cfg, .near = true};
	struct load *l = NULL;
	struct err e = {0};

	assert_true(load_open(&l, &args, &e) < 0);
	assert_null(l);
	assert_non_null(strstr(e.text, word));
}

static void refuses_what_cannot_run(void **state)
{
	struct load_cfg cfg = *load_udp.defaults;

	(void)state;
	refuses(&cfg, "--dir each");
	cfg.dir = LOAD_DIR_TX;
	cfg.threads = 2;
	refuses(&cfg, "--threads");
	cfg.threads = 0;
	cfg.bytes = cfg.packet_bytes + 15;
	refuses(&cfg, "--bytes");
	cfg.bytes = 0;
	cfg.flows = 1024;
	cfg.packet_bytes = 65507;
	refuses(&cfg, "1G");
}

#define MAX_VARIANTS 128

static void add(struct variant *ret, size_t *n, const struct load_cfg *cfg, bool ipv6)
{
	struct variant *v = &ret[(*n)++];

	assert(*n <= MAX_VARIANTS);
	v->cfg = *cfg;
	v->ipv6 = ipv6;
	if (v->cfg.rate_bps)
		v->cfg.rate_bps = PACED_PPS * PACKET_BYTES * 8ULL / cfg->flows;
	snprintf(v->name, sizeof(v->name),
		"%s%s%s, flows %u, threads %u, gso %s, gro %s, batch %u%s", load_dir_name[cfg->dir],
		cfg->rate_bps ? ", pace " : ", full speed",
		cfg->rate_bps ? load_pace_name[cfg->pace] : "", cfg->flows, cfg->threads,
		load_switch_name[cfg->gso], load_switch_name[cfg->gro], cfg->batch,
		ipv6 ? ", IPv6" : "");
}

static size_t list_variants(struct variant *ret)
{
	static const struct {
		uint32_t flows, threads;
	} shape[] = {{1, 1}, {3, 1}, {3, 2}};
	struct load_cfg base = *load_udp.defaults, cfg;
	size_t n = 0;

	base.packet_bytes = PACKET_BYTES;
	base.bytes = BYTES;
	base.rcvbuf_bytes = RCVBUF_BYTES;
	cfg = base;
	for (cfg.dir = LOAD_DIR_TX; cfg.dir < LOAD_DIR_N; cfg.dir++)
		for (size_t i = 0; i < ARRAY_SIZE(shape); i++) {
			cfg.flows = shape[i].flows;
			cfg.threads = shape[i].threads;
			for (cfg.rate_bps = 0; cfg.rate_bps < 2; cfg.rate_bps++)
				add(ret, &n, &cfg, false);
		}
	cfg = base;
	cfg.dir = LOAD_DIR_TX;
	for (cfg.gso = LOAD_SWITCH_OFF; cfg.gso <= LOAD_SWITCH_ON; cfg.gso++)
		for (cfg.gro = LOAD_SWITCH_OFF; cfg.gro <= LOAD_SWITCH_ON; cfg.gro++)
			for (cfg.batch = 1; cfg.batch <= 1024; cfg.batch *= 32)
				add(ret, &n, &cfg, cfg.batch == 32);
	/* Who keeps the schedule changes no count, not even where there is no sch_fq. */
	cfg = base;
	cfg.dir = LOAD_DIR_TX;
	cfg.rate_bps = 1;
	for (cfg.pace = LOAD_PACE_OWN; cfg.pace < LOAD_PACE_N; cfg.pace++)
		for (cfg.flows = 1; cfg.flows <= 3; cfg.flows += 2)
			add(ret, &n, &cfg, false);
	return n;
}

int main(void)
{
	static struct variant variant[MAX_VARIANTS];
	static struct CMUnitTest tests[MAX_VARIANTS + 8];
	size_t n_variants, n = 0;

	if (net_begin() < 0)
		return 0;
	n_variants = list_variants(variant);
	for (size_t i = 0; i < n_variants; i++)
		tests[n++] = (struct CMUnitTest){.name = variant[i].name,
			.test_func = counts_are_exact,
			.initial_state = &variant[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(each_loss_is_in_a_counter);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(late_double_and_strange_are_told_apart);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(adopted_sockets_work);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(fq_keeps_the_schedule);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(segments_larger_than_the_mtu_go_singly);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_what_cannot_run);
	return _cmocka_run_group_tests("udp", tests, n, NULL, NULL);
}
