#include "bench/pair.h"

#include "base/clock.h"
#include "bench/hists.h"
#include "sys/signals.h"

#include <errno.h>
#include <poll.h>

/* From "run" being sent to the first counted nanosecond, besides the warm-up. */
#define PAIR_START_NS (5 * NSEC_PER_MSEC)
/* An agent may be late by this much: a loaded machine, a slow network. */
#define PAIR_ANSWER_NS (5 * NSEC_PER_SEC)
/* After all of an exact amount is sent, how long for the rest of it to arrive. */
#define PAIR_GRACE_NS (2 * NSEC_PER_SEC)
/* After one end failed, how long for the other to show that it is the cause. */
#define PAIR_CAUSE_NS (1 * NSEC_PER_SEC)

/* The load goes on this long after both spans: what was asked in them may still be answered. */
#define PAIR_RUN_OUT_MS 30

enum pair_watch {
	WATCH_WAITS,
	WATCH_RUNS,
	WATCH_DONE,
};

struct pair {
	const struct pair_args *args;
	struct pair_result *ret;
	bool sent[2], done[2];
	bool stop_said;
	enum pair_watch watch;
	uint64_t watch_ns;    /* when it is to be begun, or ended; UINT64_MAX: neither */
	uint64_t span_end_ns; /* as planned */
	uint64_t deadline_ns; /* for both to be done */
	uint64_t grace_ns;    /* when to stop waiting for the rest; UINT64_MAX: not yet known */
};

static const char *state_of(const struct pair *p, bool far)
{
	return p->done[far] ? "ending the run" : "running the load";
}

static int send_runs(struct pair *p, struct err *e)
{
	const struct pair_args *a = p->args;
	struct endpoint_run run = {.relative = !a->same_clock,
		.begin_ns = PAIR_START_NS + a->warmup_ns,
		.span_ns = a->span_ns,
		.interval_ns = a->interval_ns};
	int r;

	p->watch_ns = clock_now_ns() + (a->exact ? 0 : run.begin_ns);
	p->span_end_ns = a->exact ? UINT64_MAX : p->watch_ns + run.span_ns;
	p->deadline_ns = clock_now_ns() + run.begin_ns + run.span_ns + PAIR_ANSWER_NS;
	if (a->same_clock)
		run.begin_ns += clock_now_ns();
	/* far first: what the word takes to get there is then a smaller part of the difference. */
	r = endpoint_send_run(a->end[1], &run, e);
	return r < 0 ? r : endpoint_send_run(a->end[0], &run, e);
}

static int say_both(const struct pair *p, const char *type, struct err *e)
{
	int r = endpoint_say(p->args->end[1], type, e);

	return r < 0 ? r : endpoint_say(p->args->end[0], type, e);
}

static int take_interval(struct pair *p, bool far, const struct doc *msg, struct err *e)
{
	const struct interval *x;
	int r = interval_take(p->ret->intervals, far, msg, &x, e);

	if (r < 0)
		return err_wrap(e, "%s", p->args->end[far]->chan.who);
	if (x && p->args->interval)
		p->args->interval(p->args->ctx, p->ret->intervals, x);
	return 0;
}

/* One word of one end. */
static int hear(struct pair *p, bool far, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = NULL;
	const struct doc *type;
	int r = endpoint_hear(p->args->end[far], state_of(p, far), clock_now_ns() + PAIR_ANSWER_NS,
		&msg, e);

	if (r < 0)
		return r;
	type = doc_get(msg, "type");
	if (doc_is_str(type, "interval") && !p->done[far] && p->args->interval_ns)
		return take_interval(p, far, msg, e);
	if (doc_is_str(type, "sent") && p->args->exact) {
		p->sent[far] = true;
		return 0;
	}
	if (doc_is_str(type, "done") && !p->done[far]) {
		p->done[far] = p->sent[far] = true;
		return 0;
	}
	return err_say(e, EPROTO, "%s said what does not fit while %s", p->args->end[far]->chan.who,
		state_of(p, far));
}

/* The user's wish to stop: the first ends the span, the second the run. */
static int hear_user(struct pair *p, struct err *e)
{
	if (p->ret->stopped)
		return err_say(e, ECANCELED, "interrupted twice");
	signals_take(p->args->stop_fd);
	p->ret->stopped = true;
	p->stop_said = true;
	p->deadline_ns = clock_now_ns() + PAIR_ANSWER_NS;
	return say_both(p, "stop", e);
}

/* Waits for a word of the ends or of the user. @ret_ready: of near, far and the user */
static int wait_words(const struct pair *p, uint64_t deadline_ns, bool *ret_ready, struct err *e)
{
	struct pollfd fd[] = {{.fd = p->args->end[0]->chan.fd, .events = POLLIN},
		{.fd = p->args->end[1]->chan.fd, .events = POLLIN},
		{.fd = p->args->stop_fd >= 0 ? p->args->stop_fd : p->args->end[0]->chan.cancel_fd,
			.events = POLLIN}};
	int r = poll(fd, ARRAY_SIZE(fd), clock_left_ms(deadline_ns));

	if (r < 0 && errno != EINTR)
		return err_set(e, errno, "cannot wait for the agents");
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		ret_ready[i] = r > 0 && fd[i].revents;
	return 0;
}

