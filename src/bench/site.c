#include "bench/site.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/hists.h"
#include "sys/affinity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* From "run" being sent to the first counted nanosecond, besides the warm-up. */
#define START_NS (5 * NSEC_PER_MSEC)

/* near's half of the CPUs, far's, and the one they may share. */
static void list_cpus(struct site *s)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	uint32_t n = affinity_allowed(cpus);

	for (uint32_t i = 0; i < n; i++) {
		char *half = n > 1 && i >= n / 2 ? s->far_half : s->near_half;

		str_addf(half, sizeof(s->near_half), "%s%u", *half ? "," : "", cpus[i]);
	}
	if (n == 1)
		str_set(s->far_half, s->near_half);
	str_addf(s->last_cpu, sizeof(s->last_cpu), "%u", n ? cpus[n - 1] : 0);
}

/* "": not pinned. */
static const char *cpus_for(const struct site *s, bool far, const struct load_spec *load,
	enum bench_pin pin)
{
	bool asks = strcmp(load->ops->name, "rr") == 0 || strcmp(load->ops->name, "crr") == 0;
	bool take_turns = asks && load->cfg.flows == 1 && load->cfg.pipeline <= 1 &&
			  load->cfg.under == LOAD_UNDER_NONE;

	if (pin == BENCH_PIN_NONE)
		return "";
	if (pin == BENCH_PIN_TOGETHER || (pin == BENCH_PIN_AUTO && take_turns))
		return s->last_cpu;
	return far ? s->far_half : s->near_half;
}

/*
 * Every end gets a cgroup, native's too: a process on a bare machine is in one as well (its
 * service's), and scheduling within one has a price that is no property of the network.
 * Return: 0 (also when there is none to be had, which goes into the limits) or negative errno.
 */
static int make_cgroup(struct site *s, uint32_t i, const struct site_args *args, struct run *run,
	struct err *e)
{
	char name[64];
	int r;

	if (!args->janitor)
		return 0;
	snprintf(name, sizeof(name), "%s-%s", args->ops->name, i ? "far" : "near");
	r = cgroup_make(&s->cgroup[i], name, args->janitor, e);
	if (r == CGROUP_UNAVAILABLE) {
		char limit[600];

		snprintf(limit, sizeof(limit), "the ends have no cgroups of their own: %s",
			e->text);
		run_add_limit(run, limit);
		return 0;
	}
	s->has_cgroup[i] = r == 0;
	return r;
}

static int start_agent(struct site *s, bool far, struct endpoint *ep, struct err *e)
{
	const struct path_end *end = far ? &s->path->far : &s->path->near;
	struct spawn_args args = {
		.netns_fd = end->netns_fd,
		.container = end->container,
		.cgroup = s->has_cgroup[far] ? &s->cgroup[far] : NULL,
		.main = agent_main,
	};
	char who[32];

	snprintf(who, sizeof(who), "agent %s", far ? "far" : "near");
	return endpoint_spawn(ep, &args, who, ep->chan.cancel_fd, e);
}

static int start_agents(struct site *s, struct err *e)
{
	int r = start_agent(s, false, &s->near, e);

	return r < 0 ? r : start_agent(s, true, &s->far, e);
}

