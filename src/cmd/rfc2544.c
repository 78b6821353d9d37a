#include "report/rfc2544.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "report/progress.h"
#include "report/report.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct opt output_opts[] = {
	OPT_FLAG(struct rfc2544_ask, json, "json", 'J', "one JSON document on stdout"),
	OPT_FLAG(struct rfc2544_ask, csv, "csv", 0, "one CSV line per number on stdout"),
	OPT_STR(struct rfc2544_ask, gnuplot, "gnuplot", 0, "<folder>",
		"write data files and a script for gnuplot there, too"),
	OPT_FLAG(struct rfc2544_ask, quiet, "quiet", 0, "no estimate and no progress on stderr"),
	OPT_END,
};

static void groups_of(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Subject", subject_opts, &cfg->subject, .stored = false};
	*ret++ = (struct opt_group){"Output", output_opts, &cfg->rfc_ask, .stored = false};
	*ret++ = (struct opt_group){"Tests", rfc_opts, &cfg->rfc, .stored = true};
	*ret++ = (struct opt_group){"Times and repeats (defaults: standard profile)", rfc_time_opts,
		&cfg->rfc.time, .stored = true};
	ret = subject_groups(ret, cfg);
	*ret = (struct opt_group){0};
}

static void defaults(struct cmd_cfg *cfg)
{
	cfg->rfc.time = rfc_time_profile[RFC_PROFILE_STANDARD];
	cfg->tester.drain_ns = rfc_drain_profile_ns[RFC_PROFILE_STANDARD];
}

/* What was not given is the profile's. */
static void apply_profile(struct cmd_cfg *cfg, int argc, char **argv)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	const struct rfc_time *usual = &rfc_time_profile[cfg->rfc.profile];
	const struct rfc_search_usual *search = &rfc_search_profile[cfg->rfc.profile];

	groups_of(groups, cfg);
	for (const struct opt *o = rfc_time_opts; o->name; o++)
		if (!opt_given(groups, argc, argv, o->name))
			memcpy((char *)&cfg->rfc.time + o->offset, (const char *)usual + o->offset,
				o->size);
	if (!opt_given(groups, argc, argv, "search"))
		cfg->rfc.search = search->search;
	if (!opt_given(groups, argc, argv, "lv-repeat"))
		cfg->rfc.lv_repeat = search->lv_repeat;
	if (!opt_given(groups, argc, argv, "lv-loss"))
		cfg->rfc.lv_loss = search->lv_loss;
	if (!opt_given(groups, argc, argv, "search-time"))
		cfg->rfc.time.search_ns = MIN(cfg->rfc.time.search_ns, cfg->rfc.time.final_ns);
	if (!opt_given(groups, argc, argv, "drain"))
		cfg->tester.drain_ns = rfc_drain_profile_ns[cfg->rfc.profile];
}

/* A receiver has a bit for each frame of a trial: of the longest one, at the fastest. */
#define MOST_FPS    5e6
#define MOST_FRAMES 1e9

static uint64_t most_frames(const struct rfc_cfg *cfg)
{
	const struct rfc_time *t = &cfg->time;
	double fps = cfg->max_fps ? (double)cfg->max_fps : MOST_FPS;
	const uint64_t each_ns[] = {t->final_ns, t->latency_ns, t->loss_ns, 2 * t->recovery_ns,
		t->reset_ns, cfg->burst_max_ns};
	uint64_t ns = 0;

	for (size_t i = 0; i < ARRAY_SIZE(each_ns); i++)
		ns = MAX(ns, each_ns[i]);
	return (uint64_t)MIN(fps * (double)ns / 1e9, MOST_FRAMES);
}

static int plan(struct rfc *c, struct cmd_cfg *cfg, int argc, char **argv, struct err *e)
{
	bool ipv6;
	int r;

	apply_profile(cfg, argc, argv);
	cfg->tester.max_frames = most_frames(&cfg->rfc);
	if (cfg->rfc_ask.json && cfg->rfc_ask.csv)
		return err_say(e, EINVAL, "--json and --csv exclude each other");
	r = subject_resources_check(cfg, e);
	if (r == 0)
		r = subject_ask_check(cfg, &ipv6, e);
	if (r < 0)
		return r;
	if (*cfg->rfc.resume && cfg->resources.rebuild)
		return err_say(e, EINVAL,
			"--rebuild and --resume exclude each other: what goes on later is another "
			"instantiation");
	c->cfg = cfg->rfc;
	c->tester = cfg->tester;
	c->resources = cfg->resources;
	str_addf(c->command, sizeof(c->command), "tare");
	for (int i = 0; i < argc; i++)
		str_addf(c->command, sizeof(c->command), " %s", argv[i]);
	r = rfc_plan(c, ipv6, e);
	for (uint32_t i = 0; r == 0 && i < c->n_sizes; i++)
		for (uint32_t k = 0; k < c->size[i].mix.n; k++)
			cfg->tester.max_bytes =
				MAX(cfg->tester.max_bytes, (uint32_t)c->size[i].mix.size[k]);
	c->tester.max_bytes = cfg->tester.max_bytes;
	return r;
}