/* Of an exact amount all is sent: what is still not there after a while was lost. */
static int watch_exact(struct pair *p, struct err *e)
{
	const bool *drives = p->args->drives;

	if (!p->args->exact || p->stop_said)
		return 0;
	if (p->grace_ns == UINT64_MAX && (p->sent[0] || !drives[0]) && (p->sent[1] || !drives[1]))
		p->grace_ns = clock_now_ns() + PAIR_GRACE_NS;
	if (clock_now_ns() < p->grace_ns)
		return 0;
	p->stop_said = true;
	return say_both(p, "stop", e);
}

/* Begins the watch with the planned span, and ends it with it, or when all is over before. */
static int keep_watch(struct pair *p, bool over, struct err *e)
{
	struct watch *w = p->args->watch;
	uint64_t now_ns = clock_now_ns();
	int r = 0;

	if (w && p->watch == WATCH_WAITS && now_ns >= p->watch_ns) {
		p->watch = WATCH_RUNS;
		p->watch_ns = p->span_end_ns;
		r = watch_begin(w, e);
	}
	if (r == 0 && p->watch == WATCH_RUNS && (over || now_ns >= p->watch_ns)) {
		p->watch = WATCH_DONE;
		p->watch_ns = UINT64_MAX;
		r = watch_end(w, p->ret->watch, e);
	}
	return r;
}

static int timed_out(const struct pair *p, struct err *e)
{
	bool far = p->done[0];

	return err_say(e, ETIMEDOUT, "%s did not answer in time while %s",
		p->args->end[far]->chan.who, state_of(p, far));
}

/* One word of each that has one: an end that talks without a pause does not silence the other. */
static int hear_all(struct pair *p, const bool *ready, int *ret_from, struct err *e)
{
	int r = 0;

	if (ready[2])
		r = p->args->stop_fd >= 0 ? hear_user(p, e)
					  : err_say(e, ECANCELED, "interrupted while the load ran");
	for (int i = 0; r == 0 && i < 2; i++) {
		if (!ready[i])
			continue;
		r = hear(p, i, e);
		if (r < 0)
			*ret_from = i;
	}
	return r;
}

/* *ret_from: which end failed, if one did; else -1. */
static int until_done(struct pair *p, int *ret_from, struct err *e)
{
	int r = 0;

	*ret_from = -1;
	while (r == 0 && !(p->done[0] && p->done[1])) {
		bool ready[3] = {0};
		uint64_t wake_ns;

		if (clock_now_ns() > p->deadline_ns)
			return timed_out(p, e);
		wake_ns = MIN(p->deadline_ns, p->grace_ns);
		if (p->args->watch)
			wake_ns = MIN(wake_ns, p->watch_ns);
		r = wait_words(p, wake_ns, ready, e);
		if (r == 0)
			r = keep_watch(p, false, e);
		if (r == 0)
			r = hear_all(p, ready, ret_from, e);
		if (r == 0)
			r = watch_exact(p, e);
	}
	return r;
}

/* An agent that died is the cause of what the other one noticed. */
static int find_cause(struct pair *p, bool far, int r, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + PAIR_CAUSE_NS;
	bool other = !far;

	while (r != -EPIPE && r != -ECANCELED && clock_left_ms(deadline_ns) > 0) {
		_cleanup_(doc_freep) struct doc *msg = NULL;
		struct err why = {0};
		int other_r = endpoint_hear(p->args->end[other], state_of(p, other), deadline_ns,
			&msg, &why);

		if (other_r == 0)
			continue;
		if (other_r == -EPIPE || other_r == -ECANCELED) {
			*e = why;
			return other_r;
		}
		break;
	}
	return r;
}

static int read_reports(struct pair *p, struct err *e)
{
	int r;

	if (!p->args->exact)
		poll(NULL, 0, PAIR_RUN_OUT_MS);
	r = say_both(p, "finish", e);
	for (int i = 0; r == 0 && i < 2; i++) {
		struct hist *hist[LOAD_HIST_N] = {0};

		for (int k = 0; k < LOAD_HIST_N; k++)
			if (p->ret->hist[k])
				hists_init(hist, 1U << k);
		r = endpoint_wait_run(p->args->end[i], p->ret->report[i], hist, e);
		if (r == 0)
			hists_merge(p->ret->hist, hist);
		else
			r = find_cause(p, i, r, e);
		hists_fini(hist);
	}
	return r;
}

int pair_run(const struct pair_args *args, struct pair_result *ret, struct err *e)
{
	struct pair p = {.args = args, .ret = ret, .grace_ns = UINT64_MAX};
	int from, r = send_runs(&p, e);

	if (r < 0)
		return r;
	r = until_done(&p, &from, e);
	if (r < 0)
		return from >= 0 ? find_cause(&p, from, r, e) : r;
	r = keep_watch(&p, true, e);
	return r < 0 ? r : read_reports(&p, e);
}
