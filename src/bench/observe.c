#include "bench/observe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "bench/interval.h"
#include "sys/cpustat.h"
#include "sys/tcpinfo.h"

#include <errno.h>
#include <poll.h>

#define OBSERVE_SEND_NS (5 * NSEC_PER_SEC)
/* A message that has begun must be there this soon: nothing is watched meanwhile. */
#define OBSERVE_RECV_NS (1 * NSEC_PER_SEC)
/* How often counters are looked at for an exact amount, and for a limit. */
#define OBSERVE_EXACT_NS (1 * NSEC_PER_MSEC)
#define OBSERVE_LIMIT_NS (20 * NSEC_PER_MSEC)
/* How long after "done" the controller may take: the other end's span, shifted at most so much. */
#define OBSERVE_FINISH_NS (60 * NSEC_PER_SEC)

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
	FIELD_U64(struct end_report, aggregates_gro, "", "how many these were"),
	FIELD_U64(struct end_report, sends_refused, "",
		"send calls refused for want of a buffer or a listener"),
	FIELD_U64(struct end_report, socket_drops, "",
		"drops of this end's own UDP sockets; an aggregate of GRO counts once"),
	FIELD_U64(struct end_report, jitter_ns, "ns",
		"RFC 3550 jitter at the end of the span, mean of the flows received"),
	FIELD_U64(struct end_report, zerocopy_sends, "",
		"send calls with MSG_ZEROCOPY that the kernel is done with"),
	FIELD_U64(struct end_report, zerocopy_copied, "", "part of them that it copied after all"),
	FIELD_U64(struct end_report, lost, "",
		"UDP requests unanswered after 200 ms, in open loop after 1 s"),
	FIELD_U64(struct end_report, under_bytes_rx, "bytes",
		"payload this end received in the span of the load that it ran under"),
	FIELD_U64(struct end_report, late, "",
		"open loop: requests of the span sent later than the next one was due, or never"),
	FIELD_U64(struct end_report, unanswered, "",
		"open loop: requests due in the span that had no answer when the load stopped"),
	FIELD_U64S(struct end_report, flow_cpu, n_flows, "",
		"CPU on which the kernel last took in a packet of each of this end's flows"),
	FIELD_U64S(struct end_report, first_cpu, n_threads, "",
		"CPU on which each of the load's threads began"),
	FIELD_U64S(struct end_report, last_cpu, n_threads, "", "CPU on which each was at the end"),
	FIELD_END,
};

/* Cumulative, at one moment. */
struct sample {
	uint64_t at_ns;
	struct load_count count;
	uint64_t under_bytes_rx;
	struct cpustat cpu; /* all CPUs together */
	int n_cpus;
	uint64_t threads_ns;
	uint64_t retransmits;
	/* Gauges: of now. */
	uint64_t rtt_ns, delivery_rate_bps, cwnd_segs;
};

struct observer {
	const struct observe_args *args;
	struct meter_scope scope;
	int fds[LOAD_MAX_FLOWS];
	clockid_t threads[LOAD_MAX_LEGS * LOAD_MAX_THREADS];
	struct sample begin, last;
	uint32_t n_intervals;
	uint64_t next_ns; /* end of the interval under way */
	bool began, said_sent, stopped, finished;
	struct cpustat cpus[CPUSTAT_MAX_CPUS];
};

static void sample_counts(const struct observer *o, struct sample *s)
{
	struct load_count under = {0};

	load_count(o->args->load, &s->count);
	if (o->args->under)
		load_count(o->args->under, &under);
	s->under_bytes_rx = under.bytes_rx;
}

static int sample_cpu(struct observer *o, struct sample *s, struct err *e)
{
	uint64_t *to = (uint64_t *)&s->cpu;

	s->n_cpus = cpustat_read(o->cpus, e);
	if (s->n_cpus < 0)
		return s->n_cpus;
	for (int i = 0; i < s->n_cpus; i++) {
		const uint64_t *from = (const uint64_t *)&o->cpus[i];

		for (size_t k = 0; k < sizeof(s->cpu) / sizeof(*to); k++)
			to[k] += from[k];
	}
	return 0;
}