int site_open(struct site **ret, const struct site_args *args, struct run *run, struct err *e)
{
	_cleanup_(site_closep) struct site *s = xcalloc(1, sizeof(*s));
	int r;

	s->near = s->far = (struct endpoint)ENDPOINT_NONE;
	s->near.chan.cancel_fd = s->far.chan.cancel_fd = args->cancel_fd;
	list_cpus(s);
	r = path_open(&s->path, args->ops, args->cfg, e);
	if (r != 0)
		return r;
	r = make_cgroup(s, 0, args, run, e);
	if (r == 0)
		r = make_cgroup(s, 1, args, run, e);
	if (r == 0)
		r = start_agents(s, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

void site_close(struct site *s)
{
	if (!s)
		return;
	endpoint_close(&s->near);
	endpoint_close(&s->far);
	path_close(s->path);
	free(s);
}

int site_restart(struct site *s, struct err *e)
{
	endpoint_close(&s->near);
	endpoint_close(&s->far);
	return start_agents(s, e);
}

static int prepare(struct site *s, bool far, const struct load_spec *load, const bool *meters,
	const struct trial *t, struct err *e)
{
	struct endpoint_prepare p = {
		.load = load->ops,
		.cfg = &load->cfg,
		.near = !far,
		.any = s->path->cfg.ipv6 ? "::" : "0.0.0.0",
		.port = far ? s->path->far.port : s->path->near.port,
		.cpus = far ? t->far_cpus : t->near_cpus,
	};

	for (enum meter_id i = 0; i < METER_N; i++)
		p.meters[i] = meters[i] && !(far && t->same_machine && meter_table[i]->per_machine);
	return endpoint_prepare(far ? &s->far : &s->near, &p, e);
}

static int connect_both(struct site *s, struct err *e)
{
	const struct path *p = s->path;
	int r = endpoint_send_connect(&s->near, p->far.addr, p->far.port, e);

	if (r == 0)
		r = endpoint_send_connect(&s->far, p->near.addr, p->near.port, e);
	if (r == 0)
		r = endpoint_wait_connect(&s->near, e);
	return r < 0 ? r : endpoint_wait_connect(&s->far, e);
}

static int run_both(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	struct trial *t, struct err *e)
{
	struct hist *far_hist[LOAD_HIST_N] = {0};
	uint64_t begin_ns = clock_now_ns() + START_NS + cfg->warmup_ns;
	uint64_t end_ns = begin_ns + cfg->time_ns;
	struct err far_err = {0};
	int r = endpoint_send_run(&s->near, begin_ns, end_ns, e);
	int far_r;

	if (r == 0)
		r = endpoint_send_run(&s->far, begin_ns, end_ns, e);
	if (r < 0)
		return r;
	r = endpoint_wait_run(&s->near, end_ns, &t->near, t->hist, e);
	if (r == -ECANCELED)
		return r;
	hists_init(far_hist, load->ops->hists);
	far_r = endpoint_wait_run(&s->far, end_ns, &t->far, far_hist, &far_err);
	/* An agent that died is the cause of what the other one noticed. */
	if (r == 0 || far_r == -EPIPE) {
		r = far_r;
		*e = far_err;
	}
	if (r == 0)
		hists_merge(t->hist, far_hist);
	hists_fini(far_hist);
	return r;
}

/* Numbers that can't be: no traffic at all is a failed trial, not a slow one. */
static int check_numbers(const struct trial *t, struct err *e)
{
	if (t->near.bytes_rx + t->far.bytes_rx > 0)
		return 0;
	if (t->near.readings.proc.threads_ns == 0 || t->far.readings.proc.threads_ns == 0)
		return err_say(e, ENODATA,
			"an end's threads got no CPU time in the counted span: "
			"the machine is too busy");
	return err_say(e, ENODATA, "no payload arrived in the counted span");
}

int site_trial(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	const bool *meters, struct trial *t)
{
	struct err e = {0};
	int r;

	t->same_machine = strcmp(s->near.machine_id, s->far.machine_id) == 0;
	t->span_ns = cfg->time_ns;
	str_set(t->near_cpus, cpus_for(s, false, load, cfg->pin));
	str_set(t->far_cpus, cpus_for(s, true, load, cfg->pin));
	hists_init(t->hist, load->ops->hists);

	r = prepare(s, true, load, meters, t, &e);
	if (r == 0)
		r = prepare(s, false, load, meters, t, &e);
	if (r == 0)
		r = connect_both(s, &e);
	if (r == 0)
		r = run_both(s, load, cfg, t, &e);
	if (r == 0)
		r = check_numbers(t, &e);
	t->status = r == 0 ? STATUS_OK : STATUS_FAILED;
	if (r < 0)
		str_set(t->reason, e.text);
	return r == -ECANCELED ? r : 0;
}
