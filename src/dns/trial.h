/* What a trial counted. */
#pragma once

#include "base/field.h"
#include "dns/answer.h"
#include "stat/hist.h"

/*
 * tried = sent + unsent; sent = answered + timeouts + broken. All uint64_t, so that threads' counts
 * add up member by member.
 */
struct dns_count {
	uint64_t tried;    /* queries intended */
	uint64_t sent;     /* of them, those that left */
	uint64_t unsent;   /* of them, those that could not leave in time */
	uint64_t blocked;  /* of unsent: the connection took no more, or all ids were in use */
	uint64_t answered; /* once, in time */
	uint64_t timeouts;
	uint64_t broken; /* unanswered when the server closed the connection */
	uint64_t duplicates, late;
	uint64_t unexpected; /* answers to nothing that was asked */
	uint64_t garbage;    /* not answers */
	uint64_t refused;    /* ICMP errors and refused connections */
	uint64_t reconnects;
	uint64_t overflowed; /* answers that this end's socket buffers could not hold */
	uint64_t truncated;  /* of answered, those with TC */
	uint64_t query_bytes, answer_bytes;
	uint64_t slip_sum_ns; /* how late queries left, in all */
	uint64_t rcode[DNS_N_RCODES];
};
extern const struct field dns_count_fields[];

struct dns_trial {
	double rate_qps;       /* asked for; NAN: closed loop */
	uint64_t duration_ns;  /* of sending, intended; what there was of it when interrupted */
	uint64_t effective_ns; /* in all */
	uint64_t client_cpu_ns;
	uint64_t slip_max_ns;
	uint64_t answer_min_bytes, answer_max_bytes;
	bool interrupted;
	struct dns_count count;
};
extern const struct field dns_trial_fields[];

void dns_count_add(struct dns_count *into, const struct dns_count *from);

/* tried - answered */
uint64_t dns_lost(const struct dns_count *c);

/* Of the lost, those that this end never sent, or whose answers it could not hold. */
uint64_t dns_lost_here(const struct dns_count *c);
