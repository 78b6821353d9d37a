#include "report/trial.h"

#include "base/str.h"
#include "bench/hists.h"

#include <math.h>

#define IRQ_CPUS_SHOWN 8

/* Decimal, as rates and amounts on a network are. */
const char *trial_scaled(double v, const char *unit, char ret[static 32])
{
	static const char *const prefix[] = {"", "k", "M", "G", "T"};
	size_t i = 0;

	while (v >= 999.95 && i + 1 < ARRAY_SIZE(prefix)) {
		v /= 1000;
		i++;
	}
	ret[0] = '\0';
	str_addf(ret, 32, v >= 100 || (i == 0 && v == floor(v)) ? "%.0f %s%s" : "%.3g %s%s", v,
		prefix[i], unit);
	return ret;
}

static double span_s(const struct end_report *end)
{
	return (double)(end->end_ns - end->begin_ns) / 1e9;
}

static void goodput_line(const char *dir, const struct end_report *from,
	const struct end_report *to, FILE *out)
{
	char rate[32], sent[32], got[32];

	fprintf(out, "  goodput %s    %s: %s received, %s sent\n", dir,
		trial_scaled((double)to->bytes_rx * 8 / span_s(to), "bit/s", rate),
		trial_scaled((double)to->bytes_rx, "B", got),
		trial_scaled((double)from->bytes_tx, "B", sent));
}

static void hist_line(const struct trial *t, enum load_hist id, FILE *out)
{
	const struct hist *h = hists_at(t->hist, id);
	char title[32];
	double v;

	if (!h->count)
		return;
	snprintf(title, sizeof(title), "%s us", load_hist_name[id]);
	fprintf(out, "  %-13s mean %.4g", title, hist_mean_ns(h) / 1e3);
	for (uint32_t i = 0; i < metric_n_percentiles; i++)
		if (metric_percentile[i].hist == id && hist_quantile(h, metric_percentile[i].q, &v))
			fprintf(out, ", p%g %.4g", metric_percentile[i].q * 100, v / 1e3);
	fprintf(out, ", max %.4g\n", (double)h->max_ns / 1e3);
}

static void transactions_line(const struct trial *t, FILE *out)
{
	const struct hist *h = hists_at(t->hist, LOAD_HIST_LATENCY);

	fprintf(out, "  transactions  %.0f per second: %llu in all, %llu lost",
		(double)h->count * 1e9 / (double)t->span_ns, (unsigned long long)h->count,
		(unsigned long long)t->near.lost);
	if (t->near.late || t->near.unanswered)
		fprintf(out, "; %llu sent late, %llu unanswered", (unsigned long long)t->near.late,
			(unsigned long long)t->near.unanswered);
	fputc('\n', out);
}

static double value_of(enum metric_id id, const struct trial *t)
{
	return metric_table[id].value(t);
}

/* "; in socket buffers 1.2 %, elsewhere 0.3 %": the places where any were lost. */
static void loss_places(const struct trial *t, FILE *out)
{
	static const struct {
		enum metric_id id;
		const char *where;
	} place[] = {
		{METRIC_LOSS_SOCKET_RATIO, "in socket buffers"},
		{METRIC_LOSS_UDP_RATIO, "in UDP"},
		{METRIC_LOSS_IP_RATIO, "in IP"},
		{METRIC_LOSS_SOFTNET_RATIO, "in the CPUs' backlogs"},
		{METRIC_LOSS_QDISC_RATIO, "in qdiscs"},
		{METRIC_LOSS_DEVICE_RATIO, "in devices"},
		{METRIC_LOSS_ELSEWHERE_RATIO, "elsewhere"},
	};
	const char *sep = ": ";

	for (size_t i = 0; i < ARRAY_SIZE(place); i++) {
		double ratio = value_of(place[i].id, t);

		if (!(ratio > 0))
			continue;
		fprintf(out, "%s%.3g %% %s", sep, 100 * ratio, place[i].where);
		sep = ", ";
	}
}

static void packets_lines(const struct trial *t, FILE *out)
{
	double unsent = value_of(METRIC_UNSENT_RATIO, t);

	fprintf(out, "  packets       %.0f per second received, %.0f sent; %.3g %% lost",
		value_of(METRIC_PACKETS_PER_S, t), value_of(METRIC_PACKETS_OFFERED_PER_S, t),
		100 * value_of(METRIC_LOSS_RATIO, t));
	loss_places(t, out);
	fprintf(out, "\n  order         %.3g %% reordered, %.3g %% duplicated; jitter %.3g us",
		100 * value_of(METRIC_REORDERED_RATIO, t),
		100 * value_of(METRIC_DUPLICATED_RATIO, t), value_of(METRIC_JITTER_NS, t) / 1e3);
	if (unsent > 0)
		fprintf(out, "; the sender was too late for %.3g %%", 100 * unsent);
	fputc('\n', out);
}

/* @other: the end that shares the machine, and its reading; NULL: none */
static void cpu_line(const char *end, const struct end_report *x, const struct end_report *other,
	const struct env *env, FILE *out)
{
	const struct cpu_reading *c = &x->readings.cpu;
	double threads = (double)x->readings.proc.threads_ns / 1e9 / span_s(x);
	double s = (double)c->span_ns;

	if (!x->readings.valid[METER_CPU] || s <= 0)
		return;
	if (other)
		threads += (double)other->readings.proc.threads_ns / 1e9 / span_s(other);
	fprintf(out,
		"  CPU %-9s %.2f of %u busy%s user %.2f, system %.2f, softirq %.2f; the load's "
		"threads %.2f\n",
		end, (double)c->busy_ns / s, env->n_cpus,
		env_counts_ticks(env) ? ", by ticks" : ":", (double)c->user_ns / s,
		(double)c->system_ns / s, (double)c->softirq_ns / s, threads);
}

