#include "base/str.h"
#include "report/dns.h"
#include "report/grid.h"
#include "report/report.h"

#include <math.h>

const struct dns_percentile dns_percentile[] = {
	{"p50", 0.5},
	{"p90", 0.9},
	{"p99", 0.99},
	{"p99.9", 0.999},
};
const uint32_t dns_n_percentiles = ARRAY_SIZE(dns_percentile);

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100.0 * (double)part / (double)all : 0;
}

static double seconds(uint64_t ns)
{
	return (double)ns * 1e-9;
}

void report_dns_interval(void *ctx, const struct dns_interval *x)
{
	double s = seconds(x->end_ns - x->begin_ns);

	fprintf(ctx, "%7.2f-%.2f s  sent %.0f/s  answered %.0f/s  lost %llu\n",
		seconds(x->begin_ns), seconds(x->end_ns), (double)x->sent / s,
		(double)x->answered / s, (unsigned long long)x->lost);
	fflush(ctx);
}

/* How far a search is: a limit is known, the end is not. */
void report_dns_trial(void *ctx, const struct dns_run *run)
{
	const struct dns_trial *t = &run->trial[run->n_trials - 1];
	uint64_t lost = dns_lost(&t->count), here = dns_lost_here(&t->count);

	fprintf(ctx, "tare: %.0f s", seconds(run->searched_ns));
	if (run->cfg.search_max_ns)
		fprintf(ctx, " of at most %.0f", seconds(run->cfg.search_max_ns));
	fprintf(ctx, ": %.0f queries/s: lost %llu of %llu", t->rate_qps, (unsigned long long)lost,
		(unsigned long long)t->count.tried);
	if (here)
		fprintf(ctx, ", %llu of them here", (unsigned long long)here);
	if (!isnan(run->lower_qps))
		fprintf(ctx, "; at least %.0f", run->lower_qps);
	if (!isnan(run->upper_qps))
		fprintf(ctx, "; not %.0f", run->upper_qps);
	fputc('\n', ctx);
}

/* "no loss", "at most 0.5 % loss" */
static void goal_text(const struct dns_run *run, char *ret, size_t size)
{
	char ratio[32];

	num_format(run->cfg.loss_ratio_ppm, NUM_PERCENT, ratio, sizeof(ratio));
	ret[0] = '\0';
	if (run->cfg.loss_ratio_ppm)
		str_addf(ret, size, "at most %s lost", ratio);
	else
		str_addf(ret, size, "none lost");
}

static void print_found(const struct dns_run *run, FILE *out)
{
	bool open_end = run->client_limited || run->end == SEARCH_MAX_LOAD;
	char goal[64];

	goal_text(run, goal, sizeof(goal));
	if (isnan(run->lower_qps)) {
		fprintf(out, "\nNo rate found with %s", goal);
		if (!isnan(run->upper_qps))
			fprintf(out, ": not at %.0f queries/s", run->upper_qps);
	} else {
		fprintf(out, "\nHighest rate with %s: %s%.0f queries/s", goal,
			open_end ? ">= " : "", run->lower_qps);
		if (!isnan(run->upper_qps))
			fprintf(out, "; not at %.0f", run->upper_qps);
	}
	fprintf(out, "\n  %s search, %u trials", dns_search_name[run->cfg.search], run->n_trials);
	if (run->end != SEARCH_FOUND)
		fprintf(out, "; irregular: %s", search_end_name[run->end]);
	if (!isnan(run->conditional_qps))
		fprintf(out, "; conditional throughput %.0f queries/s", run->conditional_qps);
	fputs(run->client_limited ? "\n  client-limited: this machine sends or receives no more\n"
				  : "\n",
		out);
}

static void add_latencies(struct grid *g, const char *name, const struct dns_timed *t)
{
	const struct dns_count *c = &t->trial.count;
	double v, s = seconds(t->trial.duration_ns);

	grid_add(g, "%s", name);
	if (isnan(t->trial.rate_qps))
		grid_add(g, "-");
	else
		grid_add(g, "%.0f", t->trial.rate_qps);
	grid_add(g, "%.0f", s > 0 ? (double)c->answered / s : 0);
	grid_add(g, "%llu", (unsigned long long)dns_lost(c));
	for (uint32_t i = 0; i < dns_n_percentiles; i++)
		if (hist_quantile(&t->hist, dns_percentile[i].q, &v))
			grid_add(g, "%.1f", v * 1e-3);
		else
			grid_add(g, "-");
	if (t->hist.count)
		grid_add(g, "%.1f", (double)t->hist.max_ns * 1e-3);
	else
		grid_add(g, "-");
}

