#include "method/density_relation.h"

#include "base/macro.h"
#include "base/str.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

const char *const density_holds_name[] = {
	[DENSITY_HOLDS] = "holds",
	[DENSITY_HOLDS_NOT] = "does not hold",
	[DENSITY_UNDECIDED] = "not decided",
	[DENSITY_NOT_TESTABLE] = "not testable",
};
static_assert(ARRAY_SIZE(density_holds_name) == DENSITY_HOLDS_N);

/* A quotient of two cells with the widest interval that theirs allow. */
struct quotient {
	double q, low, high;
};

static bool is_there(const struct density_value *v)
{
	return isfinite(v->fps) && v->fps > 0;
}

static struct quotient divide(const struct density_value *a, const struct density_value *b)
{
	return (struct quotient){.q = a->fps / b->fps,
		.low = a->low_fps / b->high_fps,
		.high = b->low_fps > 0 ? a->high_fps / b->low_fps : INFINITY};
}

/* What many comparisons come to. */
struct tally {
	uint32_t n, n_not, n_undecided;
	double least, most; /* of the quotients */
};

static void count(struct tally *t, double q, bool holds, bool may_hold)
{
	t->least = t->n ? fmin(t->least, q) : q;
	t->most = t->n ? fmax(t->most, q) : q;
	t->n++;
	t->n_undecided += !holds && may_hold;
	t->n_not += !holds && !may_hold;
}

static uint32_t verdict(const struct tally *t)
{
	if (t->n == 0)
		return DENSITY_NOT_TESTABLE;
	if (t->n_not)
		return DENSITY_HOLDS_NOT;
	return t->n_undecided ? DENSITY_UNDECIDED : DENSITY_HOLDS;
}

/* "; not so in 2 of 5" */
static void add_exceptions(const struct tally *t, char *text, size_t size)
{
	if (t->n_not)
		str_addf(text, size, "; not so in %u of %u", t->n_not, t->n);
	if (t->n_undecided)
		str_addf(text, size, "; in %u of %u only within the intervals", t->n_undecided,
			t->n);
}

static void d1(const struct density_matrix *chain, const struct density_matrix *pipeline,
	struct density_relation *ret)
{
	struct tally t = {0};

	for (uint32_t i = 0; i < chain->n_instances && chain->nfs[0] == 1; i++) {
		const struct density_value *a = &pipeline->cell[i][0], *b = &chain->cell[i][0];
		struct quotient q;

		if (!is_there(a) || !is_there(b))
			continue;
		q = divide(a, b);
		/* What is known as well as that is the same; what is not, may be. */
		count(&t, q.q, fabs(q.q - 1) <= DENSITY_SAME + 1e-9, q.low <= 1 && q.high >= 1);
	}
	ret->holds = verdict(&t);
	if (t.n == 0)
		str_set(ret->text, "no row has one function both as a chain and as a pipeline");
	else
		snprintf(ret->text, sizeof(ret->text), "pipeline / chain is %.2f to %.2f", t.least,
			t.most);
	add_exceptions(&t, ret->text, sizeof(ret->text));
}

/* The last cell of a row by the first, of those that are there. Return: false: fewer than two. */
static bool along_row(const struct density_matrix *m, uint32_t i, struct quotient *ret,
	uint32_t *ret_first, uint32_t *ret_last)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < m->n_nfs; k++) {
		if (!is_there(&m->cell[i][k]))
			continue;
		if (n++ == 0)
			*ret_first = k;
		*ret_last = k;
	}
	if (n < 2)
		return false;
	*ret = divide(&m->cell[i][*ret_last], &m->cell[i][*ret_first]);
	return true;
}

static void d2(const struct density_matrix *chain, const struct density_matrix *pipeline,
	struct density_relation *ret)
{
	struct tally chains = {0}, pipelines = {0}, t = {0};

	for (uint32_t i = 0; i < chain->n_instances; i++) {
		uint32_t first = 0, last = 0, from = 0, to = 0;
		struct quotient c, p;

		if (!along_row(chain, i, &c, &first, &last) ||
			!along_row(pipeline, i, &p, &from, &to) || first != from || last != to)
			continue;
		count(&chains, c.q, true, true);
		count(&pipelines, p.q, true, true);
		count(&t, p.q / c.q, c.q < 1 && p.q > c.q, c.low < 1 && p.high > c.low);
	}
	ret->holds = verdict(&t);
	if (t.n == 0) {
		str_set(ret->text, "no row has two numbers of functions, of both");
		return;
	}
	snprintf(ret->text, sizeof(ret->text),
		"from the fewest functions to the most a chain keeps %.2f to %.2f of its rate, a "
		"pipeline %.2f to %.2f",
		chains.least, chains.most, pipelines.least, pipelines.most);
	add_exceptions(&t, ret->text, sizeof(ret->text));
}

/* The last cell of a column by the first. */
static void down_column(const struct density_matrix *m, uint32_t k, struct tally *t)
{
	const struct density_value *first = NULL, *last = NULL;
	struct quotient q;

	for (uint32_t i = 0; i < m->n_instances; i++) {
		if (!is_there(&m->cell[i][k]))
			continue;
		if (!first)
			first = &m->cell[i][k];
		last = &m->cell[i][k];
	}
	if (first == last)
		return;
	q = divide(last, first);
	count(t, q.q, q.q < 1, q.low < 1);
}

static void d3(const struct density_matrix *chain, const struct density_matrix *pipeline,
	struct density_relation *ret)
{
	struct tally chains = {0}, pipelines = {0}, all;

	for (uint32_t k = 0; k < chain->n_nfs; k++) {
		down_column(chain, k, &chains);
		down_column(pipeline, k, &pipelines);
	}
	all = (struct tally){.n = chains.n + pipelines.n,
		.n_not = chains.n_not + pipelines.n_not,
		.n_undecided = chains.n_undecided + pipelines.n_undecided};
	ret->holds = verdict(&all);
	if (all.n == 0) {
		str_set(ret->text, "no column has two numbers of instances");
		return;
	}
	str_set(ret->text, "from the fewest instances to the most");
	if (chains.n)
		str_addf(ret->text, sizeof(ret->text), " chains keep %.2f to %.2f of their rate%s",
			chains.least, chains.most, pipelines.n ? "," : "");
	if (pipelines.n)
		str_addf(ret->text, sizeof(ret->text), " pipelines %s%.2f to %.2f",
			chains.n ? "" : "keep ", pipelines.least, pipelines.most);
	add_exceptions(&all, ret->text, sizeof(ret->text));
}

void density_relations(const struct density_matrix *chain, const struct density_matrix *pipeline,
	struct density_relation *ret)
{
	static const struct {
		const char *name, *claim;
		void (*find)(const struct density_matrix *, const struct density_matrix *,
			struct density_relation *);
	} row[] = {
		[DENSITY_D1] = {"D1", "a chain and a pipeline of one function do the same", d1},
		[DENSITY_D2] = {"D2", "with functions a chain falls, a pipeline falls less", d2},
		[DENSITY_D3] = {"D3", "with instances both fall", d3},
	};

	static_assert(ARRAY_SIZE(row) == DENSITY_RELATION_N);
	for (uint32_t i = 0; i < DENSITY_RELATION_N; i++) {
		ret[i] = (struct density_relation){.name = row[i].name, .claim = row[i].claim};
		row[i].find(chain, pipeline, &ret[i]);
	}
}
