/* tare LOAD HOST: one load between this machine and a tare server, the same for every load. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/plan.h"
#include "cmd/table.h"
#include "report/live.h"
#include "report/report.h"
#include "report/stream.h"
#include "sys/signals.h"

#include <errno.h>
#include <string.h>

static const struct opt ask_opts[] = {
	OPT_FLAG(struct ask_cfg, json, "json", 'J', "one JSON document on stdout, at the end"),
	OPT_FLAG(struct ask_cfg, json_stream, "json-stream", 0,
		"one JSON object per line on stdout, as it happens"),
	OPT_FLAG(struct ask_cfg, csv, "csv", 0,
		"one CSV line per number on stdout, intervals included, at the end"),
	OPT_FLAG(struct ask_cfg, quiet, "quiet", 'q', "no lines for intervals, only the result"),
	OPT_FLAG(struct ask_cfg, fail_width, "fail-width", 0,
		"exit with 1 when an interval of confidence stayed wider than --width"),
	OPT_END,
};

/* As bench_opts, with the defaults and the names of a single trial. */
static const struct opt trial_opts[] = {
	OPT_U64(struct bench_cfg, time_ns, "time", 't', "<time>",
		"counted span of each trial; 0: until all of --bytes is through",
		.unit = NUM_DURATION, .min = 50 * NSEC_PER_MSEC, .max = 24 * 3600 * NSEC_PER_SEC,
		.zero_ok = true),
	OPT_U64(struct bench_cfg, warmup_ns, "warmup", 'O', "<time>",
		"load before the counted span, in no number; with --bytes there is none",
		.unit = NUM_DURATION, .min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC,
		.zero_ok = true),
	OPT_U32(struct bench_cfg, repeat_min, "repeat", 0, "<n>",
		"trials; with --width at least so many, and two", .min = 1, .max = 1000),
	OPT_U32(struct bench_cfg, width_ppm, "width", 0, "<percent>",
		"repeat until the 95 % interval is narrower; 0: do not", .unit = NUM_PERCENT,
		.min = 100, .max = 1000000, .zero_ok = true),
	OPT_U32(struct bench_cfg, repeat_max, "repeat-max", 0, "<n>", "most trials with --width",
		.min = 2, .max = 1000),
	OPT_U64(struct bench_cfg, time_max_ns, "time-max", 0, "<time>",
		"begin no trial that would end later; 0: no limit", .unit = NUM_DURATION,
		.min = NSEC_PER_SEC, .max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
	BENCH_SOFTIRQ_OPT,
	OPT_END,
};

/*
 * One trial in one direction, as the other programs of this kind do. Congestion control is the
 * machines' own: it is part of what is measured here, and a server without rights may set no other.
 */
static void remote_defaults(struct cmd_cfg *cfg)
{
	cfg->bench = (struct bench_cfg){
		.time_ns = 10 * NSEC_PER_SEC,
		.warmup_ns = 100 * NSEC_PER_MSEC,
		.repeat_min = 1,
		.repeat_max = 30,
	};
	for (uint32_t i = 0; load_table[i]; i++) {
		if (cfg->load[i].dir == LOAD_DIR_EACH)
			cfg->load[i].dir = LOAD_DIR_TX;
		if (cfg->load[i].proto == LOAD_PROTO_EACH)
			cfg->load[i].proto = LOAD_PROTO_TCP;
		cfg->load[i].congestion[0] = '\0';
	}
}

static void remote_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	uint32_t row = cmd_load_row(cfg->command->load);

	*ret++ = (struct opt_group){"Options", ask_opts, &cfg->ask, .stored = false};
	*ret++ = (struct opt_group){"Server", remote_opts, &cfg->remote, .stored = true};
	*ret++ = (struct opt_group){"Trials", trial_opts, &cfg->bench, .stored = true};
	*ret++ = (struct opt_group){load_table[row]->summary, load_table[row]->opts,
		&cfg->load[row], .stored = true};
	*ret = (struct opt_group){0};
}

static int plan_repeats(struct bench_cfg *b, const struct load_cfg *load, struct err *e)
{
	if (!b->time_ns && !load_cfg_bytes(load))
		return err_say(e, EINVAL,
			"--time 0 needs --bytes or --blocks, or it would never end");
	if (!b->width_ppm)
		b->repeat_max = b->repeat_min;
	else
		b->repeat_min = MAX(b->repeat_min, 2U);
	return 0;
}

