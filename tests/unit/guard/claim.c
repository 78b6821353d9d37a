/* Who has an address, whoever says so: lists of claims, as letters, and who they leave it to. */
#include "guard/claim.h"

#include "base/macro.h"
#include "bpf/softirq.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MAX_CLAIMS 6
#define A          (SOFTIRQ_FIRST)
#define B          (SOFTIRQ_FIRST + 1)
#define C          (SOFTIRQ_FIRST + 2)

/* "::ffff:..." is how IPv4 is written here, and what a container may give itself of IPv6. */
static struct claim of_addr(const char *text, uint32_t owner)
{
	struct claim c = {.owner = owner, .rival = 77};

	assert_int_equal(inet_pton(AF_INET6, text, &c.addr), 1);
	return c;
}

static struct claim of_port(uint8_t proto, uint16_t port, uint32_t owner)
{
	return (struct claim){.proto = proto, .port = port, .owner = owner, .rival = 77};
}

static const struct claim *find(const struct claim *c, uint32_t n, const struct claim *x)
{
	for (uint32_t i = 0; i < n; i++)
		if (claim_compare(&c[i], x) == 0 && c[i].owner == x->owner)
			return &c[i];
	fail_msg("a claim of %u is lost", x->owner);
	return NULL;
}

static void one_address(void **state)
{
	static const struct {
		uint32_t owner[MAX_CLAIMS]; /* 77: no more */
		uint32_t n, holder;         /* 77: nobody */
		uint32_t rival_of_first;
	} row[] = {
		{{A, 77}, 1, A, A},
		{{A, A, 77}, 1, A, A},
		{{A, B, 77}, 2, 77, B},
		{{B, A, 77}, 2, 77, A},
		{{B, A, B, C, A, 77}, 3, 77, A},
		{{SOFTIRQ_HOST, 77}, 1, SOFTIRQ_HOST, SOFTIRQ_HOST},
		{{A, SOFTIRQ_HOST, 77}, 2, SOFTIRQ_HOST, SOFTIRQ_HOST},
		{{C, B, SOFTIRQ_HOST, A, 77}, 4, SOFTIRQ_HOST, SOFTIRQ_HOST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct claim c[MAX_CLAIMS], first = of_addr("2001:2::1", row[i].owner[0]);
		uint32_t n = 0;

		for (; row[i].owner[n] != 77; n++)
			c[n] = of_addr("2001:2::1", row[i].owner[n]);
		n = claims_settle(c, n);
		assert_int_equal(n, row[i].n);
		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(claim_holds(&c[k]), c[k].owner == row[i].holder);
		assert_int_equal(find(c, n, &first)->rival, row[i].rival_of_first);
	}
	assert_int_equal(claims_settle(NULL, 0), 0);
}

/* What is of one does not touch what is of another, and all is in order. */
static void many(void **state)
{
	struct claim c[] = {of_addr("::ffff:198.18.0.10", A), of_port(IPPROTO_TCP, 80, A),
		of_addr("::ffff:198.18.0.11", B), of_port(IPPROTO_UDP, 80, B),
		of_addr("2001:2::1", C), of_port(IPPROTO_TCP, 80, C),
		of_addr("::ffff:198.18.0.10", C), of_port(IPPROTO_TCP, 81, C)};
	static const bool holds[] = {false, false, true, true, true, false, false, true};
	struct claim was[ARRAY_SIZE(c)];
	uint32_t n;

	(void)state;
	memcpy(was, c, sizeof(c));
	n = claims_settle(c, ARRAY_SIZE(c));
	assert_int_equal(n, ARRAY_SIZE(c));
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(claim_holds(find(c, n, &was[i])), holds[i]);
	for (uint32_t i = 1; i < n; i++)
		assert_true(claim_compare(&c[i - 1], &c[i]) <= 0);
}

static void words(void **state)
{
	const struct claim c[] = {of_addr("::ffff:198.18.0.10", A), of_addr("2001:2::1", A),
		of_port(IPPROTO_TCP, 8080, A), of_port(IPPROTO_UDP, 53, A)};
	static const char *const want[] = {"198.18.0.10", "2001:2::1", "port 8080/tcp",
		"port 53/udp"};
	char text[CLAIM_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		claim_text(&c[i], text);
		assert_string_equal(text, want[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address),
		cmocka_unit_test(many),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
