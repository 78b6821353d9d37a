/*
 * One measurement of one cell: the lab is built, warmed up, searched and taken down. What goes
 * wrong is done anew, for a machine that does other things, too, breaks a trial now and then.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "method/density_priv.h"
#include "method/goals.h"
#include "method/rfc2544_priv.h"
#include "stat/search.h"
#include "sys/cpustat.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* Measurements of a cell that are tried, in all. */
#define MAX_TRIES 3

/* The first trial after a set-up is slow (neighbours, flow caches): a quarter of one is thrown
 * away, at half the load. */
#define WARM_UP_SHARE 0.25
#define WARM_UP_LOAD  0.5

/* Ref: CSIT, after each NDR/PDR search; the draft's heavy, medium and light load. */
static const double latency_load[DENSITY_MAX_LATENCY] = {0.9, 0.5, 0.1};

struct measuring {
	struct density *d;
	struct density_unit *u;
	struct subject *s;
};

int density_open(struct subject **ret, const struct density *d, const struct density_unit *u,
	int cancel_fd, struct err *e)
{
	struct tester_cfg cfg = d->tester;
	struct path_spec spec;
	char text[64];
	int r;

	snprintf(text, sizeof(text), "%s:instances=%u,nfs=%u", density_topology_name[u->topology],
		u->instances, u->nfs);
	if (*d->info.tx) { /* what the first cell's tester was, all are: else they could not be
			      compared */
		str_set(cfg.tx, d->info.tx);
		str_set(cfg.rx, d->info.rx);
	}
	r = path_parse(&spec, text, &d->path, e);
	if (r == -EINVAL || r == -ERANGE)
		return PATH_UNAVAILABLE;
	if (r == 0)
		r = subject_path(ret, &spec, &cfg, cancel_fd, e);
	return r == -EMFILE ? PATH_UNAVAILABLE : r;
}

static void account(struct density_unit *u, const struct subject_trial *t)
{
	u->n_trials++;
	u->seen.duplicated += t->duplicated;
	u->seen.reordered += t->reordered;
	u->seen.corrupt += t->corrupt;
	u->seen.late += t->late;
	u->seen.alien += t->alien;
	u->n_ways = t->n_ways;
	for (uint32_t i = 0; i < t->n_ways; i++) {
		u->way[i].tried += t->tried_of[i];
		u->way[i].lost += t->lost_of[i];
	}
}

static int send(const struct measuring *m, double fps, uint64_t duration_ns,
	struct subject_trial *ret, struct err *e)
{
	struct subject_ask ask = {.mix = &m->d->mix,
		.n_phases = 1,
		.settle_ns = m->d->cfg.time.settle_ns,
		.latency = ret->hist};

	ask.phase[0].fps = fps;
	ask.phase[0].n_frames = rfc_frames(fps, duration_ns);
	return subject_trial(m->s, &ask, ret, e);
}

static int trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e)
{
	struct measuring *m = ctx;
	struct subject_trial t = {0};
	int r = send(m, load, duration_ns, &t, e);

	if (r < 0)
		return r;
	account(m->u, &t);
	ret->tried = t.tried;
	ret->lost = t.lost;
	ret->effective_ns = t.effective_ns;
	return 0;
}

static void judge(struct density_unit *u, enum density_status status, const char *text)
{
	if (status <= u->status)
		return;
	u->status = status;
	str_set(u->reason, text);
}

static int measure_mrr(struct measuring *m, struct search_log *log, struct err *e)
{
	const struct search_ops ops = {.trial = trial, .ctx = m};
	const struct density *d = m->d;
	struct density_row *row = &m->u->row[0];
	struct search_trial all = {0};
	struct estimate x;
	int r = search_mrr(&x, log, d->max_fps, d->cfg.time.trial_ns, d->cfg.time.trials, &ops, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < log->n; i++) {
		all.tried += log->trial[i].tried;
		all.lost += log->trial[i].lost;
	}
	*row = (struct density_row){.goal = "MRR",
		.fps = x.mean,
		.upper_fps = NAN,
		.conditional_fps = NAN,
		.low_fps = x.n < 2 ? x.mean : x.ci_low,
		.high_fps = x.n < 2 ? x.mean : x.ci_high,
		.loss_ratio = search_loss_ratio(&all)};
	m->u->n_rows = 1;
	if (all.lost == 0)
		judge(m->u, DENSITY_MAX_LOAD, "the highest load passes: that or more");
	else if (all.lost == all.tried)
		judge(m->u, DENSITY_FAILED, "no frame passes");
	return 0;
}

static void judge_end(struct density_unit *u, const char *goal, enum search_end end)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", goal, search_end_text[end]);
	if (end == SEARCH_MAX_LOAD)
		judge(u, DENSITY_MAX_LOAD, text);
	else if (end != SEARCH_FOUND)
		judge(u, DENSITY_FAILED, text);
}

