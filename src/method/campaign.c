#include "method/campaign.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

/* So much of the estimate counts as if it had been right: the first units say little of others. */
#define PRIOR 0.1

uint64_t tally_left_ns(const struct tally *t)
{
	double spent_s = (double)(clock_now_ns() - t->begin_ns) / 1e9;
	double left_s = fmax(0, t->expected_s - t->done_s);
	double prior_s = PRIOR * (left_s + t->done_s);

	if (left_s > 0)
		left_s *= (spent_s + prior_s) / (t->done_s + prior_s);
	return (uint64_t)(left_s * 1e9);
}

static void add(const char *name, const char *text, char *ret, size_t size)
{
	str_addf(ret, size, "%s--%s %s", *ret ? ", " : "", name, text);
}

void campaign_overrides(const struct campaign_times *t, char *ret, size_t size)
{
	char text[64];

	for (const struct opt *o = t->opts; o->name; o++) {
		const char *now = (const char *)t->now + o->offset;

		if (memcmp(now, (const char *)t->usual + o->offset, o->size) == 0)
			continue;
		opt_get(o, t->now, text, sizeof(text));
		add(o->name, text, ret, size);
	}
	if (t->drain_ns == t->usual_drain_ns)
		return;
	num_format(t->drain_ns, NUM_DURATION, text, sizeof(text));
	add("drain", text, ret, size);
}
