#include "method/subject_tester.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

void subject_note(struct subject *s, const char *fmt, ...)
{
	va_list ap;

	if (s->n_notes == PATH_MAX_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(s->note[s->n_notes++], sizeof(s->note[0]), fmt, ap);
	va_end(ap);
}

int subject_tester_open(struct subject *s, const struct tester_end *end,
	const struct tester_cfg *cfg, struct err *e)
{
	int r = tester_open(&s->tester, end, s->ipv6, cfg, e);

	if (r != 0)
		return r;
	s->n_ports_tx = cfg->dir == TESTER_DIR_BOTH ? 2 : 1;
	s->n_ways = end[0].n_ways;
	s->mtu = MIN(end[0].port.mtu, end[1].port.mtu);
	tester_info(s->tester, &s->info);
	return 0;
}

/*
 * A hundredth of the schedule, within limits: a sender that is late by less than that has still
 * offered its rate to within 1 %, and one that is told to stop at once would lose its last frames
 * to the moment that a busy machine takes to run it again.
 */
uint64_t subject_slack_ns(uint64_t schedule_ns)
{
	return MAX(MIN(schedule_ns / 100, 100 * NSEC_PER_MSEC), 10 * NSEC_PER_MSEC);
}

/* As fast as it goes is at least so fast, or the machine is not worth testing. */
#define LEAST_FPS 10000.0

static uint64_t phase_ns(double fps, uint64_t n_frames)
{
	return (uint64_t)((double)n_frames / (isfinite(fps) ? fps : LEAST_FPS) * 1e9);
}

/* When frame @seq was due, after the first. */
static uint64_t due_ns(const struct subject_ask *ask, uint64_t seq)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < ask->n_phases; i++) {
		uint64_t n = ask->phase[i].n_frames;

		if (seq < n)
			return ns +
			       (isfinite(ask->phase[i].fps) ? phase_ns(ask->phase[i].fps, seq) : 0);
		seq -= n;
		ns += isfinite(ask->phase[i].fps) ? phase_ns(ask->phase[i].fps, n) : 0;
	}
	return ns;
}

/* Those that were never sent are the last ones. */
static void add_lost(struct subject_trial *ret, const struct subject_ask *ask,
	const struct tester_flow *f)
{
	uint64_t first = f->got.first_lost_seq, last = f->got.last_lost_seq;

	if (f->lost == 0)
		return;
	if (f->sent.sent < f->intended) {
		first = MIN(first, f->sent.sent);
		last = f->intended - 1;
	}
	ret->first_lost_ns = MIN(ret->first_lost_ns, due_ns(ask, first));
	ret->last_lost_ns = MAX(ret->last_lost_ns, due_ns(ask, last));
}

static void add_flow(struct subject_trial *ret, const struct subject_ask *ask,
	const struct tester_flow *f)
{
	ret->tried += f->intended;
	ret->sent += f->sent.sent;
	ret->lost += f->lost;
	ret->received += f->got.received;
	ret->duplicated += f->got.duplicated;
	ret->reordered += f->got.reordered;
	ret->corrupt += f->got.corrupt;
	ret->late += f->got.late;
	ret->alien += f->got.alien;
	ret->overflowed += f->overflowed;
	ret->sending_ns = MAX(ret->sending_ns, f->sent.last_ns - f->sent.first_ns);
	for (uint32_t k = 0; k < ret->n_ways; k++) {
		ret->tried_of[k] += f->intended_of[k];
		ret->lost_of[k] += f->intended_of[k] - f->received_of[k];
	}
	add_lost(ret, ask, f);
}

static int settle(uint64_t ns, int cancel_fd, struct err *e)
{
	struct pollfd p = {.fd = cancel_fd, .events = POLLIN};
	const uint64_t until_ns = clock_now_ns() + ns;
	int left_ms;

	while ((left_ms = clock_left_ms(until_ns)) > 0)
		if (poll(&p, 1, left_ms) > 0)
			return err_say(e, ECANCELED, "interrupted");
	return 0;
}

int subject_tester_trial(struct subject *s, const struct subject_ask *ask,
	struct subject_trial *ret, struct err *e)
{
	const uint64_t begin_ns = clock_now_ns();
	struct tester_trial_args args = {.mix = ask->mix,
		.n_phases = ask->n_phases,
		.latency = ask->latency,
		.learn = ask->learn};
	struct tester_trial x = {.hist = ret->hist};
	uint64_t schedule_ns = 0;
	int r;

	for (uint32_t i = 0; i < ask->n_phases; i++) {
		args.phase[i].n_frames = ask->phase[i].n_frames;
		args.phase[i].gap_q16 =
			isfinite(ask->phase[i].fps) ? FRAME_GAP_Q16(ask->phase[i].fps) : 0;
		schedule_ns += phase_ns(ask->phase[i].fps, ask->phase[i].n_frames);
	}
	args.time_ns = schedule_ns + subject_slack_ns(schedule_ns);
	r = tester_trial(s->tester, &args, s->cancel_fd, &x, e);
	if (r == 0)
		r = settle(ask->settle_ns, s->cancel_fd, e);
	if (r != 0)
		return r;
	*ret = (struct subject_trial){.hist = ret->hist,
		.first_lost_ns = UINT64_MAX,
		.n_ways = s->n_ways};
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (x.flow[i].used)
			add_flow(ret, ask, &x.flow[i]);
	ret->effective_ns = clock_now_ns() - begin_ns;
	return 0;
}