static int show(const struct rfc *c, const struct rfc2544_ask *ask)
{
	struct err e = {0};
	int r = ask->json  ? report_rfc2544_json(c, stdout)
		: ask->csv ? report_rfc2544_csv(c, stdout)
			   : report_rfc2544_text(c, stdout);

	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r));
	if (*ask->gnuplot && report_rfc2544_plot(c, ask->gnuplot, &e) < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "--gnuplot: %s", e.text);
	return EXIT_DONE;
}

static int measure_all(struct rfc *c, struct subject *s, const struct cmd_cfg *cfg, int cancel_fd)
{
	struct progress progress = {.out = stderr, .tty = isatty(STDERR_FILENO)};
	struct rfc_hooks hooks = {.ctx = &progress, .cancel_fd = cancel_fd};
	struct err e = {0};
	int r;

	if (!cfg->rfc_ask.quiet) {
		hooks.progress = report_rfc2544_progress;
		if (!s->simulated)
			report_rfc2544_estimate(c, stderr);
	}
	r = rfc_run(c, s, &hooks, &e);
	if (!cfg->rfc_ask.quiet)
		progress_end(&progress);
	if (r == -EEXIST)
		return cmd_fail(EXIT_USAGE, "rfc2544: %s", e.text);
	if (r < 0 && r != -ECANCELED)
		return cmd_fail(EXIT_ENVIRONMENT, "rfc2544: %s", e.text);
	r = show(c, &cfg->rfc_ask);
	if (r != EXIT_DONE)
		return r;
	if (!c->complete)
		return cmd_fail(EXIT_RUN, "interrupted");
	return rfc_any_failed(c) ? EXIT_RUN : EXIT_DONE;
}

static void free_rfc(struct rfc *c)
{
	rfc_fini(c);
	free(c);
}
DEFINE_CLEANUP(struct rfc *, free_rfc, free_rfcp)

static int rfc2544_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(free_rfcp) struct rfc *c = xcalloc(1, sizeof(*c));
	_cleanup_(subject_closep) struct subject *s = NULL;
	_cleanup_(closep) int cancel_fd = -1;
	struct err e = {0};
	int r = plan(c, cfg, argc, argv, &e);

	(void)args;
	(void)n_args;
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "rfc2544: %s", e.text);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	r = subject_ask_open(&s, cfg, cancel_fd, &e);
	if (r == -ECANCELED)
		return cmd_fail(EXIT_RUN, "interrupted");
	if (r != 0)
		return cmd_fail(EXIT_ENVIRONMENT, "rfc2544: %s", e.text);
	return measure_all(c, s, cfg, cancel_fd);
}

const struct command command_rfc2544 = {
	.name = "rfc2544",
	.summary = "the tests of RFC 2544: throughput, latency, loss, bursts, recovery, reset",
	.args = "",
	.description =
		"Sends numbered test frames through a path of the lab, through what joins two "
		"devices (--ports), or through a model (--sut), and finds for each frame size the "
		"highest rate without loss, the latency at it, the loss above it, the longest "
		"burst and the buffer behind it (RFC 9004), and how long frames are lost after an "
		"overload and during a reset (RFC 6201). Before that the tester is measured "
		"without a SUT, for what it can't do it can't see.\n"
		"\n"
		"The standard profile has the times and repeats of the RFCs and takes hours; how "
		"many is said before it starts. Whatever makes a result something else than "
		"RFC 2544's (the quick profile, single options, another search) is said in a line "
		"that every output has.\n"
		"\n"
		"Finished work is kept with --resume; the same command line then goes on with it, "
		"also after a crash. The exit status is 4 when a row failed.",
	.examples = {"tare rfc2544 --path bridge --profile quick\n"
		     "every test of every size through a bridge, in minutes",
		"tare rfc2544 --path veth --tests throughput,loss --sizes 64,512,1518 "
		"--resume veth.jsonl\n"
		"two tests as RFC 2544 has them, to go on with when interrupted",
		"tare rfc2544 --sut model:rate=1M,queue=1000 --profile quick --search mlr\n"
		"what comes out for a SUT whose answers are known"},
	.defaults = defaults,
	.groups = groups_of,
	.run = rfc2544_run,
};
