/* What campaigns have in common: how far they are, and what is not as their profile has it. */
#pragma once

#include "base/opt.h"

/* How much is done of what was expected, in pieces of work and by the estimate. */
struct tally {
	uint64_t begin_ns;
	uint32_t done, expected;
	double done_s, expected_s; /* by the estimate */
};

/* What is left by the estimate, made longer or shorter as what is done has been. */
uint64_t tally_left_ns(const struct tally *t);

/* Durations of a campaign, and of its profile; those of the tester's wait apart. */
struct campaign_times {
	const struct opt *opts;
	const void *now, *usual; /* structs that opts is bound to */
	uint64_t drain_ns, usual_drain_ns;
};

/* Adds "--trial-time 50ms, --drain 1s"; options that are as the profile has them are not named. */
void campaign_overrides(const struct campaign_times *t, char *ret, size_t size);
