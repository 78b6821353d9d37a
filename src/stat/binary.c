/*
 * Binary search over evenly spaced loads, with and without loss verification.
 * Ref: ETSI GS NFV-TST 009 V3.4.1 s.12.3.2, s.12.3.3
 *
 * The verification tells what the system can't do from what befell it once: a transient loss of
 * probability p rejects a load that is good with p^max_repeat, while a load above the limit loses
 * frames each time. Ref: the same, annex B
 */
#include "stat/search.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>

/* More loads than that are no step anyone wants; and they are counted in doubles. */
#define BINARY_MAX_LOADS 1e12

enum verdict {
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_TIME_MAX,
};

static double load_at(const struct binary_cfg *cfg, int64_t i)
{
	return fmin(cfg->min_load + (double)i * cfg->step, cfg->max_load);
}

/* The last load is max_load, nearer to the one before it where step does not divide the range. */
static int count_loads(const struct binary_cfg *cfg, int64_t *ret, struct err *e)
{
	const double range = cfg->max_load - cfg->min_load;
	double n;

	if (!(cfg->min_load > 0 && range >= 0 && isfinite(range) && cfg->step > 0 &&
		    cfg->duration_ns > 0 && cfg->max_repeat > 0))
		return err_say(e, EINVAL, "a search needs 0 < min load <= max load and a step");
	/* A step that divides the range must not seem to fall short of it by a rounding. */
	n = ceil(range / cfg->step * (1 - 1e-12));
	if (n > BINARY_MAX_LOADS)
		return err_say(e, EINVAL, "a step of %g is too small for loads up to %g", cfg->step,
			cfg->max_load);
	*ret = (int64_t)n + 1;
	return 0;
}

static bool is_lossy(const struct binary_cfg *cfg, const struct search_trial *t)
{
	return (double)t->lost > cfg->loss_ratio * (double)t->tried;
}

/* Trials at one load. Return: enum verdict, or negative errno. */
static int judge(struct search_log *log, const struct binary_cfg *cfg, double load,
	const struct search_ops *ops, struct err *e)
{
	for (uint32_t i = 0; i < cfg->max_repeat; i++) {
		const struct search_trial *t;
		int r;

		if (cfg->time_max_ns && log->effective_ns + cfg->duration_ns > cfg->time_max_ns)
			return VERDICT_TIME_MAX;
		r = search_measure(log, ops, load, cfg->duration_ns, e);
		if (r < 0)
			return r;
		t = &log->trial[log->n - 1];
		if (!is_lossy(cfg, t))
			return VERDICT_PASS;
		if (t->lost > cfg->max_loss)
			return VERDICT_FAIL;
	}
	return VERDICT_FAIL;
}

int search_binary(struct binary_result *ret, struct search_log *log, const struct binary_cfg *cfg,
	const struct search_ops *ops, struct err *e)
{
	int64_t low = 0, high, n = 0;
	int r;

	*ret = (struct binary_result){SEARCH_STOPPED, NAN, NAN};
	r = count_loads(cfg, &n, e);
	if (r < 0)
		return r;
	high = n - 1;
	while (low <= high) {
		const int64_t middle = low + (high - low) / 2;

		r = judge(log, cfg, load_at(cfg, middle), ops, e);
		if (r < 0)
			return r;
		if (r == VERDICT_TIME_MAX) {
			ret->end = SEARCH_TIME_MAX;
			return 0;
		}
		if (r == VERDICT_PASS) {
			ret->lower = load_at(cfg, middle);
			low = middle + 1;
		} else {
			ret->upper = load_at(cfg, middle);
			high = middle - 1;
		}
	}
	ret->end = isnan(ret->lower)   ? SEARCH_MIN_LOAD
		   : isnan(ret->upper) ? SEARCH_MAX_LOAD
				       : SEARCH_FOUND;
	return 0;
}
