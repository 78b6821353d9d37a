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
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

/* How long a client may take over one step of the protocol. */
#define STEP_NS (10 * NSEC_PER_SEC)
/* And over all of its streams. */
#define STREAMS_NS (30 * NSEC_PER_SEC)
/* A test may run this much longer than announced. Ref: iperf3's own grace period. */
#define GRACE_NS (40 * NSEC_PER_SEC)

/* How often the bytes of a test are held against a limit: 50 ms are 60 MB at 10 Gbit/s. */
#define LOOK_NS (50 * NSEC_PER_MSEC)

static uint64_t step_deadline(void)
{
	return clock_now_ns() + STEP_NS;
}

/* Tells the client why its test can't be; the words are in @e. Return: negative errno. */
static int refuse(struct iperf_run *r, int32_t code, struct err *e)
{
	(void)!iperf_send_error(&r->ctl, code, 0, NULL);
	return e->code ? e->code : err_say(e, EPROTO, "refused with code %d", code);
}

static int check_limits(struct iperf_run *r, const struct iperf_limits *l, struct err *e)
{
	const struct iperf_params *p = &r->test->cfg.params;
	uint64_t seconds = (uint64_t)p->omit + p->time;

	if (l->max_streams && iperf_n_streams(p) > l->max_streams) {
		err_say(e, EPERM, "%u streams asked for, %u are allowed", iperf_n_streams(p),
			l->max_streams);
		return refuse(r, IPERF_E_STREAMS, e);
	}
	if (l->max_duration_ns && seconds * NSEC_PER_SEC > l->max_duration_ns) {
		err_say(e, EPERM, "%llu s asked for, %llu are allowed", (unsigned long long)seconds,
			(unsigned long long)(l->max_duration_ns / NSEC_PER_SEC));
		return refuse(r, IPERF_E_MAX_DURATION, e);
	}
	return 0;
}

static int check_congestion(struct iperf_run *r, struct err *e)
{
	const struct iperf_params *p = &r->test->cfg.params;

	if (p->proto != IPERF_TCP || !(p->reverse || p->bidirectional))
		return 0;
	return iperf_check_congestion(p, e) < 0 ? refuse(r, IPERF_E_CONGESTION, e) : 0;
}

static int authenticate(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	char user[RSA_USER_BYTES];
	int res;

	if (!s->auth)
		return 0;
	res = rsa_token_check(s->auth, r->test->cfg.params.authtoken, time(NULL), user, e);
	return res < 0 ? refuse(r, IPERF_E_AUTH, e) : 0;
}

static int take_params(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	struct iperf_params *p = &r->test->cfg.params;
	_cleanup_(doc_freep) struct doc *d = NULL;
	int res = iperf_send_state(&r->ctl, IPERF_PARAM_EXCHANGE, e);

	if (res == 0)
		res = iperf_recv_doc(&r->ctl, &d, IPERF_MAX_PARAMS, step_deadline(), e);
	if (res < 0)
		return res;
	res = iperf_params_unpack(d, p, e);
	if (res < 0)
		return refuse(r, IPERF_E_PARAMS, e);
	res = iperf_params_check(p, e);
	if (res > 0)
		return refuse(r, res, e);
	res = authenticate(r, s, e);
	if (res == 0)
		res = check_limits(r, s->limits, e);
	return res < 0 ? res : check_congestion(r, e);
}

static void set_affinity(int32_t cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set); /* as iperf3: a wish */
}

static int take_stream(struct iperf_run *r, struct load_feed *feed, uint32_t i,
	uint64_t deadline_ns, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	uint32_t number;
	int res;

	fd = feed->next(feed, &number, deadline_ns, e);
	if (fd < 0)
		return err_wrap(e, "stream %u of %u", i + 1, iperf_n_streams(&r->test->cfg.params));
	res = iperf_set_options(r->test, fd, !iperf_stream_upwards(&r->test->cfg.params, i), e);
	if (res == 0 && r->test->cfg.params.proto == IPERF_UDP && send(fd, "6789", 4, 0) < 0)
		return err_set(e, errno, "cannot answer the UDP hello");
	return res < 0 ? res : iperf_run_adopt(r, i, take_fd(fd), e);
}

