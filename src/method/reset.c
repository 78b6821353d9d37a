/*
 * Reset: the SUT is reset while the smallest frames go through it at their throughput; the frames
 * that are lost, by the rate, are the time it takes. Ref: RFC 6201 s.4, by frame loss, which
 * updates RFC 2544 s.26.6. What resets it: its links, or a command of the user's; there is no
 * power to cut.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"
#include "sys/exec.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#define MAX_WORDS 32

static const struct field fields[] = {
	FIELD_STR(struct rfc_reset, by, "what was reset: links, command or model"),
	FIELD_DOUBLE(struct rfc_reset, fps, "frames/s", "load of a port"),
	FIELD_U64(struct rfc_reset, tried, "frames", "intended, of all ports"),
	FIELD_U64(struct rfc_reset, lost, "frames", "of them"),
	FIELD_DOUBLE(struct rfc_reset, reset_s, "s", "lost / rate"),
	FIELD_END,
};

/* Resets the SUT after a while, beside the trial. */
struct resetter {
	struct rfc *c;
	int stop_fd; /* readable: the trial is over */
	bool done;
	int r;
	struct err e;
};

static int run_command(const struct rfc *c, int cancel_fd, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(c->cfg.reset_command);
	_cleanup_(freep) struct exec_result *result = NULL;
	const char *argv[MAX_WORDS + 1] = {0};
	char *rest = copy, *word;
	uint32_t n = 0;
	int r;

	while ((word = strsep(&rest, " ")) && n < MAX_WORDS)
		if (*word)
			argv[n++] = word;
	r = exec_run(&result,
		&(struct exec_args){.argv = argv,
			.netns_fd = -1,
			.timeout_ns = c->cfg.time.reset_ns,
			.cancel_fd = cancel_fd},
		e);
	return r == EXEC_FAILED ? -EIO : r;
}

static void *reset_later(void *arg)
{
	struct resetter *x = arg;
	struct pollfd stop = {.fd = x->stop_fd, .events = POLLIN};
	uint64_t at_ns = clock_now_ns() + x->c->cfg.reset_after_ns;

	if (poll(&stop, 1, clock_left_ms(at_ns)) > 0)
		return NULL;
	x->r = *x->c->cfg.reset_command ? run_command(x->c, x->stop_fd, &x->e)
					: x->c->subject->ops->reset(x->c->subject, &x->e);
	x->done = true;
	return NULL;
}

/* A model has no time of its own to be reset in: it is told before. */
static int trial_simulated(struct rfc *c, struct rfc_unit *u, const struct rfc_one *one,
	struct subject_trial *ret, struct err *e)
{
	int r = c->subject->ops->reset(c->subject, e);

	return r < 0 ? r : rfc_trial_one(c, u, one, ret, e);
}

static int trial(struct rfc *c, struct rfc_unit *u, const struct rfc_one *one,
	struct subject_trial *ret, struct err *e)
{
	_cleanup_(closep) int stop_fd = eventfd(0, EFD_CLOEXEC);
	struct resetter x = {.c = c, .stop_fd = stop_fd};
	pthread_t thread;
	int r;

	if (stop_fd < 0)
		return err_set(e, errno, "cannot make an eventfd");
	r = pthread_create(&thread, NULL, reset_later, &x);
	if (r > 0)
		return err_set(e, r, "cannot start a thread");
	r = rfc_trial_one(c, u, one, ret, e);
	(void)eventfd_write(stop_fd, 1); /* can't fail: it was 0 */
	pthread_join(thread, NULL);
	if (r < 0)
		return r;
	if (x.r < 0) {
		*e = x.e;
		return err_wrap(e, "reset");
	}
	return x.done ? 0 : err_say(e, ETIME, "the trial was over before the reset");
}

/* Half of what came after the reset was lost, and so was the last frame: it did not come back. */
#define AWAY 0.5

static void judge(const struct rfc *c, const struct rfc_one *one, const struct subject_trial *t,
	struct rfc_row *row)
{
	double all_s = (double)one->n_frames / one->fps;
	double after_s = all_s - (double)c->cfg.reset_after_ns / 1e9;

	if (t->lost == 0) {
		row->reset.reset_s = 0;
		rfc_verdict(row, RFC_OK, "no frame was lost");
		return;
	}
	row->reset.reset_s = (double)t->lost / ((double)t->tried / all_s);
	if (row->reset.reset_s > after_s * AWAY && (double)t->last_lost_ns / 1e9 > all_s * 0.999)
		rfc_verdict(row, RFC_FAILED, "did not come back within the trial of %.3g s", all_s);
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	const struct rfc_throughput *base = rfc_base(c, u->size, false);
	struct subject_trial t;
	struct rfc_one one;
	struct rfc_row *row;
	int r;

	if (!base) {
		rfc_no_base(u);
		return 0;
	}
	if (!*c->cfg.reset_command && !c->subject->ops->reset) {
		rfc_verdict(rfc_row_add(u), RFC_NOT_APPLICABLE,
			"tare can't reset this SUT: give --reset-command");
		return 0;
	}
	one = (struct rfc_one){.fps = base->fps,
		.n_frames = rfc_frames(base->fps, c->cfg.time.reset_ns)};
	r = c->subject->simulated ? trial_simulated(c, u, &one, &t, e) : trial(c, u, &one, &t, e);
	if (r < 0)
		return r;
	row = rfc_row_add(u);
	str_set(row->reset.by, c->subject->simulated   ? "model"
			       : *c->cfg.reset_command ? "command"
						       : "links");
	row->reset.fps = one.fps;
	row->reset.tried = t.tried;
	row->reset.lost = t.lost;
	judge(c, &one, &t, row);
	return 0;
}

/* Ref: RFC 2544 s.26.6: with the smallest frames. */
static bool smallest(const struct rfc *c, uint32_t size)
{
	for (uint32_t i = 0; i < c->n_sizes; i++)
		if (c->size[i].mix.mean_bytes < c->size[size].mix.mean_bytes)
			return false;
	return true;
}

static uint32_t units(const struct rfc *c, uint32_t size)
{
	return smallest(c, size) ? c->cfg.time.reset_repeat : 0;
}

static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	const struct rfc_unit *first = rfc_unit_at(c, RFC_RESET, size, 0);

	return i < units(c, size) && (i == 0 || (first && first->n_trials));
}

static double unit_s(const struct rfc *c, uint32_t size)
{
	(void)size;
	return (double)c->cfg.time.reset_ns / 1e9 + rfc_overhead_s(c);
}

const struct rfc_test rfc_test_reset = {
	.name = "reset",
	.title = "Reset (RFC 6201)",
	.plain = "Reset",
	.summary = "how long no frame passes while the SUT is reset, by frames lost",
	.fields = fields,
	.fields_offset = offsetof(struct rfc_row, reset),
	.needs_throughput = true,
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
