#include "bench/agent.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "bench/hists.h"
#include "bench/interval.h"
#include "bench/token.h"
#include "load/load.h"
#include "meter/env.h"
#include "sys/affinity.h"
#include "sys/file.h"
#include "sys/signals.h"
#include "wire/chan.h"

#include <errno.h>
#include <string.h>

/* A controller that stays silent this long between requests is gone. */
#define AGENT_IDLE_NS (24 * 3600 * NSEC_PER_SEC)
/* Longest span of one trial, and longest time a connection may take. */
#define AGENT_MAX_SPAN_NS    (24 * 3600 * NSEC_PER_SEC)
#define AGENT_MAX_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define AGENT_SEND_NS        (5 * NSEC_PER_SEC)
#define AGENT_FAREWELL_NS    (200 * NSEC_PER_MSEC)

enum agent_state {
	AGENT_NEW,
	AGENT_IDLE,
	AGENT_READY,
	AGENT_CONNECTED,
	AGENT_STATE_N,
};
static const char *const agent_state_name[] = {
	[AGENT_NEW] = "new",
	[AGENT_IDLE] = "idle",
	[AGENT_READY] = "ready",
	[AGENT_CONNECTED] = "connected",
};
static_assert(ARRAY_SIZE(agent_state_name) == AGENT_STATE_N);

/* A server's feed, and whom to tell that it is open. */
struct agent_feed {
	struct load_feed base; /* first: what load/ is given */
	struct load_feed *real;
	struct chan *chan;
};

struct agent {
	struct chan chan;
	enum agent_state state;
	struct load_feed *feed;
	struct agent_limits limits; /* none is 0 but max_bytes and max_buffer_bytes */
	uint64_t used_bytes;        /* of max_bytes */
	struct agent_tally *tally;
	struct load *load;
	bool near;
	const struct load_ops *ops;
	struct load_cfg cfg;
	struct load *under; /* runs beside it; NULL: none */
	bool under_connected;
	void *meter_state[METER_N]; /* NULL: not armed */
};

static void disarm(struct agent *a)
{
	for (enum meter_id i = 0; i < METER_N; i++) {
		if (!a->meter_state[i])
			continue;
		if (meter_table[i]->close)
			meter_table[i]->close(a->meter_state[i]);
		free(a->meter_state[i]);
		a->meter_state[i] = NULL;
	}
}

static void drop(struct agent *a)
{
	disarm(a);
	load_close(take_ptr(a->load));
	load_close(take_ptr(a->under));
	a->under_connected = false;
}

static int do_hello(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	char id[64] = "";
	uint64_t protocol;
	int r = doc_get_u64(in, "protocol", UINT32_MAX, &protocol, e);

	(void)a;
	if (r < 0)
		return r;
	if (protocol != CHAN_PROTOCOL)
		return err_say(e, EPROTONOSUPPORT, "control protocol %llu asked for, %d spoken",
			(unsigned long long)protocol, CHAN_PROTOCOL);
	r = file_read("/proc/sys/kernel/random/boot_id", id, sizeof(id), e);
	if (r < 0)
		return r;
	doc_put_u64(out, "protocol", CHAN_PROTOCOL);
	doc_put_str(out, "version", TARE_VERSION);
	doc_put_str(out, "machine_id", id);
	return 0;
}

static bool may_arm(const struct agent *a, const struct meter_ops *m)
{
	return !m->on_demand || !a->limits.confined;
}

static int arm_one(struct agent *a, const struct doc *name, struct err *e)
{
	for (enum meter_id i = 0; i < METER_N; i++) {
		const struct meter_ops *m = meter_table[i];
		int r;

		if (!doc_is_str(name, m->name) || a->meter_state[i])
			continue;
		if (!may_arm(a, m))
			return err_say(e, EPERM, "meter '%s' is not to be had here", m->name);
		a->meter_state[i] = xcalloc(1, m->state_bytes);
		r = m->open ? m->open(a->meter_state[i], e) : 0;
		return r == 0 ? 0 : err_wrap(e, "meter '%s'", m->name);
	}
	return err_say(e, EPROTO, "member 'meters' names an unknown meter, or one twice");
}

