#include "bench/bench.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/hists.h"
#include "bench/site.h"
#include "sys/caps.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/signals.h"

#include <errno.h>
#include <linux/capability.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Idle time is printed in 10 ms units: long enough for +-2 % of a CPU. */
#define BACKGROUND_MS 500

/* Of the trial for meter softirq: thousands of softirqs at 100,000 packets/s. */
#define EXTRA_MIN_NS (100 * NSEC_PER_MSEC)

struct bench {
	struct run *run;
	const struct bench_hooks *hooks;
	struct site *site[RUN_MAX_PATHS];
	struct remote_cfg remote[RUN_MAX_PATHS];
	struct janitor *janitor;
	bool meters[METER_N];
	void *softirq; /* meter softirq, open; NULL: it is not */
	bool extra;    /* the round after the measured ones, for meter softirq, is under way */
	uint64_t begin_ns;
	uint32_t expected;
	bool cancelled;
};

static bool is_privileged(void)
{
	return caps_have(CAP_SYS_ADMIN) && caps_have(CAP_NET_ADMIN);
}

int bench_privilege(bool *ret_rootless, struct err *e)
{
	*ret_rootless = false;
	if (is_privileged())
		return 0;
	*ret_rootless = true;
	return ns_user_enter(e);
}

int bench_others(bool rootless, struct err *e)
{
	if (!rootless)
		return 0;
	(void)err_say(e, EPERM, "namespaces and devices that are there can't be had without root");
	return PATH_UNAVAILABLE;
}

static void probe_meters(struct bench *b)
{
	for (enum meter_id i = 0; i < METER_N; i++) {
		char limit[600];
		struct err e = {0};
		int r;

		if (meter_table[i]->on_demand && b->run->bench.softirq == BENCH_SOFTIRQ_OFF)
			continue;
		r = meter_table[i]->probe(&e);
		b->meters[i] = r == 0;
		if (r == 0)
			continue;
		snprintf(limit, sizeof(limit), "meter %s is not available: %s",
			meter_table[i]->name, e.text);
		run_add_limit(b->run, limit);
	}
}

static void read_offloads(const struct path_end *end, char *ret, size_t size)
{
	if (end->netns_fd < 0 || ethtool_offloads(end->netns_fd, end->dev, ret, size, NULL) < 0)
		(void)str_copy(ret, size, "unknown");
}

static void describe_path(struct path_result *p, const struct path *path)
{
	if (!path)
		return;
	p->ceiling_bps = path_ceiling_bps(path);
	p->has_guest_env = path->near.guest || path->far.guest;
	str_set(p->mark, path->mark);
	p->n_notes = path->n_notes;
	memcpy(p->note, path->note, sizeof(p->note));
	str_set(p->near_dev, path->near.dev);
	str_set(p->far_dev, path->far.dev);
	read_offloads(&path->near, p->near_offloads, sizeof(p->near_offloads));
	read_offloads(&path->far, p->far_offloads, sizeof(p->far_offloads));
}

/* native stays between the machines when the others are between pods: it is the bare wire. */
static struct path_spec spec_for(const struct run *run, uint32_t path)
{
	struct path_spec spec = run->path[path].spec;

	if (path == 0)
		spec.cfg.between = PATH_BETWEEN_MACHINES;
	return spec;
}

static void pass_interval(void *ctx, const struct trial *t, uint32_t n, const struct interval *x)
{
	const struct bench *b = ctx;

	if (b->hooks->interval)
		b->hooks->interval(b->hooks->ctx, b->run, t, n, x);
}

/* The way to the other machine, from where this path begins; NULL: there is none. */
static const struct remote_cfg *remote_of(struct bench *b, uint32_t i, const struct path_spec *spec)
{
	if (!run_is_remote(b->run))
		return NULL;
	b->remote[i] = b->run->remote_cfg;
	if (path_far_is_host(spec))
		str_set(b->remote[i].near_ns, spec->cfg.near_ns);
	return &b->remote[i];
}

