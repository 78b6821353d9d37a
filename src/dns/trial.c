#include "dns/trial.h"

const struct field dns_count_fields[] = {
	FIELD_U64(struct dns_count, tried, "", "queries intended"),
	FIELD_U64(struct dns_count, sent, "", "of tried, those that left"),
	FIELD_U64(struct dns_count, unsent, "", "of tried, those that could not leave in time"),
	FIELD_U64(struct dns_count, blocked, "",
		"of unsent, those that the server's connection took no more of, or for which there "
		"was no free id"),
	FIELD_U64(struct dns_count, answered, "", "of sent, those answered in time"),
	FIELD_U64(struct dns_count, timeouts, "", "of sent, those not answered in time"),
	FIELD_U64(struct dns_count, broken, "",
		"of sent, those unanswered when the server closed their connection"),
	FIELD_U64(struct dns_count, duplicates, "", "answers to what was answered already"),
	FIELD_U64(struct dns_count, late, "", "answers to what had timed out"),
	FIELD_U64(struct dns_count, unexpected, "", "answers to nothing that was asked"),
	FIELD_U64(struct dns_count, garbage, "", "messages that are no answers"),
	FIELD_U64(struct dns_count, refused, "", "ICMP errors and refused connections"),
	FIELD_U64(struct dns_count, reconnects, "", "connections made again"),
	FIELD_U64(struct dns_count, overflowed, "",
		"answers that the client's own socket buffers dropped"),
	FIELD_U64(struct dns_count, truncated, "", "of answered, those with the TC bit"),
	FIELD_U64(struct dns_count, query_bytes, "bytes", "of all sent, DNS messages only"),
	FIELD_U64(struct dns_count, answer_bytes, "bytes", "of all answered, DNS messages only"),
	FIELD_U64(struct dns_count, slip_sum_ns, "ns",
		"how long after they were due the queries left, added up"),
	FIELD_END,
};

const struct field dns_trial_fields[] = {
	FIELD_DOUBLE(struct dns_trial, rate_qps, "queries/s", "asked for; null: closed loop"),
	FIELD_U64(struct dns_trial, duration_ns, "ns", "of sending"),
	FIELD_U64(struct dns_trial, effective_ns, "ns", "of the trial in all"),
	FIELD_U64(struct dns_trial, client_cpu_ns, "ns", "CPU time of the client's threads"),
	FIELD_U64(struct dns_trial, slip_max_ns, "ns",
		"how long after it was due a query left, at most"),
	FIELD_U64(struct dns_trial, answer_min_bytes, "bytes", "smallest answer; 0: none"),
	FIELD_U64(struct dns_trial, answer_max_bytes, "bytes", "largest answer"),
	FIELD_BOOL(struct dns_trial, interrupted, "ended early by the user"),
	FIELD_END,
};

static_assert(sizeof(struct dns_count) % sizeof(uint64_t) == 0);

void dns_count_add(struct dns_count *into, const struct dns_count *from)
{
	uint64_t *a = (uint64_t *)into;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*into) / sizeof(*a); i++)
		a[i] += b[i];
}

uint64_t dns_lost(const struct dns_count *c)
{
	return c->tried - c->answered;
}

uint64_t dns_lost_here(const struct dns_count *c)
{
	uint64_t here = c->unsent - c->blocked + c->overflowed;

	return MIN(here, dns_lost(c));
}
