/* The shaped wire passes what it promises: not more, and not much less. */
#include "net.h"

#include "base/mem.h"
#include "bench/hists.h"
#include "bench/site.h"
#include "load/table.h"
#include "path/table.h"

/* Others on the machine may hold up a sender; nobody can make a wire faster. */
#define MAX_TRIES 3

static double goodput_bps(struct site *s, const struct load_spec *load)
{
	const struct bench_cfg cfg = {.time_ns = NSEC_PER_SEC, .warmup_ns = 200 * NSEC_PER_MSEC};
	const bool meters[METER_N] = {0};
	struct trial t = {0};
	double bps;

	assert_int_equal(site_trial(s, load, &cfg, meters, &t), 0);
	if (t.status != STATUS_OK)
		fail_msg("%s", t.reason);
	assert_int_equal(t.near.bytes_rx, 0);
	assert_int_equal(t.far.bytes_tx, 0);
	bps = (double)t.far.bytes_rx * 8 * 1e9 / (double)(t.far.end_ns - t.far.begin_ns);
	hists_fini(t.hist);
	return bps;
}

/*
 *	peer ====== wire, 100 Mbps ====== host ------ veth ------ container
 *	  ------------------------- bulk TCP, 1 s -------------------->
 */
static void wire_is_as_fast_as_said(void **state)
{
	_cleanup_(site_closep) struct site *s = NULL;
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	struct load_spec load = {.ops = &load_stream, .cfg = *load_stream.defaults};
	struct path_cfg cfg = path_cfg_default;
	struct path_spec spec;
	const struct site_args args = {.spec = &spec, .cancel_fd = -1};
	double bps = 0, ceiling;

	(void)state;
	load.cfg.dir = LOAD_DIR_TX;
	cfg.wire_rate_bps = 100000000;
	spec = path_spec_of(&path_veth, &cfg);
	assert_int_equal(must(site_open(&s, &args, run, &e_)), 0);
	ceiling = path_ceiling_bps(s->path);
	for (int i = 0; i < MAX_TRIES && bps < 0.90 * ceiling; i++) {
		bps = goodput_bps(s, &load);
		print_message("# %.2f of %.2f Mbit/s\n", bps / 1e6, ceiling / 1e6);
		assert_true(bps <= 1.02 * ceiling);
	}
	assert_true(bps >= 0.90 * ceiling);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(wire_is_as_fast_as_said)};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
