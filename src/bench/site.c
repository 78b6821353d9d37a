#include "bench/site.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/hists.h"
#include "sys/affinity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What an agent of our own takes. */
#define SITE_MAX_SPAN_NS (24 * 3600 * NSEC_PER_SEC)

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
			  !load->cfg.rate_tps && load->cfg.under == LOAD_UNDER_NONE;

	if (pin == BENCH_PIN_NONE)
		return "";
	if (pin == BENCH_PIN_TOGETHER || (pin == BENCH_PIN_AUTO && take_turns))
		return s->last_cpu;
	return far ? s->far_half : s->near_half;
}

/* Paths of one kind differ in their options, which is nothing to name a directory by. */
static uint32_t path_number(const struct site_args *args, const struct run *run)
{
	uint32_t i = 0;

	while (i < run->n_paths && strcmp(run->path[i].spec.name, args->spec->name) != 0)
		i++;
	return i;
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

	/* What is attached to has one of its engine's. */
	if (!args->janitor || (s->path && (i ? &s->path->far : &s->path->near)->attach))
		return 0;
	snprintf(name, sizeof(name), "%s-%u-%s", args->spec->ops->name, path_number(args, run),
		i ? "far" : "near");
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
	const struct path_end here = {.netns_fd = s->remote ? s->remote->near_fd : -1};
	const struct path_end *end = !s->path ? &here : far ? &s->path->far : &s->path->near;
	struct spawn_args args = {
		.netns_fd = end->netns_fd,
		.container = end->container,
		.cgroup = s->has_cgroup[far] ? &s->cgroup[far] : NULL,
		.main = agent_main,
	};
	char who[32];

	snprintf(who, sizeof(who), "agent %s", far ? "far" : "near");
	if (end->attach) {
		int fd, r = end->attach(end, &fd, e);

		return r < 0 ? r : endpoint_attach(ep, fd, who, ep->chan.cancel_fd, e);
	}
	return endpoint_spawn(ep, &args, who, ep->chan.cancel_fd, e);
}

static int start_agents(struct site *s, struct err *e)
{
	int r = start_agent(s, false, &s->near, e);

	if (r < 0)
		return r;
	return s->remote ? remote_connect(s->remote, &s->far, e) : start_agent(s, true, &s->far, e);
}

/* What the server would refuse later, in the middle of a run. */
static int check_allowed(const struct endpoint_traits *far, const struct run *run, struct err *e)
{
	if (run->bench.time_ns > far->max_span_ns || run->bench.warmup_ns > far->max_span_ns)
		return err_say(e, EDQUOT, "the server allows trials of at most %llu s",
			(unsigned long long)(far->max_span_ns / NSEC_PER_SEC));
	for (uint32_t i = 0; i < run->n_loads; i++)
		if (run->load[i].cfg.flows > far->max_flows)
			return err_say(e, EDQUOT, "the server allows at most %llu flows, not %u",
				(unsigned long long)far->max_flows, run->load[i].cfg.flows);
	return 0;
}

/* Of a server on this machine meter softirq is read here. */
static bool asks_softirq(const struct site *s, const struct run *run)
{
	return run->bench.softirq != BENCH_SOFTIRQ_OFF &&
	       strcmp(s->near.machine_id, s->far.machine_id) != 0;
}

/* What the far machine is, and what it can't measure. */
static int describe_far(struct site *s, struct run *run, struct err *e)
{
	struct remote_info *info = &run->remote;
	int r;

	s->far_traits = xcalloc(1, sizeof(*s->far_traits));
	r = endpoint_describe(&s->far, run->bench.softirq != BENCH_SOFTIRQ_OFF, s->far_traits, e);
	if (r < 0)
		return r;
	str_set(info->host, s->remote->cfg->host);
	str_set(info->addr, s->remote->addr);
	info->port = s->remote->cfg->port;
	str_set(info->version, s->far.version);
	info->same_machine = strcmp(s->near.machine_id, s->far.machine_id) == 0;
	info->env = s->far_traits->env;
	for (enum meter_id i = 0; i < METER_N; i++) {
		char limit[128];

		if (s->far_traits->meters[i] ||
			(meter_table[i]->on_demand && !asks_softirq(s, run)))
			continue;
		snprintf(limit, sizeof(limit), "meter %s is not available at the far end",
			meter_table[i]->name);
		run_add_limit(run, limit);
	}
	return check_allowed(s->far_traits, run, e);
}

/* A container's first packets to the other machine, on a wire with rules of its own. */
static int start_agents_on_wire(struct site *s, struct err *e)
{
	const struct path_cfg *cfg = &s->path->cfg;
	int r = start_agents(s, e);

	if (r != -ETIMEDOUT && r != -EHOSTUNREACH)
		return r;
	return err_wrap(e, "from %s (does the switch port of %s take one more MAC address?)",
		cfg->wire_own, cfg->wire_dev);
}

