#include "iperf/iperf.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "iperf/run.h"
#include "iperf/sockets.h"
#include "wire/rsa.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* How long the server may take over one step of the protocol. */
#define STEP_NS (30 * NSEC_PER_SEC)
/* How long it may take to close, once both have said goodbye. */
#define GOODBYE_NS (500 * NSEC_PER_MSEC)

static uint64_t step_deadline(void)
{
	return clock_now_ns() + STEP_NS;
}

static int server_error(struct iperf_run *r, struct err *e)
{
	int32_t code, errnum;
	int res = iperf_recv_error(&r->ctl, &code, &errnum, step_deadline(), e);
	const char *text;

	if (res < 0)
		return res;
	text = iperf_code_text(code);
	return err_say(e, EREMOTEIO, "the server says: %s (%d)%s%s", text ? text : "error", code,
		errnum ? ": " : "", errnum ? strerror(errnum) : "");
}

/* A state that ends the test early. Return: negative errno. */
static int early_end(struct iperf_run *r, int state, struct err *e)
{
	switch (state) {
	case IPERF_ACCESS_DENIED:
		return err_say(e, EBUSY, "the server is busy running a test. try again later");
	case IPERF_SERVER_TERMINATE:
		return err_say(e, ECONNABORTED, "the server has terminated");
	case IPERF_SERVER_ERROR:
		return server_error(r, e);
	default:
		return err_say(e, EPROTO, "the server said %d out of turn", state);
	}
}

static int expect_state(struct iperf_run *r, enum iperf_state want, struct err *e)
{
	int state;
	int res = iperf_recv_state(&r->ctl, &state, step_deadline(), e);

	if (res < 0)
		return res;
	return state == (int)want ? 0 : early_end(r, state, e);
}

static int send_params(struct iperf_run *r, struct err *e)
{
	struct iperf_cfg *c = &r->test->cfg;
	_cleanup_(doc_freep) struct doc *d = NULL;

	if (c->params.proto == IPERF_UDP && !c->params.len)
		c->params.len = iperf_udp_len(r->test);
	if (*c->username) {
		int res = rsa_token_make(c->public_key_file, c->username, c->password, c->pkcs1,
			time(NULL), c->params.authtoken, e);

		if (res < 0)
			return res;
	}
	d = iperf_params_pack(&c->params);
	return iperf_send_doc(&r->ctl, d, step_deadline(), e);
}

static int open_streams(struct iperf_run *r, struct err *e)
{
	uint32_t n = iperf_n_streams(&r->test->cfg.params);
	int res = iperf_run_load(r, e);

	for (uint32_t i = 0; res == 0 && i < n; i++) {
		int fd = iperf_open_stream(r, i, e);

		res = fd < 0 ? fd : iperf_run_adopt(r, i, fd, e);
	}
	if (res == 0)
		iperf_note_sockets(r);
	return res;
}

/* From the cookie to running streams. */
static int begin(struct iperf_run *r, struct err *e)
{
	struct iperf_test *t = r->test;
	int res = expect_state(r, IPERF_PARAM_EXCHANGE, e);

	if (res == 0)
		res = send_params(r, e);
	if (res == 0)
		res = expect_state(r, IPERF_CREATE_STREAMS, e);
	/* Servers from 3.20 on close without a word when they do not know the user. */
	if (res == -EPIPE && *t->cfg.username)
		return err_say(e, EACCES,
			"the server closed the connection: user, password, key or clock are wrong");
	if (res == 0)
		res = open_streams(r, e);
	if (res == 0)
		res = expect_state(r, IPERF_TEST_START, e);
	if (res == 0)
		res = expect_state(r, IPERF_TEST_RUNNING, e);
	if (res < 0)
		return res;
	r->sink->start(r->sink, t);
	return iperf_run_start(r, e);
}