static int take_streams(struct iperf_run *r, struct load_feed *feed, struct err *e)
{
	uint32_t n = iperf_n_streams(&r->test->cfg.params);
	uint64_t deadline_ns = clock_now_ns() + STREAMS_NS;
	int res = iperf_run_load(r, e);

	if (res == 0)
		res = feed->expect(feed, r->test->cfg.params.proto == IPERF_UDP, n, step_deadline(),
			e);
	if (res == 0)
		res = iperf_send_state(&r->ctl, IPERF_CREATE_STREAMS, e);
	for (uint32_t i = 0; res == 0 && i < n; i++)
		res = take_stream(r, feed, i, deadline_ns, e);
	feed->done(feed);
	if (res == 0)
		iperf_note_sockets(r);
	return res;
}

static int begin(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	int res = take_params(r, s, e);

	if (res < 0)
		return res;
	r->sink->connecting(r->sink, r->test);
	set_affinity(r->test->cfg.params.server_affinity);
	res = take_streams(r, s->feed, e);
	if (res < 0 && res != -EPIPE && res != -ECANCELED)
		return refuse(r, IPERF_E_STREAM_CREATE, e);
	if (res == 0)
		res = iperf_send_state(&r->ctl, IPERF_TEST_START, e);
	if (res == 0)
		r->sink->start(r->sink, r->test);
	if (res == 0)
		res = iperf_run_start(r, e);
	return res < 0 ? res : iperf_send_state(&r->ctl, IPERF_TEST_RUNNING, e);
}

/* The client's results come first, so it is known what is still to be received. */
static int exchange_results(struct iperf_run *r, struct err *e)
{
	_cleanup_(doc_freep) struct doc *in = NULL, *out = NULL;
	struct iperf_results *x = xcalloc(1, sizeof(*x));
	int res = iperf_send_state(&r->ctl, IPERF_EXCHANGE_RESULTS, e);

	if (res == 0)
		res = iperf_recv_doc(&r->ctl, &in, IPERF_MAX_CLIENT_RESULTS, step_deadline(), e);
	if (res == 0)
		res = iperf_results_unpack(in, x, e);
	if (res == 0) {
		iperf_run_drain(r, x);
		/* iperf3's server reports what it counted itself, and no word of the client's. */
		iperf_run_tell_end(r);
		res = iperf_run_take_results(r, x, e);
	}
	iperf_results_fini(x);
	if (res == 0) {
		iperf_run_results(r, x);
		if (r->test->cfg.params.get_server_output)
			r->sink->output(r->sink, &x->server_output_text, &x->server_output_json);
		out = iperf_results_pack(x);
		res = iperf_send_doc(&r->ctl, out, step_deadline(), e);
		iperf_results_fini(x);
		/* The output is too long to be sent: the results are worth more. */
		if (res == -EMSGSIZE) {
			*e = (struct err){0};
			doc_free(out);
			out = iperf_results_pack(x);
			res = iperf_send_doc(&r->ctl, out, step_deadline(), e);
		}
	}
	free(x);
	return res < 0 ? res : iperf_send_state(&r->ctl, IPERF_DISPLAY_RESULTS, e);
}

/* Whatever the client says or does not say now, its test is done. */
static void goodbye(struct iperf_run *r)
{
	uint64_t deadline_ns = step_deadline();
	int state;

	(void)!iperf_recv_state(&r->ctl, &state, deadline_ns, NULL);
	(void)shutdown(r->ctl.fd, SHUT_WR);
	(void)!iperf_recv_state(&r->ctl, &state, clock_now_ns() + NSEC_PER_SEC, NULL);
}

