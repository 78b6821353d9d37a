/*
 * Processes on CPUs: functions and the competing load, by cpusets, or where there are none by
 * affinity. The tester's threads choose theirs by themselves (--tx-cpu, --rx-cpu), the same in each
 * mode; with a load beside it, it goes before all others, or its frames would come late.
 */
#include "method/resources.h"
#include "method/resources_priv.h"

#include "base/mem.h"
#include "base/str.h"
#include "method/subject.h"
#include "sys/affinity.h"
#include "sys/cgroup.h"
#include "sys/ethtool.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/spawn.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAX_FUNCTIONS (PATH_MAX_INSTANCES * PATH_MAX_NFS)
/* Of a hog, between two looks whether it is over: a millisecond or so. */
#define HOG_TURNS 1000000U

struct cpus {
	uint32_t n, cpu[AFFINITY_MAX_CPUS];
};

struct resources {
	struct resources_cfg cfg;
	struct resources_info info;
	struct cpus allowed; /* here; of the node, where one is asked for */
	struct janitor *janitor;
	bool placed;
	struct spawned hog[RESOURCES_MAX_HOGS];
	/* CPU sets that there are: of functions, all in the first but for exclusive; of the load */
	uint32_t n_sets;
	struct cgroup *set; /* [MAX_FUNCTIONS] */
	struct cgroup load;
};

/* Told to begin by a byte, to end by the end of its control socket. */
static int hog_main(int ctl_fd)
{
	struct pollfd p = {.fd = ctl_fd, .events = POLLIN};
	volatile uint32_t turns = 0;
	char begin;

	prctl(PR_SET_NAME, "tare-hog");
	if (read(ctl_fd, &begin, 1) != 1)
		return 0;
	for (;;) {
		for (turns = 0; turns < HOG_TURNS; turns++)
			;
		if (poll(&p, 1, 0) != 0)
			return 0;
	}
}

static int hogs_open(struct resources *x, struct err *e)
{
	const struct spawn_args args = {.netns_fd = -1, .main = hog_main};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < x->cfg.hog; i++)
		r = spawn_agent(&x->hog[i], &args, e);
	return r;
}

static bool has(const struct cpus *c, uint32_t cpu)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->cpu[i] == cpu)
			return true;
	return false;
}

/* Of @from, those that @of has, or has not. */
static struct cpus select_cpus(const struct cpus *from, const struct cpus *of, bool wanted)
{
	struct cpus ret = {0};

	for (uint32_t i = 0; i < from->n; i++)
		if (has(of, from->cpu[i]) == wanted)
			ret.cpu[ret.n++] = from->cpu[i];
	return ret;
}

static int parse_cpus(struct cpus *ret, const char *text, struct err *e)
{
	int n = affinity_parse(text, ret->cpu, e);

	ret->n = n < 0 ? 0 : (uint32_t)n;
	return MIN(n, 0);
}

static void note(struct resources *x, const char *text)
{
	if (!strstr(x->info.note, text))
		str_addf(x->info.note, sizeof(x->info.note), "%s%s", *x->info.note ? "; " : "",
			text);
}

/* Ref: Documentation/ABI/stable/sysfs-devices-node, cpulist */
static int take_node(struct resources *x, struct err *e)
{
	char path[64], list[1024] = "";
	struct cpus node;
	int r;

	if (!*x->cfg.numa) {
		uint32_t n = resources_n_nodes();

		snprintf(x->info.numa, sizeof(x->info.numa), "%u node%s", n, n > 1 ? "s" : "");
		return 0;
	}
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%s/cpulist", x->cfg.numa);
	if (file_read(path, list, sizeof(list), NULL) <= 0)
		return err_say(e, EINVAL, "--numa: there is no node %s with CPUs", x->cfg.numa);
	r = parse_cpus(&node, list, e);
	if (r < 0)
		return r;
	x->allowed = select_cpus(&x->allowed, &node, true);
	snprintf(x->info.numa, sizeof(x->info.numa), "node %s", x->cfg.numa);
	return x->allowed.n ? 0
			    : err_say(e, EINVAL, "--numa: no CPU of node %s is allowed here",
				      x->cfg.numa);
}

static int check_pin_cpus(const struct resources *x, struct err *e)
{
	struct cpus pin = {0};
	int r = *x->cfg.pin_cpus ? parse_cpus(&pin, x->cfg.pin_cpus, e) : 0;

	for (uint32_t i = 0; r == 0 && i < pin.n; i++)
		if (!has(&x->allowed, pin.cpu[i]))
			return err_say(e, EINVAL,
				"--pin-cpus: CPU %u is not one of those allowed here", pin.cpu[i]);
	return r;
}