/* Far on another machine; near is here, or on the path. */
static int open_remote(struct site *s, const struct site_args *args, struct run *run, struct err *e)
{
	int r;

	s->remote = xcalloc(1, sizeof(*s->remote));
	r = remote_init(s->remote, args->remote, e);
	if (r == 0 && s->path)
		r = remote_begin_at(s->remote, s->path->near.netns_fd, e);
	if (r == 0)
		r = make_cgroup(s, 0, args, run, e);
	if (r == 0)
		r = s->path ? start_agents_on_wire(s, e) : start_agents(s, e);
	return r < 0 ? r : describe_far(s, run, e);
}

/* A guest's kernel may lack a meter that this machine has. far's environment is kept of two. */
static int describe_guest(struct site *s, bool far, struct err *e)
{
	const struct path_end *end = far ? &s->path->far : &s->path->near;
	_cleanup_(freep) struct endpoint_traits *traits = xcalloc(1, sizeof(*traits));
	int r;

	if (!end->guest)
		return 0;
	r = endpoint_describe(far ? &s->far : &s->near, false, traits, e);
	memcpy(s->guest_meters[far], traits->meters, sizeof(traits->meters));
	s->guest_env = traits->env;
	return r;
}

/* Both ends of a path that is built. */
static int open_ends(struct site *s, const struct site_args *args, struct run *run, struct err *e)
{
	int r = s->path->near.guest ? 0 : make_cgroup(s, 0, args, run, e);

	if (r == 0)
		r = s->path->far.guest ? 0 : make_cgroup(s, 1, args, run, e);
	if (r == 0)
		r = start_agents(s, e);
	if (r == 0)
		r = describe_guest(s, false, e);
	if (r == 0)
		r = describe_guest(s, true, e);
	return r;
}

static int open_path(struct site *s, const struct site_args *args, struct run *run, struct err *e)
{
	int r = path_open(&s->path, args->spec, args->cancel_fd, e);

	if (r != 0)
		return r;
	r = watch_open(&s->watch, s->path, e);
	if (r == 0)
		r = args->remote ? open_remote(s, args, run, e) : open_ends(s, args, run, e);
	return r < 0 ? r : path_rest(s->path, true, e);
}

int site_open(struct site **ret, const struct site_args *args, struct run *run, struct err *e)
{
	_cleanup_(site_closep) struct site *s = xcalloc(1, sizeof(*s));
	int r;

	s->near = s->far = (struct endpoint)ENDPOINT_NONE;
	s->near.chan.cancel_fd = s->far.chan.cancel_fd = args->cancel_fd;
	s->interval = args->interval;
	s->ctx = args->ctx;
	list_cpus(s);
	r = args->remote && !path_on_wire(args->spec) ? open_remote(s, args, run, e)
						      : open_path(s, args, run, e);
	if (r != 0)
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
	watch_close(s->watch);
	path_close(s->path);
	free(s->far_traits);
	if (s->remote)
		remote_fini(s->remote);
	free(s->remote);
	free(s);
}

int site_restart(struct site *s, struct err *e)
{
	int r = s->path ? path_rest(s->path, false, e) : 0;

	endpoint_close(&s->near);
	endpoint_close(&s->far);
	if (r == 0)
		r = start_agents(s, e);
	return r < 0 || !s->path ? r : path_rest(s->path, true, e);
}

static bool is_ipv6(const struct site *s)
{
	return s->remote ? strchr(s->remote->addr, ':') != NULL : s->path->cfg.ipv6;
}

static int prepare(struct site *s, bool far, const struct load_spec *load, const bool *meters,
	const struct trial *t, struct err *e)
{
	struct endpoint_prepare p = {
		.load = load->ops,
		.cfg = &load->cfg,
		.near = !far,
		.near_opens = s->remote != NULL,
		.any = is_ipv6(s) ? "::" : "0.0.0.0",
		.port = s->remote ? 0
			: far     ? s->path->far.port
				  : s->path->near.port,
		.cpus = far ? t->far_cpus : t->near_cpus,
	};
	bool guest = far ? t->far_guest : t->near_guest;

	/* Meters on demand are read by the controller, but for another machine's. */
	for (enum meter_id i = 0; i < METER_N; i++)
		p.meters[i] = meters[i] && !meter_table[i]->on_demand &&
			      (!guest || s->guest_meters[far][i]) &&
			      !(far && t->same_machine && meter_table[i]->per_machine);
	for (enum meter_id i = 0; far && s->far_traits && i < METER_N; i++)
		p.meters[i] = s->far_traits->meters[i] &&
			      (meters[i] || !meter_table[i]->on_demand) &&
			      !(t->same_machine && meter_table[i]->per_machine);
	return endpoint_prepare(far ? &s->far : &s->near, &p, &s->load_port[far], e);
}

