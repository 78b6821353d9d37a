/* The log that all searches keep, and the names of how they end. */
#include "stat/search.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

const char *const search_end_name[] = {
	[SEARCH_FOUND] = "found",
	[SEARCH_MAX_LOAD] = "max-load",
	[SEARCH_MIN_LOAD] = "min-load",
	[SEARCH_TIME_MAX] = "time-max",
	[SEARCH_TRIALS_MAX] = "trials-max",
	[SEARCH_STOPPED] = "stopped",
};
static_assert(ARRAY_SIZE(search_end_name) == SEARCH_END_N);

const char *const search_end_text[] = {
	[SEARCH_FOUND] = "regular",
	[SEARCH_MAX_LOAD] = "irregular: max load passes",
	[SEARCH_MIN_LOAD] = "irregular: min load fails",
	[SEARCH_TIME_MAX] = "irregular: out of time",
	[SEARCH_TRIALS_MAX] = "irregular: too many trials",
	[SEARCH_STOPPED] = "irregular: stopped",
};
static_assert(ARRAY_SIZE(search_end_text) == SEARCH_END_N);

const struct field search_trial_fields[] = {
	FIELD_DOUBLE(struct search_trial, load, "1/s", "intended load of each interface"),
	FIELD_U64(struct search_trial, duration_ns, "ns", "intended duration"),
	FIELD_U64(struct search_trial, effective_ns, "ns",
		"what the trial took in all, overheads included"),
	FIELD_U64(struct search_trial, tried, "",
		"frames, queries, ... intended, with those that could not be sent"),
	FIELD_U64(struct search_trial, lost, "", "of tried, those that did not come back"),
	FIELD_END,
};

double search_loss_ratio(const struct search_trial *t)
{
	return t->tried ? (double)t->lost / (double)t->tried : 0;
}

double search_forwarded(const struct search_trial *t)
{
	return t->load * (1 - search_loss_ratio(t));
}

void search_log_fini(struct search_log *log)
{
	free(log->trial);
	*log = (struct search_log){0};
}

void search_log_add(struct search_log *log, const struct search_trial *t)
{
	assert(t->effective_ns > 0 && t->lost <= t->tried);
	/* Full whenever its length is a power of two. */
	if ((log->n & (log->n - 1)) == 0)
		log->trial = xreallocarray(log->trial, log->n ? 2 * (size_t)log->n : 1,
			sizeof(*log->trial));
	log->trial[log->n++] = *t;
	log->effective_ns += t->effective_ns;
}

int search_measure(struct search_log *log, const struct search_ops *ops, double load,
	uint64_t duration_ns, struct err *e)
{
	struct search_trial t = {0};
	int r = ops->trial(ops->ctx, load, duration_ns, &t, e);

	if (r < 0)
		return r;
	t.load = load;
	t.duration_ns = duration_ns;
	if (t.effective_ns == 0)
		t.effective_ns = duration_ns;
	search_log_add(log, &t);
	if (ops->told)
		ops->told(ops->ctx, &log->trial[log->n - 1], log->n);
	return 0;
}
