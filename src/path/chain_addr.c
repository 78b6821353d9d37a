/*
 * Addresses, by instance; those of instance 0 of the ends are the lab's. The segments between
 * functions, number 16 i + k, have networks in the other half of the range for benchmarks.
 * Ref: RFC 2544 appendix C.2.2, RFC 5180 s.8 (198.19/16, 2001:2::/48).
 */
#include "path/chain_addr.h"

#include "base/macro.h"
#include "base/str.h"
#include "path/lab.h"

static const struct {
	const char *v4, *v6;
	uint32_t base[2]; /* [IPv6] */
} addr_form[] = {
	[ADDR_NEAR] = {"198.18.0.%u", "2001:2::1:%x", {32, 0}},
	[ADDR_FIRST] = {"198.18.0.%u", "2001:2::2:%x", {64, 0}},
	[ADDR_FAR] = {"198.18.1.%u", "2001:2:0:1::1:%x", {32, 0}},
	[ADDR_LAST] = {"198.18.1.%u", "2001:2:0:1::2:%x", {64, 0}},
	[ADDR_LEFT] = {"198.19.%u.1", "2001:2:0:%x::1", {0, 0x100}},
	[ADDR_RIGHT] = {"198.19.%u.2", "2001:2:0:%x::2", {0, 0x100}},
};
static_assert(ARRAY_SIZE(addr_form) == ADDR_N);
static_assert(PATH_MAX_INSTANCES <= 32 && PATH_MAX_NFS <= 16, "they would overlap");

/* Formats are of the table above: one number each. */
void chain_addr(const struct path *p, enum chain_addr what, uint32_t i, char *ret, size_t size)
{
	bool ipv6 = p->cfg.ipv6;
	uint32_t n = addr_form[what].base[ipv6] + i;
	const char *form = ipv6 ? addr_form[what].v6 : addr_form[what].v4;

	if (i == 0 && what == ADDR_NEAR)
		form = p->lab->addrs->peer;
	if (i == 0 && what == ADDR_FAR)
		form = p->lab->addrs->pod[0].addr;
	ret[0] = '\0';
	for (const char *s = form; *s; s++) {
		if (*s != '%')
			str_addf(ret, size, "%c", *s);
		else
			str_addf(ret, size, *++s == 'u' ? "%u" : "%x", n);
	}
}
