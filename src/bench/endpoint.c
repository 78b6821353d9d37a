#include "bench/endpoint.h"

#include "base/clock.h"
#include "base/str.h"
#include "bench/hists.h"

#include <errno.h>

/* Each request of a local agent is a matter of milliseconds; a loaded machine may take longer. */
#define ANSWER_NS  (5 * NSEC_PER_SEC)
#define CONNECT_NS (5 * NSEC_PER_SEC)
/* Threads are joined and histograms packed before it comes. */
#define REPORT_NS (10 * NSEC_PER_SEC)

static struct doc *request(const char *type)
{
	struct doc *d = doc_object();

	doc_put_str(d, "type", type);
	return d;
}

static int send_request(struct endpoint *ep, const struct doc *msg, struct err *e)
{
	return chan_send(&ep->chan, msg, clock_now_ns() + ANSWER_NS, e);
}

int endpoint_say(struct endpoint *ep, const char *type, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request(type);

	return send_request(ep, msg, e);
}

/* Anything but an error, which is told in the agent's own words. */
int endpoint_hear(struct endpoint *ep, const char *state, uint64_t deadline_ns, struct doc **ret,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	char text[sizeof(e->text)];
	int r = chan_recv(&ep->chan, &d, state, deadline_ns, e);

	if (r < 0)
		return r;
	if (!doc_is_str(doc_get(d, "type"), "error")) {
		*ret = take_ptr(d);
		return 0;
	}
	if (doc_get_str(d, "text", text, sizeof(text), e) < 0)
		return err_say(e, EPROTO, "%s sent neither ok nor error while %s", ep->chan.who,
			state);
	/* Never the agent's own code: an agent must not be able to say -ECANCELED for the user. */
	return err_say(e, EREMOTEIO, "%s, while %s: %s", ep->chan.who, state, text);
}

static int wait_answer(struct endpoint *ep, const char *state, uint64_t deadline_ns,
	struct doc **ret, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	int r = endpoint_hear(ep, state, deadline_ns, &d, e);

	if (r < 0)
		return r;
	if (!doc_is_str(doc_get(d, "type"), "ok"))
		return err_say(e, EPROTO, "%s sent neither ok nor error while %s", ep->chan.who,
			state);
	*ret = take_ptr(d);
	return 0;
}

static int read_hello(struct endpoint *ep, const struct doc *answer, struct err *e)
{
	uint64_t protocol;
	int r = doc_get_u64(answer, "protocol", UINT32_MAX, &protocol, e);

	if (r == 0 && protocol != CHAN_PROTOCOL)
		return err_say(e, EPROTONOSUPPORT, "speaks control protocol %u, not %d",
			(unsigned)protocol, CHAN_PROTOCOL);
	if (r == 0)
		r = doc_get_str(answer, "machine_id", ep->machine_id, sizeof(ep->machine_id), e);
	if (r == 0)
		r = doc_get_str(answer, "version", ep->version, sizeof(ep->version), e);
	return r;
}

int endpoint_hello(struct endpoint *ep, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request("hello");
	_cleanup_(doc_freep) struct doc *answer = NULL;
	int r;

	doc_put_u64(msg, "protocol", CHAN_PROTOCOL);
	r = send_request(ep, msg, e);
	if (r == 0)
		r = wait_answer(ep, "starting", clock_now_ns() + ANSWER_NS, &answer, e);
	if (r < 0)
		return r;
	r = read_hello(ep, answer, e);
	return r < 0 ? err_wrap(e, "%s, while starting", ep->chan.who) : 0;
}

const char *endpoint_close(struct endpoint *ep)
{
	pid_t pid = ep->pid;

	chan_close(&ep->chan);
	ep->pid = 0;
	return spawn_reap(pid);
}

int endpoint_spawn(struct endpoint *ep, const struct spawn_args *args, const char *who,
	int cancel_fd, struct err *e)
{
	struct spawned child;
	int r = spawn_agent(&child, args, e);

	if (r < 0)
		return r;
	ep->pid = child.pid;
	ep->chan.fd = child.ctl_fd;
	ep->chan.cancel_fd = cancel_fd;
	str_set(ep->chan.who, who);
	r = endpoint_hello(ep, e);
	if (r == -EPIPE) {
		const char *why = endpoint_close(ep);

		return why ? err_say(e, EPIPE, "%s did not start: %s", who, why) : r;
	}
	return r;
}

int endpoint_attach(struct endpoint *ep, int fd, const char *who, int cancel_fd, struct err *e)
{
	ep->pid = 0;
	ep->chan.fd = fd;
	ep->chan.cancel_fd = cancel_fd;
	str_set(ep->chan.who, who);
	return endpoint_hello(ep, e);
}

static int read_traits(const struct doc *answer, struct endpoint_traits *ret, struct err *e)
{
	const struct doc *meters = doc_get(answer, "meters");
	int r = doc_get_fields(doc_get(answer, "env"), env_fields, &ret->env, e);

	if (r == 0)
		r = doc_get_u64(answer, "max_span_ns", INT64_MAX, &ret->max_span_ns, e);
	if (r == 0)
		r = doc_get_u64(answer, "max_flows", UINT32_MAX, &ret->max_flows, e);
	if (r == 0 && !doc_is_array(meters))
		r = err_say(e, EPROTO, "member 'meters' is not a list");
	for (size_t k = 0; r == 0 && k < doc_len(meters); k++)
		for (enum meter_id i = 0; i < METER_N; i++)
			ret->meters[i] = ret->meters[i] ||
					 doc_is_str(doc_at(meters, k), meter_table[i]->name);
	return r;
}