static int try_open(struct bench *b, uint32_t i, const struct site_args *args, struct err *e)
{
	int r = args->spec->ops->real_root ? bench_others(b->run->rootless, e) : 0;

	return r != 0 ? r : site_open(&b->site[i], args, b->run, e);
}

static void open_site(struct bench *b, uint32_t i)
{
	struct path_result *p = &b->run->path[i];
	const struct path_spec spec = spec_for(b->run, i);
	uint64_t begin_ns = clock_now_ns();
	struct site_args args = {.spec = &spec,
		.remote = remote_of(b, i, &spec),
		.janitor = b->janitor,
		.cancel_fd = b->hooks->cancel_fd,
		.interval = pass_interval,
		.ctx = b};
	struct err e = {0};
	int r = try_open(b, i, &args, &e);

	if (r == 0) {
		p->open_ns = clock_now_ns() - begin_ns;
		describe_path(p, b->site[i]->path);
		p->guest_env = b->site[i]->guest_env;
		if (path_far_is_host(&spec))
			snprintf(p->note[p->n_notes++], sizeof(p->note[0]), "near is %s",
				spec.cfg.near_ns);
		return;
	}
	site_close(take_ptr(b->site[i]));
	b->cancelled = b->cancelled || r == -ECANCELED;
	p->status = r == PATH_UNAVAILABLE ? STATUS_SKIPPED : STATUS_FAILED;
	str_set(p->reason, e.text);
}

static void close_site(struct bench *b, uint32_t i)
{
	uint64_t begin_ns = clock_now_ns();

	if (!b->site[i])
		return;
	site_close(take_ptr(b->site[i]));
	b->run->path[i].close_ns = clock_now_ns() - begin_ns;
}

static void open_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->run->n_paths; i++) {
		struct path_result *p = &b->run->path[i];

		b->cancelled = b->cancelled || signals_pending(b->hooks->cancel_fd);
		if (!b->cancelled) {
			open_site(b, i);
			continue;
		}
		p->status = STATUS_SKIPPED;
		str_set(p->reason, "interrupted before it was built");
	}
}

static int open_sites(struct bench *b, struct err *e)
{
	struct run *run = b->run;

	if (run->rootless)
		run_add_limit(run,
			"not root: paths are built in a user namespace; the ends have no "
			"cgroups of their own");
	else if (b->janitor)
		cgroup_sweep();
	open_all(b);
	if (b->site[0]) {
		env_read(&run->env, b->site[0]->path ? b->site[0]->path->near.netns_fd : -1);
		if (run->env.emulated)
			run_add_limit(run, "this machine's CPU is emulated (QEMU TCG or user-mode "
					   "Linux): its numbers compare with each other only");
		return 0;
	}
	if (b->cancelled)
		return err_say(e, ECANCELED, "interrupted before the first trial");
	err_say(e, EOPNOTSUPP, "%s", run->path[0].reason);
	return run_is_remote(run) ? -EOPNOTSUPP
				  : err_wrap(e, "the baseline, path 'native', can't be built");
}

/* What a datagram can hold, for it to go whole over every path: one size, or they can't compare. */
static uint32_t common_packet_bytes(const struct bench *b)
{
	uint32_t bytes = UINT32_MAX;

	for (uint32_t i = 0; i < b->run->n_paths; i++) {
		const struct path *p = b->site[i] ? b->site[i]->path : NULL;
		uint32_t headers = (b->run->path_cfg.ipv6 ? 40 : 20) + 8;

		if (p)
			bytes = MIN(bytes, p->mtu - headers);
	}
	return bytes == UINT32_MAX ? LOAD_PACKET_BYTES : bytes;
}

