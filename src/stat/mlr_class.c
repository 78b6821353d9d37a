/*
 * What the trials at a load say for a goal. All of it is a function of the multiset of trials, and
 * is computed in integers: a comparison that holds with equality is a pass, and must not turn over
 * on a rounding. Durations are in ns, below 2^63; ratios in parts per 10^9 < 2^30; so products of
 * one duration and two ratios stay below 2^123.
 */
#include "base/cleanup.h"
#include "base/mem.h"
#include "stat/mlr.h"

#include <math.h>
#include <stdlib.h>

const char *const mlr_class_name[] = {
	[MLR_UNDECIDED] = "undecided",
	[MLR_LOWER] = "lower",
	[MLR_UPPER] = "upper",
};
static_assert(ARRAY_SIZE(mlr_class_name) == MLR_CLASS_N);

/* Strictly more than the ratio is bad. Ref: RFC 9971, "Goal Loss Ratio" */
bool mlr_is_bad(const struct search_trial *t, const struct mlr_goal *goal)
{
	return (__int128)t->lost * MLR_PPB > (__int128)goal->loss_ppb * t->tried;
}

/* The intended duration tells full-length from short, the effective one is what counts. */
void mlr_sums_add(struct mlr_sums *s, const struct search_trial *t, const struct mlr_goal *goal)
{
	const bool bad = mlr_is_bad(t, goal);
	uint64_t *sum = t->duration_ns >= goal->final_ns
				? (bad ? &s->full_bad_ns : &s->full_good_ns)
			: bad ? &s->short_bad_ns
			      : &s->short_good_ns;

	*sum += t->effective_ns;
}

/*
 * Ref: RFC 9971 appendix A. In its words, with H the effective high-loss duration and e the exceed
 * ratio: excess = max(0, short bad - short good * e / (1 - e)), H = full bad + excess,
 * T = max(full good + H, duration sum); the optimistic ratio is H / T, the pessimistic one
 * (T - full good) / T. Here all durations are multiplied by (1 - e).
 */
enum mlr_class mlr_sums_class(const struct mlr_sums *s, const struct mlr_goal *goal)
{
	const __int128 e = goal->exceed_ppb, rest = MLR_PPB - e;
	const __int128 excess = s->short_bad_ns * rest - s->short_good_ns * e;
	const __int128 bad = s->full_bad_ns * rest + MAX(excess, (__int128)0);
	const __int128 good = s->full_good_ns * rest;
	const __int128 total = MAX(good + bad, goal->sum_ns * rest);
	const bool optimistic = bad * MLR_PPB <= e * total;
	const bool pessimistic = (total - good) * MLR_PPB <= e * total;

	if (optimistic == pessimistic)
		return optimistic ? MLR_LOWER : MLR_UPPER;
	return MLR_UNDECIDED;
}

enum mlr_class mlr_classify(const struct search_log *log, double load, const struct mlr_goal *goal)
{
	struct mlr_sums s = {0};

	for (uint32_t i = 0; i < log->n; i++)
		if (log->trial[i].load == load)
			mlr_sums_add(&s, &log->trial[i], goal);
	return mlr_sums_class(&s, goal);
}

static int compare_load(const void *a, const void *b)
{
	const double x = (*(const struct search_trial *const *)a)->load;
	const double y = (*(const struct search_trial *const *)b)->load;

	return (x > y) - (x < y);
}

/*
 * The upper bound is the smallest load that fails, the lower one the largest below it that passes:
 * a load that passes above one that fails is ignored. Ref: RFC 9971, "Relevant Lower Bound"
 */
void mlr_bounds(const struct search_log *log, const struct mlr_goal *goal, double *ret_lower,
	double *ret_upper)
{
	_cleanup_(freep) const struct search_trial **by_load =
		xcalloc(log->n + 1, sizeof(*by_load));
	struct mlr_sums s = {0};

	*ret_lower = *ret_upper = NAN;
	for (uint32_t i = 0; i < log->n; i++)
		by_load[i] = &log->trial[i];
	qsort(by_load, log->n, sizeof(const struct search_trial *), compare_load);
	for (uint32_t i = 0; i < log->n && isnan(*ret_upper); i++) {
		const double load = by_load[i]->load;
		enum mlr_class is;

		mlr_sums_add(&s, by_load[i], goal);
		if (i + 1 < log->n && by_load[i + 1]->load == load)
			continue;
		is = mlr_sums_class(&s, goal);
		if (is != MLR_UNDECIDED)
			*(is == MLR_LOWER ? ret_lower : ret_upper) = load;
		s = (struct mlr_sums){0};
	}
}

static int compare_loss(const void *a, const void *b)
{
	const struct search_trial *x = *(const struct search_trial *const *)a;
	const struct search_trial *y = *(const struct search_trial *const *)b;
	const __int128 left = (__int128)x->lost * MAX(y->tried, 1U);
	const __int128 right = (__int128)y->lost * MAX(x->tried, 1U);

	return (left > right) - (left < right);
}

/*
 * The loss ratio that full-length trials stay within for (1 - e) of the time, the missing part of
 * the duration sum counting as lost altogether. The draft's prose leaves the duration sum out, its
 * code has it; the code is followed. Ref: RFC 9971 appendix B
 */
double mlr_conditional(const struct search_log *log, double load, const struct mlr_goal *goal)
{
	_cleanup_(freep) const struct search_trial **full = xcalloc(log->n + 1, sizeof(*full));
	uint64_t total_ns = 0;
	double loss = 1;
	uint32_t n = 0;
	__int128 left;

	for (uint32_t i = 0; i < log->n; i++) {
		const struct search_trial *t = &log->trial[i];

		if (t->load != load || t->duration_ns < goal->final_ns)
			continue;
		full[n++] = t;
		total_ns += t->effective_ns;
	}
	qsort(full, n, sizeof(const struct search_trial *), compare_loss);
	left = (__int128)MAX(total_ns, goal->sum_ns) * (MLR_PPB - goal->exceed_ppb);
	for (uint32_t i = 0; i < n && left > 0; i++) {
		left -= (__int128)full[i]->effective_ns * MLR_PPB;
		loss = search_loss_ratio(full[i]);
	}
	return load * (1 - (left > 0 ? 1 : loss));
}
