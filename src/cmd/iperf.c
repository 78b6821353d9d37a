#include "cmd/iperf.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cmd/iperf_opts.h"
#include "report/iperf_output.h"
#include "sys/signals.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>

#define IPERF_EXIT_DONE   0
#define IPERF_EXIT_FAILED 1

static int fail(const char *fmt, ...) printf_(1, 2);
static int fail(const char *fmt, ...)
{
	va_list ap;

	fputs("iperf3: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return IPERF_EXIT_FAILED;
}

static struct iperf_report *report_new(const struct iperf_args *a, FILE *out)
{
	return a->output.json ? iperf_json_new(&a->output, out, stderr)
			      : iperf_text_new(&a->output, out, stderr);
}

/* -A: as iperf3, the whole process; threads inherit it. */
static void set_affinity(int32_t cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		(void)fail("warning: cannot run on CPU %d: %s", cpu, strerror(errno));
}

static int run_client(struct iperf_args *a, FILE *out)
{
	_cleanup_(freep) struct iperf_test *t = xcalloc(1, sizeof(*t));
	_cleanup_(closep) int cancel_fd = -1;
	struct iperf_report *report;
	struct err e = {0};
	int r = iperf_opts_password(a, &e);

	if (r < 0)
		return fail("error - %s", e.text);
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return fail("error - %s", e.text);
	set_affinity(a->cfg.affinity);
	t->cfg = a->cfg;
	report = report_new(a, out);
	report->begin(report, false, a->cfg.port, 1);
	r = iperf_client_run(t, &report->sink, cancel_fd);
	if (report->finish(report, t) < 0)
		r = fail("error - cannot write the report: %s", strerror(errno));
	report->free(report);
	iperf_test_fini(t);
	return r == 0 ? IPERF_EXIT_DONE : IPERF_EXIT_FAILED;
}

int iperf_main(int argc, char **argv)
{
	_cleanup_(freep) struct iperf_args *a = xcalloc(1, sizeof(*a));
	_cleanup_(fclosep) FILE *logfile = NULL;
	struct err e = {0};
	int r = iperf_opts_parse(a, argc, argv, &e);

	if (r == IPERF_OPTS_HELP || r == IPERF_OPTS_VERSION) {
		if (r == IPERF_OPTS_HELP)
			iperf_opts_help(stdout);
		else
			iperf_opts_version(stdout);
		return fflush(stdout) == 0 ? IPERF_EXIT_DONE : IPERF_EXIT_FAILED;
	}
	if (r < 0) {
		fail("parameter error - %s", e.text);
		iperf_opts_usage(stderr);
		return IPERF_EXIT_FAILED;
	}
	if (*a->logfile) {
		logfile = fopen(a->logfile, "ae");
		if (!logfile)
			return fail("error - cannot open '%s': %s", a->logfile, strerror(errno));
	}
	return run_client(a, logfile ? logfile : stdout);
}
