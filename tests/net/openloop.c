/*
 * rr by a schedule: as many requests as the rate says, whatever the server does, each timed from
 * when it was due.
 *
 *	near (198.18.0.1) ====== host ------ veth ------ far (198.18.1.2)
 */
#include "net.h"

#include "base/mem.h"
#include "bench/hists.h"
#include "bench/site.h"
#include "load/table.h"
#include "path/table.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define SPAN_NS    (100 * NSEC_PER_MSEC)
#define RUN_OUT_NS (50 * NSEC_PER_MSEC)
#define STALL_NS   (200 * NSEC_PER_MSEC)

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

struct totals {
	struct load_count near, far;
	struct hist latency, slip;
};

static void run(const struct load_ops *ops, const struct load_cfg *cfg, struct totals *ret)
{
	uint64_t begin_ns, end_ns;
	struct pair p;

	must(pair_open(&p, path, ops, cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	begin_ns = clock_now_ns() + SPAN_NS / 10;
	end_ns = begin_ns + SPAN_NS;
	must(pair_start(&p, begin_ns, end_ns, &e_));
	net_wait_until(end_ns + RUN_OUT_NS);
	must(pair_stop(&p, &e_));
	load_count(p.near, &ret->near);
	load_count(p.far, &ret->far);
	hist_init(&ret->latency);
	hist_init(&ret->slip);
	load_hist(p.near, LOAD_HIST_LATENCY, &ret->latency);
	load_hist(p.near, LOAD_HIST_SLIP, &ret->slip);
	pair_close(&p);
}

/* Every request that was due in the span is in a number, and there are rate times span of them. */
static void all_that_was_due_is_counted(void **state)
{
	static const struct {
		uint32_t flows, threads, pipeline;
		uint64_t rate_tps;
	} shape[] = {{1, 1, 0, 1000}, {3, 1, 0, 5000}, {3, 2, 0, 5000}, {16, 2, 0, 1777},
		{1, 1, 1, 1000}, {3, 1, 2, 1000}, {2, 1, 0, 3}};
	struct load_cfg cfg = *load_rr.defaults;

	(void)state;
	for (cfg.proto = LOAD_PROTO_TCP; cfg.proto < LOAD_PROTO_N; cfg.proto++)
		for (size_t i = 0; i < ARRAY_SIZE(shape); i++) {
			uint64_t due, rest = shape[i].rate_tps * SPAN_NS % NSEC_PER_SEC;
			struct totals t;

			cfg.flows = shape[i].flows;
			cfg.threads = shape[i].threads;
			cfg.pipeline = shape[i].pipeline;
			cfg.rate_tps = shape[i].rate_tps;
			due = cfg.rate_tps * SPAN_NS / NSEC_PER_SEC + (rest > 0);
			run(&load_rr, &cfg, &t);
			print_message("# %s %u flows, %llu/s: %llu in time, %llu without answer, "
				      "slip mean %.0f ns, latency mean %.0f ns\n",
				load_proto_name[cfg.proto], cfg.flows,
				(unsigned long long)cfg.rate_tps,
				(unsigned long long)t.latency.count,
				(unsigned long long)(t.near.unanswered + t.near.lost),
				hist_mean_ns(&t.slip), hist_mean_ns(&t.latency));
			assert_int_equal(t.latency.count + t.near.unanswered + t.near.lost, due);
			assert_in_range(t.slip.count, t.latency.count, due);
			/* A request can't be answered before it is sent. */
			if (t.slip.count == t.latency.count)
				assert_true(t.latency.sum_ns > t.slip.sum_ns);
			assert_true(t.near.late <= due);
			assert_true(t.far.transactions >= t.near.transactions);
		}
}

/* The same of connections. */
static void all_connections_that_were_due_are_counted(void **state)
{
	struct load_cfg cfg = *load_crr.defaults;

	(void)state;
	cfg.rate_tps = 1000;
	for (cfg.flows = 1; cfg.flows <= 3; cfg.flows += 2)
		for (cfg.threads = 1; cfg.threads <= cfg.flows; cfg.threads++) {
			const uint64_t due = cfg.rate_tps * SPAN_NS / NSEC_PER_SEC;
			struct totals t;

			run(&load_crr, &cfg, &t);
			assert_int_equal(t.latency.count + t.near.unanswered, due);
			assert_in_range(t.slip.count, t.latency.count, due);
			assert_true(t.latency.count > 0);
		}
}

/* More than the path can carry: what is not sent in time is not forgotten. */
static void a_rate_beyond_reach_shows(void **state)
{
	struct load_cfg cfg = *load_rr.defaults;
	struct totals t;

	(void)state;
	cfg.proto = LOAD_PROTO_TCP;
	cfg.rate_tps = 10000000;
	run(&load_rr, &cfg, &t);
	assert_int_equal(t.latency.count + t.near.unanswered,
		cfg.rate_tps * SPAN_NS / NSEC_PER_SEC);
	assert_true(t.near.unanswered > 0);
	assert_true(t.near.late > 0);
}

/* n in flight: the server sees up to n more requests than have been answered. */
static void closed_loop_keeps_n_in_flight(void **state)
{
	struct load_cfg cfg = *load_rr.defaults;

	(void)state;
	cfg.pipeline = 8;
	for (cfg.proto = LOAD_PROTO_TCP; cfg.proto < LOAD_PROTO_N; cfg.proto++)
		for (cfg.flows = 1; cfg.flows <= 3; cfg.flows += 2) {
			uint64_t places = (uint64_t)cfg.flows * cfg.pipeline;
			struct totals t;

			run(&load_rr, &cfg, &t);
			assert_true(t.latency.count > places);
			assert_int_equal(t.slip.count, 0);
			assert_int_equal(t.near.unanswered, 0);
			assert_in_range(t.far.transactions - t.near.transactions, 0, places);
			assert_in_range(t.near.bytes_tx - cfg.req_bytes * t.near.transactions, 0,
				places * cfg.req_bytes);
		}
}

struct stall {
	pid_t pid;
	uint64_t at_ns;
};

static void *stall(void *arg)
{
	const struct stall *s = arg;

	net_wait_until(s->at_ns);
	kill(s->pid, SIGSTOP);
	net_wait_until(s->at_ns + STALL_NS);
	kill(s->pid, SIGCONT);
	return NULL;
}

static uint64_t count_from(const struct hist *h, uint64_t ns)
{
	uint64_t n = 0;

	for (uint32_t i = hist_bucket(ns); i < HIST_N_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}

/* A trial of 2 s at 1,000/s (0: closed loop) whose far end is stopped for 200 ms in the middle. */
static void stalled_trial(struct site *s, uint64_t rate_tps, struct trial *ret)
{
	const struct bench_cfg cfg = {.time_ns = 2 * NSEC_PER_SEC, .warmup_ns = NSEC_PER_SEC / 10};
	const bool meters[METER_N] = {0};
	struct load_spec load = {.ops = &load_rr, .cfg = *load_rr.defaults};
	struct stall st = {.pid = s->far.pid, .at_ns = clock_now_ns() + NSEC_PER_SEC};
	pthread_t thread;

	load.cfg.proto = LOAD_PROTO_TCP;
	load.cfg.rate_tps = rate_tps;
	assert_int_equal(pthread_create(&thread, NULL, stall, &st), 0);
	assert_int_equal(site_trial(s, &load, &cfg, meters, ret), 0);
	pthread_join(thread, NULL);
	if (ret->status != STATUS_OK)
		fail_msg("%s", ret->reason);
}

/*
 *	agent near (peer) ====== agent far (host)
 *	1,000 requests/s         stopped for 200 ms
 */
static void a_stall_shows_in_all_it_delays(void **state)
{
	_cleanup_(site_closep) struct site *s = NULL;
	_cleanup_(run_freep) struct run *r = xcalloc(1, sizeof(*r));
	const struct path_spec spec = path_spec_of(&path_native, &path_cfg_default);
	const struct site_args args = {.spec = &spec, .cancel_fd = -1};
	struct trial open = {0}, closed = {0};
	const struct hist *h;
	double p99 = 0, p99_closed = 0;

	(void)state;
	assert_int_equal(must(site_open(&s, &args, r, &e_)), 0);
	stalled_trial(s, 1000, &open);
	stalled_trial(s, 0, &closed);
	h = hists_at(open.hist, LOAD_HIST_LATENCY);
	hist_quantile(h, 0.99, &p99);
	hist_quantile(hists_at(closed.hist, LOAD_HIST_LATENCY), 0.99, &p99_closed);
	print_message("# open loop: %llu of %llu took 10 ms or more, p99 %.1f ms, max %.1f ms\n",
		(unsigned long long)count_from(h, 10 * NSEC_PER_MSEC), (unsigned long long)h->count,
		p99 / 1e6, (double)h->max_ns / 1e6);
	assert_int_equal(h->count + open.near.unanswered, 2000);
	/* 200 were due while far was stopped, the last 10 of them waited less than 10 ms. */
	assert_in_range(count_from(h, 10 * NSEC_PER_MSEC), 180, 400);
	assert_true(h->max_ns >= STALL_NS * 9 / 10);
	/* The 1 % of the 2,000 that waited longest: the 20 first ones. */
	assert_true(p99 >= (double)STALL_NS * 8 / 10 && p99 <= (double)h->max_ns);

	h = hists_at(closed.hist, LOAD_HIST_LATENCY);
	print_message("# closed loop: %llu of %llu took 100 ms or more, p99 %.3f ms\n",
		(unsigned long long)count_from(h, STALL_NS / 2), (unsigned long long)h->count,
		p99_closed / 1e6);
	/* One; a machine that is busy may add a hiccup of its own. */
	assert_in_range(count_from(h, STALL_NS / 2), 1, 3);
	assert_true(p99_closed < p99 / 2);
	hists_fini(open.hist);
	hists_fini(closed.hist);
}

/*
 *	agent near (peer) ====== host ------ veth ------ agent far (container)
 *	      <-- requests and responses, and bulk TCP beside them -->
 */
static void a_load_runs_under_a_stream(void **state)
{
	_cleanup_(site_closep) struct site *s = NULL;
	_cleanup_(run_freep) struct run *r = xcalloc(1, sizeof(*r));
	const struct load_ops *const ops[] = {&load_rr, &load_rr, &load_crr};
	const struct path_spec spec = path_spec_of(&path_veth, &path_cfg_default);
	const struct site_args args = {.spec = &spec, .cancel_fd = -1};
	const struct bench_cfg cfg = {.time_ns = SPAN_NS, .warmup_ns = SPAN_NS};
	const bool meters[METER_N] = {0};

	(void)state;
	assert_int_equal(must(site_open(&s, &args, r, &e_)), 0);
	for (uint32_t i = 0; i < 2 * ARRAY_SIZE(ops); i++) {
		struct load_spec load = {.ops = ops[i / 2], .cfg = *ops[i / 2]->defaults};
		bool both = i % 2;
		struct trial t = {0};

		load.cfg.proto = i / 2 == 0 ? LOAD_PROTO_UDP : LOAD_PROTO_TCP;
		load.cfg.flows = 1 + i / 2;
		load.cfg.under = LOAD_UNDER_STREAM;
		load.cfg.under_dir = both ? LOAD_DIR_BOTH : LOAD_DIR_TX;
		assert_int_equal(site_trial(s, &load, &cfg, meters, &t), 0);
		if (t.status != STATUS_OK)
			fail_msg("%s", t.reason);
		assert_true(hists_at(t.hist, LOAD_HIST_LATENCY)->count > 0);
		assert_true(t.far.under_bytes_rx > 0);
		assert_int_equal(t.near.under_bytes_rx > 0, both);
		hists_fini(t.hist);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_was_due_is_counted),
		cmocka_unit_test(all_connections_that_were_due_are_counted),
		cmocka_unit_test(a_rate_beyond_reach_shows),
		cmocka_unit_test(closed_loop_keeps_n_in_flight),
		cmocka_unit_test(a_load_runs_under_a_stream),
		cmocka_unit_test(a_stall_shows_in_all_it_delays),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, open_path, close_path);
}
