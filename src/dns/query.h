/*
 * Queries in wire form, made before anything is measured; sending one is copying it and writing
 * its id over the first two bytes, which are 0 here. Class IN, one question, and by default the
 * OPT record of EDNS. Made by libldns, whose types appear nowhere else.
 */
#pragma once

#include "base/cleanup.h"
#include "dns/cfg.h"

/* Header, the longest name, type and class, OPT. Ref: RFC 1035 s.2.3.4, s.4.1; RFC 6891 s.6.1 */
#define DNS_HEADER_BYTES   12
#define DNS_QUESTION_BYTES (255 + 4)
#define DNS_OPT_BYTES      11
#define DNS_QUERY_BYTES    (DNS_HEADER_BYTES + DNS_QUESTION_BYTES + DNS_OPT_BYTES)

/* Both keep a wrong file from eating all memory: some 1 GiB of queries. */
#define DNS_MAX_QUERIES    (1 << 24)
#define DNS_MAX_LINE_BYTES 2048

struct dns_queries {
	uint32_t n;
	uint8_t *wire; /* all of them, one after the other */
	uint64_t *at;  /* [n + 1], where each begins in wire */
};

static inline const uint8_t *dns_query(const struct dns_queries *q, uint32_t i, uint32_t *ret_len)
{
	*ret_len = (uint32_t)(q->at[i + 1] - q->at[i]);
	return q->wire + q->at[i];
}

/*
 * dns_queries_new() - the queries that @cfg asks for, at least one.
 *
 * Return: 0, -EINVAL (a line or name is wrong: the text names file and line), -E2BIG (too many),
 * or what opening and reading the file gave.
 */
int dns_queries_new(struct dns_queries **ret, const struct dns_cfg *cfg, struct err *e) must_check_;
void dns_queries_free(struct dns_queries *q);
DEFINE_CLEANUP(struct dns_queries *, dns_queries_free, dns_queries_freep)

/* "NOERROR", "NXDOMAIN", ...; "RCODE12" for those without a name. */
void dns_rcode_text(uint32_t rcode, char *ret, size_t size);
