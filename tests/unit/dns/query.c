#include "dns/query.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct dns_cfg by_name(const char *names, const char *type)
{
	struct dns_cfg cfg = dns_cfg_default;

	str_set(cfg.names, names);
	str_set(cfg.type, type);
	return cfg;
}

static struct dns_queries *make(const struct dns_cfg *cfg)
{
	struct dns_queries *q = NULL;
	struct err e = {0};

	if (dns_queries_new(&q, cfg, &e) < 0)
		fail_msg("%s", e.text);
	return q;
}

/* Ref: RFC 1035 s.4.1, RFC 6891 s.6.1; the bytes as dig sends them. */
static void wire_form(void **state)
{
	static const uint8_t plain[] = "\0\0\1\0\0\1\0\0\0\0\0\0\1a\2bc\0\0\1\0\1";
	static const uint8_t edns[] = "\0\0\0\0\0\1\0\0\0\0\0\1\1a\2bc\0\0\101\0\1"
				      "\0\0\051\4\320\0\0\200\0\0\0";
	struct dns_cfg cfg = by_name("a.bc", "A");
	struct dns_queries *q;
	uint32_t len;

	(void)state;
	cfg.edns_bytes = 0;
	q = make(&cfg);
	assert_int_equal(q->n, 1);
	assert_memory_equal(dns_query(q, 0, &len), plain, sizeof(plain) - 1);
	assert_int_equal(len, sizeof(plain) - 1);
	dns_queries_free(q);

	cfg = by_name("a.bc", "TYPE65");
	cfg.no_recursion = cfg.dnssec = true;
	q = make(&cfg);
	assert_memory_equal(dns_query(q, 0, &len), edns, sizeof(edns) - 1);
	assert_int_equal(len, sizeof(edns) - 1);
	dns_queries_free(q);
}

static void names_are_counted_out(void **state)
{
	struct dns_cfg cfg = by_name("h{98-3101}.x", "TXT");
	struct dns_queries *q = make(&cfg);
	uint32_t len;

	(void)state;
	assert_int_equal(q->n, 3004);
	assert_memory_equal(dns_query(q, 0, &len) + 12, "\3h98\1x", 7);
	assert_memory_equal(dns_query(q, 3003, &len) + 12, "\5h3101\1x", 9);
	dns_queries_free(q);
}

static void bad_names(void **state)
{
	static const struct {
		const char *names, *type, *words;
		int code;
	} c[] = {
		{"h{1-}.x", "A", "'{1-}' is not a range", -EINVAL},
		{"h{2-1}.x", "A", "not a range", -EINVAL},
		{"h{1}.x", "A", "not a range", -EINVAL},
		{"h{1-2.x", "A", "one pair of braces", -EINVAL},
		{"h{1-2}{3-4}", "A", "one pair of braces", -EINVAL},
		{"h{0-99999999}.x", "A", "more than", -E2BIG},
		{"h{0-18446744073709551615}.x", "A", "not a range", -EINVAL},
		{"a..b", "A", "'a..b' is not a name", -EINVAL},
		{"a.b", "NOSUCH", "'NOSUCH' is not a query type", -EINVAL},
		{"a.b", "", "not a query type", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct dns_cfg cfg = by_name(c[i].names, c[i].type);
		struct dns_queries *q = NULL;
		struct err e = {0};

		assert_int_equal(dns_queries_new(&q, &cfg, &e), c[i].code);
		assert_null(q);
		if (!strstr(e.text, c[i].words))
			fail_msg("'%s' is not in '%s'", c[i].words, e.text);
	}
}

/* A file with @text, of @size bytes. */
static struct dns_cfg by_file(const char *text, size_t size)
{
	struct dns_cfg cfg = dns_cfg_default;
	char path[] = "/tmp/tare-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	str_set(cfg.query_file, path);
	return cfg;
}

static void file_of_dnsperf(void **state)
{
	static const char text[] = "; a comment\n# another\n\n  a.b  A\r\n*.c.\tAAAA\nD.e ANY";
	struct dns_cfg cfg = by_file(text, sizeof(text) - 1);
	struct dns_queries *q = make(&cfg);
	uint32_t len;

	(void)state;
	unlink(cfg.query_file);
	assert_int_equal(q->n, 3);
	assert_memory_equal(dns_query(q, 0, &len) + 12, "\1a\1b\0\0\1\0\1", 9);
	assert_memory_equal(dns_query(q, 1, &len) + 12, "\1*\1c\0\0\034\0\1", 9);
	assert_memory_equal(dns_query(q, 2, &len) + 12, "\1D\1e\0\0\377\0\1", 9);
	dns_queries_free(q);
}

static void bad_files(void **state)
{
	static char longer[DNS_MAX_LINE_BYTES + 2];
	const struct {
		const char *text;
		size_t size;
		const char *words;
	} c[] = {
		{"", 0, "has no query"},
		{"; none\n", 7, "has no query"},
		{"a A\nb\n", 6, ":2: a query is a name and a type, not 'b'"},
		{"a A\n\nb A C\n", 11, ":3: more than a name and a type"},
		{"a B\n", 4, ":1: 'B' is not a query type"},
		{"a..b A\n", 7, ":1: 'a..b' is not a name"},
		{"a A\n\0 A\n", 8, ":2: not a line"},
		{longer, sizeof(longer), ":1: not a line of text of less than 2048 bytes"},
	};

	(void)state;
	memset(longer, 'a', sizeof(longer));
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct dns_cfg cfg = by_file(c[i].text, c[i].size);
		struct dns_queries *q = NULL;
		struct err e = {0};

		assert_int_equal(dns_queries_new(&q, &cfg, &e), -EINVAL);
		unlink(cfg.query_file);
		if (!strstr(e.text, c[i].words))
			fail_msg("'%s' is not in '%s'", c[i].words, e.text);
	}
}

static void codes_have_names(void **state)
{
	char text[32];

	(void)state;
	dns_rcode_text(3, text, sizeof(text));
	assert_string_equal(text, "NXDOMAIN");
	dns_rcode_text(14, text, sizeof(text));
	assert_string_equal(text, "RCODE14");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_form),
		cmocka_unit_test(names_are_counted_out),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(file_of_dnsperf),
		cmocka_unit_test(bad_files),
		cmocka_unit_test(codes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