static void fit_datagrams(struct bench *b)
{
	uint32_t bytes = common_packet_bytes(b);

	for (uint32_t i = 0; i < b->run->n_loads; i++) {
		struct load_spec *l = &b->run->load[i];

		if (l->ops->kind == LOAD_KIND_PACKETS && !l->cfg.packet_bytes)
			l->cfg.packet_bytes = bytes;
	}
}

/* Trials to come are a guess upwards: cells that get narrow early need fewer. */
static void report_progress(struct bench *b, const struct trial *last)
{
	struct bench_progress p = {.done = b->run->n_trials, .expected = b->expected, .last = last};
	uint64_t max_ns = b->run->bench.time_max_ns;

	p.elapsed_ns = clock_now_ns() - b->begin_ns;
	if (p.done && p.expected > p.done)
		p.left_ns = p.elapsed_ns / p.done * (p.expected - p.done);
	if (max_ns && p.elapsed_ns + p.left_ns > max_ns)
		p.left_ns = max_ns > p.elapsed_ns ? max_ns - p.elapsed_ns : 0;
	if (b->hooks->progress)
		b->hooks->progress(b->hooks->ctx, b->run, &p);
}

static struct trial *add_trial(struct run *run)
{
	run->trial = xreallocarray(run->trial, run->n_trials + 1, sizeof(*run->trial));
	run->trial[run->n_trials] = (struct trial){.order = run->n_trials};
	return &run->trial[run->n_trials++];
}

static void restart_agents(struct bench *b, uint32_t path)
{
	struct path_result *p = &b->run->path[path];
	struct err e = {0};
	int r = site_restart(b->site[path], &e);

	if (r == 0)
		return;
	b->cancelled = b->cancelled || r == -ECANCELED;
	close_site(b, path);
	if (b->cancelled)
		return;
	p->status = STATUS_FAILED;
	str_set(p->reason, e.text);
}

/* The accounting counts nanoseconds, not ticks: half of the time is enough for it. */
static struct bench_cfg cfg_for(const struct bench *b, const struct trial *t)
{
	struct bench_cfg cfg = b->run->bench;

	if (t->extra && cfg.time_ns)
		cfg.time_ns = MAX(cfg.time_ns / 2, MIN(cfg.time_ns, (uint64_t)EXTRA_MIN_NS));
	return cfg;
}

/*
 * A trial may fail for a reason that has nothing to do with the path: a machine so busy that an
 * end got no CPU in the whole span. One more attempt, with new agents, tells that apart; what it
 * was stays in the trial. Between two machines the network itself may fail, and once is news.
 */
static int attempt(struct bench *b, struct trial *t)
{
	uint32_t most = run_is_remote(b->run) ? 1 : 2;
	const struct bench_cfg cfg = cfg_for(b, t);
	bool meters[METER_N];
	int r;

	memcpy(meters, b->meters, sizeof(meters));
	meters[METER_SOFTIRQ] = t->metered;
	b->site[t->path]->softirq = b->softirq;

	do {
		t->attempts++;
		r = site_trial(b->site[t->path], &b->run->load[t->load], &cfg, meters, t);
		if (r == 0 && t->status == STATUS_FAILED && b->expected > 1)
			restart_agents(b, t->path);
	} while (r == 0 && t->status == STATUS_FAILED && t->attempts < most && b->site[t->path]);
	return r;
}

static void drop_trial(struct run *run, struct trial *t)
{
	hists_fini(t->hist);
	interval_list_fini(&t->intervals);
	run->n_trials--;
}

static void run_trial(struct bench *b, uint32_t load, uint32_t path, uint32_t round)
{
	struct run *run = b->run;
	struct trial *t = add_trial(run);
	int r;

	t->load = load;
	t->path = path;
	t->round = round;
	t->extra = b->extra;
	t->metered = b->softirq != NULL;
	r = attempt(b, t);
	b->cancelled = b->cancelled || r != 0;
	if (b->cancelled && r != SITE_STOPPED) {
		drop_trial(run, t);
		return;
	}
	if (t->status != STATUS_OK && !t->extra)
		run_cell(run, load, path)->stop = STOP_FAILED;
	report_progress(b, t);
}