/* Threads of the tester are begun later, and inherit it; functions and hogs are set back. */
static void tester_first(struct resources *x)
{
	x->info.tester_first = setpriority(PRIO_PROCESS, 0, -20) == 0;
	if (!x->info.tester_first)
		note(x, "the tester could not be put before the load, which slows it");
}

int resources_open(struct resources **ret, const struct resources_cfg *cfg, struct err *e)
{
	_cleanup_(resources_closep) struct resources *x = xcalloc(1, sizeof(*x));
	int r = resources_probe(cfg, e);

	x->cfg = *cfg;
	for (uint32_t i = 0; i < RESOURCES_MAX_HOGS; i++)
		x->hog[i].ctl_fd = -1;
	x->allowed.n = affinity_allowed(x->allowed.cpu);
	if (r == 0)
		r = take_node(x, e);
	if (r == 0)
		r = check_pin_cpus(x, e);
	if (r == 0 && resources_place_asked(cfg)) {
		cgroup_sweep();
		x->set = xcalloc(MAX_FUNCTIONS, sizeof(*x->set));
		r = janitor_start(&x->janitor, e);
		if (r == 0)
			r = hogs_open(x, e);
		if (r == 0 && cfg->hog)
			tester_first(x);
	}
	if (r != 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

void resources_close(struct resources *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < RESOURCES_MAX_HOGS; i++)
		closep(&x->hog[i].ctl_fd);
	for (uint32_t i = 0; i < RESOURCES_MAX_HOGS; i++)
		(void)spawn_reap(x->hog[i].pid);
	janitor_finish(x->janitor);
	if (x->info.tester_first)
		(void)setpriority(PRIO_PROCESS, 0, 0);
	free(x->set);
	free(x);
}

/* By a CPU set if there can be one, else by affinity, which the process could change. */
static int put_on(struct resources *x, struct cgroup *set, const char *name, pid_t pid,
	const struct cpus *on, struct err *e)
{
	const char *mems = *x->cfg.numa ? x->cfg.numa : NULL;
	char list[1024];
	int r = CGROUP_UNAVAILABLE;

	affinity_text(on->cpu, on->n, list, sizeof(list));
	if (strcmp(x->info.by, "affinity") != 0)
		r = set->n_dirs ? 0 : cgroup_cpuset(set, name, list, mems, x->janitor, NULL);
	if (r == 0 && cgroup_move(set, pid, NULL) == 0) {
		str_set(x->info.by, "cpuset");
		return 0;
	}
	str_set(x->info.by, "affinity");
	note(x, "no cpuset could be had here: placed by affinity");
	if (mems)
		note(x, "memory is of the node by the kernel's habit only");
	return affinity_set_task(pid, on->cpu, on->n, e);
}

/* What is placed is nobody's better: what the tester has, it may have inherited. */
static int put_function(struct resources *x, uint32_t i, pid_t pid, const struct cpus *on,
	struct err *e)
{
	uint32_t set = x->cfg.pin == RESOURCES_PIN_EXCLUSIVE ? i : 0;
	char name[32], list[64];

	snprintf(name, sizeof(name), "function%u", set);
	affinity_text(on->cpu, on->n, list, sizeof(list));
	str_addf(x->info.functions, sizeof(x->info.functions), "%s%s", i ? " " : "", list);
	if (setpriority(PRIO_PROCESS, (id_t)pid, 0) < 0)
		return err_set(e, errno, "cannot set the priority of function %u", i + 1);
	return put_on(x, &x->set[set], name, pid, on, e);
}

static int put_load(struct resources *x, const struct cpus *on, struct err *e)
{
	int r = 0;

	if (!x->cfg.hog)
		return 0;
	affinity_text(on->cpu, on->n, x->info.hogs, sizeof(x->info.hogs));
	for (uint32_t i = 0; r == 0 && i < x->cfg.hog; i++) {
		r = put_on(x, &x->load, "load", x->hog[i].pid, on, e);
		if (r == 0 && !x->placed && write(x->hog[i].ctl_fd, "", 1) != 1)
			r = err_set(e, errno, "cannot let the competing load begin");
	}
	return r;
}

/* The tester's, as it says them. */
static struct cpus tester_cpus(const struct subject *s)
{
	struct cpus ret = {0}, one;
	const char *text[] = {s->info.tx_cpu, s->info.rx_cpu};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		if (*text[i] && parse_cpus(&one, text[i], NULL) == 0)
			ret.cpu[ret.n++] = one.cpu[0];
	return ret;
}

/* CPUs for shared and exclusive; those that the tester does not use come first. */
static struct cpus pool_of(const struct resources *x, const struct cpus *tester)
{
	struct cpus pin = x->allowed, ret, used;

	if (*x->cfg.pin_cpus && parse_cpus(&pin, x->cfg.pin_cpus, NULL) < 0)
		pin = x->allowed; /* was read before */
	ret = select_cpus(&pin, tester, false);
	used = select_cpus(&pin, tester, true);
	for (uint32_t i = 0; i < used.n && (*x->cfg.pin_cpus || ret.n == 0); i++)
		ret.cpu[ret.n++] = used.cpu[i];
	return ret;
}

/* Where function @i and the load run, by mode. */
struct plan {
	struct cpus pool, load;
};

static struct cpus function_cpus(const struct resources *x, const struct plan *p, uint32_t i)
{
	if (x->cfg.pin == RESOURCES_PIN_NONE)
		return x->allowed;
	if (x->cfg.pin == RESOURCES_PIN_SHARED)
		return p->pool;
	return (struct cpus){1, {p->pool.cpu[i % p->pool.n]}};
}

/* The load is kept from the CPUs of functions, and from those that were named for them. */
static void plan_exclusive(struct resources *x, struct plan *p, const struct cpus *tester,
	uint32_t n)
{
	struct cpus used = p->pool;

	if (!*x->cfg.pin_cpus)
		used.n = MIN(used.n, n);
	p->load = select_cpus(&x->allowed, &used, false);
	if (n > p->pool.n)
		note(x, "there are fewer CPUs than functions: some functions share one");
	for (uint32_t i = 0; i < MIN(n, p->pool.n); i++)
		if (has(tester, p->pool.cpu[i]))
			note(x, "a function shares its CPU with the tester");
	if (p->load.n)
		return;
	p->load = p->pool;
	if (x->cfg.hog)
		note(x, "no CPU is left for the load: it runs on those of functions");
}

static struct plan plan_for(struct resources *x, const struct subject *s, uint32_t n)
{
	struct cpus tester = tester_cpus(s);
	struct plan p = {.pool = pool_of(x, &tester), .load = x->allowed};

	if (x->cfg.pin == RESOURCES_PIN_SHARED)
		p.load = p.pool;
	if (x->cfg.pin == RESOURCES_PIN_EXCLUSIVE)
		plan_exclusive(x, &p, &tester, n);
	return p;
}

static int place(struct resources *x, const struct subject *s, struct err *e)
{
	const struct path *path = subject_path_of(s);
	pid_t pid[MAX_FUNCTIONS];
	uint32_t n = path ? path_nf_pids(path, pid, MAX_FUNCTIONS) : 0;
	struct plan plan = plan_for(x, s, n);
	int r = 0;

	x->info.n_functions = n;
	x->info.functions[0] = '\0';
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct cpus on = function_cpus(x, &plan, i);

		r = put_function(x, i, pid[i], &on, e);
	}
	if (n == 0 && x->cfg.pin != RESOURCES_PIN_NONE)
		note(x, "the SUT has no function that is a process: only the load was placed");
	return r < 0 ? r : put_load(x, &plan.load, e);
}

