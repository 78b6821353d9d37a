/*
 * What came back, judged: only what says it is an answer, carries the id of a query and repeats its
 * question is one. Pure; the bytes are a stranger's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_answer {
	uint16_t id;
	uint8_t rcode; /* the header's four bits; the upper ones in EDNS are not looked at */
	bool truncated;
};
#define DNS_N_RCODES 16

/* Return: false when it is no answer at all: too short, or a query. */
bool dns_answer_parse(struct dns_answer *ret, const uint8_t *data, size_t len);

/*
 * dns_answer_fits() - does the answer @data, which dns_answer_parse() took, repeat the question?
 * @query: [query_len], as of dns_query()
 *
 * Letters of names may differ in case. A server that can't read the question, or won't, may leave
 * it out of an error. Ref: RFC 5452 s.9.1 (match the question), RFC 1035 s.2.3.3 (case).
 */
bool dns_answer_fits(const uint8_t *data, size_t len, const uint8_t *query, size_t query_len);
