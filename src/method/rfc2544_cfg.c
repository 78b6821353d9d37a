/* What a campaign is asked for: options, profiles, and what its numbers may be called. */
#include "base/mem.h"
#include "base/str.h"
#include "method/campaign.h"
#include "method/goals.h"
#include "method/rfc2544_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* As many frames as a trial may have: any loss is verified. */
#define LV_LOSS_MAX 1000000000

const char *const rfc_profile_name[] = {
	[RFC_PROFILE_STANDARD] = "standard",
	[RFC_PROFILE_QUICK] = "quick",
};
static_assert(ARRAY_SIZE(rfc_profile_name) == RFC_PROFILE_N);

const char *const rfc_search_name[] = {
	[RFC_SEARCH_BINARY] = "binary",
	[RFC_SEARCH_BINARY_LV] = "binary-lv",
	[RFC_SEARCH_MLR] = "mlr",
};
static_assert(ARRAY_SIZE(rfc_search_name) == RFC_SEARCH_N);

/*
 * Ref: RFC 2544 s.24 (60 s, shorter while searching), s.26.2 (latency: 120 s, 20 times), s.26.4
 * (back-to-back: 50 times), s.26.5 (overload: 60 s), s.23 (settle: 5 s; drain: 2 s).
 */
const struct rfc_time rfc_time_profile[] = {
	[RFC_PROFILE_STANDARD] =
		{
			.search_ns = 10 * NSEC_PER_SEC,
			.final_ns = 60 * NSEC_PER_SEC,
			.latency_ns = 120 * NSEC_PER_SEC,
			.latency_repeat = 20,
			.loss_ns = 60 * NSEC_PER_SEC,
			.burst_repeat = 50,
			.recovery_ns = 60 * NSEC_PER_SEC,
			.recovery_repeat = 3,
			.reset_ns = 60 * NSEC_PER_SEC,
			.reset_repeat = 1,
			.settle_ns = 5 * NSEC_PER_SEC,
			.learn = true,
		},
	[RFC_PROFILE_QUICK] =
		{
			.search_ns = 200 * NSEC_PER_MSEC,
			.final_ns = 400 * NSEC_PER_MSEC,
			.latency_ns = NSEC_PER_SEC,
			.latency_repeat = 2,
			.loss_ns = 500 * NSEC_PER_MSEC,
			.burst_repeat = 3,
			.recovery_ns = NSEC_PER_SEC,
			.recovery_repeat = 1,
			.reset_ns = 3 * NSEC_PER_SEC,
			.reset_repeat = 1,
			.settle_ns = 20 * NSEC_PER_MSEC,
		},
};
static_assert(ARRAY_SIZE(rfc_time_profile) == RFC_PROFILE_N);

const uint64_t rfc_drain_profile_ns[] = {
	[RFC_PROFILE_STANDARD] = 2 * NSEC_PER_SEC,
	[RFC_PROFILE_QUICK] = 50 * NSEC_PER_MSEC,
};
static_assert(ARRAY_SIZE(rfc_drain_profile_ns) == RFC_PROFILE_N);

/*
 * A short trial on a busy machine loses frames to whatever else wanted the CPU for 10 ms, and one
 * such trial ends a search far below the SUT's rate. The quick profile verifies each loss, of
 * whatever size; its label says so. Ref: ETSI GS NFV-TST 009 s.12.3.3, annex B
 */
const struct rfc_search_usual rfc_search_profile[] = {
	[RFC_PROFILE_STANDARD] = {RFC_SEARCH_BINARY, .lv_repeat = 2, .lv_loss = 100},
	[RFC_PROFILE_QUICK] = {RFC_SEARCH_BINARY_LV, .lv_repeat = 3, .lv_loss = LV_LOSS_MAX},
};
static_assert(ARRAY_SIZE(rfc_search_profile) == RFC_PROFILE_N);

const struct rfc_cfg rfc_cfg_default = {
	.tests = "throughput,latency,loss,back-to-back,recovery,reset",
	.goals = "ndr/pdr",
	.width_ppm = 1000,
	.lv_repeat = 2,
	.lv_loss = 100,
	.loss_step_ppm = 100000,           /* RFC 2544 s.26.3: at most 10 % */
	.burst_max_ns = 30 * NSEC_PER_SEC, /* RFC 9004 s.5.2 */
	.reset_after_ns = NSEC_PER_SEC,
};