static int arm(struct agent *a, const struct doc *names, struct err *e)
{
	int r = 0;

	if (!doc_is_array(names))
		return err_say(e, EPROTO, "member 'meters' is not a list");
	for (size_t k = 0; r == 0 && k < doc_len(names); k++)
		r = arm_one(a, doc_at(names, k), e);
	return r;
}

static int get_cpus(const struct doc *in, uint32_t *ret, uint32_t *ret_n, struct err *e)
{
	char list[256];
	int r = doc_get_str(in, "cpus", list, sizeof(list), e);

	*ret_n = 0;
	if (r < 0 || !*list)
		return r;
	r = affinity_parse(list, ret, e);
	if (r < 0)
		return r;
	*ret_n = (uint32_t)r;
	return 0;
}

/* What may still be sent and received. Return: 0 and @ret, 0: no limit; or -EDQUOT. */
static int bytes_left(const struct agent *a, uint64_t *ret, struct err *e)
{
	uint64_t max_bytes = a->limits.max_bytes;

	*ret = 0;
	if (!max_bytes)
		return 0;
	if (a->used_bytes >= max_bytes)
		return err_say(e, EDQUOT, "the %llu bytes allowed here are used up",
			(unsigned long long)max_bytes);
	*ret = max_bytes - a->used_bytes;
	return 0;
}

/* Of a run that is over, well or not. */
static void use_bytes(struct agent *a)
{
	struct load_count c;

	load_count(a->load, &c);
	a->used_bytes += c.bytes_tx + c.bytes_rx;
	if (!a->under)
		return;
	load_count(a->under, &c);
	a->used_bytes += c.bytes_tx + c.bytes_rx;
}

static int do_describe(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	_cleanup_(freep) struct env *env = xcalloc(1, sizeof(*env));
	struct doc *record = doc_object();
	struct doc *meters = doc_array();
	bool on_demand = false;
	int r = doc_get(in, "on_demand") ? doc_get_bool(in, "on_demand", &on_demand, e) : 0;

	if (r < 0)
		return r;
	env_read(env, -1);
	/* Which guests a server's machine has is none of its clients' business. */
	if (a->feed)
		str_set(env->guest_nics, "not told");
	doc_put_fields(record, env_fields, env);
	doc_put(out, "env", record);
	for (enum meter_id i = 0; i < METER_N; i++) {
		const struct meter_ops *m = meter_table[i];

		if ((on_demand || !m->on_demand) && may_arm(a, m) && m->probe(NULL) == 0)
			doc_append_str(meters, m->name);
	}
	doc_put(out, "meters", meters);
	doc_put_u64(out, "max_span_ns", a->limits.max_span_ns);
	doc_put_u64(out, "max_flows", a->limits.max_flows);
	return 0;
}

static int check_limits(const struct agent *a, const struct load_cfg *cfg, struct err *e)
{
	const struct agent_limits *l = &a->limits;
	uint32_t message_bytes = MAX(cfg->req_bytes, cfg->rsp_bytes);
	uint64_t block_bytes = MAX(cfg->block_bytes, message_bytes);
	uint64_t batch_bytes = (uint64_t)(cfg->packet_bytes ?: LOAD_PACKET_BYTES) * cfg->batch;
	uint64_t flow_bytes = MAX(block_bytes, batch_bytes);
	uint64_t left_bytes;
	int r = bytes_left(a, &left_bytes, e);

	if (r < 0)
		return r;
	if (cfg->flows > l->max_flows)
		return err_say(e, EDQUOT, "%u flows are more than the %u allowed here", cfg->flows,
			l->max_flows);
	if (l->max_bytes && load_cfg_bytes(cfg) > left_bytes)
		return err_say(e, EDQUOT, "%llu bytes are more than the %llu allowed here",
			(unsigned long long)load_cfg_bytes(cfg), (unsigned long long)left_bytes);
	if (l->max_buffer_bytes && cfg->flows * flow_bytes > l->max_buffer_bytes / LOAD_MAX_LEGS)
		return err_say(e, EDQUOT,
			"%u flows with buffers of %llu bytes need more than the %llu allowed here",
			cfg->flows, (unsigned long long)flow_bytes,
			(unsigned long long)l->max_buffer_bytes);
	return 0;
}

