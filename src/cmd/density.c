#include "report/density.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench.h"
#include "cmd/table.h"
#include "report/progress.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct opt output_opts[] = {
	OPT_FLAG(struct density_ask, json, "json", 'J', "one JSON document on stdout"),
	OPT_FLAG(struct density_ask, quiet, "quiet", 0, "no estimate and no progress on stderr"),
	OPT_END,
};

static void groups_of(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Matrix", density_opts, &cfg->density, .stored = true};
	*ret++ = (struct opt_group){"Output", output_opts, &cfg->density_ask, .stored = false};
	*ret++ = (struct opt_group){"Times and repeats (defaults: standard profile)",
		density_time_opts, &cfg->density.time, .stored = true};
	*ret++ = (struct opt_group){"Functions", density_path_opts, &cfg->path, .stored = true};
	*ret++ = (struct opt_group){"Tester", tester_opts, &cfg->tester, .stored = true};
	*ret++ = (struct opt_group){"Paths", path_opts, &cfg->path, .stored = true};
	*ret = (struct opt_group){0};
}

static void defaults(struct cmd_cfg *cfg)
{
	cfg->density = density_cfg_default;
	cfg->density.time = density_time_profile[RFC_PROFILE_STANDARD];
	cfg->tester.drain_ns = density_drain_profile_ns[RFC_PROFILE_STANDARD];
}

/* What was not given is the profile's. */
static void apply_profile(struct cmd_cfg *cfg, int argc, char **argv)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	const struct density_time *usual = &density_time_profile[cfg->density.profile];

	groups_of(groups, cfg);
	for (const struct opt *o = density_time_opts; o->name; o++)
		if (!opt_given(groups, argc, argv, o->name))
			memcpy((char *)&cfg->density.time + o->offset,
				(const char *)usual + o->offset, o->size);
	if (!opt_given(groups, argc, argv, "drain"))
		cfg->tester.drain_ns = density_drain_profile_ns[cfg->density.profile];
}

/* A receiver has a bit for each frame of a trial: of the longest one, at the fastest. */
#define MOST_FPS    5e6
#define MOST_FRAMES 1e9

static uint64_t most_frames(const struct density *d)
{
	double fps = d->cfg.max_fps ? (double)d->cfg.max_fps : MOST_FPS;
	uint64_t ns = MAX(d->cfg.time.trial_ns, d->cfg.time.latency_ns);

	for (uint32_t i = 0; d->cfg.search == DENSITY_MLR && i < d->n_goals; i++)
		ns = MAX(ns, d->goal[i].final_ns);
	return (uint64_t)MIN(fps * (double)ns / 1e9, MOST_FRAMES);
}

static int plan(struct density *d, struct cmd_cfg *cfg, int argc, char **argv, struct err *e)
{
	int r = subject_check_tester(&cfg->tester, e);

	if (r < 0)
		return r;
	apply_profile(cfg, argc, argv);
	d->cfg = cfg->density;
	d->tester = cfg->tester;
	d->path = cfg->path;
	str_addf(d->command, sizeof(d->command), "tare");
	for (int i = 0; i < argc; i++)
		str_addf(d->command, sizeof(d->command), " %s", argv[i]);
	r = density_plan(d, e);
	d->tester.max_frames = most_frames(d);
	return r;
}

static int measure_all(struct density *d, const struct density_ask *ask, int cancel_fd)
{
	struct progress progress = {.out = stderr, .tty = isatty(STDERR_FILENO)};
	struct density_hooks hooks = {.ctx = &progress, .cancel_fd = cancel_fd};
	struct err e = {0};
	int r;

	if (!ask->quiet) {
		hooks.progress = report_density_progress;
		report_density_estimate(d, stderr);
	}
	r = density_run(d, &hooks, &e);
	if (!ask->quiet)
		progress_end(&progress);
	if (r == -EEXIST)
		return cmd_fail(EXIT_USAGE, "density: %s", e.text);
	if (r < 0 && r != -ECANCELED)
		return cmd_fail(EXIT_ENVIRONMENT, "density: %s", e.text);
	if (r == -ECANCELED && !*d->info.tx) /* before there was anything to say */
		return cmd_fail(EXIT_RUN, "interrupted");
	r = ask->json ? report_density_json(d, stdout) : report_density_text(d, stdout);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r));
	if (!d->complete)
		return cmd_fail(EXIT_RUN, "interrupted");
	return density_any_failed(d) ? EXIT_RUN : EXIT_DONE;
}

static void free_density(struct density *d)
{
	density_fini(d);
	free(d);
}
DEFINE_CLEANUP(struct density *, free_density, free_densityp)

static int density_command(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(free_densityp) struct density *d = xcalloc(1, sizeof(*d));
	_cleanup_(closep) int cancel_fd = -1;
	struct err e = {0};
	bool rootless;
	int r = plan(d, cfg, argc, argv, &e);

	(void)args;
	(void)n_args;
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "density: %s", e.text);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	r = bench_privilege(&rootless, &e);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "density: %s", e.text);
	return measure_all(d, &cfg->density_ask, cancel_fd);
}

const struct command command_density = {
	.name = "density",
	.summary = "a matrix of service density: instances by functions, as chains and pipelines",
	.args = "",
	.description =
		"Builds M service instances of N network functions each, for every M and N of two "
		"lists, as chains (the host's switch between all functions) and as pipelines "
		"(functions linked to each other), loads all instances of a cell equally with "
		"numbered frames, and says what comes through them together.\n"
		"\n"
		"Besides the results it shows what the switch has to do in each cell, which CPUs "
		"do the work, and whether what is known of such matrices "
		"(draft-mkonstan-nf-service-density-01) is to be seen here.\n"
		"\n"
		"Cells take turns over rebuilds (--rebuild). A cell that can't be is ---, one that "
		"was not measured ???, and * is behind one that took more than one try. Finished "
		"work is kept with --resume. The exit status is 4 when a cell failed.",
	.examples = {"tare density --profile quick --nf xdp\n"
		     "1, 2 and 4 instances of 1, 2 and 4 functions, in a minute or so",
		"tare density --search mlr --latency --rebuild 3 --resume m.jsonl\n"
		"NDR, PDR and latency of each cell, three times, to go on with when interrupted",
		"tare density --topology chain --instances 1 --nfs 1,2,3,4,5,6,7,8 --size imix "
		"--profile quick\n"
		"what each further function of a chain costs"},
	.defaults = defaults,
	.groups = groups_of,
	.run = density_command,
};
