#include "cmd/iperf_setup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/str.h"

static void read_file(const char *path, char ret[static 64])
{
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(ret, 1, 63, f);
	ret[n] = '\0';
}

static void test_files(void **state)
{
	char dir[] = "/tmp/tare-test-XXXXXX", text[64], expected[64];
	struct iperf_args a = {.output.format = 'a'};
	struct iperf_setup s, again;
	struct iperf_test t = {.error = {-ECONNREFUSED, "no server"}};
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a.pidfile, sizeof(a.pidfile), "%s/pid", dir);
	snprintf(a.logfile, sizeof(a.logfile), "%s/log", dir);
	assert_int_equal(iperf_setup_open(&s, &a, &e), 0);
	read_file(a.pidfile, text);
	snprintf(expected, sizeof(expected), "%d", getpid());
	assert_string_equal(text, expected);

	/* Whoever wrote it lives; the file stays his. */
	assert_int_equal(iperf_setup_open(&again, &a, &e), -EEXIST);
	assert_non_null(strstr(e.text, "is running"));
	assert_int_equal(access(a.pidfile, F_OK), 0);

	s.report->begin(s.report, false, 5201, 1);
	s.report->sink.error(&s.report->sink, &t);
	assert_int_equal(s.report->finish(s.report, &t), 0);
	iperf_setup_close(&s);
	assert_int_equal(access(a.pidfile, F_OK), -1);
	read_file(a.logfile, text);
	assert_string_equal(text, "iperf3: error - no server\n");
	unlink(a.logfile);
	rmdir(dir);
}

static void test_no_log(void **state)
{
	struct iperf_args a = {.logfile = "/nonexistent/log"};
	struct iperf_setup s;
	struct err e = {0};

	(void)state;
	assert_int_equal(iperf_setup_open(&s, &a, &e), -ENOENT);
	iperf_setup_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