/* Where @far is reached by the other end, for a load or for the one that it runs under. */
static struct endpoint_connect way_to(const struct site *s, bool far, bool under)
{
	const struct path_end *end = s->remote ? NULL : far ? &s->path->far : &s->path->near;
	struct endpoint_connect c = {.token = "", .under = under};

	if (end) {
		c.addr = end->addr;
		c.port = (uint16_t)(end->port + under);
		return c;
	}
	c.addr = s->remote->addr;
	c.token = s->remote->token;
	/* A load that connects as it runs has a port of its own; the others the server's. */
	c.port = s->load_port[true] && !under ? s->load_port[true] : (uint16_t)s->remote->cfg->port;
	return c;
}

/* far first: a server must know what is coming before it comes. */
static int connect_both(struct site *s, bool under, struct err *e)
{
	const struct endpoint_connect to_near = way_to(s, false, under);
	const struct endpoint_connect to_far = way_to(s, true, under);
	bool connected = false;
	int r = endpoint_send_connect(&s->far, &to_near, e);

	if (r == 0 && s->remote)
		r = endpoint_expecting(&s->far, &connected, e);
	if (r == 0)
		r = endpoint_send_connect(&s->near, &to_far, e);
	if (r == 0)
		r = endpoint_wait_connect(&s->near, e);
	return r < 0 || connected ? r : endpoint_wait_connect(&s->far, e);
}

struct listener {
	const struct site *site;
	const struct trial *trial;
};

static void pass_interval(void *ctx, const struct interval_list *list, const struct interval *x)
{
	const struct listener *l = ctx;

	if (l->site->interval)
		l->site->interval(l->site->ctx, l->trial, MIN(list->count[0], list->count[1]) - 1,
			x);
}

/* Without a time, an exact amount may take as long as the other end allows. */
static uint64_t longest_ns(const struct site *s, const struct bench_cfg *cfg)
{
	uint64_t far_ns = s->far_traits ? s->far_traits->max_span_ns : SITE_MAX_SPAN_NS;

	return cfg->time_ns ? cfg->time_ns : MIN(far_ns, (uint64_t)SITE_MAX_SPAN_NS);
}

static int run_both(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	struct trial *t, struct err *e)
{
	struct listener listener = {s, t};
	struct pair_args args = {.end = {&s->near, &s->far},
		.drives = {load->ops->drives(&load->cfg, true),
			load->ops->drives(&load->cfg, false)},
		.same_clock = !s->remote && !s->path->near.guest && !s->path->far.guest,
		.exact = load->cfg.bytes > 0,
		.warmup_ns = cfg->warmup_ns,
		.span_ns = longest_ns(s, cfg),
		.interval_ns = s->remote ? s->remote->cfg->interval_ns : 0,
		.stop_fd = s->remote ? s->near.chan.cancel_fd : -1,
		.watch = s->watch,
		.interval = pass_interval,
		.ctx = &listener};
	struct pair_result ret = {.report = {&t->near, &t->far},
		.hist = t->hist,
		.intervals = &t->intervals,
		.watch = &t->watch};
	int r = pair_run(&args, &ret, e);

	t->interrupted = ret.stopped;
	if (r == 0 && (args.exact || ret.stopped))
		t->span_ns = t->near.end_ns - t->near.begin_ns;
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
			"nothing reached it, or the machine is too busy");
	return err_say(e, ENODATA, "no payload arrived in the counted span");
}

/* Two machines have CPUs of their own: threads stay unpinned there, unless --cpus says where. */
static void set_cpus(const struct site *s, const struct load_spec *load,
	const struct bench_cfg *cfg, struct trial *t)
{
	enum bench_pin pin = s->remote && !t->same_machine ? BENCH_PIN_NONE : cfg->pin;

	if (s->remote && *s->remote->cfg->cpus) {
		remote_cpus(s->remote->cfg, false, t->near_cpus, sizeof(t->near_cpus));
		remote_cpus(s->remote->cfg, true, t->far_cpus, sizeof(t->far_cpus));
		return;
	}
	/* A guest's CPUs are not the machine's. */
	if (!t->near_guest)
		str_set(t->near_cpus, cpus_for(s, false, load, pin));
	if (!t->far_guest)
		str_set(t->far_cpus, cpus_for(s, true, load, pin));
}

