#include "cmd/iperf.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cmd/iperf_opts.h"
#include "cmd/iperf_setup.h"
#include "sys/signals.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#define IPERF_EXIT_DONE   0
#define IPERF_EXIT_FAILED 1

static int fail(const char *kind, const char *words)
{
	fprintf(stderr, "iperf3: %s - %s\n", kind, words);
	return IPERF_EXIT_FAILED;
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
		(void)fail("warning", "cannot run on the CPU of -A");
}

static int run_client(const struct iperf_args *a, struct iperf_report *report, struct err *e)
{
	_cleanup_(freep) struct iperf_test *t = xcalloc(1, sizeof(*t));
	_cleanup_(closep) int cancel_fd = signals_open(e);
	int r;

	if (cancel_fd < 0)
		return fail("error", e->text);
	t->cfg = a->cfg;
	report->begin(report, false, a->cfg.port, 1);
	r = iperf_client_run(t, &report->sink, cancel_fd);
	if (report->finish(report, t) < 0)
		r = fail("error", "the report can't be written");
	iperf_test_fini(t);
	return r == 0 ? IPERF_EXIT_DONE : IPERF_EXIT_FAILED;
}

static int run(struct iperf_args *a)
{
	struct iperf_setup setup;
	struct err e = {0};
	int r = iperf_opts_password(a, &e);

	if (r == 0)
		r = iperf_setup_open(&setup, a, &e);
	if (r < 0)
		return fail("error", e.text);
	set_affinity(a->cfg.affinity);
	r = run_client(a, setup.report, &e);
	iperf_setup_close(&setup);
	return r;
}

int iperf_main(int argc, char **argv)
{
	_cleanup_(freep) struct iperf_args *a = xcalloc(1, sizeof(*a));
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
		(void)fail("parameter error", e.text);
		iperf_opts_usage(stderr);
		return IPERF_EXIT_FAILED;
	}
	return run(a);
}
