/* Plan, measure, report: what compare and run have in common. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/labfile.h"
#include "bench/plan.h"
#include "cmd/table.h"
#include "path/table.h"
#include "report/progress.h"
#include "report/report.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ASK_OUTPUT_OPTS                                                                            \
	OPT_FLAG(struct ask_cfg, quick, "quick", 'q',                                              \
		"short trials, three of each: a first look, with wide intervals"),                 \
		OPT_FLAG(struct ask_cfg, json, "json", 'J', "one JSON document on stdout"),        \
		OPT_FLAG(struct ask_cfg, csv, "csv", 0, "one CSV line per number on stdout"),      \
		OPT_FLAG(struct ask_cfg, quiet, "quiet", 0, "no progress on stderr"),              \
		OPT_FLAG(struct ask_cfg, fail_width, "fail-width", 0,                              \
			"exit with 1 when an interval stayed wider than --width")

const struct opt ask_compare_opts[] = {
	OPT_STR(struct ask_cfg, paths, "path", 'p', "<list>",
		"paths to compare with native, and families of them, separated by commas, each "
		"with its own options if wanted: nat,overlay,vm-virtio:vcpus=2; all: every one"),
	OPT_STR(struct ask_cfg, loads, "load", 'L', "<list>",
		"loads, each with its own options if wanted: stream,rr:proto=udp,req=1"),
	OPT_STR(struct ask_cfg, file, "file", 0, "<file>",
		"paths, loads and options from a JSON file; the command line overrides it"),
	ASK_OUTPUT_OPTS,
	OPT_END,
};

const struct opt ask_run_opts[] = {
	OPT_STR(struct ask_cfg, paths, "path", 'p', "<path>", "the path"),
	OPT_STR(struct ask_cfg, loads, "load", 'L', "<load>",
		"the load, with its own options if wanted: rr:proto=udp,req=1"),
	ASK_OUTPUT_OPTS,
	OPT_END,
};

/* Option tables that paths have of their own, each once. */
static struct opt_group *family_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	for (size_t i = 0; path_table[i]; i++)
		if (path_brings_opts(i))
			*ret++ = (struct opt_group){path_table[i]->opts_title, path_table[i]->opts,
				&cfg->path, .stored = false};
	return ret;
}

void measure_groups(struct opt_group *ret, const struct opt *ask_opts, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Options", ask_opts, &cfg->ask, .stored = false};
	*ret++ = (struct opt_group){"Repetition", bench_opts, &cfg->bench, .stored = true};
	*ret++ = (struct opt_group){"Paths", path_opts, &cfg->path, .stored = true};
	ret = family_groups(ret, cfg);
	ret = far_groups(ret, cfg);
	for (uint32_t i = 0; load_table[i]; i++)
		*ret++ = (struct opt_group){load_table[i]->summary, load_table[i]->opts,
			&cfg->load[i], .stored = true};
	*ret = (struct opt_group){0};
}

/* Is @word an option without a value of the load that @one, "stream:dir=tx", asks for? */
static bool is_flag_of(const char *one, const char *word)
{
	char name[32];
	const struct load_ops *ops;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(one, ":"), one);
	ops = load_find(name);
	return ops && opt_find(ops->opts, word);
}

/*
 * "stream,rr:proto=udp,req=1": a part with "=" but no ":" belongs to the load before it, and so
 * does one of its flags.
 */
static int plan_loads(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(cfg->ask.loads);
	char one[sizeof(cfg->ask.loads)] = "";
	char *rest = copy, *p;
	int r = 0;

	while (r == 0 && (p = strsep(&rest, ","))) {
		bool pair = strchr(p, '=') && !strchr(p, ':');
		bool goes_on = *one && (pair || is_flag_of(one, p));

		if (*one && !goes_on) {
			r = plan_load(run, one, cfg->load, e);
			one[0] = '\0';
		}
		if (!*p)
			return err_say(e, EINVAL, "--load: '%s' names an empty load",
				cfg->ask.loads);
		str_addf(one, sizeof(one), "%s%s", goes_on ? "," : "", p);
	}
	return r < 0 ? r : plan_load(run, one, cfg->load, e);
}

bool measure_finds(const struct cmd_cfg *cfg)
{
	return *cfg->path.near_ns || *cfg->path.far_ns;
}