static bool is_open(const struct bench *b, uint32_t load, uint32_t path)
{
	enum stop_reason stop = run_cell(b->run, load, path)->stop;

	return b->site[path] && (b->extra ? stop != STOP_FAILED : stop == STOP_NONE);
}

/* Is native the only path there is? Then it is measured for its own sake. */
static bool native_alone(const struct bench *b)
{
	for (uint32_t i = 1; i < b->run->n_paths; i++)
		if (b->site[i])
			return false;
	return true;
}

/* Native is measured for as long as any other path of this load is. */
static bool wanted(const struct bench *b, uint32_t load, uint32_t path)
{
	if (path > 0 || native_alone(b))
		return is_open(b, load, path);
	for (uint32_t i = 1; i < b->run->n_paths; i++)
		if (is_open(b, load, i))
			return is_open(b, load, 0);
	return false;
}

static void run_round(struct bench *b, uint32_t round)
{
	struct run *run = b->run;

	/*
	 * New processes for each round: where their memory lies costs or saves a per cent for as
	 * long as they live, and must be spread within the interval, not a bias outside it.
	 */
	for (uint32_t path = 0; path < run->n_paths && round > 0; path++)
		if (b->site[path])
			restart_agents(b, path);

	for (uint32_t load = 0; load < run->n_loads; load++) {
		bool baseline = wanted(b, load, 0);

		for (uint32_t k = 0; k < run->n_paths; k++) {
			uint32_t path = (k + round) % run->n_paths;

			b->cancelled = b->cancelled || signals_pending(b->hooks->cancel_fd);
			if (b->cancelled)
				return;
			if (path == 0 ? baseline : wanted(b, load, path))
				run_trial(b, load, path, round);
		}
	}
}

static double full_width(const struct estimate *x)
{
	return x->n < 2 ? INFINITY : (x->ci_high - x->ci_low) / x->mean;
}

/* Are all deciding numbers of this cell known as well as asked for? */
static bool narrow(const struct run *run, const struct cell *c)
{
	bool any = false;

	for (uint32_t k = 0; k < METRIC_N; k++) {
		const struct metric_value *v = &c->metric[k];
		const struct estimate *x = c->path ? &v->ratio : &v->value;

		if (!metric_table[k].decides || v->value.n == 0)
			continue;
		if (x->n < run->bench.repeat_min || full_width(x) * 1e6 > run->bench.width_ppm)
			return false;
		any = true;
	}
	return any;
}

/* Marks cells that need no further round. Return: whether any needs one. */
static bool close_cells(struct bench *b, uint32_t rounds)
{
	struct run *run = b->run;
	bool more = false;

	run_summarise(run);
	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++) {
		struct cell *c = &run->cell[i];

		if (!is_open(b, c->load, c->path) || (c->path == 0 && !native_alone(b)))
			continue;
		if (narrow(run, c))
			c->stop = STOP_WIDTH;
		else if (rounds >= run->bench.repeat_max)
			c->stop = STOP_REPEAT_MAX;
		else
			more = true;
	}
	return more;
}

/* Cells still open when the run ends. */
static void close_rest(struct bench *b)
{
	struct run *run = b->run;

	for (uint32_t i = 0; i < run->n_loads * run->n_paths; i++) {
		struct cell *c = &run->cell[i];

		if (c->stop != STOP_NONE || !b->site[c->path])
			continue;
		if (b->cancelled)
			c->stop = STOP_INTERRUPTED;
		else
			c->stop = c->path == 0 && !native_alone(b) ? STOP_BASELINE : STOP_TIME_MAX;
	}
}

/* Is there a trial more of each cell? Where the meter can't be had there is none. */
static bool has_extra(const struct bench *b)
{
	return b->meters[METER_SOFTIRQ] && b->run->bench.softirq == BENCH_SOFTIRQ_EXTRA;
}