static void print_latencies(const struct dns_run *run, FILE *out)
{
	const struct {
		const char *name;
		const struct dns_timed *t;
	} row[] = {
		{run->mode == DNS_MODE_RATE ? "open loop" : "closed loop", &run->main},
		{"at that rate", &run->found},
		{"at half of it", &run->half},
	};
	_cleanup_(grid_freep) struct grid *g = grid_new(5 + dns_n_percentiles);

	grid_add(g, "%s", "");
	grid_add(g, "asked/s");
	grid_add(g, "answered/s");
	grid_add(g, "lost");
	for (uint32_t i = 0; i < dns_n_percentiles; i++)
		grid_add(g, "%s us", dns_percentile[i].name);
	grid_add(g, "max us");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (row[i].t->made)
			add_latencies(g, row[i].name, row[i].t);
	fputc('\n', out);
	grid_print(g, out);
}

/* "12 timeouts", after a comma if it is not the first; nothing for 0. */
static void add_count(char *ret, size_t size, uint64_t n, const char *words)
{
	if (n)
		str_addf(ret, size, "%s%llu %s", *ret ? ", " : "", (unsigned long long)n, words);
}

static void print_lost(const struct dns_count *c, FILE *out)
{
	char text[512] = "";

	fprintf(out, "  %llu queries: %llu sent, %llu answered, %llu lost (%.4g %%)\n",
		(unsigned long long)c->tried, (unsigned long long)c->sent,
		(unsigned long long)c->answered, (unsigned long long)dns_lost(c),
		percent(dns_lost(c), c->tried));
	add_count(text, sizeof(text), c->timeouts, "timed out");
	add_count(text, sizeof(text), c->broken, "on connections that the server closed");
	add_count(text, sizeof(text), c->unsent - c->blocked, "not sent in time");
	add_count(text, sizeof(text), c->blocked, "that the connection had no room for");
	if (*text)
		fprintf(out, "  lost: %s\n", text);
	text[0] = '\0';
	add_count(text, sizeof(text), c->late, "answers too late");
	add_count(text, sizeof(text), c->duplicates, "answers twice");
	add_count(text, sizeof(text), c->unexpected, "answers to nothing asked");
	add_count(text, sizeof(text), c->garbage, "messages that are no answers");
	add_count(text, sizeof(text), c->refused, "refusals");
	add_count(text, sizeof(text), c->reconnects, "connections made again");
	add_count(text, sizeof(text), c->overflowed, "answers dropped by this end's sockets");
	if (*text)
		fprintf(out, "  besides: %s\n", text);
}

static void print_answers(const struct dns_trial *t, FILE *out)
{
	const struct dns_count *c = &t->count;
	char name[32];

	if (!c->answered)
		return;
	fputs("  answers:", out);
	for (uint32_t i = 0; i < DNS_N_RCODES; i++) {
		if (!c->rcode[i])
			continue;
		dns_rcode_text(i, name, sizeof(name));
		fprintf(out, " %s %llu (%.4g %%)", name, (unsigned long long)c->rcode[i],
			percent(c->rcode[i], c->answered));
	}
	if (c->truncated)
		fprintf(out, "; %llu truncated", (unsigned long long)c->truncated);
	fprintf(out, "\n  bytes: query %.1f, answer %.1f (%llu to %llu)\n",
		(double)c->query_bytes / (double)c->sent,
		(double)c->answer_bytes / (double)c->answered,
		(unsigned long long)t->answer_min_bytes, (unsigned long long)t->answer_max_bytes);
}

static void print_client(const struct dns_trial *t, FILE *out)
{
	const struct dns_count *c = &t->count;

	fprintf(out, "  client: %.2f CPUs",
		(double)t->client_cpu_ns / (double)MAX(t->effective_ns, (uint64_t)1));
	if (!isnan(t->rate_qps) && c->sent)
		fprintf(out, "; queries left %.1f us after they were due on average, %.1f at most",
			(double)c->slip_sum_ns / (double)c->sent * 1e-3,
			(double)t->slip_max_ns * 1e-3);
	fputc('\n', out);
	if (c->unsent - c->blocked)
		fprintf(out, "  client-limited: this machine could not send %llu of the queries\n",
			(unsigned long long)(c->unsent - c->blocked));
}

int report_dns_text(const struct dns_run *run, FILE *out)
{
	const struct dns_timed *last = run->mode == DNS_MODE_SEARCH ? &run->found : &run->main;

	fprintf(out, "DNS server %s port %u, %s: %u quer%s in turn, %u client%s, %u thread%s\n",
		run->server, run->cfg.port, dns_protocol_name[run->cfg.protocol], run->n_queries,
		run->n_queries == 1 ? "y" : "ies", run->cfg.clients,
		run->cfg.clients == 1 ? "" : "s", run->cfg.threads,
		run->cfg.threads == 1 ? "" : "s");
	if (run->mode == DNS_MODE_SEARCH && (run->complete || !isnan(run->lower_qps)))
		print_found(run, out);
	if (run->main.made || run->found.made)
		print_latencies(run, out);
	if (last->made) {
		fputc('\n', out);
		print_lost(&last->trial.count, out);
		print_answers(&last->trial, out);
		print_client(&last->trial, out);
	}
	if (!run->complete)
		fputs("\nInterrupted: what is here is partial.\n", out);
	return report_flush(out);
}