static int get_opener(const struct agent *a, const struct doc *in, struct load_args *args,
	struct err *e)
{
	const struct doc *opener = doc_get(in, "opener");
	int r = doc_get_bool(in, "near", &args->near, e);

	if (r < 0)
		return r;
	args->opener = doc_is_str(opener, "near") ? LOAD_OPENER_NEAR : LOAD_OPENER_DRIVER;
	if (args->opener == LOAD_OPENER_DRIVER && !doc_is_str(opener, "driver"))
		return err_say(e, EPROTO, "member 'opener' is neither 'driver' nor 'near'");
	/* A server opens no connections, or anybody could have it flood anybody. */
	if (a->feed && (args->near || args->opener != LOAD_OPENER_NEAR))
		return err_say(e, EPERM,
			"a server is the far end only, and near opens all connections");
	return 0;
}

/* Bulk TCP beside the measured load, on the CPUs after the first where there are several. */
static int open_under(struct agent *a, const struct load_cfg *measured, struct load_args args,
	struct err *e)
{
	struct load_cfg cfg;

	if (measured->under != LOAD_UNDER_STREAM)
		return 0;
	args.ops = load_find("stream");
	cfg = *args.ops->defaults;
	cfg.dir = measured->under_dir;
	/* Between machines it is theirs, see cmd/remote.c. */
	if (args.opener == LOAD_OPENER_NEAR)
		cfg.congestion[0] = '\0';
	args.cfg = &cfg;
	if (args.n_cpus > 1) {
		args.cpus++;
		args.n_cpus--;
	}
	return load_open(&a->under, &args, e);
}

static int open_load(struct agent *a, const struct doc *in, struct err *e)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	struct load_args args = {.cpus = cpus, .shared_gate = a->limits.shared_gate};
	char name[32];
	int r = doc_get_str(in, "load", name, sizeof(name), e);

	if (r < 0)
		return r;
	a->ops = args.ops = load_find(name);
	if (!args.ops)
		return err_say(e, ENOENT, "unknown load '%s'", name);
	a->cfg = *args.ops->defaults;
	r = doc_get_opts(doc_get(in, "config"), args.ops->opts, &a->cfg, e);
	if (r == 0)
		r = check_limits(a, &a->cfg, e);
	if (r == 0)
		r = get_opener(a, in, &args, e);
	if (r == 0)
		r = get_cpus(in, cpus, &args.n_cpus, e);
	if (r < 0)
		return r;
	a->near = args.near;
	args.cfg = &a->cfg;
	if (a->tally)
		str_set(a->tally->load, name);
	r = load_open(&a->load, &args, e);
	return r < 0 ? r : open_under(a, &a->cfg, args, e);
}

/*
 * Binds what is to be bound: with a feed only for a load that connects as it runs, which has a port
 * of its own then, for its connections would cost a server's listener more than they do here.
 */
static int listen_loads(struct agent *a, const char *any, uint16_t port, struct err *e)
{
	int r = !a->feed || a->ops->connects ? load_listen(a->load, any, a->feed ? 0 : port, e) : 0;

	if (r < 0 || !a->under || a->feed)
		return r;
	return load_listen(a->under, any, (uint16_t)(port + 1), e);
}

static int do_prepare(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	uint64_t port;
	char any[64];
	int r = open_load(a, in, e);

	if (r == 0)
		r = arm(a, doc_get(in, "meters"), e);
	if (r == 0)
		r = doc_get_str(in, "any", any, sizeof(any), e);
	if (r == 0)
		r = doc_get_u64(in, "port", 65535 - LOAD_MAX_FLOWS, &port, e);
	if (r == 0)
		r = listen_loads(a, any, (uint16_t)port, e);
	if (r == 0)
		doc_put_u64(out, "port", load_port(a->load));
	return r;
}

