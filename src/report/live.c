#include "report/live.h"

#include "base/str.h"
#include "base/version.h"
#include "bench/hists.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

/* Decimal, as rates and amounts on a network are. */
static const char *scaled(double v, const char *unit, char ret[static 32])
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

static bool transactional(const struct load_spec *l)
{
	return l->ops->hists & 1U << LOAD_HIST_LATENCY;
}

/* Does this end send bulk data, so that the other one's received bytes are the goodput? */
static bool sends(const struct load_spec *l, bool far)
{
	return !transactional(l) && l->ops->drives(&l->cfg, !far);
}

static void machine_line(const char *end, const struct env *env, const char *what, FILE *out)
{
	fprintf(out, "  %-5s Linux %.*s, %u CPUs (%s)%s\n", end, (int)strcspn(env->kernel, " "),
		env->kernel, env->n_cpus, env->cpu_model, what);
}

static void head(const struct run *run, FILE *out)
{
	const struct remote_info *r = &run->remote;

	fprintf(out, "tare %s, method %d, %s\n", TARE_VERSION, METHOD_VERSION, run->started);
	fprintf(out, "connected to %s (%s) port %u, tare %s\n", r->host, r->addr, r->port,
		r->version);
	machine_line("near:", &run->env, "", out);
	machine_line("far:", &r->env, r->same_machine ? ", the same machine" : "", out);
}

static void head_sender(const char *dir, bool udp, FILE *out)
{
	fprintf(out, " %13s", dir);
	if (udp)
		fprintf(out, " %12s", "packets/s");
	else
		fprintf(out, " %7s %9s %6s", "retr", "rtt us", "cwnd");
}

static void head_columns(const struct run *run, const struct load_spec *l, FILE *out)
{
	bool udp = l->cfg.proto == LOAD_PROTO_UDP;

	fprintf(out, "\n%s\n  %15s", l->id, "seconds");
	if (transactional(l))
		fprintf(out, " %15s %7s %9s", "transactions/s", udp ? "lost" : "retr", "rtt us");
	if (sends(l, false))
		head_sender("tx", udp, out);
	if (sends(l, true))
		head_sender("rx", udp, out);
	if (run->remote.same_machine)
		fprintf(out, " %10s %8s\n", "CPUs busy", "softirq");
	else
		fprintf(out, " %10s %8s %10s %8s\n", "near CPUs", "softirq", "far CPUs", "softirq");
}

static double per_s(const struct interval_end *x, uint64_t n)
{
	return (double)n * 1e9 / (double)(x->end_ns - x->begin_ns);
}

static void sender_columns(const struct interval_end *from, const struct interval_end *to, bool udp,
	FILE *out)
{
	char text[32];

	fprintf(out, " %13s", scaled(per_s(to, to->bytes_rx) * 8, "bit/s", text));
	if (udp)
		fprintf(out, " %12.0f", per_s(to, to->packets_rx));
	else
		fprintf(out, " %7llu %9.0f %6u", (unsigned long long)from->retransmits,
			(double)from->rtt_ns / 1e3, from->cwnd_segs);
}

static void cpu_columns(const struct interval_end *x, FILE *out)
{
	fprintf(out, " %10.2f %8.2f", per_s(x, x->busy_ns) / 1e9, per_s(x, x->softirq_ns) / 1e9);
}

static void transaction_columns(const struct interval_end *near, bool udp, FILE *out)
{
	fprintf(out, " %15.0f %7llu", per_s(near, near->transactions),
		(unsigned long long)(udp ? near->lost : near->retransmits));
	if (near->n_tcp_flows)
		fprintf(out, " %9.0f", (double)near->rtt_ns / 1e3);
	else
		fprintf(out, " %9s", "-");
}

void live_interval(void *ctx, const struct run *run, const struct trial *t, uint32_t n,
	const struct interval *x)
{
	const struct load_spec *l = &run->load[t->load];
	const struct interval_end *near = &x->end[0], *far = &x->end[1];
	bool udp = l->cfg.proto == LOAD_PROTO_UDP;
	FILE *out = ctx;

	if (n == 0)
		head_columns(run, l, out);
	fprintf(out, "  %7.2f-%7.2f", (double)near->begin_ns / 1e9, (double)near->end_ns / 1e9);
	if (transactional(l))
		transaction_columns(near, udp, out);
	if (sends(l, false))
		sender_columns(near, far, udp, out);
	if (sends(l, true))
		sender_columns(far, near, udp, out);
	cpu_columns(near, out);
	if (!run->remote.same_machine)
		cpu_columns(far, out);
	fputc('\n', out);
	fflush(out);
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
		scaled((double)to->bytes_rx * 8 / span_s(to), "bit/s", rate),
		scaled((double)to->bytes_rx, "B", got), scaled((double)from->bytes_tx, "B", sent));
}