static int sample_tcp(const struct observer *o, struct sample *s, struct err *e)
{
	uint32_t n = o->scope.n_tcp_fds;

	for (uint32_t i = 0; i < n; i++) {
		struct tcpinfo t;
		int r = tcpinfo_read(o->fds[i], &t, e);

		if (r < 0)
			return r;
		s->retransmits += t.retransmits;
		s->rtt_ns += (uint64_t)t.rtt_us * NSEC_PER_USEC / n;
		s->delivery_rate_bps += t.delivery_rate_bps;
		s->cwnd_segs += t.snd_cwnd_segs;
	}
	s->cwnd_segs = n ? s->cwnd_segs / n : 0;
	return 0;
}

static void sample_threads(const struct observer *o, struct sample *s)
{
	for (uint32_t i = 0; i < o->scope.n_threads; i++) {
		struct timespec ts;

		/* A thread that has sent all is gone, and its clock with it. */
		if (clock_gettime(o->threads[i], &ts) == 0)
			s->threads_ns += (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	}
}

/* All but count and at_ns, which are the span's and are read together with the meters. */
static int sample_rest(struct observer *o, struct sample *s, struct err *e)
{
	int r = sample_cpu(o, s, e);

	if (r == 0)
		r = sample_tcp(o, s, e);
	sample_threads(o, s);
	return r;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static struct interval_end between(const struct observer *o, const struct sample *b,
	const struct sample *a)
{
	uint64_t idle_ns = minus(a->cpu.idle_ns + a->cpu.iowait_ns + a->cpu.steal_ns,
		b->cpu.idle_ns + b->cpu.iowait_ns + b->cpu.steal_ns);
	uint64_t all_ns = (a->at_ns - b->at_ns) * (uint64_t)a->n_cpus;
	struct load_count c = a->count;

	load_count_sub(&c, &b->count);
	return (struct interval_end){
		.begin_ns = b->at_ns - o->begin.at_ns,
		.end_ns = a->at_ns - o->begin.at_ns,
		.bytes_tx = c.bytes_tx,
		.bytes_rx = c.bytes_rx,
		.packets_tx = c.packets_tx,
		.packets_rx = c.packets_rx,
		.transactions = c.transactions,
		.lost = c.lost,
		.busy_ns = minus(all_ns, idle_ns),
		.user_ns = minus(a->cpu.user_ns + a->cpu.nice_ns, b->cpu.user_ns + b->cpu.nice_ns),
		.system_ns = minus(a->cpu.system_ns, b->cpu.system_ns),
		.softirq_ns = minus(a->cpu.softirq_ns, b->cpu.softirq_ns),
		.threads_ns = minus(a->threads_ns, b->threads_ns),
		.retransmits = minus(a->retransmits, b->retransmits),
		.rtt_ns = a->rtt_ns,
		.delivery_rate_bps = a->delivery_rate_bps,
		.cwnd_segs = (uint32_t)a->cwnd_segs,
		.n_tcp_flows = o->scope.n_tcp_fds,
	};
}

static int say(const struct observer *o, const char *type, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = doc_object();

	doc_put_str(msg, "type", type);
	return chan_send(o->args->chan, msg, clock_now_ns() + OBSERVE_SEND_NS, e);
}

/* @now: count and at_ns are set. */
static int end_interval(struct observer *o, struct sample *now, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = doc_object();
	struct interval_end x;
	int r;

	if (now->at_ns <= o->last.at_ns)
		return 0;
	r = sample_rest(o, now, e);
	if (r < 0)
		return r;
	x = between(o, &o->last, now);
	o->last = *now;
	o->next_ns += o->args->interval_ns;
	/* One that was overslept is made up for by a longer one, not by a short one after it. */
	while (o->next_ns <= now->at_ns)
		o->next_ns += o->args->interval_ns;
	doc_put_str(msg, "type", "interval");
	interval_put(msg, o->n_intervals++, &x);
	return chan_send(o->args->chan, msg, clock_now_ns() + OBSERVE_SEND_NS, e);
}

static int tick(struct observer *o, struct err *e)
{
	struct sample now = {0};

	sample_counts(o, &now);
	now.at_ns = clock_now_ns();
	return end_interval(o, &now, e);
}

/* What the controller says while the load runs. */
static int hear(struct observer *o, struct err *e)
{
	_cleanup_(doc_freep) struct doc *msg = NULL;
	int r = chan_recv(o->args->chan, &msg, "running", clock_now_ns() + OBSERVE_RECV_NS, e);
	const struct doc *type;

	if (r < 0)
		return r;
	type = doc_get(msg, "type");
	if (doc_is_str(type, "stop")) {
		o->stopped = true;
		return o->began ? 0 : err_say(e, ECANCELED, "stopped before the span began");
	}
	if (doc_is_str(type, "finish") && o->stopped) {
		o->finished = true;
		return 0;
	}
	return err_say(e, ECANCELED, "the controller broke off the run");
}

/* Sleeps until @at_ns or a word of the controller, which is heard. */
static int sleep_until(struct observer *o, uint64_t at_ns, struct err *e)
{
	struct pollfd p[] = {{.fd = o->args->chan->fd, .events = POLLIN},
		{.fd = o->args->chan->cancel_fd, .events = POLLIN}};
	uint64_t now_ns = clock_now_ns();
	uint64_t left_ns = at_ns > now_ns ? at_ns - now_ns : 0;
	struct timespec ts = {.tv_sec = (time_t)(left_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(left_ns % NSEC_PER_SEC)};
	int r = ppoll(p, ARRAY_SIZE(p), &ts, NULL);

	if (r < 0 && errno != EINTR)
		return err_set(e, errno, "cannot wait");
	return r > 0 ? hear(o, e) : 0;
}

/* Is an exact amount through? Else says so once when at least all of it is sent. */
static int look_exact(struct observer *o, const struct load_count *c, bool *ret_through,
	struct err *e)
{
	const struct observe_args *a = o->args;
	bool sent = !a->drives || load_sent_all(a->load);

	*ret_through = sent && c->bytes_rx >= a->expect_bytes;
	if (!sent || *ret_through || o->said_sent || !a->drives)
		return 0;
	o->said_sent = true;
	return say(o, "sent", e);
}

static int look(struct observer *o, bool *ret_through, struct err *e)
{
	const struct observe_args *a = o->args;
	struct load_count c, under;

	*ret_through = false;
	if (!a->exact && !a->max_bytes)
		return 0;
	load_count(a->load, &c);
	if (a->under) {
		load_count(a->under, &under);
		load_count_add(&c, &under);
	}
	if (a->max_bytes && c.bytes_tx + c.bytes_rx > a->max_bytes)
		return err_say(e, EDQUOT, "no more than the %llu bytes left of those allowed here",
			(unsigned long long)a->max_bytes);
	return a->exact ? look_exact(o, &c, ret_through, e) : 0;
}

/* Until the end of the span: planned, through, or told to. */
static int wait_end(struct observer *o, struct err *e)
{
	const struct observe_args *a = o->args;
	uint64_t look_ns = a->exact       ? OBSERVE_EXACT_NS
			   : a->max_bytes ? OBSERVE_LIMIT_NS
					  : UINT64_MAX / 2;
	bool through = false;
	uint64_t now_ns;
	int r = 0;

	while (r == 0 && !o->stopped && !through && (now_ns = clock_now_ns()) < a->end_ns) {
		uint64_t at_ns = MIN(a->end_ns, o->next_ns);

		if (at_ns <= now_ns) {
			r = tick(o, e);
			continue;
		}
		r = sleep_until(o, MIN(at_ns, now_ns + look_ns), e);
		if (r == 0)
			r = look(o, &through, e);
	}
	return r;
}

static int meters_begin(struct observer *o, struct err *e)
{
	int r = 0;

	for (enum meter_id i = 0; r == 0 && i < METER_N; i++)
		if (o->args->meter_state[i])
			r = meter_table[i]->begin(o->args->meter_state[i], &o->scope, e);
	return r;
}

static int meters_end(struct observer *o, struct readings *ret, struct err *e)
{
	int r = 0;

	for (enum meter_id i = 0; r == 0 && i < METER_N; i++) {
		if (!o->args->meter_state[i])
			continue;
		r = meter_table[i]->end(o->args->meter_state[i], &o->scope, readings_of(ret, i), e);
		ret->valid[i] = r == 0;
	}
	return r;
}

/* Begin and end are read in the same order, so that both spans have the same length. */
static int begin(struct observer *o, struct err *e)
{
	const struct observe_args *a = o->args;
	struct sample *s = &o->begin;
	int r = 0;

	while (r == 0 && !a->exact && clock_now_ns() < a->begin_ns)
		r = sleep_until(o, a->begin_ns, e);
	if (r < 0)
		return r;
	o->began = true;
	/* An exact amount is counted from its first byte. */
	if (!a->exact)
		sample_counts(o, s);
	s->at_ns = a->exact ? a->begin_ns : clock_now_ns();
	r = meters_begin(o, e);
	if (r == 0 && a->interval_ns)
		r = sample_rest(o, s, e);
	o->last = *s;
	o->next_ns = a->interval_ns ? s->at_ns + a->interval_ns : UINT64_MAX;
	return r;
}

static int finish(struct observer *o, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + OBSERVE_FINISH_NS;
	int r = say(o, "done", e);

	o->stopped = true; /* a "stop" that crosses our "done" changes nothing */
	while (r == 0 && !o->finished) {
		if (clock_now_ns() > deadline_ns)
			return err_say(e, ETIMEDOUT, "the controller did not end the run");
		r = sleep_until(o, deadline_ns, e);
	}
	return r;
}

/* @c: of the span */
static void put_counts(struct end_report *ret, const struct load_count *c)
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
	ret->aggregates_gro = c->aggregates_gro;
	ret->sends_refused = c->sends_refused;
	ret->socket_drops = c->socket_drops;
	ret->zerocopy_sends = c->zerocopy_sends;
	ret->zerocopy_copied = c->zerocopy_copied;
}

static int end(struct observer *o, struct end_report *ret, struct err *e)
{
	struct sample now = {0};
	int r;

	sample_counts(o, &now);
	now.at_ns = clock_now_ns();
	load_end(o->args->load, now.at_ns);
	if (o->args->under)
		load_end(o->args->under, now.at_ns);
	r = meters_end(o, &ret->readings, e);
	if (r == 0 && o->args->interval_ns)
		r = end_interval(o, &now, e);
	ret->begin_ns = o->begin.at_ns;
	ret->end_ns = now.at_ns;
	load_count_sub(&now.count, &o->begin.count);
	ret->bytes_tx = now.count.bytes_tx;
	ret->bytes_rx = now.count.bytes_rx;
	ret->transactions = now.count.transactions;
	ret->lost = now.count.lost;
	put_counts(ret, &now.count);
	ret->jitter_ns = load_jitter_ns(o->args->load);
	ret->under_bytes_rx = now.under_bytes_rx - o->begin.under_bytes_rx;
	return r;
}

int observe(const struct observe_args *args, struct end_report *ret, struct err *e)
{
	_cleanup_(freep) struct observer *o = xcalloc(1, sizeof(*o));
	int r;

	o->args = args;
	o->scope = (struct meter_scope){.tcp_fds = o->fds, .threads = o->threads};
	o->scope.n_tcp_fds = load_sending_fds(args->load, o->fds, ARRAY_SIZE(o->fds));
	o->scope.n_threads = load_thread_clocks(args->load, o->threads, ARRAY_SIZE(o->threads));
	r = begin(o, e);
	if (r == 0)
		r = wait_end(o, e);
	if (r == 0)
		r = end(o, ret, e);
	return r < 0 ? r : finish(o, e);
}
