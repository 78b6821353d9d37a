#include "report/penalty.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "report/progress.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct opt output_opts[] = {
	OPT_FLAG(struct penalty_ask, json, "json", 'J', "one JSON document on stdout"),
	OPT_FLAG(struct penalty_ask, csv, "csv", 0, "a line for each trial on stdout"),
	OPT_FLAG(struct penalty_ask, verbose, "verbose", 'v', "a table of all trials, too"),
	OPT_FLAG(struct penalty_ask, quiet, "quiet", 0, "no estimate and no progress on stderr"),
	OPT_END,
};

static void groups_of(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Penalty", penalty_opts, &cfg->penalty, .stored = true};
	*ret++ = (struct opt_group){"Output", output_opts, &cfg->penalty_ask, .stored = false};
	*ret = (struct opt_group){0};
}

static void defaults(struct cmd_cfg *cfg)
{
	cfg->penalty = penalty_cfg_default;
}

static int show(const struct penalty *p, const struct penalty_ask *ask)
{
	int r;

	if (ask->json)
		r = report_penalty_json(p, stdout);
	else if (ask->csv)
		r = report_penalty_csv(p, stdout);
	else
		r = report_penalty_text(p, ask->verbose, stdout);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r));
	if (!p->complete)
		return cmd_fail(EXIT_RUN, "interrupted");
	return penalty_any_failed(p) ? EXIT_RUN : EXIT_DONE;
}

static int measure_all(struct penalty *p, const struct penalty_ask *ask, int cancel_fd)
{
	struct progress progress = {.out = stderr, .tty = isatty(STDERR_FILENO)};
	struct penalty_hooks hooks = {.ctx = &progress, .cancel_fd = cancel_fd};
	struct err e = {0};
	int r;

	if (!ask->quiet) {
		hooks.progress = report_penalty_progress;
		report_penalty_estimate(p, stderr);
	}
	r = penalty_run(p, &hooks, &e);
	if (!ask->quiet)
		progress_end(&progress);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "penalty: %s", e.text);
	return show(p, ask);
}

static void free_penalty(struct penalty *p)
{
	penalty_fini(p);
	free(p);
}
DEFINE_CLEANUP(struct penalty *, free_penalty, free_penaltyp)

static int penalty_command(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(free_penaltyp) struct penalty *p = xcalloc(1, sizeof(*p));
	_cleanup_(closep) int cancel_fd = -1;
	struct err e = {0};
	int r;

	(void)args;
	(void)n_args;
	p->cfg = cfg->penalty;
	str_set(p->command, "tare");
	for (int i = 0; i < argc; i++)
		str_addf(p->command, sizeof(p->command), " %s", argv[i]);
	r = penalty_plan(p, &e);
	if (r == 0 && cfg->penalty_ask.json && cfg->penalty_ask.csv)
		r = err_say(&e, EINVAL, "--json and --csv exclude each other");
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "penalty: %s", e.text);
	r = penalty_check(p, &e);
	if (r < 0)
		return cmd_fail(r == -EINVAL ? EXIT_USAGE : EXIT_ENVIRONMENT, "penalty: %s",
			e.text);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	return measure_all(p, &cfg->penalty_ask, cancel_fd);
}

const struct command command_penalty = {
	.name = "penalty",
	.summary = "what a container that computes loses to a neighbour's packets",
	.args = "",
	.description =
		"Three containers share one CPU, each with a quota of it: a victim that computes, "
		"a neighbour, and a bystander with a little traffic. The soft interrupts of all "
		"that comes over the wire land on that CPU, too, as a NIC's would, and the kernel "
		"charges them to whoever happens to run. The penalty is the time the victim really "
		"gets beside a neighbour that computes, by the time it gets beside one of the same "
		"quota with packets: 1 is perfect isolation.\n"
		"\n"
		"The victim's time is what its own loop sees: it reads the clock all the time, and "
		"where two readings are too far apart, it did not run. Trials of one round are "
		"pairs; their order turns. A trial in which other processes had too much of the "
		"CPU (--foreign) is done again, and marked * when that does not help.\n"
		"\n"
		"Needs root, two CPUs and cgroups with CPU quotas. The exit status is 4 when a "
		"trial failed, 3 when this machine can't do it.",
	.examples = {"tare penalty --shares 60/20/20 --neighbour udp-rx,gso-rx\n"
		     "beside a flood of small packets, and one of UDP GSO packets",
		"tare penalty --shares 80/20 --neighbour tcp-rx --mtu 300\n"
		"beside 16 TCP streams of small segments",
		"tare penalty --neighbour udp-rx --guard off,charge+drop --json\n"
		"what tare guard makes of it",
		"tare penalty --burst 1 --guard off,charge+drop,charge+drop+moderate\n"
		"each packet comes with an interrupt: what moderation changes"},
	.defaults = defaults,
	.groups = groups_of,
	.run = penalty_command,
};
