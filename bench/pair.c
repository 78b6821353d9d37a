/*
 * tare-pair: path native held open, so that peers.py can run other tools in the very namespaces
 * in which tare measures. Prints one line
 *
 *	ready near_pid= far_pid= far_addr= near_cpus= far_cpus= shared_cpu= near_dev= far_dev=
 *		loads=NAME,...
 *
 * then reads lines "LOAD[:OPTION=VALUE,...] MILLISECONDS" and answers each with one of
 *
 *	ok sent_bytes_per_s= bytes_per_s= transactions_per_s=
 *	failed REASON
 *
 * until end-of-file. The trials are those of `tare compare`: same agents, engine and CPU pins.
 * A single flow runs on the first CPU of its list. The ends get no cgroups: the other tools have
 * none either.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/hists.h"
#include "bench/plan.h"
#include "bench/site.h"
#include "sys/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void say_ready(const struct site *s)
{
	const struct path *p = s->path;

	printf("ready near_pid=%d far_pid=%d far_addr=%s near_cpus=%s far_cpus=%s shared_cpu=%s "
	       "near_dev=%s far_dev=%s loads=",
		s->near.pid, s->far.pid, p->far.addr, s->near_half, s->far_half, s->last_cpu,
		p->near.dev, p->far.dev);
	for (uint32_t i = 0; load_table[i]; i++)
		printf("%s%s", i ? "," : "", load_table[i]->name);
	puts("");
}

static double span_s(const struct end_report *end)
{
	return (double)(end->end_ns - end->begin_ns) / 1e9;
}

static void say_trial(const struct trial *t)
{
	if (t->status == STATUS_OK)
		printf("ok sent_bytes_per_s=%.0f bytes_per_s=%.0f transactions_per_s=%.1f\n",
			(double)t->near.bytes_tx / span_s(&t->near),
			(double)t->far.bytes_rx / span_s(&t->far),
			(double)hists_at(t->hist, LOAD_HIST_LATENCY)->count * 1e9 /
				(double)t->span_ns);
	else
		printf("failed %s\n", t->reason);
}

static void defaults(struct load_cfg *base)
{
	for (uint32_t i = 0; load_table[i]; i++)
		base[i] = *load_table[i]->defaults;
}

static int one_trial(struct site *s, const char *load, uint64_t time_ns, struct err *e)
{
	static const bool meters[METER_N];
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	struct load_cfg base[RUN_MAX_LOADS];
	struct bench_cfg cfg = bench_cfg_default;
	struct trial t = {0};
	int r;

	defaults(base);
	r = plan_load(run, load, base, e);
	if (r < 0)
		return r;
	cfg.time_ns = time_ns;
	r = site_trial(s, &run->load[0], &cfg, meters, &t);
	if (r == 0)
		say_trial(&t);
	if (r == 0 && t.status != STATUS_OK)
		r = site_restart(s, e);
	hists_fini(t.hist);
	return r;
}

static int serve(struct site *s, struct err *e)
{
	char line[512], load[256];
	unsigned int ms;
	int r = 0;

	say_ready(s);
	fflush(stdout);
	while (r == 0 && fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%255s %u", load, &ms) != 2 || ms == 0)
			return err_say(e, EINVAL, "not a request: %s", line);
		r = one_trial(s, load, ms * NSEC_PER_MSEC, e);
		fflush(stdout);
	}
	return r;
}

int main(void)
{
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	_cleanup_(site_closep) struct site *s = NULL;
	_cleanup_(closep) int cancel_fd = -1;
	const struct path_spec spec = path_spec_of(path_table[0], &path_cfg_default);
	struct site_args args = {.spec = &spec};
	struct err e = {0};
	int r = bench_privilege(&run->rootless, &e);

	if (r == 0)
		r = cancel_fd = signals_open(&e);
	args.cancel_fd = cancel_fd;
	if (r >= 0)
		r = site_open(&s, &args, run, &e);
	if (r == 0)
		r = serve(s, &e);
	if (r != 0)
		fprintf(stderr, "tare-pair: %s\n", e.text);
	return r != 0;
}
