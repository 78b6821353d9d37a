/*
 * Costs are rates over rates: CPU time per second of one span over bytes per second of another,
 * because each end counts over its own span and the two differ by a scheduling delay.
 */
#include "bench/metric.h"

#include "base/macro.h"
#include "bench/hists.h"
#include "bench/result.h"

#include <math.h>

/* Per second of the end's own span. */
static double rate(const struct end_report *end, uint64_t n)
{
	return (double)n * 1e9 / (double)(end->end_ns - end->begin_ns);
}

static double bytes_per_s(const struct trial *t)
{
	return rate(&t->near, t->near.bytes_rx) + rate(&t->far, t->far.bytes_rx);
}

static double transactions_per_s(const struct trial *t)
{
	return (double)hists_at(t->hist, LOAD_HIST_LATENCY)->count * 1e9 / (double)t->span_ns;
}

/* This machine's, guests included, though their own kernels count the same time again. */
static double watched_cpus(const struct trial *t)
{
	if (!t->watch.has_cpu)
		return NAN;
	return (double)t->watch.cpu.busy_ns / (double)t->watch.cpu.span_ns;
}

/* CPUs busy on all machines: near's reading is the whole machine's when both ends share it. */
static double busy_cpus(const struct trial *t)
{
	const struct cpu_reading *near = &t->near.readings.cpu;
	const struct cpu_reading *far = &t->far.readings.cpu;
	double cpus;

	if (t->near_guest || t->far_guest)
		return watched_cpus(t);
	if (!t->near.readings.valid[METER_CPU])
		return NAN;
	cpus = (double)near->busy_ns / (double)near->span_ns;
	if (t->same_machine)
		return cpus;
	if (!t->far.readings.valid[METER_CPU])
		return NAN;
	return cpus + (double)far->busy_ns / (double)far->span_ns;
}

static double threads_cpus(const struct trial *t)
{
	if (!t->near.readings.valid[METER_PROC] || !t->far.readings.valid[METER_PROC])
		return NAN;
	return (rate(&t->near, t->near.readings.proc.threads_ns) +
		       rate(&t->far, t->far.readings.proc.threads_ns)) /
	       1e9;
}

/* Counters of the machine run on in its guests, but what a guest counts is its own only. */
static double cycles_per_s(const struct trial *t)
{
	double sum;

	if (t->near_guest || !t->near.readings.valid[METER_CYCLES])
		return NAN;
	sum = rate(&t->near, t->near.readings.cycles.cycles);
	if (t->same_machine || t->far_guest)
		return sum;
	if (!t->far.readings.valid[METER_CYCLES])
		return NAN;
	return sum + rate(&t->far, t->far.readings.cycles.cycles);
}