static int finish(struct iperf_run *r, struct err *e)
{
	int state;
	int res = iperf_recv_state(&r->ctl, &state, step_deadline(), e);

	if (res < 0)
		return res;
	if (state == IPERF_CLIENT_TERMINATE) {
		iperf_run_finish(r);
		(void)!iperf_send_error(&r->ctl, IPERF_E_CLIENT_TERM, 0, NULL);
		return err_say(e, ECONNABORTED, "the client has terminated");
	}
	if (state != IPERF_TEST_END)
		return err_say(e, EPROTO, "the client said %d out of turn", state);
	iperf_run_finish(r);
	return exchange_results(r, e);
}

static int over_limit(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	struct load_count c;

	load_count(r->load, &c);
	if (!s->limits->max_bytes || c.bytes_rx + c.bytes_tx < s->limits->max_bytes)
		return 0;
	return err_say(e, EDQUOT, "the session's limit of %llu bytes is reached",
		(unsigned long long)s->limits->max_bytes);
}

/* When a test must be over at the latest; 0: never, it counts bytes and no limit is set. */
static uint64_t latest_ns(const struct iperf_run *r, const struct iperf_limits *l)
{
	const struct iperf_params *p = &r->test->cfg.params;
	uint64_t span_ns =
		p->time ? (p->omit + p->time) * NSEC_PER_SEC + GRACE_NS : l->max_duration_ns;

	if (l->max_duration_ns)
		span_ns = MIN(span_ns, l->max_duration_ns + GRACE_NS);
	return span_ns ? r->begin_ns + span_ns : 0;
}

static int measure(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	uint64_t latest = latest_ns(r, s->limits);

	for (;;) {
		uint64_t look_ns = clock_now_ns() + (s->limits->max_bytes ? LOOK_NS : NSEC_PER_SEC);
		int ev = iperf_run_measure(r, latest ? MIN(look_ns, latest) : look_ns, e);
		int res;

		if (ev == IPERF_EV_CTL)
			return finish(r, e);
		if (ev == IPERF_EV_CANCEL) {
			iperf_run_finish(r);
			(void)!iperf_send_state(&r->ctl, IPERF_SERVER_TERMINATE, NULL);
			return err_say(e, ECANCELED, "the server has terminated");
		}
		if (ev < 0)
			return refuse(r, IPERF_E_NO_DATA, e);
		if (latest && clock_now_ns() >= latest) {
			err_say(e, ETIMEDOUT, "the test runs for longer than it may");
			return refuse(r, IPERF_E_EXPIRED, e);
		}
		res = over_limit(r, s, e);
		if (res < 0)
			return refuse(r, IPERF_E_EXPIRED, e);
	}
}

static int run_server(struct iperf_run *r, const struct iperf_session *s, struct err *e)
{
	int res = sock_set_int(r->ctl.fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);

	if (res == 0)
		res = begin(r, s, e);
	if (res == -ECANCELED)
		(void)!iperf_send_state(&r->ctl, IPERF_SERVER_TERMINATE, NULL);
	if (res == 0)
		res = measure(r, s, e);
	if (res < 0)
		return res;
	iperf_run_stop(r);
	goodbye(r);
	return 0;
}

int iperf_server_run(struct iperf_test *t, const struct iperf_session *s, struct iperf_sink *sink)
{
	struct iperf_run *r = xcalloc(1, sizeof(*r));
	int mss = 0;
	socklen_t len = sizeof(mss);
	int res;

	*r = (struct iperf_run){.test = t,
		.sink = sink,
		.ctl = {.fd = s->ctl_fd, .cancel_fd = s->cancel_fd},
		.shared_gate = s->shared_gate};
	t->is_server = true;
	t->started_ms = clock_wall_ms();
	if (getsockopt(r->ctl.fd, IPPROTO_TCP, TCP_MAXSEG, &mss, &len) == 0)
		t->tcp_mss_default = (uint32_t)mss;
	res = run_server(r, s, &t->error);
	if (res < 0)
		res = iperf_run_fail(r, res);
	closep(&r->ctl.fd);
	free(r);
	return res;
}
