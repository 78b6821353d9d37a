#include "bench/agent.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/version.h"
#include "bench/hists.h"
#include "load/load.h"
#include "sys/affinity.h"
#include "sys/file.h"
#include "wire/chan.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A controller that stays silent this long between requests is gone. */
#define AGENT_IDLE_NS (24 * 3600 * NSEC_PER_SEC)
/* Longest span of one trial, and longest time a connection may take. */
#define AGENT_MAX_SPAN_NS    (24 * 3600 * NSEC_PER_SEC)
#define AGENT_MAX_TIMEOUT_NS (60 * NSEC_PER_SEC)
#define AGENT_SEND_NS        (5 * NSEC_PER_SEC)
/*
 * Load goes on this long past the end of the span: the other end may read its counters a
 * scheduling delay later than this one, and must not find the traffic already over.
 */
#define AGENT_RUN_OUT_NS (30 * NSEC_PER_MSEC)

const struct field end_report_fields[] = {
	FIELD_U64(struct end_report, begin_ns, "ns",
		"when the counted span began, on this machine's monotonic clock"),
	FIELD_U64(struct end_report, end_ns, "ns", "when it ended"),
	FIELD_U64(struct end_report, bytes_tx, "bytes", "payload this end sent in the span"),
	FIELD_U64(struct end_report, bytes_rx, "bytes", "payload this end received in the span"),
	FIELD_U64(struct end_report, transactions, "",
		"transactions this end completed in the span"),
	FIELD_U64(struct end_report, packets_tx, "", "datagrams this end sent in the span"),
	FIELD_U64(struct end_report, packets_rx, "", "datagrams this end received in the span"),
	FIELD_U64(struct end_report, packets_expected, "",
		"datagrams the other end had sent of which this end could know, by their numbers"),
	FIELD_U64(struct end_report, reordered, "",
		"part of packets_rx that came after a later one"),
	FIELD_U64(struct end_report, duplicated, "", "part of packets_rx that came before"),
	FIELD_U64(struct end_report, packets_alien, "",
		"datagrams that belong to no flow; in no other number"),
	FIELD_U64(struct end_report, packets_unsent, "",
		"datagrams that were due, but the sender was too late for them"),
	FIELD_U64(struct end_report, packets_gso, "",
		"part of packets_tx handed to the kernel in aggregates"),
	FIELD_U64(struct end_report, packets_gro, "",
		"part of packets_rx taken from the kernel in aggregates"),
	FIELD_U64(struct end_report, sends_refused, "",
		"send calls refused for want of a buffer or a listener"),
	FIELD_U64(struct end_report, socket_drops, "",
		"drops of this end's own UDP sockets; an aggregate of GRO counts once"),
	FIELD_U64(struct end_report, jitter_ns, "ns",
		"RFC 3550 jitter at the end of the span, mean of the flows received"),
	FIELD_U64(struct end_report, lost, "",
		"UDP requests unanswered after 200 ms, in open loop after 1 s"),
	FIELD_U64(struct end_report, under_bytes_rx, "bytes",
		"payload this end received in the span of the load that it ran under"),
	FIELD_U64(struct end_report, late, "",
		"open loop: requests of the span sent later than the next one was due, or never"),
	FIELD_U64(struct end_report, unanswered, "",
		"open loop: requests due in the span that had no answer when the load stopped"),
	FIELD_END,
};

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