static double over(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

static double goodput_bps(const struct trial *t)
{
	return bytes_per_s(t) * 8;
}

static double latency_mean_ns(const struct trial *t)
{
	return hist_mean_ns(hists_at(t->hist, LOAD_HIST_LATENCY));
}

static double cpu_ns_per_byte(const struct trial *t)
{
	return over(busy_cpus(t) * 1e9, bytes_per_s(t));
}

static double cpu_ns_per_transaction(const struct trial *t)
{
	return over(busy_cpus(t) * 1e9, transactions_per_s(t));
}

static double proc_ns_per_byte(const struct trial *t)
{
	return over(threads_cpus(t) * 1e9, bytes_per_s(t));
}

static double proc_ns_per_transaction(const struct trial *t)
{
	return over(threads_cpus(t) * 1e9, transactions_per_s(t));
}

static double cycles_per_byte(const struct trial *t)
{
	return over(cycles_per_s(t), bytes_per_s(t));
}

static double cycles_per_transaction(const struct trial *t)
{
	return over(cycles_per_s(t), transactions_per_s(t));
}

static double retransmits_per_s(const struct trial *t)
{
	if (!t->near.readings.valid[METER_TCP] || !t->far.readings.valid[METER_TCP])
		return NAN;
	return rate(&t->near, t->near.readings.tcp.retransmits) +
	       rate(&t->far, t->far.readings.tcp.retransmits);
}

/* Both ends receive where a load goes both ways. */
static double received(const struct trial *t)
{
	return rate(&t->near, t->near.packets_rx) + rate(&t->far, t->far.packets_rx);
}

static double expected(const struct trial *t)
{
	return rate(&t->near, t->near.packets_expected) + rate(&t->far, t->far.packets_expected);
}

static double duplicated(const struct trial *t)
{
	return rate(&t->near, t->near.duplicated) + rate(&t->far, t->far.duplicated);
}

/* Per second. Of what was under way at the span's edges some may come in twice: not below 0. */
static double lost(const struct trial *t)
{
	return fmax(0, expected(t) - (received(t) - duplicated(t)));
}

static double offered(const struct trial *t)
{
	return rate(&t->near, t->near.packets_tx) + rate(&t->far, t->far.packets_tx);
}

static double loss_ratio(const struct trial *t)
{
	return over(lost(t), expected(t));
}

/* Where a packet can die, from the receiver's socket back to the sender's device. */
enum loss_place {
	LOSS_SOCKET,
	LOSS_UDP,
	LOSS_IP,
	LOSS_SOFTNET,
	LOSS_QDISC,
	LOSS_DEVICE,
	LOSS_N, /* elsewhere */
};

/*
 * The kernel counts an aggregate it drops once, whatever is in it; it is taken to be as large as
 * the mean of what came in.
 */
static uint64_t socket_drops(const struct end_report *end)
{
	uint64_t singles = end->packets_rx - MIN(end->packets_gro, end->packets_rx);
	uint64_t received = singles + end->aggregates_gro;

	return received ? end->socket_drops * end->packets_rx / received : end->socket_drops;
}

static uint64_t drops_at(const struct end_report *end, enum loss_place place)
{
	const struct drops_reading *d = &end->readings.drops;

	switch (place) {
	case LOSS_SOCKET:
		return socket_drops(end);
	case LOSS_UDP:
		return d->udp_in_errors - MIN(d->udp_in_errors, end->socket_drops) +
		       d->udp_no_ports;
	case LOSS_IP:
		return d->ip_in_discards + d->ip_in_errors + d->ip_out_discards +
		       d->ip_out_no_routes + d->ip_reasm_fails + d->conntrack_drops;
	case LOSS_SOFTNET:
		return d->softnet_drops;
	case LOSS_QDISC:
		return d->qdisc_drops;
	case LOSS_DEVICE:
		return d->dev_rx_drops + d->dev_tx_drops;
	case LOSS_N:
		break;
	}
	return 0;
}

/* The backlogs are the machine's: they are read twice when both ends are on it. */
static double drops_per_s(const struct trial *t, enum loss_place place)
{
	double near = rate(&t->near, drops_at(&t->near, place));
	double far = rate(&t->far, drops_at(&t->far, place));

	return place == LOSS_SOFTNET && t->same_machine ? near : near + far;
}

/*
 * The counters are of all traffic, and one loss may be in several: a full backlog behind a veth
 * device is in softnet's and in both devices'. So the places are asked in turn, each takes what
 * it counted of the losses that are left, and no loss is given out twice.
 */
static double loss_at(const struct trial *t, enum loss_place where)
{
	double left = lost(t);

	if (!t->near.readings.valid[METER_DROPS] || !t->far.readings.valid[METER_DROPS])
		return NAN;
	for (enum loss_place p = 0; p < where; p++)
		left -= fmin(left, drops_per_s(t, p));
	return over(where == LOSS_N ? left : fmin(left, drops_per_s(t, where)), expected(t));
}

static double loss_socket_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_SOCKET);
}

static double loss_udp_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_UDP);
}

static double loss_ip_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_IP);
}

static double loss_softnet_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_SOFTNET);
}

static double loss_qdisc_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_QDISC);
}

static double loss_device_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_DEVICE);
}

static double loss_elsewhere_ratio(const struct trial *t)
{
	return loss_at(t, LOSS_N);
}

static double reordered_ratio(const struct trial *t)
{
	return over(rate(&t->near, t->near.reordered) + rate(&t->far, t->far.reordered),
		received(t));
}

static double duplicated_ratio(const struct trial *t)
{
	return over(duplicated(t), received(t));
}

static double unsent_ratio(const struct trial *t)
{
	double unsent =
		rate(&t->near, t->near.packets_unsent) + rate(&t->far, t->far.packets_unsent);

	return over(unsent, unsent + offered(t));
}

