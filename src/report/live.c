#include "report/live.h"

#include "base/version.h"
#include "report/report.h"
#include "report/trial.h"

#include <string.h>

static bool transactional(const struct load_spec *l)
{
	return l->ops->kind == LOAD_KIND_TRANSACTIONS;
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

	fprintf(out, " %13s", trial_scaled(per_s(to, to->bytes_rx) * 8, "bit/s", text));
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

void live_progress(void *ctx, const struct run *run, const struct bench_progress *p)
{
	FILE *out = ctx;

	if (p->last)
		trial_print(run, p->last, out);
	else
		head(run, out);
	fflush(out);
}

int live_end(const struct run *run, FILE *out)
{
	if (run->n_trials > 1)
		for (uint32_t i = 0; i < run->n_loads; i++)
			report_block(run, i, out);
	report_findings(run, out);
	fputs("\nNotes\n", out);
	if (!run->complete)
		fputs("  INTERRUPTED: what is here is partial\n", out);
	if (run->remote.same_machine)
		fputs("  both ends are on this machine: they share its CPUs, and no wire is "
		      "between them\n",
			out);
	fprintf(out,
		"  CPU is the whole machine's busy time: softirq and all else that runs "
		"included%s\n",
		env_counts_ticks(&run->env) ? "; how it splits is sampled at timer ticks" : "");
	report_foot_softirq(run, out);
	for (uint32_t i = 0; i < run->n_limits; i++)
		fprintf(out, "  %s\n", run->limit[i]);
	return report_flush(out);
}
