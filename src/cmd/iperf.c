#include "cmd/iperf.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/iperf_opts.h"
#include "cmd/iperf_setup.h"
#include "serve/sessions.h"
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

/* Longest test of a server that sets no limit: iperf3's own, MAX_TIME and omit. */
#define IPERF_MAX_TEST_NS ((86400 + 600) * NSEC_PER_SEC)

static struct serve_cfg serve_cfg_of(const struct iperf_args *a)
{
	struct serve_cfg c = serve_cfg_default;

	c.port = a->cfg.port;
	c.one_off = a->one_off;
	c.total_rate_bps = a->limits.total_rate_bps;
	c.max_duration_ns = a->limits.max_duration_ns;
	if (!c.max_duration_ns)
		c.max_duration_ns = IPERF_MAX_TEST_NS;
	c.rsa_skew_s = a->limits.skew_s;
	c.rsa_pkcs1 = a->limits.pkcs1;
	/* The pid file is to be removed at the end, which nobody else may do. */
	c.no_sandbox = *a->pidfile != '\0';
	str_set(c.bind, a->cfg.bind);
	str_set(c.rsa_private_key_file, a->limits.private_key_file);
	str_set(c.rsa_users_file, a->limits.users_file);
	str_set(c.log_file, "/dev/null"); /* the report says what there is to say */
	return c;
}

/* iperf3's one client at a time is here as many as there come; their lines mix. */
static int run_server(const struct iperf_args *a, const struct iperf_setup *setup, struct err *e)
{
	const struct serve_cfg cfg = serve_cfg_of(a);
	_cleanup_(serve_closep) struct server *server = NULL;
	struct sessions sessions;
	struct serve_ops ops = {.tare = sessions_tare,
		.iperf = sessions_iperf,
		.ctx = &sessions,
		.keep_fd = {setup->log ? fileno(setup->log) : -1, -1, -1, -1}};
	int r = sessions_init(&sessions, &cfg, setup->report, e);

	if (r < 0)
		return fail("error", e->text);
	sessions.announce = !a->one_off;
	sessions.interval_ns = a->cfg.interval_ns;
	sessions.rcv_timeout_ms = a->cfg.rcv_timeout_ms;
	ops.iperf_auth = sessions.auth;
	r = serve_open(&server, &cfg, &ops, e);
	if (r == 0) {
		setup->report->begin(setup->report, true, a->cfg.port, 1);
		fflush(setup->log ? setup->log : stdout);
		r = serve_run(server, e);
	}
	sessions_fini(&sessions);
	if (r < 0)
		return fail("error", e->text);
	return r == 0 ? IPERF_EXIT_DONE : IPERF_EXIT_FAILED;
}

static int run(struct iperf_args *a)
{
	struct iperf_setup setup;
	struct err e = {0};
	int r = a->server ? 0 : iperf_opts_password(a, &e);

	if (r == 0)
		r = iperf_setup_open(&setup, a, &e);
	if (r < 0)
		return fail("error", e.text);
	set_affinity(a->cfg.affinity);
	r = a->server ? run_server(a, &setup, &e) : run_client(a, setup.report, &e);
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