/* What a data connection, or the greeting of a UDP flow, starts with. */
static int get_token(const struct doc *in, bool udp, struct load_token *ret, struct err *e)
{
	char hex[2 * MAGIC_TOKEN_BYTES + 1];
	uint8_t token[MAGIC_TOKEN_BYTES];
	int r = doc_get_str(in, "token", hex, sizeof(hex), e);

	*ret = (struct load_token){0};
	if (r < 0 || !*hex)
		return r;
	if (!token_parse(token, hex))
		return err_say(e, EPROTO, "member 'token' is not %d bytes in hex",
			MAGIC_TOKEN_BYTES);
	token_fill(ret, udp, token);
	return 0;
}

/* The feed's own, and the controller hears that near may connect: earlier it would be refused. */
static int expect(struct load_feed *feed, bool udp, uint32_t n, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = doc_object();
	struct agent_feed *f = (struct agent_feed *)feed;
	int r = f->real->expect(f->real, udp, n, deadline_ns, e);

	if (r < 0)
		return r;
	doc_put_str(msg, "type", "expecting");
	return chan_send(f->chan, msg, clock_now_ns() + AGENT_SEND_NS, e);
}

static int next(struct load_feed *feed, uint32_t *ret_flow, uint64_t deadline_ns, struct err *e)
{
	const struct agent_feed *f = (struct agent_feed *)feed;

	return f->real->next(f->real, ret_flow, deadline_ns, e);
}

static void done(struct load_feed *feed)
{
	const struct agent_feed *f = (struct agent_feed *)feed;

	f->real->done(f->real);
}

static int connect_load(struct agent *a, struct load *l, bool udp, const struct doc *in,
	struct err *e)
{
	struct agent_feed feed = {.base = {expect, next, done}, .real = a->feed, .chan = &a->chan};
	struct load_peer peer = {.feed = a->feed ? &feed.base : NULL};
	uint64_t port, timeout_ns;
	int r = doc_get_str(in, "addr", peer.addr, sizeof(peer.addr), e);

	if (r == 0)
		r = doc_get_u64(in, "port", 65535, &port, e);
	if (r == 0)
		r = get_token(in, udp, &peer.token, e);
	if (r == 0)
		r = doc_get_u64(in, "timeout_ns", AGENT_MAX_TIMEOUT_NS, &timeout_ns, e);
	if (r < 0)
		return r;
	if (!peer.token.len && port > 65535 - LOAD_MAX_FLOWS)
		return err_say(e, EPROTO, "member 'port' leaves no room for a port per flow");
	peer.port = (uint16_t)port;
	return load_connect(l, &peer, clock_now_ns() + timeout_ns, e);
}

static int do_connect(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	(void)out;
	return connect_load(a, a->load, a->cfg.proto == LOAD_PROTO_UDP, in, e);
}

static int do_connect_under(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	int r;

	(void)out;
	if (!a->under || a->under_connected)
		return err_say(e, EPROTO, "no load beside is to be connected");
	r = connect_load(a, a->under, false, in, e);
	a->under_connected = r == 0;
	return r < 0 ? err_wrap(e, "the load beside") : 0;
}

/* {begin_ns, end_ns} on this machine's clock, or {in_ns, span_ns} from now on. */
static int get_span(const struct agent *a, const struct doc *in, struct observe_args *ret,
	struct err *e)
{
	bool relative = doc_get(in, "in_ns") != NULL;
	uint64_t now_ns = clock_now_ns(), begin, end;
	int r = doc_get_u64(in, relative ? "in_ns" : "begin_ns", INT64_MAX / 2, &begin, e);