/* From here on each packet on this machine costs more. */
static bool arm_softirq(struct bench *b)
{
	const struct meter_ops *m = meter_table[METER_SOFTIRQ];
	_cleanup_(freep) void *state = xcalloc(1, m->state_bytes);
	struct err e = {0};
	char limit[600];

	if (m->open(state, &e) == 0) {
		b->softirq = take_ptr(state);
		return true;
	}
	m->close(state);
	snprintf(limit, sizeof(limit), "meter softirq failed: %s", e.text);
	run_add_limit(b->run, limit);
	return false;
}

static void disarm_softirq(struct bench *b)
{
	if (b->softirq)
		meter_table[METER_SOFTIRQ]->close(b->softirq);
	free(b->softirq);
	b->softirq = NULL;
}

static bool time_is_up(const struct bench *b, uint32_t rounds)
{
	uint64_t elapsed_ns = clock_now_ns() - b->begin_ns;
	uint64_t max_ns = b->run->bench.time_max_ns;

	return max_ns && elapsed_ns + elapsed_ns / rounds * (1 + has_extra(b)) > max_ns;
}

/* What the machine does without us: it will be inside every CPU figure. */
static double background_cpus(void)
{
	_cleanup_(freep) void *state = xcalloc(1, meter_table[METER_CPU]->state_bytes);
	_cleanup_(freep) struct cpu_reading *x = xcalloc(1, sizeof(*x));

	if (meter_table[METER_CPU]->begin(state, NULL, NULL) < 0)
		return NAN;
	poll(NULL, 0, BACKGROUND_MS);
	if (meter_table[METER_CPU]->end(state, NULL, x, NULL) < 0)
		return NAN;
	return (double)x->busy_ns / (double)x->span_ns;
}

static void run_rounds(struct bench *b)
{
	struct run *run = b->run;
	uint32_t round = 0;
	bool more = true;

	run->background_cpus = background_cpus();
	if (run->bench.softirq == BENCH_SOFTIRQ_ALL && b->meters[METER_SOFTIRQ])
		(void)arm_softirq(b); /* the limits say why not */
	b->begin_ns = clock_now_ns();
	b->expected = run->n_paths * run->n_loads * (run->bench.repeat_max + has_extra(b));
	run_summarise(run);
	report_progress(b, NULL);
	while (more && !b->cancelled) {
		run_round(b, round++);
		more = !b->cancelled && close_cells(b, round) && !time_is_up(b, round);
	}
	close_rest(b);
	if (has_extra(b) && !b->cancelled && arm_softirq(b)) {
		b->extra = true;
		run_round(b, round);
	}
	run_summarise(run);
	run->complete = !b->cancelled;
}

/* What it takes to build paths, and to have them gone whatever happens. */
static int enter(struct bench *b, struct err *e)
{
	int r;

	if (run_is_remote(b->run) && !run_is_on_wire(b->run))
		return 0;
	/* A user namespace has no devices of this machine. */
	if (run_is_on_wire(b->run) && !is_privileged())
		return err_say(e, EPERM, "--wire takes root: devices are put on the machine's own");
	r = bench_privilege(&b->run->rootless, e);
	return r < 0 || b->run->rootless ? r : janitor_start(&b->janitor, e);
}

int bench_run(struct run *run, const struct bench_hooks *hooks, struct err *e)
{
	struct bench b = {.run = run, .hooks = hooks};
	int r = enter(&b, e);

	if (r < 0)
		return r;
	clock_utc(run->started);
	probe_meters(&b);
	r = open_sites(&b, e);
	if (r == 0) {
		fit_datagrams(&b);
		run_rounds(&b);
		disarm_softirq(&b);
	}
	for (uint32_t i = 0; i < run->n_paths; i++)
		close_site(&b, i);
	janitor_finish(b.janitor);
	return r;
}
