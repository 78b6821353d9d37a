#include "method/rfc2544.h"

#include "base/clock.h"
#include "base/str.h"
#include "method/campaign.h"
#include "method/resume.h"
#include "method/rfc2544_priv.h"
#include "sys/signals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* How far it is, and who wants to know. */
struct watched {
	const struct rfc_hooks *hooks;
	struct tally tally;
};

/* Units of a test that are still to come, at most. */
static uint32_t units_of(const struct rfc *c, uint32_t size, uint32_t test)
{
	return c->test[test] ? rfc_test_table[test]->units(c, size) : 0;
}

double rfc_estimate_s(const struct rfc *c, double *ret_test_s)
{
	double all_s = 0;

	for (uint32_t t = 0; t < RFC_TEST_N; t++) {
		ret_test_s[t] = 0;
		for (uint32_t i = 0; i < c->n_sizes; i++) {
			double s = units_of(c, i, t) * rfc_test_table[t]->unit_s(c, i);

			ret_test_s[t] = fmax(ret_test_s[t], s);
			all_s += s;
		}
	}
	return all_s;
}

static void expect(struct rfc *c, struct tally *t)
{
	double by_test[RFC_TEST_N];

	t->expected_s = rfc_estimate_s(c, by_test);
	for (uint32_t i = 0; i < c->n_sizes; i++)
		for (uint32_t k = 0; k < RFC_TEST_N; k++)
			t->expected += units_of(c, i, k);
}

static void tell(const struct rfc *c, const struct watched *w, uint32_t size, uint32_t test)
{
	struct rfc_progress p = {.done = w->tally.done,
		.expected = w->tally.expected,
		.left_ns = tally_left_ns(&w->tally)};

	if (size < c->n_sizes) {
		p.size = &c->size[size];
		p.test = rfc_test_table[test]->name;
	}
	if (w->hooks->progress)
		w->hooks->progress(w->hooks->ctx, &p);
}

/* What could not be measured at all becomes a row that says why; the next may be better off. */
static void failed(struct rfc *c, struct rfc_unit *u, const struct err *why)
{
	struct err e = {0};

	u->n_rows = 0;
	rfc_verdict(rfc_row_add(u), RFC_FAILED, "%s", why->text);
	if (c->subject->ops->rebuild && subject_rebuild(c->subject, &e) < 0)
		str_addf(u->row[0].verdict, sizeof(u->row[0].verdict), "; and then: %s", e.text);
}

/* What is strange about the frames that came, though none of it makes a loss. */
static void note_seen(struct rfc_unit *u)
{
	const struct {
		uint64_t n;
		const char *text;
	} seen[] = {
		{u->seen.duplicated, "came twice or more"},
		{u->seen.corrupt, "came with a wrong length or checksum"},
		{u->seen.late, "came after their trial, and count as lost in it"},
	};
	char *verdict = u->row[0].verdict;

	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		if (seen[i].n)
			str_addf(verdict, sizeof(u->row[0].verdict), "%s%llu frames %s",
				*verdict ? "; " : "", (unsigned long long)seen[i].n, seen[i].text);
}

/*
 * Runs a unit and keeps it, as it reads when it is read from a file: numbers have 12 digits there,
 * and a campaign that is resumed goes on from the same ones.
 */
static int run_unit(struct rfc *c, uint32_t size, uint32_t test, uint32_t i, struct resume *resume,
	struct err *e)
{
	_cleanup_(rfc_unit_freep) struct rfc_unit *u = rfc_unit_new(test, size, i);
	struct rfc_unit *kept;
	struct err why = {0};
	int r = rfc_test_table[test]->run(c, u, &why);

	if (r == -ECANCELED) {
		*e = why;
		return r;
	}
	if (r < 0)
		failed(c, u, &why);
	note_seen(u);
	r = rfc_unit_as_read(&kept, c, u, e);
	if (r < 0)
		return r;
	rfc_unit_add(c, kept);
	return resume ? rfc_resume_add(resume, c, kept, e) : 0;
}

static int run_test(struct rfc *c, uint32_t size, uint32_t test, struct watched *w,
	struct resume *resume, struct err *e)
{
	const struct rfc_test *ops = rfc_test_table[test];
	uint32_t most = units_of(c, size, test), i = 0;
	struct tally *t = &w->tally;