	if (r == 0)
		r = doc_get_u64(in, relative ? "span_ns" : "end_ns", INT64_MAX / 2, &end, e);
	if (r < 0)
		return r;
	ret->begin_ns = relative ? now_ns + begin : begin;
	ret->end_ns = relative ? ret->begin_ns + end : end;
	if (ret->end_ns <= ret->begin_ns)
		return err_say(e, EPROTO, "a span that ends before it begins can't be measured");
	if (ret->begin_ns > now_ns + a->limits.max_span_ns ||
		ret->end_ns > MAX(ret->begin_ns, now_ns) + a->limits.max_span_ns)
		return err_say(e, EDQUOT, "a span longer than the %llu s allowed here",
			(unsigned long long)(a->limits.max_span_ns / NSEC_PER_SEC));
	return 0;
}

static int get_run(const struct agent *a, const struct doc *in, struct observe_args *ret,
	struct err *e)
{
	int r = get_span(a, in, ret, e);

	if (r == 0)
		r = bytes_left(a, &ret->max_bytes, e);
	if (r == 0)
		r = doc_get_u64(in, "interval_ns", INT64_MAX / 2, &ret->interval_ns, e);
	if (r < 0)
		return r;
	if (ret->interval_ns && ret->interval_ns < INTERVAL_MIN_NS)
		return err_say(e, EPROTO, "intervals can't be shorter than 10 ms");
	ret->drives = a->ops->drives(&a->cfg, a->near);
	ret->exact = load_cfg_bytes(&a->cfg) > 0;
	if (ret->exact && a->ops->drives(&a->cfg, !a->near))
		ret->expect_bytes = load_cfg_bytes(&a->cfg);
	if (ret->exact)
		ret->begin_ns = clock_now_ns();
	return 0;
}

static void put_report(struct agent *a, struct end_report *report, struct doc *out)
{
	struct hist *hist[LOAD_HIST_N] = {0};
	struct doc *numbers = doc_object();
	struct load_count total;

	/* Of the span by when they were due, and final only now. */
	load_count(a->load, &total);
	report->late = total.late;
	report->unanswered = total.unanswered;
	hists_init(hist, load_hists(a->load));
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		if (hist[i])
			load_hist(a->load, i, hist[i]);
	doc_put_fields(numbers, end_report_fields, report);
	doc_put(out, "report", numbers);
	doc_put(out, "meters", readings_pack(&report->readings));
	doc_put(out, "hist", hists_pack(hist));
	hists_fini(hist);
}

static void tally(struct agent *a, const struct end_report *report)
{
	if (!a->tally)
		return;
	a->tally->n_trials++;
	a->tally->bytes_tx += report->bytes_tx;
	a->tally->bytes_rx += report->bytes_rx;
}

static int start_loads(struct agent *a, uint64_t begin_ns, uint64_t end_ns, struct err *e)
{
	int r = a->under ? load_start(a->under, begin_ns, end_ns, e) : 0;

	return r < 0 ? r : load_start(a->load, begin_ns, end_ns, e);
}

static int stop_loads(struct agent *a, struct err *e)
{
	int r = load_stop(a->load, e);

	if (r < 0 || !a->under)
		return r;
	r = load_stop(a->under, e);
	return r < 0 ? err_wrap(e, "the load beside") : 0;
}

static int do_run(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	_cleanup_(freep) struct end_report *report = xcalloc(1, sizeof(*report));
	struct observe_args args = {.chan = &a->chan,
		.load = a->load,
		.under = a->under,
		.meter_state = a->meter_state};
	struct err why = {0};
	int r = a->under && !a->under_connected
			? err_say(e, EPROTO, "the load beside is not connected")
			: get_run(a, in, &args, e);
	int stop_r;

	if (r == 0)
		r = start_loads(a, args.begin_ns, args.end_ns, e);
	if (r < 0)
		return r;
	r = observe(&args, report, e);
	/* A flow that failed is the cause of what a meter then could not read. */
	stop_r = stop_loads(a, &why);
	use_bytes(a);
	if (stop_r < 0) {
		*e = why;
		return stop_r;
	}
	if (r < 0)
		return r;
	report->n_flows = load_flow_cpus(a->load, report->flow_cpu, ARRAY_SIZE(report->flow_cpu));
	report->n_threads = load_thread_cpus(a->load, report->first_cpu, report->last_cpu);
	put_report(a, report, out);
	tally(a, report);
	drop(a);
	return 0;
}