/* What the command line says, else the file; the network that is there comes on top of that. */
static int plan_all_paths(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	bool by_file = cfg->lab && labfile_has(cfg->lab, "paths") && !cfg->ask.paths_given;
	bool only_finds = measure_finds(cfg) && !cfg->ask.paths_given && !by_file;
	int r = by_file ? labfile_paths(cfg->lab, run, e)
			: plan_paths(run, only_finds ? path_existing.name : cfg->ask.paths, e);

	return r == 0 && measure_finds(cfg) ? plan_named(run, path_existing.name, e) : r;
}

static int plan(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	struct path_cfg machines = cfg->path;
	struct path_spec native;
	int r;

	run->bench = cfg->bench;
	run->path_cfg = cfg->path;
	machines.between = PATH_BETWEEN_MACHINES;
	native = path_spec_of(path_table[0], &machines);
	r = path_check(&native, e);
	if (r == 0)
		r = plan_all_paths(run, cfg, e);
	if (r == 0)
		r = far_plan(run, cfg, e);
	if (r < 0)
		return r;
	if (cfg->lab && labfile_has(cfg->lab, "loads") && !cfg->ask.loads_given)
		r = labfile_loads(cfg->lab, run, cfg->load, e);
	else
		r = plan_loads(run, cfg, e);
	return r < 0 ? r : plan_check(run, e);
}

/* A namespace that is not there is found out now, not after all others have been measured. */
static int find_existing(const struct run *run, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < run->n_paths; i++)
		if (run->path[i].spec.ops->no_lab)
			r = path_probe(&run->path[i].spec, e);
	return MIN(r, 0);
}

static int report(const struct run *run, const struct ask_cfg *ask)
{
	int r = ask->json  ? report_json(run, stdout)
		: ask->csv ? report_csv(run, stdout)
			   : report_text(run, stdout);

	return r < 0 ? cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r))
		     : EXIT_DONE;
}

static bool any_wide(const struct run *run)
{
	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++)
		if (run->cell[i].stop == STOP_REPEAT_MAX || run->cell[i].stop == STOP_TIME_MAX)
			return true;
	return false;
}

enum exit_code measure_verdict(const struct run *run, const struct ask_cfg *ask)
{
	uint32_t n_skipped = 0;

	for (uint32_t i = 0; i < run->n_trials; i++)
		if (run->trial[i].status == STATUS_FAILED)
			return EXIT_RUN;
	for (uint32_t i = 0; i < run->n_paths; i++) {
		if (run->path[i].status == STATUS_FAILED)
			return EXIT_RUN;
		n_skipped += run->path[i].status == STATUS_SKIPPED;
	}
	if (!run->complete)
		return EXIT_RUN;
	if (n_skipped && n_skipped == run->n_paths - 1) /* native is never skipped */
		return EXIT_ENVIRONMENT;
	return ask->fail_width && any_wide(run) ? EXIT_CONDITION : EXIT_DONE;
}

void measure_note_command(struct run *run, int argc, char **argv)
{
	str_addf(run->command, sizeof(run->command), "tare");
	for (int i = 0; i < argc; i++)
		str_addf(run->command, sizeof(run->command), " %s", argv[i]);
}

int measure(struct cmd_cfg *cfg, int argc, char **argv)
{
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	_cleanup_(closep) int cancel_fd = -1;
	struct progress progress = {.out = stderr, .tty = isatty(STDERR_FILENO)};
	struct bench_hooks hooks = {.ctx = &progress};
	struct err e = {0};
	int r = plan(run, cfg, &e);

	if (r == 0 && cfg->command == &command_run && run->n_paths > 2)
		r = err_say(&e, EINVAL, "name one path with --path (see tare list)");
	if (r == 0 && cfg->ask.json && cfg->ask.csv)
		r = err_say(&e, EINVAL, "--json and --csv exclude each other");
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "%s: %s", argv[0], e.text);
	if (find_existing(run, &e) < 0 || far_find(run, &e) < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s: %s", argv[0], e.text);
	measure_note_command(run, argc, argv);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);

	hooks.cancel_fd = cancel_fd;
	hooks.progress = cfg->ask.quiet ? NULL : progress_show;
	r = bench_run(run, &hooks, &e);
	if (!cfg->ask.quiet)
		progress_end(&progress);
	if (r < 0)
		return cmd_fail(r == -ECANCELED ? EXIT_RUN : EXIT_ENVIRONMENT, "%s", e.text);
	r = report(run, &cfg->ask);
	return r != EXIT_DONE ? r : (int)measure_verdict(run, &cfg->ask);
}