	for (; most && ops->more(c, size, i); i++) {
		int r;

		if (w->hooks->cancel_fd >= 0 && signals_pending(w->hooks->cancel_fd))
			return err_say(e, ECANCELED, "interrupted");
		if (rfc_unit_at(c, test, size, i)) { /* of an earlier start */
			t->expected_s -= ops->unit_s(c, size);
			t->expected--;
			continue;
		}
		tell(c, w, size, test);
		r = run_unit(c, size, test, i, resume, e);
		if (r < 0)
			return r;
		t->done++;
		t->done_s += ops->unit_s(c, size);
	}
	t->expected -= most - i; /* that were not needed */
	t->expected_s -= (most - i) * ops->unit_s(c, size);
	return 0;
}

static void limit_size(const struct rfc *c, struct rfc_size *size)
{
	double line_bps = (double)c->cfg.line_rate_bps;
	bool given = c->cfg.line_rate_bps || c->cfg.max_fps;

	size->limit = RFC_LIMIT_SELF;
	size->max_fps = size->self_fps;
	if (c->cfg.line_rate_bps)
		size->line_fps = frame_max_fps(line_bps, size->mix.mean_bytes);
	/* A model's tester has no limit of its own: it is only asked where nothing was said. */
	if (given && (c->subject->simulated || isnan(size->max_fps)))
		size->max_fps = INFINITY;
	if (size->line_fps <= size->max_fps) {
		size->max_fps = size->line_fps;
		size->limit = RFC_LIMIT_LINE;
	}
	if (c->cfg.max_fps && (double)c->cfg.max_fps <= size->max_fps) {
		size->max_fps = (double)c->cfg.max_fps;
		size->limit = RFC_LIMIT_MAX;
	}
}

/* The tester without a SUT, by sizes: what it can't do, no SUT can be seen to do. RFC 9971 s.4.5 */
static int self_test(struct rfc *c, struct err *e)
{
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct rfc_size *size = &c->size[i];

		if (!c->subject->simulated) {
			int r = subject_self(c->subject, &c->tester, &size->mix, e);

			if (r != 0)
				return r < 0 ? r : -ENODEV; /* it can't be, here */
		}
		size->self_fps = c->subject->self_fps;
		limit_size(c, size);
		if (isnan(size->max_fps))
			return err_say(e, EIO, "self-test of the tester: no frame of %s passed",
				size->mix.name);
	}
	return 0;
}

static int run_all(struct rfc *c, struct watched *w, struct resume *resume, struct err *e)
{
	for (uint32_t i = 0; i < c->n_sizes; i++)
		for (uint32_t k = 0; k < RFC_TEST_N; k++) {
			int r = run_test(c, i, k, w, resume, e);

			if (r < 0)
				return r;
		}
	return 0;
}

int rfc_run(struct rfc *c, struct subject *s, const struct rfc_hooks *hooks, struct err *e)
{
	_cleanup_(resume_closep) struct resume *resume = NULL;
	struct watched w = {.hooks = hooks, .tally = {.begin_ns = clock_now_ns()}};
	bool there = false;
	int r = 0;

	c->subject = s;
	clock_utc(c->started);
	env_read(&c->env, -1);
	if (*c->cfg.resume)
		r = rfc_resume_open(&resume, c, &there, e);
	if (r == 0 && !there)
		r = self_test(c, e);
	if (r == 0 && !there && resume)
		r = rfc_resume_head(resume, c, e);
	if (r < 0)
		return r;
	expect(c, &w.tally);
	r = run_all(c, &w, resume, e);
	tell(c, &w, c->n_sizes, 0);
	c->complete = r == 0;
	return r;
}

void rfc_fini(struct rfc *c)
{
	for (uint32_t i = 0; i < c->n_units; i++)
		rfc_unit_free(c->unit[i]);
	free(c->unit);
	c->unit = NULL;
	c->n_units = 0;
}

bool rfc_any_failed(const struct rfc *c)
{
	for (uint32_t i = 0; i < c->n_units; i++)
		for (uint32_t k = 0; k < c->unit[i]->n_rows; k++)
			if (c->unit[i]->row[k].status == RFC_FAILED)
				return true;
	return false;
}
