#include "method/density.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/campaign.h"
#include "method/density_priv.h"
#include "method/goals.h"
#include "method/resume.h"
#include "sys/signals.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* What building a cell takes, and each function of it, on a slow machine: for the estimate. */
#define BUILD_S    0.5
#define BUILD_NF_S 0.03
/* Halvings of a search, as MLRsearch needs them from nothing to 0.5 %. */
#define SEARCH_STEPS 8

void density_unit_add(struct density *d, struct density_unit *u)
{
	d->unit = xreallocarray(d->unit, d->n_units + 1, sizeof(struct density_unit *));
	d->unit[d->n_units++] = u;
}

const struct density_unit *density_unit_at(const struct density *d,
	const struct density_unit *which, uint32_t rebuild)
{
	for (uint32_t i = 0; i < d->n_units; i++) {
		const struct density_unit *u = d->unit[i];

		if (u->topology == which->topology && u->instances == which->instances &&
			u->nfs == which->nfs && u->rebuild == rebuild)
			return u;
	}
	return NULL;
}

static uint32_t n_topologies(const struct density *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < DENSITY_TOPOLOGY_N; i++)
		n += d->topology[i];
	return n;
}

uint32_t density_n_cells(const struct density *d)
{
	return n_topologies(d) * d->n_instances * d->n_nfs;
}

/* Cell @k of all: the topologies of one M and N come one after the other, to be compared. */
static struct density_unit cell_at(const struct density *d, uint32_t k)
{
	const uint32_t n = n_topologies(d);
	struct density_unit u = {.instances = d->instances[k / n / d->n_nfs],
		.nfs = d->nfs[k / n % d->n_nfs]};

	for (uint32_t left = k % n;; u.topology++)
		if (d->topology[u.topology] && left-- == 0)
			return u;
}

/* Each round begins elsewhere, so that no cell is always the first. */
static struct density_unit unit_at(const struct density *d, uint32_t i)
{
	const uint32_t n = density_n_cells(d), round = i / n;
	struct density_unit u = cell_at(d, (i + round * n / d->cfg.rebuild) % n);

	u.rebuild = round;
	return u;
}

static double unit_s(const struct density *d, const struct density_unit *u)
{
	const struct density_time *t = &d->cfg.time;
	double overhead_s = (double)(d->tester.drain_ns + t->settle_ns) / 1e9;
	double s = BUILD_S + BUILD_NF_S * u->instances * u->nfs;

	if (d->cfg.search == DENSITY_MRR)
		return s + (t->trials + 0.25) * ((double)t->trial_ns / 1e9 + overhead_s);
	s += goals_estimate_s(d->goal, d->n_goals, overhead_s, SEARCH_STEPS);
	if (d->cfg.latency)
		s += DENSITY_MAX_LATENCY * ((double)t->latency_ns / 1e9 + overhead_s);
	return s;
}

double density_estimate_s(const struct density *d)
{
	double s = 0;

	for (uint32_t i = 0; i < density_n_cells(d) * d->cfg.rebuild; i++) {
		const struct density_unit u = unit_at(d, i);

		s += unit_s(d, &u);
	}
	return s;
}

/* The tester without a SUT, with what the first cell's ports let it have. */
static int self_test(struct density *d, int cancel_fd, struct err *e)
{
	_cleanup_(subject_closep) struct subject *s = NULL;
	const struct density_unit first = cell_at(d, 0);
	int r = density_open(&s, d, &first, cancel_fd, e);

	if (r == 0) {
		d->info = s->info;
		d->n_ports_tx = s->n_ports_tx;
		r = subject_self(s, &d->tester, &d->mix, e);
	}
	if (r != 0)
		return r < 0 ? r : -ENODEV; /* it can't be, here */
	d->self_fps = d->max_fps = s->self_fps;
	if (d->cfg.max_fps && !(d->self_fps <= (double)d->cfg.max_fps))
		d->max_fps = (double)d->cfg.max_fps;
	return isnan(d->max_fps) ? err_say(e, EIO, "self-test of the tester: no frame passed") : 0;
}

/* How far it is, of what this start has to do, and who wants to know. */
struct watched {
	const struct density_hooks *hooks;
	struct tally tally;
};

static void tell(const struct watched *w, const struct density_unit *next)
{
	struct density_progress p = {.next = next,
		.done = w->tally.done,
		.expected = w->tally.expected,
		.left_ns = tally_left_ns(&w->tally)};

	if (w->hooks->progress)
		w->hooks->progress(w->hooks->ctx, &p);
}

static int run_unit(struct density *d, struct density_unit *u, int cancel_fd, struct resume *resume,
	struct err *e)
{
	struct density_unit *kept;
	struct err why = {0};
	int r = density_measure(d, u, cancel_fd, &why);

	if (r < 0) {
		*e = why;
		return r;
	}
	/* Numbers have 12 digits in a file: a campaign that is resumed has the same ones. */
	r = density_unit_as_read(&kept, u, e);
	if (r < 0)
		return r;
	density_unit_add(d, kept);
	if (resume) {
		_cleanup_(doc_freep) struct doc *doc = density_unit_doc(kept);

		r = resume_add(resume, doc, e);
	}
	return r;
}

static int run_all(struct density *d, struct watched *w, struct resume *resume, struct err *e)
{
	const uint32_t n = density_n_cells(d) * d->cfg.rebuild;
	const int cancel_fd = w->hooks->cancel_fd;
	struct tally *t = &w->tally;

	for (uint32_t i = 0; i < n; i++) {
		struct density_unit u = unit_at(d, i);

		if (density_unit_at(d, &u, u.rebuild))
			continue;
		t->expected++;
		t->expected_s += unit_s(d, &u);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct density_unit u = unit_at(d, i);
		const double s = unit_s(d, &u);
		int r;

		if (density_unit_at(d, &u, u.rebuild)) /* of an earlier start */
			continue;
		if (cancel_fd >= 0 && signals_pending(cancel_fd))
			return err_say(e, ECANCELED, "interrupted");
		tell(w, &u);
		r = run_unit(d, &u, cancel_fd, resume, e);
		if (r < 0)
			return r;
		t->done++;
		t->done_s += s;
	}
	return 0;
}

int density_run(struct density *d, const struct density_hooks *hooks, struct err *e)
{
	_cleanup_(resume_closep) struct resume *resume = NULL;
	struct watched w = {.hooks = hooks};
	bool there = false;
	int r = 0;

	clock_utc(d->started);
	env_read(&d->env, -1);
	if (*d->cfg.resume)
		r = density_resume_open(&resume, d, &there, e);
	if (r == 0 && !there)
		r = self_test(d, hooks->cancel_fd, e);
	if (r == 0 && !there && resume)
		r = density_resume_head(resume, d, e);
	if (r < 0)
		return r;
	w.tally.begin_ns = clock_now_ns();
	r = run_all(d, &w, resume, e);
	tell(&w, NULL);
	d->complete = r == 0;
	return r;
}

void density_fini(struct density *d)
{
	for (uint32_t i = 0; i < d->n_units; i++)
		free(d->unit[i]);
	free(d->unit);
	d->unit = NULL;
	d->n_units = 0;
}

bool density_any_failed(const struct density *d)
{
	for (uint32_t i = 0; i < d->n_units; i++)
		if (d->unit[i]->status == DENSITY_FAILED)
			return true;
	return false;
}