static void latency_lines(const struct trial *t, FILE *out)
{
	const struct hist *h = hists_at(t->hist, LOAD_HIST_LATENCY);
	double v;

	fprintf(out, "  transactions  %.0f per second: %llu in all, %llu lost\n",
		(double)h->count * 1e9 / (double)t->span_ns, (unsigned long long)h->count,
		(unsigned long long)t->near.lost);
	if (!h->count)
		return;
	fprintf(out, "  latency us    mean %.4g", hist_mean_ns(h) / 1e3);
	for (uint32_t i = 0; i < metric_n_percentiles; i++)
		if (hist_quantile(h, metric_percentile[i].q, &v))
			fprintf(out, ", p%g %.4g", metric_percentile[i].q * 100, v / 1e3);
	fprintf(out, ", max %.4g\n", (double)h->max_ns / 1e3);
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
		"  CPU %-9s %.2f of %u busy: user %.2f, system %.2f, softirq %.2f; the load's "
		"threads %.2f\n",
		end, (double)c->busy_ns / s, env->n_cpus, (double)c->user_ns / s,
		(double)c->system_ns / s, (double)c->softirq_ns / s,
		(double)x->readings.proc.threads_ns / 1e9 / span_s(x));
}

static void cost_line(const struct trial *t, bool of_transactions, FILE *out)
{
	enum metric_id all =
		of_transactions ? METRIC_CPU_NS_PER_TRANSACTION : METRIC_CPU_NS_PER_BYTE;
	enum metric_id threads =
		of_transactions ? METRIC_PROC_NS_PER_TRANSACTION : METRIC_PROC_NS_PER_BYTE;

	fprintf(out, "  CPU cost      %.4g ns per %s at both ends; the load's threads alone %.4g\n",
		metric_table[all].value(t), of_transactions ? "transaction" : "byte",
		metric_table[threads].value(t));
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

static void trial_block(const struct run *run, const struct trial *t, FILE *out)
{
	const struct load_spec *l = &run->load[t->load];

	fprintf(out, "\n%s", l->id);
	if (run->n_trials > 1 || run->bench.repeat_max > 1)
		fprintf(out, " trial %u", t->round + 1);
	if (t->status != STATUS_OK) {
		fprintf(out, " failed: %s\n", t->reason);
		return;
	}
	fprintf(out, ", %.3f s%s\n", (double)t->span_ns / 1e9,
		t->interrupted ? ": INTERRUPTED, earlier than planned" : "");
	if (transactional(l))
		latency_lines(t, out);
	if (sends(l, false))
		goodput_line("tx", &t->near, &t->far, out);
	if (sends(l, true))
		goodput_line("rx", &t->far, &t->near, out);
	cpu_line(t->same_machine ? "both" : "near", &t->near, t->same_machine ? &t->far : NULL,
		&run->env, out);
	cpu_line("far", &t->far, NULL, &run->remote.env, out);
	cost_line(t, transactional(l), out);
	tcp_line("near", &t->near, out);
	tcp_line("far", &t->far, out);
	threads_line("near", &t->near, t->near_cpus, out);
	threads_line("far", &t->far, t->far_cpus, out);
}

void live_progress(void *ctx, const struct run *run, const struct bench_progress *p)
{
	FILE *out = ctx;

	if (p->last)
		trial_block(run, p->last, out);
	else
		head(run, out);
	fflush(out);
}

int live_end(const struct run *run, FILE *out)
{
	if (run->n_trials > 1)
		for (uint32_t i = 0; i < run->n_loads; i++)
			report_block(run, i, out);
	fputs("\nNotes\n", out);
	if (!run->complete)
		fputs("  INTERRUPTED: what is here is partial\n", out);
	if (run->remote.same_machine)
		fputs("  both ends are on this machine: they share its CPUs, and no wire is "
		      "between them\n",
			out);
	fputs("  CPU is the whole machine's busy time: softirq and all else that runs included\n",
		out);
	for (uint32_t i = 0; i < run->n_limits; i++)
		fprintf(out, "  %s\n", run->limit[i]);
	return report_flush(out);
}
