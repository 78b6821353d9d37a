#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "method/subject.h"
#include "report/frames.h"
#include "sys/signals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The fastest that any sender here could be: numbers for so many must fit. */
#define MOST_FPS    20000000
#define MOST_FRAMES 1000000000ULL

const struct frames_cfg frames_cfg_default = {
	.rate = "10k",
	.time_ns = NSEC_PER_SEC,
};

static const struct opt frames_opts[] = {
	OPT_STR(struct frames_cfg, size, "size", 0, "<bytes>",
		"of frames, with FCS; or a mix: imix, imix:<genome>; default: the smallest, 64, of "
		"IPv6 78"),
	OPT_STR(struct frames_cfg, rate, "rate", 0, "<n>",
		"frames a second out of each port that sends: 5000, 100k, 1.5M; max: as fast as "
		"it goes"),
	OPT_U64(struct frames_cfg, time_ns, "time", 't', "<time>", "how long to send",
		.unit = NUM_DURATION, .min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct frames_cfg, count, "count", 'c', "<n>",
		"how many frames to send instead: 20000, 1M", .unit = NUM_MANY, .min = 1,
		.max = MOST_FRAMES, .zero_ok = true),
	OPT_FLAG(struct frames_cfg, latency, "latency", 0, "of each frame, from send to receive"),
	OPT_FLAG(struct frames_cfg, learn, "learn", 0,
		"both ports send learning frames first (RFC 2544 section 23)"),
	OPT_FLAG(struct frames_cfg, json, "json", 'J', "one JSON document on stdout"),
	OPT_FLAG(struct frames_cfg, fail_loss, "fail-loss", 0, "exit with 1 when a frame was lost"),
	OPT_END,
};

/* What the words come to. */
struct ask {
	struct frame_mix mix;
	double fps; /* INFINITY: as fast as it goes */
};

static int parse_rate(const char *text, double *ret, struct err *e)
{
	uint64_t fps;
	int r;

	*ret = INFINITY;
	if (strcmp(text, "max") == 0)
		return 0;
	r = num_parse(text, NUM_PER_S, &fps, e);
	if (r == 0 && (fps < 1 || fps > MOST_FPS))
		r = err_say(e, ERANGE, "'%s' is out of range (1 to 20M)", text);
	*ret = (double)fps;
	return r < 0 ? err_wrap(e, "--rate") : 0;
}

static int parse_mix(struct ask *ask, const struct cmd_cfg *cfg, bool ipv6, struct err *e)
{
	const struct frame_form form = {.ipv6 = ipv6, .vlan = (uint16_t)cfg->tester.vlan};
	const char *size = cfg->frames.size;
	uint32_t least = frame_smallest_bytes(&form);
	char smallest[12];
	int r;

	snprintf(smallest, sizeof(smallest), "%u", least);
	r = frame_mix_parse(&ask->mix, *size ? size : smallest, cfg->path.mtu, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ask->mix.n; i++)
		if (ask->mix.size[i] < least)
			return err_say(e, EINVAL,
				"--size %u is too small: %s frames%s are at "
				"least of %u bytes",
				ask->mix.size[i], ipv6 ? "IPv6" : "IPv4",
				form.vlan ? " with a tag" : "", least);
	return 0;
}

static int parse(struct ask *ask, struct cmd_cfg *cfg, bool *ret_ipv6, struct err *e)
{
	const struct frames_cfg *f = &cfg->frames;
	double most;
	int r = subject_ask_check(cfg, ret_ipv6, e);

	if (r == 0)
		r = parse_mix(ask, cfg, *ret_ipv6, e);
	if (r == 0)
		r = parse_rate(f->rate, &ask->fps, e);
	if (r < 0)
		return r;
	most = f->count ? (double)f->count
			: MIN(ask->fps, (double)MOST_FPS) * (double)f->time_ns / 1e9;
	cfg->tester.max_frames = (uint64_t)MIN(MAX(ceil(most), 1024.0), (double)MOST_FRAMES);
	for (uint32_t i = 0; i < ask->mix.n; i++)
		cfg->tester.max_bytes = MAX(cfg->tester.max_bytes, (uint32_t)ask->mix.size[i]);
	return 0;
}

/* How long it takes at a rate, or may take at the most. */
static void make_args(const struct ask *ask, const struct frames_cfg *f,
	struct tester_trial_args *ret)
{
	const bool paced = isfinite(ask->fps);
	uint64_t n = f->count;
	double s;

	if (!n)
		n = paced ? (uint64_t)MAX(ask->fps * (double)f->time_ns / 1e9, 1.0)
			  : TESTER_UNTIL_END;
	/* A count as fast as it goes: within the time that 10,000 a second take, or one second. */
	s = n == TESTER_UNTIL_END ? (double)f->time_ns / 1e9
				  : (double)n / (paced ? ask->fps : 1e4) + (paced ? 0 : 1);
	*ret = (struct tester_trial_args){.mix = &ask->mix,
		.n_phases = 1,
		.phase = {{.n_frames = n, .gap_q16 = paced ? FRAME_GAP_Q16(ask->fps) : 0}},
		.latency = f->latency,
		.learn = f->learn,
		.time_ns = (uint64_t)(s * 1e9)};
	if (paced)
		ret->time_ns += subject_slack_ns(ret->time_ns);
}