static int measure_mlr(struct measuring *m, struct search_log *log, struct err *e)
{
	const struct search_ops ops = {.trial = trial, .ctx = m};
	const struct density *d = m->d;
	const struct mlr_cfg cfg = goals_search(d->goal, d->n_goals, d->max_fps);
	struct mlr_result found[MLR_MAX_GOALS];
	int r = mlr_search(found, log, &cfg, &ops, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < d->n_goals; i++) {
		const bool top = isnan(found[i].upper);
		struct density_row *row = &m->u->row[i];

		*row = (struct density_row){.fps = found[i].lower,
			.upper_fps = found[i].upper,
			.conditional_fps = found[i].conditional,
			.low_fps = found[i].lower,
			.high_fps = top ? found[i].lower : found[i].upper,
			.loss_ratio = d->goal[i].loss_ppb / 1e9};
		str_set(row->goal, d->goal[i].name);
		judge_end(m->u, row->goal, found[i].end);
	}
	m->u->n_rows = d->n_goals;
	return 0;
}

/* At shares of the last goal's rate: PDR's, where goals are not said. */
static int measure_latency(struct measuring *m, struct err *e)
{
	_cleanup_(freep) struct hist *hist = xcalloc(1, sizeof(*hist));
	const double base_fps = m->u->row[m->u->n_rows - 1].fps;

	for (uint32_t i = 0; isfinite(base_fps) && i < DENSITY_MAX_LATENCY; i++) {
		struct rfc_latency *x = &m->u->latency[m->u->n_latency++];
		struct subject_trial t = {.hist = hist};
		int r;

		hist_init(hist);
		r = send(m, base_fps * latency_load[i], m->d->cfg.time.latency_ns, &t, e);
		if (r < 0)
			return r;
		*x = (struct rfc_latency){.load = latency_load[i],
			.fps = base_fps * latency_load[i],
			.lost = t.lost,
			.min_ns = NAN,
			.mean_ns = NAN,
			.max_ns = NAN,
			.p50_ns = NAN,
			.p90_ns = NAN,
			.p99_ns = NAN,
			.p999_ns = NAN,
			.p9999_ns = NAN,
			.pdv_ns = NAN};
		rfc_latency_fill(x, hist);
	}
	return 0;
}

/* CPUs beyond DENSITY_MAX_CPUS are not kept. */
static int read_cpus(struct cpustat *ret, struct err *e)
{
	_cleanup_(freep) struct cpustat *all = xcalloc(CPUSTAT_MAX_CPUS, sizeof(*all));
	int n = cpustat_read(all, e);

	n = MIN(n, DENSITY_MAX_CPUS);
	for (int i = 0; i < n; i++)
		ret[i] = all[i];
	return n;
}

static void fill_busy(struct density_unit *u, const struct cpustat *before,
	const struct cpustat *after, double span_ns)
{
	for (uint32_t i = 0; i < u->n_cpus; i++) {
		const struct cpustat *a = &after[i], *b = &before[i];
		double idle_ns = (double)(a->idle_ns + a->iowait_ns + a->steal_ns) -
				 (double)(b->idle_ns + b->iowait_ns + b->steal_ns);

		u->cpu_busy[i] = fmin(fmax(1 - idle_ns / span_ns, 0), 1);
	}
}

static int search(struct measuring *m, struct err *e)
{
	struct cpustat before[DENSITY_MAX_CPUS], after[DENSITY_MAX_CPUS];
	_cleanup_(search_log_fini) struct search_log log = {0};
	const uint64_t begin_ns = clock_now_ns();
	int n = read_cpus(before, e), r;

	if (n < 0)
		return n;
	r = m->d->cfg.search == DENSITY_MRR ? measure_mrr(m, &log, e) : measure_mlr(m, &log, e);
	if (r < 0)
		return r;
	if (read_cpus(after, e) == n)
		m->u->n_cpus = (uint32_t)n;
	fill_busy(m->u, before, after, (double)(clock_now_ns() - begin_ns));
	return m->d->cfg.latency ? measure_latency(m, e) : 0;
}

static int warm_up(struct measuring *m, struct err *e)
{
	struct subject_trial t = {0};
	uint64_t ns = m->d->cfg.search == DENSITY_MRR ? m->d->cfg.time.trial_ns
						      : m->d->goal[0].initial_ns;

	return send(m, m->d->max_fps * WARM_UP_LOAD, (uint64_t)((double)ns * WARM_UP_SHARE), &t, e);
}

/* Return: 0 with u filled, PATH_UNAVAILABLE with the reason, or negative errno. */
static int measure_once(struct density *d, struct density_unit *u, int cancel_fd, struct err *e)
{
	_cleanup_(subject_closep) struct subject *s = NULL;
	struct measuring m = {d, u, NULL};
	int r = density_open(&s, d, u, cancel_fd, e);

	if (r != 0)
		return r;
	m.s = s;
	r = warm_up(&m, e);
	return r < 0 ? r : search(&m, e);
}

int density_measure(struct density *d, struct density_unit *u, int cancel_fd, struct err *e)
{
	const struct density_unit empty = *u;
	int r = -EAGAIN;

	for (uint32_t i = 0; r < 0 && r != -ECANCELED && i < MAX_TRIES; i++) {
		*u = empty;
		u->retries = i;
		r = measure_once(d, u, cancel_fd, e);
	}
	if (r == 0 || r == -ECANCELED)
		return r;
	*u = empty;
	u->retries = r < 0 ? MAX_TRIES - 1 : 0;
	judge(u, r < 0 ? DENSITY_FAILED : DENSITY_UNAVAILABLE, e->text);
	return 0;
}
