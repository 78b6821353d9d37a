/*
 * The frame tester against every kind of path that it can have: what was intended is received or
 * lost, what was sent is received or counted by some device as dropped, and nothing is left.
 *
 *	near == port 0 -> ... (path) ... -> port 1 == far, and back
 */
#include "net.h"

#include "base/mem.h"
#include "method/subject.h"
#include "path/table.h"
#include "sys/ethtool.h"
#include "sys/rtnl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define N_FRAMES 20000
#define FPS      200000

static struct tester_cfg quick(void)
{
	struct tester_cfg cfg = tester_cfg_default;

	cfg.dir = TESTER_DIR_BOTH;
	cfg.drain_ns = 100 * NSEC_PER_MSEC;
	cfg.max_frames = N_FRAMES;
	return cfg;
}

static struct frame_mix smallest(void)
{
	struct frame_mix mix;

	must(frame_mix_parse(&mix, "64", 1500, &e_));
	return mix;
}

static uint64_t drops_in(int netns_fd)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct rt_drops d;

	must(rt_open(&rt, netns_fd, &e_));
	must(rt_drops(rt, &d, &e_));
	return d.qdisc + d.rx + d.tx;
}

/* Of all namespaces on the way. */
static uint64_t drops_of(const struct path *p)
{
	uint64_t n = drops_in(p->near.netns_fd) + drops_in(p->far.netns_fd);

	for (uint32_t i = 0; i < p->n_hops; i++)
		n += drops_in(p->hop_fd[i]);
	return n;
}

static void conserves(struct subject *s)
{
	const struct frame_mix mix = smallest();
	const struct subject_ask ask = {.mix = &mix,
		.n_phases = 1,
		.phase = {{.fps = FPS, .n_frames = N_FRAMES}},
		.learn = true};
	struct subject_trial got = {0};
	uint64_t before = drops_of(subject_path_of(s)), dropped;

	must(subject_trial(s, &ask, &got, &e_));
	dropped = drops_of(subject_path_of(s)) - before;
	assert_int_equal(got.tried, 2 * N_FRAMES);
	assert_int_equal(got.received + got.lost, got.tried);
	assert_true(got.sent <= got.tried && got.received <= got.sent);
	if (got.sent - got.received > dropped + got.overflowed)
		fail_msg("%s: %llu sent, %llu received, %llu dropped", s->name,
			(unsigned long long)got.sent, (unsigned long long)got.received,
			(unsigned long long)dropped);
	assert_int_equal(got.duplicated + got.corrupt, 0);
	assert_int_equal(got.first_lost_ns == UINT64_MAX, got.lost == 0);
}

/* Families that are built from devices of this kernel alone. */
static void each_path(void **state)
{
	(void)state;
	for (size_t i = 0; path_table[i]; i++) {
		const struct path_spec spec = path_spec_of(path_table[i], &path_cfg_default);
		const struct tester_cfg cfg = quick();
		const uint32_t fds = net_count_fds();
		struct subject *s;
		struct err e = {0};
		int r;

		if (spec.ops->set != PATH_SET_BASIC && spec.ops->set != PATH_SET_KERNEL)
			continue;
		r = subject_path(&s, &spec, &cfg, -1, &e);
		if (r > 0) {
			net_skip(spec.name, &e);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", spec.name, e.text);
		print_message("# %s: %s to %s, %s\n", spec.name, s->info.tx, s->info.rx,
			s->info.place);
		conserves(s);
		subject_close(s);
		assert_int_equal(net_count_fds(), fds);
	}
}

/* Taken down and built anew, and reset, it is a subject as before. */
static void rebuilds(void **state)
{
	const struct path_spec spec = path_spec_of(path_find("veth"), &path_cfg_default);
	const struct tester_cfg cfg = quick();
	struct subject *s;
	struct err e = {0};

	(void)state;
	if (subject_path(&s, &spec, &cfg, -1, &e) != 0) {
		net_skip(spec.name, &e);
		return;
	}
	must(s->ops->rebuild(s, &e_));
	must(s->ops->reset(s, &e_));
	conserves(s);
	subject_close(s);
}

/* Both ends of a path in one namespace are no ports. */
static void says_why_not(void **state)
{
	struct path_cfg cfg = path_cfg_default;
	const struct tester_cfg tester = quick();
	struct path_spec spec;
	struct subject *s;
	struct err e = {0};

	(void)state;
	cfg.between = PATH_BETWEEN_PODS;
	spec = path_spec_of(path_find("hostnet"), &cfg);
	assert_int_equal(subject_path(&s, &spec, &tester, -1, &e), PATH_UNAVAILABLE);
	assert_non_null(strstr(e.text, "one namespace"));
}

static void offloads(const struct subject_veth *v, char (*ret)[256])
{
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		must(ethtool_offloads(v->netns_fd[i], v->end[i].port.dev, ret[i], sizeof(ret[i]),
			&e_));
}

/* What was changed of a device is put back: offloads, threads. */
static void leaves_as_found(void **state)
{
	const uint32_t fds = net_count_fds();
	char before[TESTER_N_PORTS][256], after[TESTER_N_PORTS][256];
	const struct tester_cfg cfg = quick();
	struct subject_veth v;
	struct tester *t;
	int r;

	(void)state;
	must(subject_veth_open(&v, false, &e_));
	must(ethtool_set(v.netns_fd[1], v.end[1].port.dev, ETHTOOL_GRO, true, &e_));
	offloads(&v, before);
	r = must(tester_open(&t, v.end, false, &cfg, &e_));
	if (r == 0)
		tester_close(t);
	offloads(&v, after);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		assert_string_equal(before[i], after[i]);
	subject_veth_close(&v);
	assert_int_equal(net_count_fds(), fds);
}

/* The tester's own rate is a rate, or none; and it is said which. */
static void knows_itself(void **state)
{
	const struct frame_mix mix = smallest();
	const struct tester_cfg cfg = {.tx = "auto",
		.rx = "auto",
		.flows = 1,
		.networks = 1,
		.macs = 1,
		.max_frames = 4000000};
	struct subject s = {.cancel_fd = -1};
	int r;

	(void)state;
	r = must(subject_self(&s, &cfg, &mix, &e_));
	if (r == 0 && !isnan(s.self_fps))
		assert_true(s.self_fps > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path),
		cmocka_unit_test(rebuilds),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(leaves_as_found),
		cmocka_unit_test(knows_itself),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
