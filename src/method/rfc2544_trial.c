/* Trials of a campaign, each accounted in its unit; and what tests find of those before them. */
#include "base/mem.h"
#include "base/str.h"
#include "method/rfc2544_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct rfc_unit *rfc_unit_new(uint32_t test, uint32_t size, uint32_t index)
{
	struct rfc_unit *u = xcalloc(1, sizeof(*u));

	u->test = test;
	u->size = size;
	u->index = index;
	return u;
}

void rfc_unit_free(struct rfc_unit *u)
{
	if (!u)
		return;
	free(u->trial);
	free(u->hist);
	free(u);
}

void rfc_unit_add(struct rfc *c, struct rfc_unit *u)
{
	c->unit = xreallocarray(c->unit, c->n_units + 1, sizeof(struct rfc_unit *));
	c->unit[c->n_units++] = u;
}

const struct rfc_unit *rfc_unit_at(const struct rfc *c, uint32_t test, uint32_t size, uint32_t i)
{
	for (uint32_t k = 0; k < c->n_units; k++)
		if (c->unit[k]->test == test && c->unit[k]->size == size && c->unit[k]->index == i)
			return c->unit[k];
	return NULL;
}

void *rfc_row_own(const struct rfc_test *t, struct rfc_row *row)
{
	return (char *)row + t->fields_offset;
}

const void *rfc_row_own_const(const struct rfc_test *t, const struct rfc_row *row)
{
	return (const char *)row + t->fields_offset;
}

struct rfc_row *rfc_row_add(struct rfc_unit *u)
{
	const struct rfc_test *t = rfc_test_table[u->test];
	struct rfc_row *row = &u->row[u->n_rows++];
	char *own = rfc_row_own(t, row);

	assert(u->n_rows <= RFC_MAX_ROWS);
	*row = (struct rfc_row){0};
	for (const struct field *f = t->fields; f->name; f++)
		if (f->type == FIELD_T_DOUBLE)
			*(double *)(void *)(own + f->offset) = NAN;
	return row;
}

void rfc_verdict(struct rfc_row *row, enum rfc_status status, const char *fmt, ...)
{
	va_list ap;

	row->status = status;
	va_start(ap, fmt);
	vsnprintf(row->verdict, sizeof(row->verdict), fmt, ap);
	va_end(ap);
}

uint64_t rfc_frames(double fps, uint64_t duration_ns)
{
	return (uint64_t)fmax(1, fps * (double)duration_ns / 1e9 + 0.5);
}

static void account(struct rfc_unit *u, const struct subject_ask *ask,
	const struct subject_trial *t)
{
	double due_s = 0;
	struct rfc_trial *x;

	for (uint32_t i = 0; i < ask->n_phases; i++)
		due_s += (double)ask->phase[i].n_frames / ask->phase[i].fps;
	u->trial = xreallocarray(u->trial, u->n_trials + 1, sizeof(*u->trial));
	x = &u->trial[u->n_trials++];
	*x = (struct rfc_trial){.fps = ask->phase[0].fps,
		.duration_ns = (uint64_t)(due_s * 1e9 + 0.5),
		.effective_ns = t->effective_ns,
		.tried = t->tried,
		.lost = t->lost,
		.own_lost = MIN(t->lost, t->tried - t->sent + t->overflowed)};
	u->seen.duplicated += t->duplicated;
	u->seen.reordered += t->reordered;
	u->seen.corrupt += t->corrupt;
	u->seen.late += t->late;
	u->seen.alien += t->alien;
}

int rfc_trial_ask(struct rfc *c, struct rfc_unit *u, struct subject_ask *ask,
	struct subject_trial *ret, struct err *e)
{
	int r;

	ask->mix = &c->size[u->size].mix;
	ask->settle_ns = c->cfg.time.settle_ns;
	ask->learn |= c->cfg.time.learn;
	r = subject_trial(c->subject, ask, ret, e);
	if (r < 0)
		return r;
	account(u, ask, ret);
	return 0;
}

int rfc_trial_fair(struct rfc *c, struct rfc_unit *u, struct subject_ask *ask,
	struct subject_trial *ret, struct err *e)
{
	for (uint32_t i = 0;; i++) {
		const struct rfc_trial *made;
		int r = rfc_trial_ask(c, u, ask, ret, e);

		if (r < 0)
			return r;
		made = &u->trial[u->n_trials - 1];
		if (made->lost == 0 || made->lost > made->own_lost || i == RFC_UNFAIR_MAX)
			return 0;
	}
}

int rfc_trial_one(struct rfc *c, struct rfc_unit *u, const struct rfc_one *one,
	struct subject_trial *ret, struct err *e)
{
	struct subject_ask ask = {.n_phases = 1, .latency = one->hist};

	ask.phase[0].fps = one->fps;
	ask.phase[0].n_frames = one->n_frames;
	*ret = (struct subject_trial){.hist = one->hist};
	return one->fair ? rfc_trial_fair(c, u, &ask, ret, e) : rfc_trial_ask(c, u, &ask, ret, e);
}

const struct rfc_throughput *rfc_base(const struct rfc *c, uint32_t size, bool loss)
{
	const struct rfc_unit *u = rfc_unit_at(c, RFC_THROUGHPUT, size, 0);
	const struct rfc_row *row;

	if (!u || u->n_rows == 0)
		return NULL;
	row = &u->row[loss ? u->n_rows - 1 : 0];
	return isnan(row->throughput.fps) ? NULL : &row->throughput;
}

void rfc_no_base(struct rfc_unit *u)
{
	rfc_verdict(rfc_row_add(u), RFC_NOT_APPLICABLE,
		"no rate passes without loss, so there is none to do it at");
}

/* Ref: RFC 2544 s.23 b: 2 s of rest after learning frames. */
#define LEARN_S 2.0

double rfc_overhead_s(const struct rfc *c)
{
	return (double)(c->tester.drain_ns + c->cfg.time.settle_ns) / 1e9 +
	       (c->cfg.time.learn ? LEARN_S : 0);
}

uint32_t rfc_search_steps(const struct rfc *c)
{
	return (uint32_t)ceil(log2(1e6 / c->cfg.width_ppm + 1));
}