int endpoint_describe(struct endpoint *ep, bool on_demand, struct endpoint_traits *ret,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request("describe");
	_cleanup_(doc_freep) struct doc *answer = NULL;
	int r;

	doc_put_bool(msg, "on_demand", on_demand);
	r = send_request(ep, msg, e);
	*ret = (struct endpoint_traits){0};
	if (r == 0)
		r = wait_answer(ep, "describing itself", clock_now_ns() + ANSWER_NS, &answer, e);
	if (r < 0)
		return r;
	r = read_traits(answer, ret, e);
	return r < 0 ? err_wrap(e, "%s, while describing itself", ep->chan.who) : 0;
}

int endpoint_prepare(struct endpoint *ep, const struct endpoint_prepare *p, uint16_t *ret_port,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request("prepare");
	_cleanup_(doc_freep) struct doc *answer = NULL;
	struct doc *config = doc_object();
	struct doc *meters = doc_array();
	uint64_t port = 0;
	int r;

	doc_put_opts(config, p->load->opts, p->cfg);
	for (enum meter_id i = 0; i < METER_N; i++)
		if (p->meters[i])
			doc_append_str(meters, meter_table[i]->name);
	doc_put_str(msg, "load", p->load->name);
	doc_put_bool(msg, "near", p->near);
	doc_put(msg, "config", config);
	doc_put(msg, "meters", meters);
	doc_put_str(msg, "opener", p->near_opens ? "near" : "driver");
	doc_put_str(msg, "any", p->any);
	doc_put_u64(msg, "port", p->port);
	doc_put_str(msg, "cpus", p->cpus);
	r = send_request(ep, msg, e);
	if (r == 0)
		r = wait_answer(ep, "preparing", clock_now_ns() + ANSWER_NS, &answer, e);
	if (r < 0)
		return r;
	r = doc_get_u64(answer, "port", UINT16_MAX, &port, e);
	*ret_port = (uint16_t)port;
	return r < 0 ? err_wrap(e, "%s, while preparing", ep->chan.who) : 0;
}

int endpoint_send_connect(struct endpoint *ep, const struct endpoint_connect *c, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request(c->under ? "connect_under" : "connect");

	doc_put_str(msg, "addr", c->addr);
	doc_put_u64(msg, "port", c->port);
	doc_put_str(msg, "token", c->token);
	doc_put_u64(msg, "timeout_ns", CONNECT_NS);
	return send_request(ep, msg, e);
}

int endpoint_expecting(struct endpoint *ep, bool *ret_connected, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = NULL;
	int r = endpoint_hear(ep, "connecting", clock_now_ns() + CONNECT_NS + ANSWER_NS, &msg, e);

	if (r < 0)
		return r;
	*ret_connected = doc_is_str(doc_get(msg, "type"), "ok");
	if (!*ret_connected && !doc_is_str(doc_get(msg, "type"), "expecting"))
		return err_say(e, EPROTO, "%s said neither expecting nor ok while connecting",
			ep->chan.who);
	return 0;
}

int endpoint_wait_connect(struct endpoint *ep, struct err *e)
{
	_cleanup_(doc_freep) struct doc *answer = NULL;

	return wait_answer(ep, "connecting", clock_now_ns() + 2 * CONNECT_NS + ANSWER_NS, &answer,
		e);
}

int endpoint_send_run(struct endpoint *ep, const struct endpoint_run *run, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = request("run");

	doc_put_u64(msg, run->relative ? "in_ns" : "begin_ns", run->begin_ns);
	if (run->relative)
		doc_put_u64(msg, "span_ns", run->span_ns);
	else
		doc_put_u64(msg, "end_ns", run->begin_ns + run->span_ns);
	doc_put_u64(msg, "interval_ns", run->interval_ns);
	return send_request(ep, msg, e);
}

static int check_span(const struct endpoint *ep, const struct end_report *x, struct err *e)
{
	if (x->end_ns <= x->begin_ns)
		return err_say(e, EPROTO, "%s reports a span that ends before it begins",
			ep->chan.who);
	return 0;
}

int endpoint_wait_run(struct endpoint *ep, struct end_report *ret, struct hist **hist,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *answer = NULL;
	int r = wait_answer(ep, "ending the run", clock_now_ns() + REPORT_NS, &answer, e);

	if (r < 0)
		return r;
	r = doc_get_fields(doc_get(answer, "report"), end_report_fields, ret, e);
	if (r == 0)
		r = readings_unpack(doc_get(answer, "meters"), &ret->readings, e);
	if (r == 0)
		r = hists_unpack(doc_get(answer, "hist"), hist, e);
	if (r < 0)
		return err_wrap(e, "report of %s", ep->chan.who);
	return check_span(ep, ret, e);
}
