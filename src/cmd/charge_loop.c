#include "base/clock.h"
#include "cmd/charge_live.h"
#include "sys/signals.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Takes what woke it. Return: 0 or negative errno. */
static int handle(struct live *l, bool scan, struct err *e)
{
	if (signals_pending(l->signal_fd)) {
		l->stop = l->cut_short = true;
		return 0;
	}
	if (l->screen)
		screen_keys(l);
	if (l->metrics)
		metrics_run(l->metrics);
	return scan ? charge_scan(l->charge, e) : 0;
}

/* How long poll() may wait. */
static int left_ms(const struct live *l)
{
	int left = clock_left_ms(l->next_ns);
	int http = l->metrics ? metrics_wait_ms(l->metrics) : -1;

	return http < 0 ? left : MIN(left, http);
}

/* Until the interval is over, or it shall stop. */
static int wait_interval(struct live *l, struct err *e)
{
	int r = 0;

	while (r == 0 && !l->stop && clock_now_ns() < l->next_ns) {
		struct pollfd p[] = {
			{.fd = l->signal_fd, .events = POLLIN},
			{.fd = l->screen ? STDIN_FILENO : -1, .events = POLLIN},
			{.fd = charge_fd(l->charge), .events = POLLIN},
			{.fd = l->metrics ? metrics_fd(l->metrics) : -1, .events = POLLIN},
		};

		/* A signal that is handled (a new size of the terminal) ends it, too. */
		if (poll(p, ARRAY_SIZE(p), left_ms(l)) < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait");
		r = handle(l, p[2].revents & POLLIN, e);
	}
	return r;
}

/* An interval that could not be kept is longer; the ones after it are as asked for again. */
static void plan_next(struct live *l)
{
	uint64_t now = clock_now_ns();

	l->next_ns += l->interval_ns;
	if (l->next_ns <= now)
		l->next_ns = now + l->interval_ns;
	if (l->end_ns)
		l->next_ns = MIN(l->next_ns, l->end_ns);
}

static int bill_interval(struct live *l, struct err *e)
{
	struct bill b = {0};
	int r = charge_bill(l->charge, &b, e);

	if (r < 0)
		return r;
	if (!l->begin_ns)
		l->begin_ns = b.from_ns;
	l->output->interval(l, &b);
	bill_fini(&b);
	if (ferror(stdout)) /* whoever read it is gone; said at the end */
		l->stop = true;
	return 0;
}

int charge_loop(struct live *l, struct err *e)
{
	uint64_t now = clock_now_ns();
	int r = 0;

	l->end_ns = l->run.duration_ns ? now + l->run.duration_ns : 0;
	l->next_ns = now;
	plan_next(l);
	l->output->begin(l);
	while (r == 0 && !l->stop) {
		r = wait_interval(l, e);
		if (r == 0)
			r = bill_interval(l, e);
		if (l->end_ns && clock_now_ns() >= l->end_ns)
			l->stop = true;
		plan_next(l);
	}
	l->run.complete = r == 0 && (!l->cut_short || !l->run.duration_ns);
	charge_total(l->charge, &l->run.total);
	return r;
}
