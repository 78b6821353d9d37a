#include "report/openmetrics.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND NSEC_PER_SEC

static struct bill_row named(uint32_t owner, uint32_t kind, const char *name)
{
	struct bill_row row = {.owner = owner, .process_known = owner != SOFTIRQ_OVERHEAD};

	row.who.kind = kind;
	snprintf(row.who.name, sizeof(row.who.name), "%s", name);
	return row;
}

static void update(struct openmetrics *m, uint64_t to_ns, struct bill_row *row, uint32_t n)
{
	struct bill bill = {.to_ns = to_ns, .row = row, .n_rows = n, .conservation = NAN};

	openmetrics_update(m, &bill);
}

static char *text_of(const struct openmetrics *m, enum openmetrics_form form)
{
	size_t n = 0;
	char *text = openmetrics_text(m, form, &n);

	assert_int_equal(n, strlen(text));
	return text;
}

/* What stands behind "@sample " in the text, or NULL. */
static char *value_of(const struct openmetrics *m, const char *sample)
{
	_cleanup_(freep) char *text = text_of(m, OPENMETRICS_1_0);
	_cleanup_(freep) char *line = xasprintf("\n%s ", sample);
	char *at = strstr(text, line);

	if (!at)
		return NULL;
	at += strlen(line);
	return xasprintf("%.*s", (int)strcspn(at, "\n"), at);
}

static void has(const struct openmetrics *m, const char *sample, const char *wanted)
{
	_cleanup_(freep) char *value = value_of(m, sample);

	if (!value || !wanted) {
		if (value || wanted)
			fail_msg("%s is %s, wanted %s", sample, value ? value : "not there",
				wanted ? wanted : "none");
		return;
	}
	assert_string_equal(value, wanted);
}

/* Host and overhead, a pod that was found after one of the lab, one CPU. */
static void fixed_bill(struct openmetrics *m)
{
	struct bill_row row[] = {
		named(SOFTIRQ_HOST, 0, "host"),
		named(SOFTIRQ_OVERHEAD, 0, "overhead"),
		named(2, CONTAINER_LAB, "near"),
		named(3, CONTAINER_POD, "web-0"),
	};
	struct softirq_cpu cpu = {2 * SECOND, 1, 30, 40, 5, 6, {0}};
	struct bill bill = {
		.from_ns = 7 * SECOND,
		.to_ns = 9 * SECOND + 500 * NSEC_PER_MSEC,
		.n_rows = ARRAY_SIZE(row),
		.row = row,
		.n_cpus = 1,
		.cpu = &cpu,
		.conservation = 0.75,
		.n_left_out = 3,
	};

	row[0].process_ns = 4 * SECOND;
	row[0].total_ns = 4 * SECOND;
	row[1].soft.rx_ns = 12;
	snprintf(row[3].who.id, sizeof(row[3].who.id), "0123-abc");
	snprintf(row[3].who.k8s_ns, sizeof(row[3].who.k8s_ns), "shop");
	row[3].soft = (struct softirq_account){.rx_ns = 1500000000,
		.tx_ns = 1,
		.other_ns = 2,
		.thread_ns = 3,
		.ksoft_ns = 4,
		.own_ns = 5,
		.gained_ns = 6,
		.rx_pkts = 7,
		.tx_pkts = 8,
		.drop_pkts = 9,
		.irqs = 10};
	row[3].process_ns = 100 * SECOND;
	row[3].total_ns = 101 * SECOND;
	openmetrics_update(m, &bill);
}

static void exactly(void **state)
{
	static const char *const file[] = {
		[OPENMETRICS_1_0] = "/openmetrics/bill.om",
		[OPENMETRICS_TEXT_0_0_4] = "/openmetrics/bill.prom",
	};
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();

	(void)state;
	fixed_bill(m);
	for (uint32_t i = 0; i < OPENMETRICS_FORM_N; i++) {
		_cleanup_(freep) char *name = xasprintf("%s%s", getenv("FIXTURES"), file[i]);
		_cleanup_(freep) char *got = text_of(m, i), *wanted = xcalloc(1, 65536);
		_cleanup_(fclosep) FILE *f = fopen(name, "r");

		assert_non_null(f);
		(void)fread(wanted, 1, 65535, f);
		if (strcmp(got, wanted) != 0)
			fail_msg("not as in %s:\n%s", name, got);
	}
}