struct agent {
	struct chan chan;
	enum agent_state state;
	struct load *load;
	struct load *under;         /* runs beside it; NULL: none */
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

static int arm_one(struct agent *a, const struct doc *name, struct err *e)
{
	for (enum meter_id i = 0; i < METER_N; i++) {
		const struct meter_ops *m = meter_table[i];
		int r;

		if (!doc_is_str(name, m->name) || a->meter_state[i])
			continue;
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
	struct load_args args = {.cpus = cpus};
	struct load_cfg cfg = {0};
	char name[32];
	int r = doc_get_str(in, "load", name, sizeof(name), e);

	if (r < 0)
		return r;
	args.ops = load_find(name);
	if (!args.ops)
		return err_say(e, ENOENT, "unknown load '%s'", name);
	cfg = *args.ops->defaults;
	r = doc_get_opts(doc_get(in, "config"), args.ops->opts, &cfg, e);
	if (r == 0)
		r = doc_get_bool(in, "near", &args.near, e);
	if (r == 0)
		r = get_cpus(in, cpus, &args.n_cpus, e);
	if (r < 0)
		return r;
	args.cfg = &cfg;
	r = load_open(&a->load, &args, e);
	return r < 0 ? r : open_under(a, &cfg, args, e);
}

static int do_prepare(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	uint64_t port;
	char any[64];
	int r = open_load(a, in, e);

	(void)out;
	if (r == 0)
		r = arm(a, doc_get(in, "meters"), e);
	if (r == 0)
		r = doc_get_str(in, "any", any, sizeof(any), e);
	if (r == 0)
		r = doc_get_u64(in, "port", 65535 - LOAD_MAX_FLOWS, &port, e);
	if (r == 0)
		r = load_listen(a->load, any, (uint16_t)port, e);
	return r < 0 || !a->under ? r : load_listen(a->under, any, (uint16_t)(port + 1), e);
}

static int do_connect(struct agent *a, const struct doc *in, struct doc *out, struct err *e)
{
	struct load_peer peer = {0};
	uint64_t port, timeout_ns;
	int r = doc_get_str(in, "addr", peer.addr, sizeof(peer.addr), e);

	(void)out;
	if (r == 0)
		r = doc_get_u64(in, "port", 65535 - LOAD_MAX_FLOWS, &port, e);
	if (r == 0)
		r = doc_get_u64(in, "timeout_ns", AGENT_MAX_TIMEOUT_NS, &timeout_ns, e);
	if (r < 0)
		return r;
	peer.port = (uint16_t)port;
	r = load_connect(a->load, &peer, clock_now_ns() + timeout_ns, e);
	peer.port++;
	return r < 0 || !a->under ? r
				  : load_connect(a->under, &peer, clock_now_ns() + timeout_ns, e);
}

/* Sleeps until @at_ns; the controller says nothing meanwhile, so anything it says ends the run. */
static int sleep_until(const struct agent *a, uint64_t at_ns, struct err *e)
{
	struct pollfd p = {.fd = a->chan.fd, .events = POLLIN};
	uint64_t now_ns;

	while ((now_ns = clock_now_ns()) < at_ns) {
		struct timespec ts = {.tv_sec = (time_t)((at_ns - now_ns) / NSEC_PER_SEC),
			.tv_nsec = (long)((at_ns - now_ns) % NSEC_PER_SEC)};
		int r = ppoll(&p, 1, &ts, NULL);

		if (r > 0)
			return err_say(e, ECANCELED, "the controller broke off the run");
		if (r < 0 && errno != EINTR)
			return err_set(e, errno, "cannot wait");
	}
	return 0;
}

static int meters_begin(struct agent *a, const struct meter_scope *scope, struct err *e)
{
	int r = 0;

	for (enum meter_id i = 0; r == 0 && i < METER_N; i++)
		if (a->meter_state[i])
			r = meter_table[i]->begin(a->meter_state[i], scope, e);
	return r;
}

static int meters_end(struct agent *a, const struct meter_scope *scope, struct readings *ret,
	struct err *e)
{
	int r = 0;

	for (enum meter_id i = 0; r == 0 && i < METER_N; i++) {
		if (!a->meter_state[i])
			continue;
		r = meter_table[i]->end(a->meter_state[i], scope, readings_of(ret, i), e);
		ret->valid[i] = r == 0;
	}
	return r;
}

/* @c: of the span */
static void put_packets(struct end_report *ret, const struct load_count *c)
{
	ret->packets_tx = c->packets_tx;
	ret->packets_rx = c->packets_rx;
	ret->packets_expected = c->packets_expected;
	ret->reordered = c->reordered;
	ret->duplicated = c->duplicated;
	ret->packets_alien = c->packets_alien;
	ret->packets_unsent = c->packets_unsent;
	ret->packets_gso = c->packets_gso;
	ret->packets_gro = c->packets_gro;
	ret->sends_refused = c->sends_refused;
	ret->socket_drops = c->socket_drops;
}

/* Begin and end read in the same order, so both spans have the same length. */
static int observe(struct agent *a, uint64_t begin_ns, uint64_t end_ns, struct end_report *ret,
	struct err *e)
{
	clockid_t threads[LOAD_MAX_LEGS * LOAD_MAX_THREADS];
	int fds[LOAD_MAX_FLOWS];
	struct meter_scope scope = {.tcp_fds = fds, .threads = threads};
	struct load_count b, c, under_b = {0}, under_c = {0};
	int r;

	scope.n_tcp_fds = load_sending_fds(a->load, fds, ARRAY_SIZE(fds));
	scope.n_threads = load_thread_clocks(a->load, threads, ARRAY_SIZE(threads));
	r = sleep_until(a, begin_ns, e);
	if (r < 0)
		return r;
	load_count(a->load, &b);
	if (a->under)
		load_count(a->under, &under_b);
	ret->begin_ns = clock_now_ns();
	r = meters_begin(a, &scope, e);
	if (r == 0)
		r = sleep_until(a, end_ns, e);
	if (r < 0)
		return r;
	load_count(a->load, &c);
	if (a->under)
		load_count(a->under, &under_c);
	ret->end_ns = clock_now_ns();
	r = meters_end(a, &scope, &ret->readings, e);
	ret->bytes_tx = c.bytes_tx - b.bytes_tx;
	ret->bytes_rx = c.bytes_rx - b.bytes_rx;
	ret->transactions = c.transactions - b.transactions;
	ret->lost = c.lost - b.lost;
	load_count_sub(&c, &b);
	put_packets(ret, &c);
	ret->jitter_ns = load_jitter_ns(a->load);
	ret->under_bytes_rx = under_c.bytes_rx - under_b.bytes_rx;
	return r < 0 ? r : sleep_until(a, end_ns + AGENT_RUN_OUT_NS, e);
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
	uint64_t begin_ns, end_ns;
	struct err why = {0};
	int r = doc_get_u64(in, "begin_ns", INT64_MAX, &begin_ns, e);
	int stop_r;

	if (r == 0)
		r = doc_get_u64(in, "end_ns", INT64_MAX, &end_ns, e);
	if (r < 0)
		return r;
	if (end_ns <= begin_ns || end_ns > clock_now_ns() + AGENT_MAX_SPAN_NS)
		return err_say(e, EPROTO, "a span of that kind can't be measured");
	r = start_loads(a, begin_ns, end_ns, e);
	if (r < 0)
		return r;
	r = observe(a, begin_ns, end_ns, report, e);
	/* A flow that failed is the cause of what a meter then could not read. */
	stop_r = stop_loads(a, &why);
	if (stop_r < 0) {
		*e = why;
		return stop_r;
	}
	if (r < 0)
		return r;
	put_report(a, report, out);
	drop(a);
	return 0;
}

static const struct agent_request {
	const char *type;
	enum agent_state in, next;
	int (*serve)(struct agent *a, const struct doc *in, struct doc *out, struct err *e);
} agent_request[] = {
	{"hello", AGENT_NEW, AGENT_IDLE, do_hello},
	{"prepare", AGENT_IDLE, AGENT_READY, do_prepare},
	{"connect", AGENT_READY, AGENT_CONNECTED, do_connect},
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

/* One request and its answer. Return: 0, or negative when the channel is no longer of use. */
static int agent_turn(struct agent *a)
{
	_cleanup_(doc_freep) struct doc *in = NULL;
	_cleanup_(doc_freep) struct doc *out = doc_object();
	struct err e = {0};
	int r = chan_recv(&a->chan, &in, "idle", clock_now_ns() + AGENT_IDLE_NS, &e);

	if (r < 0)
		return r;
	doc_put_str(out, "type", "ok");
	r = serve(a, in, out, &e);
	if (r < 0) {
		drop(a);
		if (a->state != AGENT_NEW)
			a->state = AGENT_IDLE;
		doc_put_str(out, "type", "error");
		doc_put_str(out, "text", e.text);
	}
	return chan_send(&a->chan, out, clock_now_ns() + AGENT_SEND_NS, &e);
}

int agent_main(int ctl_fd)
{
	struct agent a = {.chan = {.fd = ctl_fd, .cancel_fd = -1}};

	str_set(a.chan.who, "controller");
	while (agent_turn(&a) == 0)
		;
	drop(&a);
	chan_close(&a.chan);
	return 0;
}
