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

/* CPUs busy on all machines: near's reading is the whole machine's when both ends share it. */
static double busy_cpus(const struct trial *t)
{
	const struct cpu_reading *near = &t->near.readings.cpu;
	const struct cpu_reading *far = &t->far.readings.cpu;
	double cpus;

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

static double cycles_per_s(const struct trial *t)
{
	double sum;

	if (!t->near.readings.valid[METER_CYCLES])
		return NAN;
	sum = rate(&t->near, t->near.readings.cycles.cycles);
	if (t->same_machine)
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

const struct metric metric_table[METRIC_N] = {
	[METRIC_GOODPUT_BPS] = {"goodput_bps", "bit/s",
		"TCP payload received per second, both directions together where both run",
		.decides = true, .value = goodput_bps},
	[METRIC_TRANSACTIONS_PER_S] = {"transactions_per_s", "1/s",
		"transactions begun and ended within the span, per second", .transactional = true,
		.value = transactions_per_s},
	[METRIC_LATENCY_MEAN_NS] = {"latency_mean_ns", "ns",
		"mean time from sending a request to having its whole response",
		.transactional = true, .decides = true, .value = latency_mean_ns},
	[METRIC_CPU_NS_PER_BYTE] = {"cpu_ns_per_byte", "ns/byte",
		"CPU time of the whole machine, both ends and softirq included, per byte of "
		"goodput",
		.decides = true, .value = cpu_ns_per_byte},
	[METRIC_CPU_NS_PER_TRANSACTION] = {"cpu_ns_per_transaction", "ns",
		"CPU time of the whole machine, both ends and softirq included, per transaction",
		.transactional = true, .decides = true, .value = cpu_ns_per_transaction},
	[METRIC_PROC_NS_PER_BYTE] = {"proc_ns_per_byte", "ns/byte",
		"part of cpu_ns_per_byte that the load's own threads are charged with",
		.value = proc_ns_per_byte},
	[METRIC_PROC_NS_PER_TRANSACTION] = {"proc_ns_per_transaction", "ns",
		"part of cpu_ns_per_transaction that the load's own threads are charged with",
		.transactional = true, .value = proc_ns_per_transaction},
	[METRIC_CYCLES_PER_BYTE] = {"cycles_per_byte", "cycles/byte",
		"CPU cycles of the whole machine per byte of goodput", .value = cycles_per_byte},
	[METRIC_CYCLES_PER_TRANSACTION] = {"cycles_per_transaction", "cycles",
		"CPU cycles of the whole machine per transaction", .transactional = true,
		.value = cycles_per_transaction},
	[METRIC_BUSY_CPUS] = {"busy_cpus", "CPUs", "CPUs busy on average, whole machine",
		.both = true, .value = busy_cpus},
	[METRIC_RETRANSMITS_PER_S] = {"retransmits_per_s", "1/s",
		"TCP segments sent again per second, senders of both ends",
		.value = retransmits_per_s},
};

bool metric_applies(const struct metric *m, bool transactional)
{
	return m->both || m->transactional == transactional;
}

const struct metric_percentile metric_percentile[] = {
	{"latency_p50_ns", 0.5},
	{"latency_p90_ns", 0.9},
	{"latency_p99_ns", 0.99},
	{"latency_p999_ns", 0.999},
};
const uint32_t metric_n_percentiles = ARRAY_SIZE(metric_percentile);