static double jitter_ns(const struct trial *t)
{
	uint32_t ends = (t->near.packets_rx > 0) + (t->far.packets_rx > 0);

	return over((double)(t->near.jitter_ns + t->far.jitter_ns), ends);
}

static double cpu_ns_per_packet(const struct trial *t)
{
	return over(busy_cpus(t) * 1e9, received(t));
}

static double proc_ns_per_packet(const struct trial *t)
{
	return over(threads_cpus(t) * 1e9, received(t));
}

static double cycles_per_packet(const struct trial *t)
{
	return over(cycles_per_s(t), received(t));
}

/* Near's reading is of this machine; of two machines far has one of its own. */
static bool softirq_at_far(const struct trial *t)
{
	return !t->same_machine && !t->far_guest && t->far.readings.valid[METER_SOFTIRQ];
}

static double softirq_of(const struct end_report *end, enum softirq_of of)
{
	const struct softirq_reading *x = &end->readings.softirq;
	const struct softirq_share *s = &x->of[of];

	return (double)(s->rx_ns + s->tx_ns + s->other_ns + s->thread_ns) * 1e9 /
	       (double)x->span_ns;
}

/*
 * An end's is where its namespace is; host and overhead are of all machines, or not measured. What
 * a guest does in softirqs of its own is time of its CPUs, no softirq of this machine.
 */
static double softirq_ns_per_s(const struct trial *t, enum softirq_of of)
{
	const struct softirq_reading *near = &t->near.readings.softirq;
	bool at_far = softirq_at_far(t);

	if (!t->near.readings.valid[METER_SOFTIRQ])
		return NAN;
	if (of == SOFTIRQ_OF_NEAR)
		return near->near_known ? softirq_of(&t->near, of) : NAN;
	if (of == SOFTIRQ_OF_FAR && at_far)
		return softirq_of(&t->far, of);
	if (of == SOFTIRQ_OF_FAR)
		return near->far_known ? softirq_of(&t->near, of) : NAN;
	if (at_far)
		return softirq_of(&t->near, of) + softirq_of(&t->far, of);
	return t->same_machine || t->far_guest ? softirq_of(&t->near, of) : NAN;
}

/*
 * The load's threads without softirqs that ran in their time. The ends' span lies within the
 * meter's: where a busy machine gave the threads so little in theirs that nothing is left, it can't
 * be told.
 */
static double process_ns_per_s(const struct trial *t)
{
	const struct softirq_reading *x = &t->near.readings.softirq;
	double inside, ns;

	if (!t->near.readings.valid[METER_SOFTIRQ] || !t->same_machine || !x->context_known)
		return NAN;
	inside = (double)(x->of[SOFTIRQ_OF_NEAR].context_ns + x->of[SOFTIRQ_OF_FAR].context_ns) *
		 1e9 / (double)x->span_ns;
	ns = threads_cpus(t) * 1e9 - (x->irq_time ? 0 : inside);
	return ns < 0 ? NAN : ns;
}

/* Functions of each unit, for the rows below. */
#define PER_UNIT(name, ns_per_s)                                                                   \
	static double name##_ns_per_byte(const struct trial *t)                                    \
	{                                                                                          \
		return over(ns_per_s, bytes_per_s(t));                                             \
	}                                                                                          \
	static double name##_ns_per_transaction(const struct trial *t)                             \
	{                                                                                          \
		return over(ns_per_s, transactions_per_s(t));                                      \
	}                                                                                          \
	static double name##_ns_per_packet(const struct trial *t)                                  \
	{                                                                                          \
		return over(ns_per_s, received(t));                                                \
	}
PER_UNIT(softirq_near, softirq_ns_per_s(t, SOFTIRQ_OF_NEAR))
PER_UNIT(softirq_far, softirq_ns_per_s(t, SOFTIRQ_OF_FAR))
PER_UNIT(softirq_host, softirq_ns_per_s(t, SOFTIRQ_OF_HOST))
PER_UNIT(softirq_overhead, softirq_ns_per_s(t, SOFTIRQ_OF_OVERHEAD))
PER_UNIT(process, process_ns_per_s(t))

#define BULK         (1U << LOAD_KIND_BULK)
#define TRANSACTIONS (1U << LOAD_KIND_TRANSACTIONS)
#define PACKETS      (1U << LOAD_KIND_PACKETS)

