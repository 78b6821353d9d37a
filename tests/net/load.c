/*
 * Loads over a real path, both ends in this process:
 *
 *	near (198.18.0.1) ====== host ------ veth ------ far (198.18.1.2)
 */
#include "net.h"

#include "load/table.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SPAN_NS (50 * NSEC_PER_MSEC)
#define LEAD_NS (10 * NSEC_PER_MSEC)
/* Of spans in which nothing that began came to its end, each twice the one before. */
#define MAX_RUNS 6

static struct path *path;

static int open_path(void **state)
{
	(void)state;
	return must(net_path_open(&path, &path_veth, &path_cfg_default, &e_));
}

static int close_path(void **state)
{
	(void)state;
	path_close(path);
	return 0;
}

struct variant {
	char name[64];
	const struct load_ops *ops;
	struct load_cfg cfg;
};

struct totals {
	struct load_count near, far;
	struct hist latency;
};

static void count(const struct pair *p, struct totals *ret)
{
	load_count(p->near, &ret->near);
	load_count(p->far, &ret->far);
	hist_init(&ret->latency);
	load_hist(p->near, LOAD_HIST_LATENCY, &ret->latency);
	load_hist(p->far, LOAD_HIST_LATENCY, &ret->latency);
}

/* One trial as an agent does it; counted when all is over, so that nothing is under way. */
static void run(const struct variant *v, uint64_t span_ns, struct totals *ret)
{
	uint64_t begin_ns, end_ns;
	struct pair p;

	must(pair_open(&p, path, v->ops, &v->cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	begin_ns = clock_now_ns() + LEAD_NS;
	end_ns = begin_ns + span_ns;
	must(pair_start(&p, begin_ns, end_ns, &e_));
	net_wait_until(end_ns);
	must(pair_stop(&p, &e_));
	count(&p, ret);
	pair_close(&p);
}

static uint64_t samples(const struct hist *h)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < HIST_N_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}

static void stream_counts(void **state)
{
	const struct variant *v = *state;
	bool tx = v->cfg.dir != LOAD_DIR_RX, rx = v->cfg.dir != LOAD_DIR_TX;
	struct totals t;

	run(v, SPAN_NS, &t);
	assert_true(t.near.bytes_tx >= t.far.bytes_rx);
	assert_true(t.far.bytes_tx >= t.near.bytes_rx);
	assert_int_equal(t.far.bytes_rx > 0, tx);
	assert_int_equal(t.near.bytes_rx > 0, rx);
	assert_int_equal(t.near.bytes_tx > 0, tx);
	assert_int_equal(t.far.bytes_tx > 0, rx);
	assert_int_equal(t.near.transactions + t.far.transactions + t.near.lost + t.far.lost, 0);
	assert_int_equal(t.latency.count, 0);
}

static void rr_counts(void **state)
{
	const struct variant *v = *state;
	uint64_t flows = v->cfg.flows, req = v->cfg.req_bytes, rsp = v->cfg.rsp_bytes;
	uint64_t span_ns = SPAN_NS;
	struct totals t;

	/* 16 MiB each way at once take longer than the span where others use the CPUs. */
	run(v, span_ns, &t);
	for (int i = 1; i < MAX_RUNS && t.latency.count == 0; i++)
		run(v, span_ns *= 2, &t);
	assert_int_equal(t.latency.count, samples(&t.latency));
	assert_true(t.latency.count > 0);
	assert_true(t.latency.min_ns > 0);
	assert_true(t.latency.min_ns <= t.latency.max_ns);
	assert_true(t.latency.max_ns < 2 * span_ns);
	assert_true(t.latency.sum_ns >= t.latency.count * t.latency.min_ns);

	/* At most one transaction of each flow is under way, and only those may differ. */
	assert_true(t.near.transactions >= t.latency.count);
	assert_in_range(t.far.transactions - t.near.transactions, 0, flows);
	assert_in_range(t.near.bytes_tx - req * t.near.transactions, 0, flows * req);
	assert_in_range(t.near.bytes_rx - rsp * t.near.transactions, 0, flows * rsp);
	assert_true(t.near.bytes_tx >= t.far.bytes_rx && t.far.bytes_tx >= t.near.bytes_rx);
	assert_int_equal(t.near.lost + t.far.lost, 0);
}

/* Both ends agree on every connection, and its phases add up to the whole. */
static void crr_counts(void **state)
{
	const struct variant *v = *state;
	uint64_t flows = v->cfg.flows, req = v->cfg.req_bytes, rsp = v->cfg.rsp_bytes;
	struct hist phase[LOAD_HIST_N];
	uint64_t sum_ns = 0;
	struct totals t;
	struct pair p;

	must(pair_open(&p, path, v->ops, &v->cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	must(pair_start(&p, 1, INT64_MAX, &e_));
	net_wait_until(clock_now_ns() + SPAN_NS);
	/* near first: far then has ended all that near saw the end of. */
	must(load_stop(p.near, &e_));
	must(load_stop(p.far, &e_));
	count(&p, &t);
	for (uint32_t i = 0; i < LOAD_HIST_N; i++) {
		hist_init(&phase[i]);
		load_hist(p.near, i, &phase[i]);
	}
	pair_close(&p);
	assert_true(t.latency.count > 0);
	assert_int_equal(t.latency.count, t.near.transactions);
	for (uint32_t i = LOAD_HIST_CONNECT; i <= LOAD_HIST_CLOSE; i++) {
		assert_int_equal(phase[i].count, t.latency.count);
		sum_ns += phase[i].sum_ns;
	}
	assert_int_equal(sum_ns, t.latency.sum_ns);
	assert_int_equal(phase[LOAD_HIST_SLIP].count, 0);
	assert_in_range(t.far.transactions - t.near.transactions, 0, flows);
	assert_in_range(t.near.bytes_tx - req * t.near.transactions, 0, flows * req);
	assert_in_range(t.near.bytes_rx - rsp * t.near.transactions, 0, flows * rsp);
	assert_int_equal(t.near.retries, 0);
}

/* In a span that never ends, every transaction is in the histogram, and nothing else. */
static void every_transaction_is_timed(void **state)
{
	struct variant v = {.ops = &load_rr, .cfg = *load_rr.defaults};

	(void)state;
	v.cfg.flows = 3;
	for (uint32_t proto = LOAD_PROTO_TCP; proto < LOAD_PROTO_N; proto++) {
		struct pair p;
		struct totals t;

		v.cfg.proto = proto;
		must(pair_open(&p, path, v.ops, &v.cfg, &e_));
		must(pair_connect(&p, net_deadline(), &e_));
		must(pair_start(&p, 1, INT64_MAX, &e_));
		net_wait_until(clock_now_ns() + SPAN_NS);
		pair_stop(&p, NULL);
		count(&p, &t);
		pair_close(&p);
		assert_true(t.latency.count > 0);
		assert_int_equal(t.latency.count, t.near.transactions);
	}
}

/* What our own shutdown does to our flows is nobody's failure. */
static void an_early_stop_is_no_error(void **state)
{
	struct variant v = {.ops = &load_rr, .cfg = *load_rr.defaults};

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		struct pair p;

		v.cfg.proto = i & 1 ? LOAD_PROTO_TCP : LOAD_PROTO_UDP;
		must(pair_open(&p, path, v.ops, &v.cfg, &e_));
		must(pair_connect(&p, net_deadline(), &e_));
		must(pair_start(&p, 1, INT64_MAX, &e_));
		net_wait_until(clock_now_ns() + 5 * NSEC_PER_MSEC);
		must(load_stop(p.near, &e_));
		pair_close(&p);
	}
}

/* nftables rule at the host, where everything passes; removed by stop_dropping(). */
static int start_dropping(const char *rule, struct err *e)
{
	char script[400];

	snprintf(script, sizeof(script),
		"table ip loss { chain c { type filter hook forward priority 0; %s drop; }; }\n",
		rule);
	return nft_run(path->lab->host_fd, script, e);
}

static void stop_dropping(void)
{
	must(nft_run(path->lab->host_fd, "delete table ip loss\n", &e_));
}

/* Runs until it has seen losses and transactions beyond them. */
static void until_lossy(struct pair *p, struct totals *ret)
{
	uint64_t deadline_ns = net_deadline();

	must(pair_start(p, 1, INT64_MAX, &e_));
	do {
		net_wait_until(clock_now_ns() + 10 * NSEC_PER_MSEC);
		load_count(p->near, &ret->near);
	} while ((ret->near.lost < 5 || ret->near.transactions < 20) &&
		 clock_left_ms(deadline_ns) > 0);
	pair_stop(p, NULL);
	count(p, ret);
}

/*
 *	near ====== host: drops 10 % of UDP, either way ------ far
 */
static void udp_goes_on_after_losses(void **state)
{
	struct variant v = {.ops = &load_rr, .cfg = *load_rr.defaults};

	(void)state;
	v.cfg.proto = LOAD_PROTO_UDP;
	for (v.cfg.flows = 1; v.cfg.flows < 8; v.cfg.flows += 6) {
		struct err e = {0};
		struct pair p;
		struct totals t;

		must(pair_open(&p, path, v.ops, &v.cfg, &e_));
		must(pair_connect(&p, net_deadline(), &e_));
		if (start_dropping("meta l4proto udp numgen random mod 100 < 10", &e) < 0) {
			net_skip("random loss", &e);
			pair_close(&p);
			return;
		}
		until_lossy(&p, &t);
		stop_dropping();
		pair_close(&p);
		print_message("# %u flows: %llu lost, %llu done\n", v.cfg.flows,
			(unsigned long long)t.near.lost, (unsigned long long)t.near.transactions);
		assert_true(t.near.lost >= 5);
		assert_true(t.near.transactions >= 20);
		assert_int_equal(t.near.transactions, t.latency.count);
		assert_true(t.far.transactions >= t.near.transactions);
		assert_int_equal(t.far.lost, 0);
	}
}

/*
 *	near ====== host: drops far's first answer to a greeting ------ far
 */
static void udp_connects_when_a_greeting_is_lost(void **state)
{
	struct variant v = {.ops = &load_rr, .cfg = *load_rr.defaults};
	struct err e = {0};
	struct pair p;
	int r;

	(void)state;
	v.cfg.proto = LOAD_PROTO_UDP;
	must(pair_open(&p, path, v.ops, &v.cfg, &e_));
	/* One answer has 20 + 8 + 8 bytes. */
	if (start_dropping("udp sport 5201 quota until 50 bytes", &e) < 0) {
		net_skip("loss of one packet", &e);
		pair_close(&p);
		return;
	}
	r = pair_connect(&p, clock_now_ns() + NSEC_PER_SEC, &e);
	stop_dropping();
	pair_close(&p);
	if (r < 0)
		fail_msg("%s", e.text);
}

/* The other end's death before the end of the span is an error, in words. */
static void a_dead_peer_is_noticed(void **state)
{
	const struct variant v = {.ops = &load_stream, .cfg = *load_stream.defaults};
	struct load_cfg cfg = v.cfg;
	struct load_count c = {0};
	uint64_t deadline_ns = net_deadline();
	struct err e = {0};
	struct pair p;

	(void)state;
	cfg.dir = LOAD_DIR_TX;
	must(pair_open(&p, path, v.ops, &cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	must(pair_start(&p, clock_now_ns(), clock_now_ns() + NET_DEADLINE_NS, &e_));
	while (c.bytes_rx == 0 && clock_left_ms(deadline_ns) > 0)
		load_count(p.far, &c);
	assert_true(c.bytes_rx > 0);
	load_close(take_ptr(p.far));
	/* Its sender stops counting once it is dead. */
	do {
		load_count(p.near, &c);
		net_wait_until(clock_now_ns() + 20 * NSEC_PER_MSEC);
		deadline_ns = c.bytes_tx;
		load_count(p.near, &c);
	} while (deadline_ns != c.bytes_tx);
	assert_true(load_stop(p.near, &e) < 0);
	assert_non_null(strstr(e.text, "mid-trial"));
	pair_close(&p);
}

static void refuses(const struct load_ops *ops, const struct load_cfg *cfg, const char *word)
{
	const struct load_args args = {.ops = ops, .cfg = cfg, .near = true};
	struct load *l = NULL;
	struct err e = {0};

	assert_true(load_open(&l, &args, &e) < 0);
	assert_null(l);
	assert_non_null(strstr(e.text, word));
}

static void refuses_what_cannot_run(void **state)
{
	struct load_cfg cfg = *load_rr.defaults;

	(void)state;
	cfg.threads = 2;
	refuses(&load_rr, &cfg, "--threads");
	cfg = *load_rr.defaults;
	cfg.proto = LOAD_PROTO_UDP;
	cfg.req_bytes = 1;
	refuses(&load_rr, &cfg, "--req");
	cfg.req_bytes = 65508;
	refuses(&load_rr, &cfg, "--req");
	cfg = *load_stream.defaults;
	cfg.dir = LOAD_DIR_TX;
	cfg.threads = 2;
	refuses(&load_stream, &cfg, "--threads");
}

#define MAX_VARIANTS 64

static void add(struct variant *ret, size_t *n, const struct load_ops *ops, struct load_cfg cfg)
{
	static const struct {
		uint32_t flows, threads;
	} shape[] = {{1, 1}, {3, 1}, {3, 2}, {16, 1}, {16, 2}, {16, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(shape); i++) {
		struct variant *v = &ret[(*n)++];

		assert(*n <= MAX_VARIANTS);
		v->ops = ops;
		v->cfg = cfg;
		v->cfg.flows = shape[i].flows;
		v->cfg.threads = shape[i].threads;
		snprintf(v->name, sizeof(v->name), "%s %s, req %u, flows %u, threads %u", ops->name,
			ops == &load_stream ? load_dir_name[cfg.dir] : load_proto_name[cfg.proto],
			cfg.req_bytes, v->cfg.flows, v->cfg.threads);
	}
}

static size_t list_variants(struct variant *ret)
{
	struct load_cfg cfg = *load_stream.defaults;
	size_t n = 0;

	for (cfg.dir = LOAD_DIR_TX; cfg.dir < LOAD_DIR_N; cfg.dir++)
		add(ret, &n, &load_stream, cfg);
	cfg = *load_rr.defaults;
	for (cfg.proto = LOAD_PROTO_TCP; cfg.proto < LOAD_PROTO_N; cfg.proto++)
		add(ret, &n, &load_rr, cfg);
	cfg.proto = LOAD_PROTO_TCP;
	cfg.req_bytes = cfg.rsp_bytes = 1;
	add(ret, &n, &load_rr, cfg);
	cfg.req_bytes = cfg.rsp_bytes = 1 << 20;
	add(ret, &n, &load_rr, cfg);
	add(ret, &n, &load_crr, *load_crr.defaults);
	cfg = *load_crr.defaults;
	cfg.req_bytes = cfg.rsp_bytes = 100000;
	add(ret, &n, &load_crr, cfg);
	return n;
}

int main(void)
{
	static struct variant variant[MAX_VARIANTS];
	static struct CMUnitTest tests[MAX_VARIANTS + 16];
	size_t n_variants, n = 0;

	if (net_begin() < 0)
		return 0;
	n_variants = list_variants(variant);
	for (size_t i = 0; i < n_variants; i++)
		tests[n++] = (struct CMUnitTest){.name = variant[i].name,
			.test_func = variant[i].ops == &load_rr    ? rr_counts
				     : variant[i].ops == &load_crr ? crr_counts
								   : stream_counts,
			.initial_state = &variant[i]};
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_transaction_is_timed);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(an_early_stop_is_no_error);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(udp_goes_on_after_losses);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(udp_connects_when_a_greeting_is_lost);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_dead_peer_is_noticed);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(refuses_what_cannot_run);
	return _cmocka_run_group_tests("load", tests, n, open_path, close_path);
}