/* From the first packet of a trial to its numbers. */
static int measure(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	const bool *meters, struct trial *t, struct err *e)
{
	int r = prepare(s, true, load, meters, t, e);

	if (r == 0)
		r = prepare(s, false, load, meters, t, e);
	if (r == 0)
		r = connect_both(s, false, e);
	if (r == 0 && load->cfg.under == LOAD_UNDER_STREAM)
		r = connect_both(s, true, e);
	if (r == 0)
		r = run_both(s, load, cfg, t, e);
	return r == 0 ? check_numbers(t, e) : r;
}

/* In the hierarchy that the CPU controller is in, of v1 or v2. 0: it has none there. */
static uint64_t cgroup_id_of(const struct site *s, bool far)
{
	const struct path_end *end = s->path ? (far ? &s->path->far : &s->path->near) : NULL;
	const struct cgroup *cg = &s->cgroup[far];
	const char *dir = s->has_cgroup[far] ? cgroup_with(cg, "cpu.shares") : NULL;
	struct stat st;

	if (end && *end->proc)
		return cgroup_cpu_id(end->proc);

	if (!dir && s->has_cgroup[far])
		dir = cgroup_with(cg, "cgroup.controllers");
	return dir && stat(dir, &st) == 0 ? st.st_ino : 0;
}

/*
 * Whose devices and processes are an end's on this machine. The peer machine of a path is no
 * container: the device that its wire comes in by is the host's.
 */
static void find_ends(struct site *s)
{
	const struct path *p = s->path;
	bool pods = p && (p->cfg.between == PATH_BETWEEN_PODS || p->ops->no_lab);

	s->ends = (struct softirq_ends){.near = {.netns_fd = -1},
		.far = {.netns_fd = -1},
		.number = s->ends.number + 1};
	s->ends.near.cgroup_id = cgroup_id_of(s, false);
	s->ends.far.cgroup_id = cgroup_id_of(s, true);
	if (p) {
		s->ends.near.netns_fd = p->near.guest ? -1 : p->near.netns_fd;
		s->ends.near.container = pods || s->remote;
		s->ends.near.outer = p->near.outer;
		s->ends.hop_fd = p->hop_fd;
		s->ends.n_hops = p->n_hops;
	} else {
		s->ends.near.netns_fd = s->remote->near_fd >= 0 ? s->remote->near_fd : SOFTIRQ_HERE;
	}
	if (p && !s->remote) {
		s->ends.far.netns_fd = p->far.guest ? -1 : p->far.netns_fd;
		s->ends.far.container = true;
		s->ends.far.outer = p->far.outer;
	}
}

/* The rest of the way is the same for a trial with the meter and one without. */
static int arm_softirq(struct site *s, struct err *e)
{
	int r = s->watch ? 0 : watch_open(&s->watch, s->path, e);

	find_ends(s);
	if (r == 0)
		watch_arm(s->watch, s->softirq, &s->ends);
	return r;
}

/* Both ends are on one machine, or this is near's: near has the reading. */
static void take_softirq(struct site *s, struct trial *t)
{
	const struct softirq_reading *x = s->watch ? watch_softirq(s->watch) : NULL;

	if (x && t->status == STATUS_OK) {
		t->near.readings.valid[METER_SOFTIRQ] = true;
		t->near.readings.softirq = *x;
	}
	if (s->watch)
		watch_disarm(s->watch);
}

int site_trial(struct site *s, const struct load_spec *load, const struct bench_cfg *cfg,
	const bool *meters, struct trial *t)
{
	struct err e = {0};
	int r, resting;

	t->same_machine = strcmp(s->near.machine_id, s->far.machine_id) == 0;
	t->near_guest = s->path && s->path->near.guest;
	t->far_guest = s->path && s->path->far.guest;
	t->span_ns = longest_ns(s, cfg);
	t->watch = (struct watch_report){0};
	set_cpus(s, load, cfg, t);
	hists_init(t->hist, load->ops->hists);
	interval_list_fini(&t->intervals);

	r = s->path ? path_rest(s->path, false, &e) : 0;
	if (r == 0 && s->softirq)
		r = arm_softirq(s, &e);
	/* Begun anew with the span; a trial that does not get there is explained by it as well. */
	if (r == 0 && s->watch)
		r = watch_begin(s->watch, &e);
	if (r == 0)
		r = measure(s, load, cfg, meters, t, &e);
	resting = s->path ? path_rest(s->path, true, r < 0 ? NULL : &e) : 0;
	r = r < 0 ? r : resting;
	t->status = r == 0 ? STATUS_OK : STATUS_FAILED;
	if (r < 0)
		str_set(t->reason, e.text);
	/* It only explains: when it can't be read, too, nothing is said. */
	if (r < 0 && s->watch && !t->watch.has_drops && watch_end(s->watch, &t->watch, NULL) < 0)
		t->watch = (struct watch_report){0};
	take_softirq(s, t);
	if (r == -ECANCELED)
		return r;
	return t->interrupted ? SITE_STOPPED : 0;
}