/* Open loop: requests that were due in the span; NAN in closed loop. */
static double due(const struct trial *t)
{
	uint64_t n_sent = hists_at(t->hist, LOAD_HIST_SLIP)->count;

	if (n_sent + t->near.unanswered == 0)
		return NAN;
	return (double)(hists_at(t->hist, LOAD_HIST_LATENCY)->count + t->near.unanswered +
			t->near.lost);
}

static double under_bps(const struct trial *t)
{
	double bps =
		8 * (rate(&t->near, t->near.under_bytes_rx) + rate(&t->far, t->far.under_bytes_rx));

	return bps > 0 ? bps : NAN;
}

static double late_ratio(const struct trial *t)
{
	return (double)t->near.late / due(t);
}

static double unanswered_ratio(const struct trial *t)
{
	return (double)(t->near.unanswered + t->near.lost) / due(t);
}

#define METERED_ROW(ID, UNIT, id, unit_of, unit_text, kind, what)                                  \
	[METRIC_##ID##_NS_PER_##UNIT] = {#id "_ns_per_" #unit_of, unit_text,                       \
		what " per " #unit_of, .kinds = kind, .metered = true,                             \
		.value = id##_ns_per_##unit_of}
#define METERED_ROWS(ID, id, what)                                                                 \
	METERED_ROW(ID, BYTE, id, byte, "ns/byte", BULK, what),                                    \
		METERED_ROW(ID, TRANSACTION, id, transaction, "ns", TRANSACTIONS, what),           \
		METERED_ROW(ID, PACKET, id, packet, "ns", PACKETS, what)

const struct metric metric_table[METRIC_N] = {
	[METRIC_GOODPUT_BPS] = {"goodput_bps", "bit/s",
		"payload received per second, both directions together where both run",
		.kinds = BULK | PACKETS, .decides = true, .value = goodput_bps},
	[METRIC_TRANSACTIONS_PER_S] = {"transactions_per_s", "1/s",
		"transactions begun and ended within the span, per second", .kinds = TRANSACTIONS,
		.value = transactions_per_s},
	[METRIC_LATENCY_MEAN_NS] = {"latency_mean_ns", "ns",
		"mean time from sending a request to having its whole response",
		.kinds = TRANSACTIONS, .decides = true, .value = latency_mean_ns},
	[METRIC_CPU_NS_PER_BYTE] = {"cpu_ns_per_byte", "ns/byte",
		"CPU time of the whole machine, both ends and softirq included, per byte of "
		"goodput",
		.kinds = BULK, .decides = true, .value = cpu_ns_per_byte},
	[METRIC_CPU_NS_PER_TRANSACTION] = {"cpu_ns_per_transaction", "ns",
		"CPU time of the whole machine, both ends and softirq included, per transaction",
		.kinds = TRANSACTIONS, .decides = true, .value = cpu_ns_per_transaction},
	[METRIC_PROC_NS_PER_BYTE] = {"proc_ns_per_byte", "ns/byte",
		"part of cpu_ns_per_byte that the load's own threads are charged with",
		.kinds = BULK, .value = proc_ns_per_byte},
	[METRIC_PROC_NS_PER_TRANSACTION] = {"proc_ns_per_transaction", "ns",
		"part of cpu_ns_per_transaction that the load's own threads are charged with",
		.kinds = TRANSACTIONS, .value = proc_ns_per_transaction},
	[METRIC_CYCLES_PER_BYTE] = {"cycles_per_byte", "cycles/byte",
		"CPU cycles of the whole machine per byte of goodput", .kinds = BULK,
		.value = cycles_per_byte},
	[METRIC_CYCLES_PER_TRANSACTION] = {"cycles_per_transaction", "cycles",
		"CPU cycles of the whole machine per transaction", .kinds = TRANSACTIONS,
		.value = cycles_per_transaction},
	[METRIC_BUSY_CPUS] = {"busy_cpus", "CPUs", "CPUs busy on average, whole machine",
		.kinds = BULK | TRANSACTIONS | PACKETS, .value = busy_cpus},
	[METRIC_RETRANSMITS_PER_S] = {"retransmits_per_s", "1/s",
		"TCP segments sent again per second, senders of both ends", .kinds = BULK,
		.value = retransmits_per_s},
	[METRIC_PACKETS_PER_S] = {"packets_per_s", "1/s",
		"datagrams received per second, both directions together where both run",
		.kinds = PACKETS, .decides = true, .value = received},
	[METRIC_PACKETS_OFFERED_PER_S] = {"packets_offered_per_s", "1/s",
		"datagrams sent per second", .kinds = PACKETS, .value = offered},
	[METRIC_LOSS_RATIO] = {"loss_ratio", "",
		"datagrams lost over datagrams the receivers know were sent, by their numbers",
		.kinds = PACKETS, .value = loss_ratio},
	[METRIC_LOSS_SOCKET_RATIO] = {"loss_socket_ratio", "",
		"part of loss_ratio that full socket buffers dropped", .kinds = PACKETS,
		.value = loss_socket_ratio},
	[METRIC_LOSS_UDP_RATIO] = {"loss_udp_ratio", "",
		"part of loss_ratio that UDP dropped for other reasons", .kinds = PACKETS,
		.value = loss_udp_ratio},
	[METRIC_LOSS_IP_RATIO] = {"loss_ip_ratio", "",
		"part of loss_ratio that IP or connection tracking dropped at an end",
		.kinds = PACKETS, .value = loss_ip_ratio},
	[METRIC_LOSS_SOFTNET_RATIO] = {"loss_softnet_ratio", "",
		"part of loss_ratio that the CPUs' backlogs dropped", .kinds = PACKETS,
		.value = loss_softnet_ratio},
	[METRIC_LOSS_QDISC_RATIO] = {"loss_qdisc_ratio", "",
		"part of loss_ratio that queueing disciplines of the ends dropped",
		.kinds = PACKETS, .value = loss_qdisc_ratio},
	[METRIC_LOSS_DEVICE_RATIO] = {"loss_device_ratio", "",
		"part of loss_ratio that devices of the ends dropped", .kinds = PACKETS,
		.value = loss_device_ratio},
	[METRIC_LOSS_ELSEWHERE_RATIO] = {"loss_elsewhere_ratio", "",
		"the rest of loss_ratio: between the ends, or not counted", .kinds = PACKETS,
		.value = loss_elsewhere_ratio},
	[METRIC_REORDERED_RATIO] = {"reordered_ratio", "",
		"datagrams that came after a later one, over those received", .kinds = PACKETS,
		.value = reordered_ratio},
	[METRIC_DUPLICATED_RATIO] = {"duplicated_ratio", "",
		"datagrams that came again, over those received", .kinds = PACKETS,
		.value = duplicated_ratio},
	[METRIC_UNSENT_RATIO] = {"unsent_ratio", "",
		"datagrams that the sender was too late for, over those due", .kinds = PACKETS,
		.value = unsent_ratio},
	[METRIC_JITTER_NS] = {"jitter_ns", "ns", "RFC 3550 jitter at the end of the span",
		.kinds = PACKETS, .value = jitter_ns},
	[METRIC_CPU_NS_PER_PACKET] = {"cpu_ns_per_packet", "ns",
		"CPU time of the whole machine, both ends and softirq included, per datagram "
		"received",
		.kinds = PACKETS, .decides = true, .value = cpu_ns_per_packet},
	[METRIC_PROC_NS_PER_PACKET] = {"proc_ns_per_packet", "ns",
		"part of cpu_ns_per_packet that the load's own threads are charged with",
		.kinds = PACKETS, .value = proc_ns_per_packet},
	[METRIC_CYCLES_PER_PACKET] = {"cycles_per_packet", "cycles",
		"CPU cycles of the whole machine per datagram received", .kinds = PACKETS,
		.value = cycles_per_packet},
	[METRIC_UNDER_BPS] = {"under_bps", "bit/s", "goodput of the stream that the load ran under",
		.kinds = TRANSACTIONS, .value = under_bps},
	[METRIC_LATE_RATIO] = {"late_ratio", "",
		"open loop: share of the requests due in the span that were sent after the next "
		"one was due, or never: above a few per cent the rate is more than near can send",
		.kinds = TRANSACTIONS, .value = late_ratio},
	[METRIC_UNANSWERED_RATIO] = {"unanswered_ratio", "",
		"open loop: share of the requests due in the span without an answer at the stop",
		.kinds = TRANSACTIONS, .value = unanswered_ratio},
	METERED_ROWS(SOFTIRQ_NEAR, softirq_near,
		"meter softirq: network softirqs' time billed to near"),
	METERED_ROWS(SOFTIRQ_FAR, softirq_far,
		"meter softirq: network softirqs' time billed to far, the host's work on packets "
		"that reach it included,"),
	METERED_ROWS(SOFTIRQ_HOST, softirq_host,
		"meter softirq: network softirqs' time billed to the host"),
	METERED_ROWS(SOFTIRQ_OVERHEAD, softirq_overhead,
		"meter softirq: network softirqs' time that is nobody's"),
	METERED_ROWS(PROCESS, process,
		"meter softirq: CPU time of the load's threads, without softirqs in their time,"),
};

bool metric_applies(const struct metric *m, enum load_kind kind)
{
	return m->kinds & 1U << kind;
}

const char *const metric_work_name[] = {
	[LOAD_KIND_BULK] = "byte",
	[LOAD_KIND_TRANSACTIONS] = "transaction",
	[LOAD_KIND_PACKETS] = "packet",
};
static_assert(ARRAY_SIZE(metric_work_name) == LOAD_KIND_N);

const char *const metric_part_name[] = {"near", "far", "host", "overhead", "process"};
static_assert(ARRAY_SIZE(metric_part_name) == METRIC_N_PARTS);

enum metric_id metric_part(enum load_kind kind, uint32_t part)
{
	static const enum metric_id first[] = {
		[LOAD_KIND_BULK] = METRIC_SOFTIRQ_NEAR_NS_PER_BYTE,
		[LOAD_KIND_TRANSACTIONS] = METRIC_SOFTIRQ_NEAR_NS_PER_TRANSACTION,
		[LOAD_KIND_PACKETS] = METRIC_SOFTIRQ_NEAR_NS_PER_PACKET,
	};
	static_assert(ARRAY_SIZE(first) == LOAD_KIND_N);
	static_assert(
		METRIC_PROCESS_NS_PER_BYTE - METRIC_SOFTIRQ_NEAR_NS_PER_BYTE + 1 == METRIC_N_PARTS);

	assert(part < METRIC_N_PARTS);
	return first[kind] + part;
}

const struct metric_percentile metric_percentile[] = {
	{"latency_p50_ns", LOAD_HIST_LATENCY, 0.5},
	{"latency_p90_ns", LOAD_HIST_LATENCY, 0.9},
	{"latency_p99_ns", LOAD_HIST_LATENCY, 0.99},
	{"latency_p999_ns", LOAD_HIST_LATENCY, 0.999},
	{"gap_tx_p50_ns", LOAD_HIST_GAP_TX, 0.5},
	{"gap_tx_p99_ns", LOAD_HIST_GAP_TX, 0.99},
	{"gap_tx_p999_ns", LOAD_HIST_GAP_TX, 0.999},
	{"gap_rx_p50_ns", LOAD_HIST_GAP_RX, 0.5},
	{"gap_rx_p99_ns", LOAD_HIST_GAP_RX, 0.99},
	{"gap_rx_p999_ns", LOAD_HIST_GAP_RX, 0.999},
	{"pdv_p50_ns", LOAD_HIST_PDV, 0.5},
	{"pdv_p99_ns", LOAD_HIST_PDV, 0.99},
	{"pdv_p999_ns", LOAD_HIST_PDV, 0.999},
	{"slip_p50_ns", LOAD_HIST_SLIP, 0.5},
	{"slip_p99_ns", LOAD_HIST_SLIP, 0.99},
	{"connect_p50_ns", LOAD_HIST_CONNECT, 0.5},
	{"connect_p99_ns", LOAD_HIST_CONNECT, 0.99},
	{"response_p50_ns", LOAD_HIST_RESPONSE, 0.5},
	{"response_p99_ns", LOAD_HIST_RESPONSE, 0.99},
	{"close_p50_ns", LOAD_HIST_CLOSE, 0.5},
	{"close_p99_ns", LOAD_HIST_CLOSE, 0.99},
};
const uint32_t metric_n_percentiles = ARRAY_SIZE(metric_percentile);
