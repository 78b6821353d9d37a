#include "guard/claim.h"

#include "bpf/softirq.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int claim_compare(const struct claim *a, const struct claim *b)
{
	const int addr = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	if (addr)
		return addr;
	return a->port != b->port ? a->port - b->port : a->proto - b->proto;
}

static int by_claim_and_owner(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	const int what = claim_compare(x, y);

	return what ? what : (x->owner > y->owner) - (x->owner < y->owner);
}

static uint32_t without_doubles(struct claim *c, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (kept == 0 || by_claim_and_owner(&c[kept - 1], &c[i]) != 0)
			c[kept++] = c[i];
	return kept;
}

/* All of one thing, the host's first. */
static void settle_one(struct claim *c, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		c[i].rival = c[0].owner;
	if (n > 1 && c[0].owner != SOFTIRQ_HOST)
		c[0].rival = c[1].owner;
}

uint32_t claims_settle(struct claim *c, uint32_t n)
{
	uint32_t end;

	if (n == 0)
		return 0;
	qsort(c, n, sizeof(*c), by_claim_and_owner);
	n = without_doubles(c, n);
	for (uint32_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && claim_compare(&c[i], &c[end]) == 0; end++)
			;
		settle_one(&c[i], end - i);
	}
	return n;
}

bool claim_holds(const struct claim *c)
{
	return c->rival == c->owner;
}

void claim_text(const struct claim *c, char ret[CLAIM_TEXT])
{
	if (c->port)
		snprintf(ret, CLAIM_TEXT, "port %u/%s", c->port,
			c->proto == IPPROTO_TCP ? "tcp" : "udp");
	else if (IN6_IS_ADDR_V4MAPPED(&c->addr))
		inet_ntop(AF_INET, &c->addr.s6_addr[12], ret, CLAIM_TEXT);
	else
		inet_ntop(AF_INET6, &c->addr, ret, CLAIM_TEXT);
}