/* Of what fails in a trial, only that its frames do not fit is the user's. */
static enum exit_code exit_of(int r, bool opened)
{
	if (r == -E2BIG || r == -EMSGSIZE || (!opened && (r == -EINVAL || r == -ERANGE)))
		return EXIT_USAGE;
	return opened || r == -ECANCELED ? EXIT_RUN : EXIT_ENVIRONMENT;
}

static bool any_lost(const struct frames_spread *s)
{
	for (uint32_t i = 0; i < s->n_rebuilds * s->n_repeats; i++)
		if (s->trial[i].flow[0].lost || s->trial[i].flow[1].lost)
			return true;
	return false;
}

/* @s->trial: [rebuilds * repeats]; latencies are of the first. */
static int make_trials(struct frames_spread *s, struct subject *subject,
	const struct tester_trial_args *args, int cancel_fd, struct err *e)
{
	const uint32_t n = s->n_rebuilds * s->n_repeats;
	_cleanup_(freep) double *fps = xcalloc(n, sizeof(*fps));
	uint32_t n_of[RESOURCES_MAX_REBUILD];
	struct tester_trial_args more = *args;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		n_of[i / s->n_repeats] = s->n_repeats;
		if (i > 0 && i % s->n_repeats == 0)
			r = subject_rebuild(subject, e);
		if (r == 0)
			r = tester_trial(subject->tester, &more, cancel_fd, &s->trial[i], e);
		fps[i] = r == 0 ? frames_received_fps(&s->trial[i]) : 0;
		more.latency = false;
	}
	s->fps = components_of(fps, n_of, s->n_rebuilds);
	return r;
}

static int show(const struct frames_report *report, const struct cmd_cfg *cfg)
{
	int r = cfg->frames.json ? frames_json(report, stdout) : frames_text(report, stdout);

	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "cannot write the report: %s", strerror(-r));
	r = cmd_finish();
	return r == EXIT_DONE && cfg->frames.fail_loss && any_lost(report->spread) ? EXIT_CONDITION
										   : r;
}

static int frames_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(subject_closep) struct subject *s = NULL;
	_cleanup_(closep) int cancel_fd = -1;
	_cleanup_(freep) struct hist *hist = cfg->frames.latency ? xcalloc(1, sizeof(*hist)) : NULL;
	_cleanup_(freep) struct tester_trial *trial = NULL;
	struct tester_trial_args trial_args;
	struct ask ask = {0};
	struct frames_spread spread = {.n_rebuilds = resources_rebuilds(&cfg->resources),
		.n_repeats = resources_repeats(&cfg->resources)};
	struct frames_report report = {.mix = &ask.mix,
		.cfg = &cfg->tester,
		.resources = &cfg->resources,
		.spread = &spread};
	char command[1024] = "tare", started[21];
	struct err e = {0};
	int r = subject_resources_check(cfg, &e);

	if (r == 0)
		r = parse(&ask, cfg, &report.ipv6, &e);
	(void)args;
	(void)n_args;
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "frames: %s", e.text);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	for (int i = 0; i < argc; i++)
		str_addf(command, sizeof(command), " %s", argv[i]);
	clock_utc(started);
	if (hist)
		hist_init(hist);
	r = subject_ask_open(&s, cfg, cancel_fd, &e);
	if (r != 0)
		return cmd_fail(exit_of(r, false), "frames: %s", e.text);
	make_args(&ask, &cfg->frames, &trial_args);
	report.trial = spread.trial = trial =
		xcalloc(spread.n_rebuilds * spread.n_repeats, sizeof(*trial));
	trial->hist = hist;
	r = make_trials(&spread, s, &trial_args, cancel_fd, &e);
	if (r != 0)
		return cmd_fail(r > 0 ? EXIT_ENVIRONMENT : exit_of(r, true), "frames: %s", e.text);
	report.subject = s;
	report.fps = ask.fps;
	report.command = command;
	report.started = started;
	return show(&report, cfg);
}

static void frames_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Subject", subject_port_opts, &cfg->subject, .stored = false};
	*ret++ = (struct opt_group){"Options", frames_opts, &cfg->frames, .stored = false};
	ret = subject_groups(ret, cfg);
	*ret = (struct opt_group){0};
}

const struct command command_frames = {
	.name = "frames",
	.summary = "send frames at a rate between two ports, and count what arrives",
	.args = "",
	.description =
		"One trial of RFC 2544's kind: numbered test frames, on an absolute schedule, out "
		"of one port (or both) and into the other; between them is a path of the lab, or "
		"with --ports anything at all. Each number has one bit at the receiver: loss, "
		"duplicates and frames of an earlier trial are exact to the frame. What the sender "
		"could not send in time is lost, too.",
	.examples = {"tare frames --path bridge --rate 100k --time 1s\n"
		     "a second of smallest frames through a bridge",
		"tare frames --path veth --rate max --dir both --latency\n"
		"how fast it goes both ways, and how late frames are",
		"tare frames --ports eth1,eth2 --size imix --count 1M --rate 50k\n"
		"a million frames of mixed sizes through what joins two devices"},
	.groups = frames_groups,
	.run = frames_run,
};