static int plan(struct run *run, const struct cmd_cfg *cfg, const char *host, struct err *e)
{
	const struct load_cfg *load = &cfg->load[cmd_load_row(cfg->command->load)];
	int r;

	run->bench = cfg->bench;
	run->path_cfg = cfg->path;
	run->remote_cfg = cfg->remote;
	if (!*host || str_copy(run->remote_cfg.host, sizeof(run->remote_cfg.host), host) < 0)
		return err_say(e, EINVAL, "'%.100s' is not the name of a host", host);
	run->path[run->n_paths++] =
		(struct path_result){.spec = path_spec_of(&path_remote, &run->path_cfg)};
	if (cfg->ask.json + cfg->ask.json_stream + cfg->ask.csv > 1)
		return err_say(e, EINVAL, "--json, --json-stream and --csv exclude each other");
	r = remote_check(&run->remote_cfg, e);
	if (r == 0)
		r = plan_load(run, cfg->command->load, cfg->load, e);
	if (r == 0)
		r = plan_repeats(&run->bench, load, e);
	return r < 0 ? r : plan_check(run, e);
}

/* Why the first of the failed trials failed. */
static const char *why_failed(const struct run *run)
{
	for (uint32_t i = 0; i < run->n_trials; i++)
		if (run->trial[i].status == STATUS_FAILED)
			return run->trial[i].reason;
	return NULL;
}

static int finish(const struct run *run, const struct ask_cfg *ask)
{
	const char *why = why_failed(run);
	int r = ask->json          ? report_json(run, stdout)
		: ask->csv         ? report_csv(run, stdout)
		: ask->json_stream ? stream_end(run, stdout)
				   : live_end(run, stdout);

	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r));
	if (why)
		return cmd_fail(EXIT_RUN, "%s", why);
	return measure_verdict(run, ask);
}

static int fail(const struct ask_cfg *ask, int r, const struct err *e)
{
	if (ask->json_stream)
		(void)stream_error(e->text, stdout);
	return cmd_fail(r == -ECANCELED ? EXIT_RUN : EXIT_ENVIRONMENT, "%s", e->text);
}

static struct bench_hooks hooks_for(const struct ask_cfg *ask, int cancel_fd)
{
	struct bench_hooks hooks = {.ctx = stdout, .cancel_fd = cancel_fd};

	if (ask->json_stream) {
		hooks.progress = stream_progress;
		hooks.interval = stream_interval;
	} else if (!ask->json && !ask->csv) {
		hooks.progress = live_progress;
		hooks.interval = ask->quiet ? NULL : live_interval;
	}
	return hooks;
}

static int remote_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	_cleanup_(closep) int cancel_fd = -1;
	struct bench_hooks hooks;
	struct err e = {0};
	int r;

	if (n_args != 1)
		return cmd_fail(EXIT_USAGE, "%s: name one host, where a tare server runs", argv[0]);
	r = plan(run, cfg, args[0], &e);
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "%s: %s", argv[0], e.text);
	measure_note_command(run, argc, argv);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	hooks = hooks_for(&cfg->ask, cancel_fd);
	r = bench_run(run, &hooks, &e);
	return r < 0 ? fail(&cfg->ask, r, &e) : finish(run, &cfg->ask);
}

#define REMOTE_COMMAND(load_name, what, ...)                                                       \
	{                                                                                          \
		.name = load_name, .summary = what " between this machine and a tare server",      \
		.args = "HOST", .load = load_name,                                                 \
		.description =                                                                     \
			"Runs the load between this machine (near) and a tare server on HOST "     \
			"(far), and reports what both ends counted: payload or transactions, CPU " \
			"time of both machines, and TCP's own view of whichever end sends.\n"      \
			"\n"                                                                       \
			"All connections go from here to the server's one port. Each interval is " \
			"counted by both ends, on their own clocks. Ctrl-C ends the trial early "  \
			"and reports what there is; a second one gives up.",                       \
		.examples = {__VA_ARGS__}, .defaults = remote_defaults, .groups = remote_groups,   \
		.run = remote_run,                                                                 \
	}

const struct command command_stream = REMOTE_COMMAND("stream", "bulk data",
	"tare stream HOST\nhow fast this machine sends to HOST, for 10 s",
	"tare stream HOST --dir rx --flows 8 --repeat 5\nhow fast HOST sends, five times");

const struct command command_udp = REMOTE_COMMAND("udp", "datagrams",
	"tare udp HOST --packet 64\nhow many small datagrams HOST receives",
	"tare udp HOST --rate 100Mbps --packet 1200\nloss, jitter and gaps at a set rate");

const struct command command_rr = REMOTE_COMMAND("rr", "request and response",
	"tare rr HOST --req 1 --rsp 1\nround trips of one byte, over TCP",
	"tare rr HOST --proto udp --interval 100ms --json-stream\none JSON line for each 100 ms");

const struct command command_crr = REMOTE_COMMAND("crr", "a connection per transaction",
	"tare crr HOST\nconnections per second, and what each phase takes",
	"tare crr HOST --flows 8 --threads 2\neight at a time");
