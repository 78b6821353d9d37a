/*
 * Connection tracking that drops: no room in the table for a new connection, or two packets of one
 * flow that raced for the same entry. Ref: net/netfilter/nf_conntrack_core.c, counters drop,
 * early_drop, insert_failed of /proc/net/stat/nf_conntrack.
 */
#include "base/str.h"
#include "finding/table.h"

static uint64_t sum(const struct run *run, const struct cell *c, size_t counter)
{
	return finding_sum(run, c, FINDING_ENDS | FINDING_BETWEEN, counter);
}

static bool look(const struct run *run, const struct cell *c, char *ret, size_t size)
{
	uint64_t full = sum(run, c, offsetof(struct drops_reading, conntrack_drops));
	uint64_t early = sum(run, c, offsetof(struct drops_reading, conntrack_early_drops));
	uint64_t raced = sum(run, c, offsetof(struct drops_reading, conntrack_insert_failed));

	if (full + early)
		str_addf(ret, size,
			"the connection tracking table is full: %llu packets dropped, %llu entries "
			"pushed out; raise net.netfilter.nf_conntrack_max, or do not track these "
			"flows (notrack)",
			(unsigned long long)full, (unsigned long long)early);
	if (raced)
		str_addf(ret, size,
			"%s%llu packets were dropped because their connection was entered into the "
			"tracking table twice at once (insert_failed)",
			full + early ? "; " : "", (unsigned long long)raced);
	return full + early + raced > 0;
}

const struct finding_ops finding_conntrack = {
	.name = "conntrack",
	.claim = "connection tracking drops packets",
	.look = look,
};
