#include "dns/answer.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* a.BC, type 65, whose number is a letter's; with EDNS. */
#define QUESTION "\1a\2BC\0\0\101\0\1"
static const uint8_t query[] = "\0\0\1\0\0\1\0\0\0\0\0\1" QUESTION "\0\0\051\4\320\0\0\0\0\0\0";

static void header(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		bool ok;
		struct dns_answer is;
	} c[] = {
		{"\1\2\200\0\0\0\0\0\0\0\0\0", 12, true, {0x102, 0, false}},
		{"\377\376\207\203\0\1\0\1\0\0\0\0", 12, true, {0xfffe, 3, true}},
		{"\1\2\200\0\0\0\0\0\0\0\0", 11, false, {0}},                      /* short */
		{"", 0, false, {0}}, {"\1\2\1\0\0\1\0\0\0\0\0\0", 12, false, {0}}, /* a query */
		{"\1\2\250\0\0\1\0\0\0\0\0\0", 12, false, {0}}, /* an answer to an update */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct dns_answer a = {0};

		assert_int_equal(dns_answer_parse(&a, (const uint8_t *)c[i].data, c[i].len),
			c[i].ok);
		assert_int_equal(a.id, c[i].is.id);
		assert_int_equal(a.rcode, c[i].is.rcode);
		assert_int_equal(a.truncated, c[i].is.truncated);
	}
}

static void question(void **state)
{
#define HEAD(flags, questions) "\0\0" flags "\0" questions "\0\0\0\0\0\0"
	static const struct {
		const char *data;
		size_t len;
		bool fits;
	} c[] = {
		{HEAD("\200\0", "\1") QUESTION, 22, true},
		{HEAD("\200\0", "\1") QUESTION "more", 26, true},
		{HEAD("\200\0", "\1") "\1A\2bc\0\0\101\0\1", 22, true},
		{HEAD("\200\0", "\1") "\1a\2BD\0\0\101\0\1", 22, false},
		{HEAD("\200\0", "\1") "\1a\2BC\0\0\141\0\1", 22, false}, /* type 97 */
		{HEAD("\200\0", "\1") "\1a\2BC\0\0\101\0\3", 22, false},
		{HEAD("\200\0", "\1") QUESTION, 21, false}, /* cut */
		{HEAD("\200\0", "\2") QUESTION, 22, false}, {HEAD("\200\0", "\0"), 12, false},
		{HEAD("\200\1", "\0"), 12, true}, /* FORMERR without a question */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(dns_answer_fits((const uint8_t *)c[i].data, c[i].len, query,
					 sizeof(query) - 1),
			c[i].fits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		cmocka_unit_test(question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