/* All devices of a namespace but loopback. Return: how many, or negative errno. */
static int offloads_off_in(int netns_fd, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int n = 0, r = ns_scope_enter(&scope, netns_fd, e);
	struct if_nameindex *list = r < 0 ? NULL : if_nameindex();

	for (struct if_nameindex *x = list; r == 0 && x && x->if_index; x++)
		if (strcmp(x->if_name, "lo") != 0) {
			r = ethtool_offloads_off(-1, x->if_name, e);
			n++;
		}
	if (list)
		if_freenameindex(list);
	return r < 0 ? r : n;
}

static int offloads_off(struct resources *x, const struct subject *s, struct err *e)
{
	const struct path *path = subject_path_of(s);
	int n = 0;

	for (uint32_t i = 0; path && i < path->n_hops; i++) {
		int r = offloads_off_in(path->hop_fd[i], e);

		if (r < 0)
			return r;
		n += r;
	}
	snprintf(x->info.offloads, sizeof(x->info.offloads), "off at %d devices of the SUT", n);
	return 0;
}

int resources_place(struct resources *x, const struct subject *s, struct err *e)
{
	int r = 0;

	if (s->simulated)
		return 0;
	if (x->cfg.offloads == RESOURCES_OFFLOADS_OFF)
		r = offloads_off(x, s, e);
	else
		str_set(x->info.offloads, "as the path has them");
	if (r == 0 && resources_place_asked(&x->cfg))
		r = place(x, s, e);
	x->placed = r == 0;
	return r;
}

const struct resources_info *resources_info(const struct resources *x)
{
	return &x->info;
}