static void cost_line(const struct trial *t, enum load_kind kind, FILE *out)
{
	static const struct {
		enum metric_id all, threads;
	} cost[] = {
		[LOAD_KIND_BULK] = {METRIC_CPU_NS_PER_BYTE, METRIC_PROC_NS_PER_BYTE},
		[LOAD_KIND_TRANSACTIONS] = {METRIC_CPU_NS_PER_TRANSACTION,
			METRIC_PROC_NS_PER_TRANSACTION},
		[LOAD_KIND_PACKETS] = {METRIC_CPU_NS_PER_PACKET, METRIC_PROC_NS_PER_PACKET},
	};
	static_assert(ARRAY_SIZE(cost) == LOAD_KIND_N);

	fprintf(out, "  CPU cost      %.4g ns per %s at both ends; the load's threads alone %.4g\n",
		value_of(cost[kind].all, t), metric_work_name[kind],
		value_of(cost[kind].threads, t));
}

/* By owner, where the meter was armed. */
static void softirq_line(const struct trial *t, enum load_kind kind, FILE *out)
{
	const char *sep = "";

	if (!t->near.readings.valid[METER_SOFTIRQ])
		return;
	fprintf(out, "  softirq       ns per %s: ", metric_work_name[kind]);
	for (uint32_t i = 0; i < METRIC_N_PARTS; i++) {
		double ns = value_of(metric_part(kind, i), t);

		if (!isfinite(ns))
			continue;
		fprintf(out, "%s%s %.4g", sep, metric_part_name[i], ns);
		sep = ", ";
	}
	fputc('\n', out);
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static void tcp_line(const char *end, const struct end_report *x, FILE *out)
{
	const struct tcp_reading *t = &x->readings.tcp;

	if (!x->readings.valid[METER_TCP] || !t->n_flows)
		return;
	fprintf(out,
		"  TCP %-9s %llu segments sent again, rtt %.0f us (least %.0f), window %u "
		"segments of %u bytes; limited by receiver %.0f %%, by send buffer %.0f %%\n",
		end, (unsigned long long)t->retransmits, (double)t->rtt_ns / 1e3,
		(double)t->min_rtt_ns / 1e3, t->cwnd_segs, t->mss_bytes,
		percent(t->rwnd_limited_ns, t->busy_ns), percent(t->sndbuf_limited_ns, t->busy_ns));
}

/* "2 0>1": one thread stayed on CPU 2, one began on 0 and was on 1 at the end. */
static void threads_line(const char *end, const struct end_report *x, const char *pinned, FILE *out)
{
	char text[256] = "";

	for (uint32_t i = 0; i < x->n_threads; i++) {
		str_addf(text, sizeof(text), " %llu", (unsigned long long)x->first_cpu[i]);
		if (x->last_cpu[i] != x->first_cpu[i])
			str_addf(text, sizeof(text), ">%llu", (unsigned long long)x->last_cpu[i]);
	}
	fprintf(out, "  threads %-5s CPU%s%s%s\n", end, text,
		*pinned ? ", pinned to " : ", not pinned", pinned);
}

/* "NET_RX on CPU 0 6384, 1 6668": the CPUs that took in packets, the first few of them. */
static void irqs_line(const char *end, const struct end_report *x, FILE *out)
{
	const struct irqs_reading *q = &x->readings.irqs;
	uint32_t shown = 0;

	if (!x->readings.valid[METER_IRQS])
		return;
	fprintf(out, "  irqs %-8s receive softirqs by CPU", end);
	for (uint32_t i = 0; i < q->n_cpus && shown < IRQ_CPUS_SHOWN; i++) {
		if (!q->net_rx[i])
			continue;
		fprintf(out, "%s %u: %llu", shown++ ? "," : "", i,
			(unsigned long long)q->net_rx[i]);
	}
	fputs(shown ? "\n" : " none\n", out);
}

void trial_print(const struct run *run, const struct trial *t, FILE *out)
{
	const struct load_spec *l = &run->load[t->load];
	enum load_kind kind = l->ops->kind;

	fprintf(out, "\n%s", l->id);
	if (run->bench.repeat_max > 1)
		fprintf(out, " trial %u", t->round + 1);
	if (t->status != STATUS_OK) {
		fprintf(out, " failed: %s\n", t->reason);
		return;
	}
	fprintf(out, ", %.3f s%s%s\n", (double)t->span_ns / 1e9,
		t->extra ? ", one more for meter softirq" : "",
		t->interrupted ? ": INTERRUPTED, earlier than planned" : "");
	if (kind == LOAD_KIND_TRANSACTIONS)
		transactions_line(t, out);
	else if (l->ops->drives(&l->cfg, true))
		goodput_line("tx", &t->near, &t->far, out);
	if (kind != LOAD_KIND_TRANSACTIONS && l->ops->drives(&l->cfg, false))
		goodput_line("rx", &t->far, &t->near, out);
	if (kind == LOAD_KIND_PACKETS)
		packets_lines(t, out);
	for (enum load_hist id = 0; id < LOAD_HIST_N; id++)
		hist_line(t, id, out);
	cpu_line(t->same_machine ? "both" : "near", &t->near, t->same_machine ? &t->far : NULL,
		&run->env, out);
	cpu_line("far", &t->far, NULL, &run->remote.env, out);
	cost_line(t, kind, out);
	softirq_line(t, kind, out);
	tcp_line("near", &t->near, out);
	tcp_line("far", &t->far, out);
	irqs_line(t->same_machine ? "both" : "near", &t->near, out);
	irqs_line("far", &t->far, out);
	threads_line("near", &t->near, t->near_cpus, out);
	threads_line("far", &t->far, t->far_cpus, out);
}