static int exchange_results(struct iperf_run *r, struct err *e)
{
	_cleanup_(doc_freep) struct doc *in = NULL, *out = NULL;
	struct iperf_results *x = xcalloc(1, sizeof(*x));
	int res;

	iperf_run_results(r, x);
	out = iperf_results_pack(x);
	res = iperf_send_doc(&r->ctl, out, step_deadline(), e);
	if (res == 0)
		res = iperf_recv_doc(&r->ctl, &in, IPERF_MAX_RESULTS, step_deadline(), e);
	if (res == 0)
		res = iperf_results_unpack(in, x, e);
	if (res == 0)
		res = iperf_run_take_results(r, x, e);
	iperf_results_fini(x);
	free(x);
	return res;
}

/* Half-close and drain: both sides have then read everything. */
static void goodbye(struct iperf_run *r)
{
	uint64_t deadline_ns = clock_now_ns() + GOODBYE_NS;
	char b[64];

	if (iperf_send_state(&r->ctl, IPERF_DONE, NULL) < 0)
		return;
	(void)shutdown(r->ctl.fd, SHUT_WR);
	while (sock_wait_readable(r->ctl.fd, deadline_ns) == 0)
		if (recv(r->ctl.fd, b, sizeof(b), MSG_DONTWAIT) <= 0)
			return;
}

/* Takes in what the server had sent before it heard that the test is over. */
static int finish(struct iperf_run *r, struct err *e)
{
	int res;

	iperf_run_finish(r);
	res = iperf_send_state(&r->ctl, IPERF_TEST_END, e);
	if (res == 0)
		res = expect_state(r, IPERF_EXCHANGE_RESULTS, e);
	if (res < 0)
		return res;
	iperf_run_drain(r, NULL);
	res = exchange_results(r, e);
	if (res == 0)
		res = expect_state(r, IPERF_DISPLAY_RESULTS, e);
	return res;
}

static int cancel(struct iperf_run *r, struct err *e)
{
	iperf_run_finish(r);
	(void)!iperf_send_state(&r->ctl, IPERF_CLIENT_TERMINATE, NULL);
	return err_say(e, ECANCELED, "the client has terminated");
}

static int measure(struct iperf_run *r, struct err *e)
{
	const struct iperf_params *p = &r->test->cfg.params;
	uint64_t end_ns = p->time ? r->begin_ns + (p->omit + p->time) * NSEC_PER_SEC : 0;
	int ev = iperf_run_measure(r, end_ns, e);
	int state;

	if (ev == IPERF_EV_CANCEL)
		return cancel(r, e);
	if (ev == IPERF_EV_CTL) {
		ev = iperf_recv_state(&r->ctl, &state, step_deadline(), e);
		return ev < 0 ? ev : early_end(r, state, e);
	}
	return ev < 0 ? ev : finish(r, e);
}

static void note_control(struct iperf_run *r)
{
	struct iperf_test *t = r->test;
	int mss = 0;
	socklen_t len = sizeof(mss);

	if (getsockopt(r->ctl.fd, IPPROTO_TCP, TCP_MAXSEG, &mss, &len) == 0)
		t->tcp_mss_default = (uint32_t)mss;
}

static int run_client(struct iperf_run *r, struct err *e)
{
	struct iperf_test *t = r->test;
	int res;

	iperf_cookie_make(t->cookie);
	t->started_ms = clock_wall_ms();
	r->ctl.fd = iperf_dial(t, e);
	if (r->ctl.fd < 0)
		return r->ctl.fd;
	t->started_ms = clock_wall_ms();
	note_control(r);
	r->sink->connecting(r->sink, t);
	res = begin(r, e);
	if (res == 0)
		res = measure(r, e);
	if (res < 0)
		return res;
	iperf_run_stop(r);
	iperf_run_tell_end(r);
	goodbye(r);
	return 0;
}

int iperf_client_run(struct iperf_test *t, struct iperf_sink *sink, int cancel_fd)
{
	struct iperf_run *r = xcalloc(1, sizeof(*r));
	int res;

	*r = (struct iperf_run){.test = t, .sink = sink, .ctl = {.fd = -1, .cancel_fd = cancel_fd}};
	res = run_client(r, &t->error);
	if (res < 0)
		res = iperf_run_fail(r, res);
	closep(&r->ctl.fd);
	free(r);
	return res;
}