static const struct agent_request {
	const char *type;
	enum agent_state in, next;
	int (*serve)(struct agent *a, const struct doc *in, struct doc *out, struct err *e);
} agent_request[] = {
	{"hello", AGENT_NEW, AGENT_IDLE, do_hello},
	{"describe", AGENT_IDLE, AGENT_IDLE, do_describe},
	{"prepare", AGENT_IDLE, AGENT_READY, do_prepare},
	{"connect", AGENT_READY, AGENT_CONNECTED, do_connect},
	{"connect_under", AGENT_CONNECTED, AGENT_CONNECTED, do_connect_under},
	{"run", AGENT_CONNECTED, AGENT_IDLE, do_run},
};

static int serve(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	char type[32];
	int r = doc_get_str(in, "type", type, sizeof(type), e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(agent_request); i++) {
		const struct agent_request *q = &agent_request[i];

		if (strcmp(q->type, type) != 0)
			continue;
		if (q->in != a->state)
			return err_say(e, EPROTO, "'%s' does not fit state '%s'", type,
				agent_state_name[a->state]);
		r = q->serve(a, in, out, e);
		if (r == 0)
			a->state = q->next;
		return r;
	}
	return err_say(e, EPROTO, "unknown request '%s'", type);
}

/* The server ends: the controller is told why, if it listens. */
static int say_farewell(struct agent *a)
{
	_cleanup_(doc_freep) struct doc *out = doc_object();
	int r;

	a->chan.cancel_fd = -1;
	doc_put_str(out, "type", "error");
	doc_put_str(out, "text", "the server is ending");
	r = chan_send(&a->chan, out, clock_now_ns() + AGENT_FAREWELL_NS, NULL);
	return r < 0 ? r : -ECANCELED;
}

/* One request and its answer. Return: 0, or negative when the channel is no longer of use. */
static int agent_turn(struct agent *a)
{
	_cleanup_(doc_freep) struct doc *in = NULL;
	_cleanup_(doc_freep) struct doc *out = doc_object();
	struct err e = {0};
	int r = chan_recv(&a->chan, &in, "idle", clock_now_ns() + a->limits.idle_ns, &e);

	if (r == -ECANCELED)
		return say_farewell(a);
	if (r < 0)
		return r;
	doc_put_str(out, "type", "ok");
	r = serve(a, in, out, &e);
	if (signals_pending(a->chan.cancel_fd))
		return say_farewell(a);
	if (r < 0) {
		drop(a);
		if (a->state != AGENT_NEW)
			a->state = AGENT_IDLE;
		doc_put_str(out, "type", "error");
		doc_put_str(out, "text", e.text);
		if (a->tally)
			str_set(a->tally->error, e.text);
	}
	return chan_send(&a->chan, out, clock_now_ns() + AGENT_SEND_NS, &e);
}

static void set_limits(struct agent_limits *l)
{
	l->max_span_ns =
		MIN(l->max_span_ns ? l->max_span_ns : UINT64_MAX, (uint64_t)AGENT_MAX_SPAN_NS);
	l->max_flows = MIN(l->max_flows ? l->max_flows : UINT32_MAX, (uint32_t)LOAD_MAX_FLOWS);
	l->idle_ns = l->idle_ns ? l->idle_ns : (uint64_t)AGENT_IDLE_NS;
}

void agent_serve(const struct agent_args *args)
{
	_cleanup_(freep) struct agent *a = xcalloc(1, sizeof(*a));

	a->chan = (struct chan){.fd = args->ctl_fd, .cancel_fd = args->cancel_fd};
	str_set(a->chan.who, args->peer ? args->peer : "controller");
	a->feed = args->feed;
	a->limits = args->limits;
	a->tally = args->tally;
	set_limits(&a->limits);
	while (agent_turn(a) == 0)
		;
	drop(a);
	chan_close(&a->chan);
}

int agent_main(int ctl_fd)
{
	agent_serve(&(struct agent_args){.ctl_fd = ctl_fd, .cancel_fd = -1});
	return 0;
}