const struct opt rfc_opts[] = {
	OPT_ENUM(struct rfc_cfg, profile, "profile", 0, rfc_profile_name,
		"standard: the times and repeats of the RFCs, which take hours; quick: seconds a "
		"test, not to be called RFC 2544"),
	OPT_STR(struct rfc_cfg, tests, "tests", 't', "<list>",
		"tests, separated by commas; throughput comes first where others build on it"),
	OPT_STR(struct rfc_cfg, sizes, "sizes", 's', "<list>",
		"frame sizes in bytes with FCS, separated by commas, and mixes (imix, "
		"imix:<genome>); none: those of RFC 2544, or of RFC 5180 with --ipv6"),
	OPT_ENUM(struct rfc_cfg, search, "search", 0, rfc_search_name,
		"how throughput is found: binary search, the same with loss verification, or "
		"MLRsearch"),
	OPT_STR(struct rfc_cfg, goals, "goals", 0, "<list>",
		"goals of MLRsearch, separated by slashes: ndr, pdr, or "
		"loss=0.1%,exceed=50%,width=0.5%,final=1s,sum=21s"),
	OPT_U32(struct rfc_cfg, width_ppm, "width", 'w', "<percent>",
		"step between loads of a binary search, of the highest load", .unit = NUM_PERCENT,
		.min = 100, .max = 200000),
	OPT_U32(struct rfc_cfg, lv_repeat, "lv-repeat", 0, "<n>",
		"loss verification: trials at a load in all, of which one must lose nothing",
		.min = 2, .max = 100),
	OPT_U64(struct rfc_cfg, lv_loss, "lv-loss", 0, "<frames>",
		"loss verification: a trial that lost more is not repeated", .min = 1,
		.max = LV_LOSS_MAX),
	OPT_U64(struct rfc_cfg, max_fps, "max-rate", 0, "<fps>",
		"highest load of a port in frames a second; 0: what the tester does without a SUT",
		.unit = NUM_PER_S, .min = 1, .max = 10000000000, .zero_ok = true),
	OPT_U64(struct rfc_cfg, line_rate_bps, "line-rate", 0, "<rate>",
		"rate of the medium, from which theoretical maxima come; 0: it has none, like a "
		"veth",
		.unit = NUM_RATE, .min = 1000, .max = 1000000000000000, .zero_ok = true),
	OPT_U32(struct rfc_cfg, loss_step_ppm, "loss-step", 0, "<percent>",
		"from one load of the loss test to the next, of the highest", .unit = NUM_PERCENT,
		.min = 10000, .max = 100000),
	OPT_U64(struct rfc_cfg, burst_max_ns, "burst-max", 0, "<time>",
		"longest burst that is tried", .unit = NUM_DURATION, .min = NSEC_PER_MSEC,
		.max = 30 * NSEC_PER_SEC),
	OPT_U64(struct rfc_cfg, reset_after_ns, "reset-after", 0, "<time>",
		"from the begin of the trial to the reset", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_STR(struct rfc_cfg, reset_command, "reset-command", 0, "<command>",
		"what resets the SUT: a program and its arguments, no shell; none: its links go "
		"down and up"),
	OPT_STR(struct rfc_cfg, resume, "resume", 0, "<file>",
		"keep finished work in this file, and go on from what is in it"),
	OPT_END,
};

#define TIME(member, name, help, low, high)                                                        \
	OPT_U64(struct rfc_time, member, name, 0, "<time>", help, .unit = NUM_DURATION,            \
		.min = (low), .max = (high))
#define REPEAT(member, name, help)                                                                 \
	OPT_U32(struct rfc_time, member, name, 0, "<n>", help, .min = 1, .max = 1000)

const struct opt rfc_time_opts[] = {
	TIME(search_ns, "search-time", "a trial while throughput is searched", NSEC_PER_MSEC,
		3600 * NSEC_PER_SEC),
	TIME(final_ns, "final-time", "the trial that decides on throughput", NSEC_PER_MSEC,
		3600 * NSEC_PER_SEC),
	TIME(latency_ns, "latency-time", "a stream of the latency test", NSEC_PER_MSEC,
		3600 * NSEC_PER_SEC),
	TIME(loss_ns, "loss-time", "a trial of the loss test", NSEC_PER_MSEC, 3600 * NSEC_PER_SEC),
	TIME(recovery_ns, "recovery-time", "overload, and what follows, of the recovery test",
		NSEC_PER_MSEC, 3600 * NSEC_PER_SEC),
	TIME(reset_ns, "reset-time", "the trial in which the SUT is reset", NSEC_PER_MSEC,
		3600 * NSEC_PER_SEC),
	TIME(settle_ns, "settle", "rest before each trial", 0, 3600 * NSEC_PER_SEC),
	REPEAT(latency_repeat, "latency-repeat", "streams of each size and rate"),
	REPEAT(burst_repeat, "burst-repeat", "back-to-back searches of each size"),
	REPEAT(recovery_repeat, "recovery-repeat", "recovery trials of each size"),
	REPEAT(reset_repeat, "reset-repeat", "resets"),
	OPT_FLAG(struct rfc_time, learn, "learn", 0, "learning frames before each trial"),
	OPT_END,
};

static int plan_tests(struct rfc *c, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(c->cfg.tests);
	char *rest = copy, *word;
	bool build_on = false;

	while ((word = strsep(&rest, ","))) {
		uint32_t i = 0;

		while (i < RFC_TEST_N && strcmp(rfc_test_table[i]->name, word) != 0)
			i++;
		if (i == RFC_TEST_N)
			return err_say(e, EINVAL,
				"--tests: '%s' is none of throughput, latency, loss, back-to-back, "
				"recovery, reset",
				word);
		c->test[i] = true;
		build_on |= rfc_test_table[i]->needs_throughput;
	}
	c->test[RFC_THROUGHPUT] |= build_on;
	return 0;
}

static void overrides(const struct rfc *c, char *ret, size_t size)
{
	const struct campaign_times times = {.opts = rfc_time_opts,
		.now = &c->cfg.time,
		.usual = &rfc_time_profile[c->cfg.profile],
		.drain_ns = c->tester.drain_ns,
		.usual_drain_ns = rfc_drain_profile_ns[c->cfg.profile]};

	campaign_overrides(&times, ret, size);
}

/* What these numbers are, in a line that every output has. */
static void set_label(struct rfc *c)
{
	static const char *const search[] = {
		[RFC_SEARCH_BINARY] = "",
		[RFC_SEARCH_BINARY_LV] =
			"; throughput with loss verification (TST 009 s.12.3.3), which forgives "
			"loss that RFC 2544 does not",
		[RFC_SEARCH_MLR] = "; goal results of MLRsearch (RFC 9971) in the place of "
				   "RFC 2544 throughput",
	};
	char changed[256] = "";
	bool mixes = false;

	static_assert(ARRAY_SIZE(search) == RFC_SEARCH_N);
	overrides(c, changed, sizeof(changed));
	for (uint32_t i = 0; i < c->n_sizes; i++)
		mixes |= c->size[i].mix.n > 1;
	c->modified = *changed;
	c->is_rfc2544 = c->cfg.profile == RFC_PROFILE_STANDARD && !c->modified &&
			c->cfg.search == RFC_SEARCH_BINARY && !mixes;
	if (c->cfg.profile == RFC_PROFILE_QUICK)
		str_addf(c->label, sizeof(c->label),
			"quick profile: not RFC 2544, whose trials are 60 s and more, and are "
			"repeated");
	else
		str_addf(c->label, sizeof(c->label), "standard profile");
	if (c->modified)
		str_addf(c->label, sizeof(c->label), ", modified%s: %s",
			c->cfg.profile == RFC_PROFILE_STANDARD ? " (not RFC 2544's times)" : "",
			changed);
	str_addf(c->label, sizeof(c->label), "%s%s", search[c->cfg.search],
		mixes ? "; mixes of sizes (RFC 6985) are none of RFC 2544's" : "");
}

/* Sequence number and time need room. Ref: frame/headers.h; RFC 5180 s.5.1.1 */
static int check_sizes(const struct rfc *c, bool ipv6, struct err *e)
{
	const struct frame_form form = {.ipv6 = ipv6, .vlan = (uint16_t)c->tester.vlan};
	uint32_t least = frame_smallest_bytes(&form);

	for (uint32_t i = 0; i < c->n_sizes; i++)
		for (uint32_t k = 0; k < c->size[i].mix.n; k++)
			if (c->size[i].mix.size[k] < least)
				return err_say(e, EINVAL,
					"--sizes: %u is too small: %s frames%s are at least of %u "
					"bytes",
					c->size[i].mix.size[k], ipv6 ? "IPv6" : "IPv4",
					form.vlan ? " with a tag" : "", least);
	return 0;
}

int rfc_plan(struct rfc *c, bool ipv6, struct err *e)
{
	struct frame_mix mix[RFC_MAX_SIZES];
	const char *sizes = *c->cfg.sizes ? c->cfg.sizes
			    : ipv6        ? frame_sizes_ipv6
					  : frame_sizes_ipv4;
	int r = plan_tests(c, e);
	int n;

	if (r == 0)
		r = goals_parse(c->cfg.goals, c->cfg.profile == RFC_PROFILE_QUICK, c->goal,
			&c->n_goals, e);
	if (r < 0)
		return r;
	n = frame_mix_list(mix, RFC_MAX_SIZES, sizes, 1500, e);
	if (n < 0)
		return err_wrap(e, "--sizes");
	c->n_sizes = (uint32_t)n;
	for (uint32_t i = 0; i < c->n_sizes; i++)
		c->size[i] = (struct rfc_size){.mix = mix[i],
			.self_fps = NAN,
			.line_fps = NAN,
			.max_fps = NAN};
	if (c->cfg.time.search_ns > c->cfg.time.final_ns)
		return err_say(e, EINVAL, "--search-time is longer than --final-time");
	if (c->test[RFC_RESET] && c->cfg.reset_after_ns >= c->cfg.time.reset_ns)
		return err_say(e, EINVAL, "--reset-after is not within --reset-time");
	set_label(c);
	return check_sizes(c, ipv6, e);
}