/* Nothing yet: a text all the same, and it ends as it must. */
static void empty(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	_cleanup_(freep) char *text = text_of(m, OPENMETRICS_1_0);
	_cleanup_(freep) char *plain = text_of(m, OPENMETRICS_TEXT_0_0_4);

	(void)state;
	assert_string_equal(text + strlen(text) - 7, "\n# EOF\n");
	assert_null(strstr(plain, "EOF"));
	has(m, "tare_charge_conservation_ratio", NULL);
}

static void escapes(void **state)
{
	static const struct {
		const char *name, *wanted;
	} row[] = {
		{"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8b", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x8b"},
		{"x\xffy", "x\xef\xbf\xbdy"},
		{"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
		{"too long for it \xc0\x80", "too long for it \xef\xbf\xbd\xef\xbf\xbd"},
		{"half of a pair \xed\xa0\x80",
			"half of a pair \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"beyond all \xf4\x90\x80\x80",
			"beyond all \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"{a=1}, b", "{a=1}, b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
		struct bill_row r = named(2, CONTAINER_CGROUP, row[i].name);
		_cleanup_(freep) char *sample =
			xasprintf("tare_container_own_seconds_total{kind=\"cgroup\",name=\"%s\"}",
				row[i].wanted);

		update(m, SECOND, &r, 1);
		has(m, sample, "0.000000000");
	}
}

static void form(void **state)
{
	static const struct {
		const char *accept;
		enum openmetrics_form form;
	} row[] = {
		{NULL, OPENMETRICS_TEXT_0_0_4},
		{"", OPENMETRICS_TEXT_0_0_4},
		{"*/*", OPENMETRICS_TEXT_0_0_4},
		{"text/plain;version=0.0.4", OPENMETRICS_TEXT_0_0_4},
		/* Prometheus 2.42. Ref: scrape/scrape.go, scrapeAcceptHeader */
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
			OPENMETRICS_1_0},
		{"Application/OpenMetrics-Text", OPENMETRICS_1_0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(openmetrics_form(row[i].accept), row[i].form);
}

#define OWN        "tare_container_own_seconds_total{kind=\"service\",name=\"a\"}"
#define CPU_TIME   "tare_container_cpu_seconds_total{kind=\"service\",name=\"a\"}"
#define CONTAINERS "tare_charge_containers"

/* A service that is started again is a new row with the same labels: one series goes on. */
static void restart(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row[2] = {named(2, CONTAINER_SERVICE, "a"),
		named(3, CONTAINER_SERVICE, "a")};

	(void)state;
	row[0].soft.own_ns = 2 * SECOND;
	update(m, 1 * SECOND, row, 1);
	has(m, OWN, "2.000000000");
	row[0].is_gone = true;
	row[1].soft.own_ns = 1;
	update(m, 2 * SECOND, row, 2);
	has(m, OWN, "2.000000001");
	has(m, CONTAINERS, "1");
	/* The bill forgets the first. */
	row[1].soft.own_ns = 1;
	update(m, 3 * SECOND, row + 1, 1);
	has(m, OWN, "2.000000001");
	row[1].soft.own_ns = 5;
	update(m, 4 * SECOND, row + 1, 1);
	has(m, OWN, "2.000000005");
}

/* Its number was given to a new one, and counts from 0. */
static void cleared(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row = named(2, CONTAINER_SERVICE, "a");

	(void)state;
	row.soft.own_ns = 2 * SECOND;
	update(m, 1 * SECOND, &row, 1);
	update(m, 2 * SECOND, NULL, 0);
	has(m, OWN, "2.000000000");
	row.soft.own_ns = 3;
	update(m, 3 * SECOND, &row, 1);
	has(m, OWN, "2.000000003");
}

/* A sum with signs may fall for a moment; a counter waits. */
static void never_back(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row = named(2, CONTAINER_SERVICE, "a");

	(void)state;
	row.total_ns = -5;
	update(m, 1 * SECOND, &row, 1);
	has(m, CPU_TIME, "0.000000000");
	row.total_ns = 100;
	update(m, 2 * SECOND, &row, 1);
	row.total_ns = 90;
	update(m, 3 * SECOND, &row, 1);
	has(m, CPU_TIME, "0.000000100");
	row.total_ns = 130;
	update(m, 4 * SECOND, &row, 1);
	has(m, CPU_TIME, "0.000000130");
}

/* Shown for as long as is said, also when the bill keeps it; and back with what it had. */
static void gone(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row = named(2, CONTAINER_SERVICE, "a");

	(void)state;
	row.soft.own_ns = 1;
	row.is_gone = true;
	update(m, 10 * SECOND, &row, 1);
	has(m, OWN, "0.000000001");
	has(m, CONTAINERS, "0");
	update(m, 10 * SECOND + OPENMETRICS_GONE_NS, &row, 1);
	has(m, OWN, "0.000000001");
	update(m, 10 * SECOND + OPENMETRICS_GONE_NS + 1, &row, 1);
	has(m, OWN, NULL);
	update(m, 11 * SECOND + OPENMETRICS_GONE_NS, &row, 1);
	has(m, OWN, NULL);
	row.is_gone = false;
	row.soft.own_ns = 4;
	update(m, 12 * SECOND + OPENMETRICS_GONE_NS, &row, 1);
	has(m, OWN, "0.000000004");
}

/* Neither inodes nor pids are labels: namespaces that nobody named are one series. */
static void unnamed(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row[] = {
		named(2, CONTAINER_NETNS, "netns-4026531833"),
		named(3, CONTAINER_NETNS, "pid:851"),
		named(4, CONTAINER_NETNS, "netns-1"),
		named(5, CONTAINER_LAB, "pid:851"),
	};

	(void)state;
	row[0].who.netns = 4026531833;
	for (uint32_t i = 0; i < ARRAY_SIZE(row); i++)
		row[i].soft.own_ns = 1 << i;
	update(m, 1 * SECOND, row, ARRAY_SIZE(row));
	has(m, "tare_container_own_seconds_total{kind=\"netns\"}", "0.000000003");
	has(m, "tare_container_own_seconds_total{kind=\"netns\",name=\"netns-1\"}", "0.000000004");
	has(m, "tare_container_own_seconds_total{kind=\"lab\",name=\"pid:851\"}", "0.000000008");
	has(m, CONTAINERS, "4");
}

/* The bill joins what is long gone: what was said under its own name stays as it was. */
static void earlier(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	struct bill_row row = named(2, CONTAINER_SERVICE, "a");

	(void)state;
	row.soft.own_ns = 7;
	row.is_gone = true;
	update(m, 1 * SECOND, &row, 1);
	row = named(2, CONTAINER_SERVICE, BILL_EARLIER);
	row.soft.own_ns = 9;
	row.is_gone = true;
	update(m, 2 * SECOND, &row, 1);
	has(m, OWN, "0.000000007");
	has(m, "tare_container_own_seconds_total{kind=\"service\",name=\"(earlier)\"}", NULL);
}

/* No more of those that are gone than there is a limit, and the last ones. */
static void many_gone(void **state)
{
	_cleanup_(openmetrics_freep) struct openmetrics *m = openmetrics_new();
	const uint32_t n = OPENMETRICS_MAX_GONE + 10;
	_cleanup_(freep) struct bill_row *row = xcalloc(n, sizeof(*row));
	_cleanup_(freep) char *text = NULL;
	uint32_t n_shown = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		row[i] = named(SOFTIRQ_FIRST + i, CONTAINER_NETNS, "");
		snprintf(row[i].who.id, sizeof(row[i].who.id), "%u", i);
		row[i].is_gone = i < 10;
	}
	update(m, 1 * SECOND, row, n);
	has(m, "tare_container_own_seconds_total{kind=\"netns\",id=\"9\"}", "0.000000000");
	for (uint32_t i = 0; i < n; i++)
		row[i].is_gone = true;
	update(m, 2 * SECOND, row, n);
	has(m, "tare_container_own_seconds_total{kind=\"netns\",id=\"9\"}", NULL);
	text = text_of(m, OPENMETRICS_1_0);
	for (char *p = text; (p = strstr(p, "\ntare_container_own_seconds_total{")); p++)
		n_shown++;
	assert_int_equal(n_shown, OPENMETRICS_MAX_GONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(exactly),
		cmocka_unit_test(empty),
		cmocka_unit_test(escapes),
		cmocka_unit_test(form),
		cmocka_unit_test(restart),
		cmocka_unit_test(cleared),
		cmocka_unit_test(never_back),
		cmocka_unit_test(gone),
		cmocka_unit_test(earlier),
		cmocka_unit_test(unnamed),
		cmocka_unit_test(many_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
