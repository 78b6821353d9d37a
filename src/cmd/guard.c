#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "charge/bill.h"
#include "cmd/table.h"
#include "guard/early.h"
#include "guard/irq_cost.h"
#include "guard/moderate.h"
#include "report/guard.h"
#include "sys/cgroup.h"
#include "sys/signals.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static const struct opt ask_guard_opts[] = {
	OPT_FLAG(struct guard_ask, restore, "restore", 0,
		"only put back what a guard before has left changed"),
	OPT_FLAG(struct guard_ask, calibrate, "calibrate", 0,
		"only measure what an interrupt costs here"),
	OPT_FLAG(struct guard_ask, json_stream, "json-stream", 0, "one JSON object per line"),
	OPT_FLAG(struct guard_ask, quiet, "quiet", 'q', "no lines"),
	OPT_END,
};

/* Bills as the guard takes them. */
struct billing {
	struct charge *charge;
	struct bill last;
};

static void billing_fini(struct billing *b)
{
	bill_fini(&b->last);
	charge_closep(&b->charge);
}

static int next_bill(void *ctx, const struct bill **ret, struct err *e)
{
	struct billing *b = ctx;

	bill_fini(&b->last);
	*ret = &b->last;
	return charge_bill(b->charge, &b->last, e);
}

static void guard_defaults(struct cmd_cfg *cfg)
{
	cfg->guard = (struct guard_ask){.cfg = guard_cfg_default, .find = charge_words_default};
}

static void guard_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Options", ask_guard_opts, &cfg->guard, .stored = false};
	ret[1] = (struct opt_group){"Guard", guard_opts, &cfg->guard.cfg, .stored = false};
	ret[2] = (struct opt_group){"Containers", charge_opts, &cfg->guard.find, .stored = false};
	ret[3] = (struct opt_group){0};
}

static int read_rules(struct guard_rules *rules, const struct guard_cfg *cfg, struct err *e)
{
	int r = guard_rules_add_list(rules, cfg->container, e);

	if (r < 0)
		return err_wrap(e, "--container");
	r = *cfg->config ? guard_rules_read(rules, cfg->config, e) : 0;
	return r < 0 ? err_wrap(e, "--config") : 0;
}

static bool any_drops(const struct guard_rules *rules, const struct guard_cfg *cfg)
{
	for (uint32_t i = 0; i < rules->n; i++)
		if (rules->item[i].policy == GUARD_CHARGE_DROP)
			return true;
	return cfg->policy == GUARD_CHARGE_DROP;
}

static int cpu_root(char *ret, size_t size, struct err *e)
{
	if (cgroup_cpu_root(ret, size))
		return 0;
	return err_say(e, ENOENT, "no hierarchy of cgroups is mounted that has their CPU time");
}

static const char *state_dir(const struct guard_cfg *cfg, char *usual, size_t size)
{
	guard_state_dir(usual, size);
	return *cfg->state_dir ? cfg->state_dir : usual;
}

static void say_restored(const struct guard_state *state, FILE *out)
{
	const struct guard_restored n = guard_state_restored(state);
	const struct {
		const char *what;
		uint32_t n;
	} row[] = {{"cgroup", n.n_cgroups}, {"device", n.n_devices}};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (row[i].n)
			fprintf(out,
				"tare: guard: %u %s%s put back as %s before a guard that ended\n",
				row[i].n, row[i].what, row[i].n == 1 ? "" : "s",
				row[i].n == 1 ? "it was" : "they were");
}

/* Return: are there any that could not be put back? */
static bool say_left(const struct guard_state *state)
{
	const struct err *why;
	uint32_t i = 0;

	while ((why = guard_state_failed(state, i++)))
		fprintf(stderr, "tare: guard: not put back, still noted: %s\n", why->text);
	return i > 1;
}

static int restore(const struct guard_cfg *cfg)
{
	_cleanup_(guard_state_closep) struct guard_state *state = NULL;
	struct err e = {0};
	char usual[4096], root[512];

	/* Where none is mounted every cgroup would pass for one that is gone. */
	if (cpu_root(root, sizeof(root), &e) < 0 ||
		guard_state_open(&state, state_dir(cfg, usual, sizeof(usual)), NULL, &e) != 0)
		return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
	say_restored(state, stdout);
	return say_left(state) ? EXIT_RUN : cmd_finish();
}

/* What a guard that runs is made of. */
struct guard_run {
	const struct guard_ask *ask;
	const struct irq_cost *irq;
	const struct guard_rules *rules;
	struct guard *guard;
	struct billing *billing;
	int cancel_fd;
	uint64_t begin_ns;
	bool *warned; /* of interrupts */
};

static bool fits_any(const struct guard_rule *rule, const struct guard_report *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (guard_rule_fits(rule, &r->row[i].who))
			return true;
	return false;
}

/* Its container may come later, or its name may be a mistake. */
static void say_who_is_missing(const struct guard_rules *rules, const struct guard_report *r)
{
	for (uint32_t i = 0; i < rules->n; i++)
		if (!fits_any(&rules->item[i], r))
			fprintf(stderr,
				"tare: guard: rule '%s' fits no container so far; those there are: "
				"tare list containers\n",
				rules->item[i].who);
}

/* Once: whatever is dropped, its interrupts come. */
static void warn_of_irqs(const struct guard_run *run, const struct guard_report *r)
{
	const uint64_t dt_ns = r->to_ns - r->from_ns;

	for (uint32_t i = 0; i < r->n && !*run->warned; i++) {
		if (!guard_row_floods(&r->row[i], dt_ns))
			continue;
		guard_flood_text(&r->row[i], dt_ns, &run->ask->cfg, stderr);
		*run->warned = true;
	}
}

/* Return: 0 or negative errno of a write. */
static int report(const struct guard_run *run, bool first)
{
	_cleanup_(guard_report_fini) struct guard_report r = {0};

	guard_take(run->guard, &r);
	if (first)
		say_who_is_missing(run->rules, &r);
	warn_of_irqs(run, &r);
	if (run->ask->quiet)
		return 0;
	return run->ask->json_stream
		       ? guard_line(GUARD_INTERVAL, &run->ask->cfg, run->irq, &r, stdout)
		       : guard_text(&r, run->begin_ns, stdout);
}

/* Return: true when a signal came before. */
static bool wait_until(const struct guard_run *run, uint64_t at_ns, int *ret, struct err *e)
{
	struct pollfd p[] = {{.fd = run->cancel_fd, .events = POLLIN},
		{.fd = charge_fd(run->billing->charge), .events = POLLIN}};
	int left_ms;

	while (*ret == 0 && (left_ms = clock_left_ms(at_ns)) > 0) {
		if (poll(p, ARRAY_SIZE(p), left_ms) <= 0)
			continue;
		if (p[0].revents)
			return true;
		*ret = charge_scan(run->billing->charge, e);
	}
	return false;
}

static int work(const struct guard_run *run, struct err *e)
{
	const struct guard_cfg *cfg = &run->ask->cfg;
	const uint64_t end_ns = cfg->duration_ns ? run->begin_ns + cfg->duration_ns : UINT64_MAX;
	uint64_t step_ns = run->begin_ns, report_ns = run->begin_ns + cfg->interval_ns;
	int r = 0;

	while (step_ns < end_ns) {
		step_ns = clock_next_ns(step_ns, cfg->step_ns);
		if (wait_until(run, MIN(step_ns, end_ns), &r, e) || r < 0)
			break;
		r = guard_step(run->guard, e);
		if (r < 0)
			break;
		if (step_ns < report_ns && step_ns < end_ns)
			continue;
		if (report(run, report_ns == run->begin_ns + cfg->interval_ns) < 0)
			break; /* said at the end */
		report_ns = clock_next_ns(report_ns, cfg->interval_ns);
	}
	return r;
}

/* Everything is open: until it is over. */
static int run_guard(const struct guard_ask *ask, const struct guard_args *args,
	const struct irq_cost *irq, struct billing *billing, int cancel_fd)
{
	_cleanup_(guard_freep) struct guard *g = guard_new(args);
	bool warned = false;
	const struct guard_run run = {ask, irq, args->rules, g, billing, cancel_fd, clock_now_ns(),
		&warned};
	struct err e = {0};
	int r;

	if (ask->json_stream)
		(void)guard_line(GUARD_START, &ask->cfg, irq, NULL, stdout); /* said at the end */
	r = work(&run, &e);
	if (r < 0)
		return cmd_fail(EXIT_RUN, "guard: %s", e.text);
	if (ask->json_stream)
		(void)guard_line(GUARD_END, &ask->cfg, irq, NULL, stdout);
	return cmd_finish();
}

static int open_billing(struct billing *ret, const struct charge_asked *asked)
{
	struct err e = {0};
	int r = charge_open(&ret->charge, &asked->cfg, &e);

	if (r == -ENOENT)
		return cmd_fail(EXIT_USAGE, "guard: %s", e.text);
	return r != 0 ? cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text) : EXIT_DONE;
}

/* As it was asked for. What can't be measured is left out, and that is said. */
static int find_irq_cost(struct irq_cost *ret, const struct guard_ask *ask, uint64_t asked_ns)
{
	struct err e = {0};
	int r;

	*ret = (struct irq_cost){.ns = asked_ns};
	if (asked_ns != IRQ_COST_AUTO)
		return EXIT_DONE;
	r = irq_cost_measure_here(ret, &e);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
	if (r > 0)
		fprintf(stderr, "tare: guard: %s; it is left out\n", e.text);
	else if (!ask->quiet)
		guard_irq_text(ret, stderr);
	return EXIT_DONE;
}

static int calibrate(void)
{
	struct irq_cost irq;
	struct err e = {0};

	if (irq_cost_measure_here(&irq, &e) != 0)
		return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
	guard_irq_text(&irq, stdout);
	return cmd_finish();
}

static int guard_with(const struct guard_ask *ask, const struct guard_rules *rules,
	const struct charge_asked *asked, uint64_t irq_ns, const struct moderate *moderate)
{
	_cleanup_(guard_state_closep) struct guard_state *state = NULL;
	_cleanup_(billing_fini) struct billing billing = {0};
	_cleanup_(early_closep) struct early *early = NULL;
	_cleanup_(closep) int cancel_fd = -1;
	struct guard_source source = {.ctx = &billing, .bill = next_bill};
	const struct early_cfg early_cfg = {.nics = ask->cfg.nics, .bucket_ns = ask->cfg.bucket_ns};
	struct irq_cost irq;
	char usual[4096], root[512];
	struct guard_args args = {.cfg = &ask->cfg,
		.rules = rules,
		.source = &source,
		.cpu_root = root};
	struct err e = {0};
	int r = cpu_root(root, sizeof(root), &e);

	if (r == 0)
		r = guard_state_open(&state, state_dir(&ask->cfg, usual, sizeof(usual)), root, &e);
	if (r != 0)
		return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
	say_restored(state, stderr);
	(void)say_left(state); /* they stand in nobody else's way */
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
	r = open_billing(&billing, asked);
	if (r != EXIT_DONE)
		return r;
	if (asked->cfg.enforce) {
		if (early_open(&early, charge_softirq(billing.charge), &early_cfg, &e) != 0)
			return cmd_fail(EXIT_ENVIRONMENT, "guard: %s", e.text);
		args.drop = &early_ops;
		args.drop_ctx = early;
	}
	r = find_irq_cost(&irq, ask, irq_ns);
	if (r != EXIT_DONE)
		return r;
	softirq_set_irq_cost(charge_softirq(billing.charge), irq.ns);
	source.irq_time = charge_kernel(billing.charge)->irq_time;
	args.state = state;
	args.irq_ns = irq.ns;
	if (moderate_begin(moderate, state, &e) < 0)
		r = cmd_fail(EXIT_ENVIRONMENT, "guard: --moderate: %s", e.text);
	else
		r = run_guard(ask, &args, &irq, &billing, cancel_fd);
	if (guard_state_close(take_ptr(state), &e) < 0)
		return cmd_fail(EXIT_RUN, "guard: not put back as it was: %s", e.text);
	return r;
}

static int guard_main(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(guard_rules_fini) struct guard_rules rules = {0};
	struct moderate moderate = {0};
	uint64_t irq_ns;
	_cleanup_(freep) struct charge_asked *asked = xcalloc(1, sizeof(*asked));
	struct err e = {0};

	(void)argc;
	(void)argv;
	(void)args;
	(void)n_args;
	if (cfg->guard.restore)
		return restore(&cfg->guard.cfg);
	if (cfg->guard.calibrate)
		return calibrate();
	if (read_rules(&rules, &cfg->guard.cfg, &e) < 0 ||
		irq_cost_parse(cfg->guard.cfg.irq, &irq_ns, &e) < 0 ||
		charge_ask(asked, &cfg->guard.find, &e) < 0)
		return cmd_fail(EXIT_USAGE, "guard: %s", e.text);
	if (moderate_parse(&moderate, cfg->guard.cfg.moderate, &e) < 0)
		return cmd_fail(EXIT_USAGE, "guard: --moderate: %s", e.text);
	asked->cfg.enforce = any_drops(&rules, &cfg->guard.cfg);
	return guard_with(&cfg->guard, &rules, asked, irq_ns, &moderate);
}

const struct command command_guard = {
	.name = "guard",
	.summary = "have containers pay for the network's CPU time: quotas by who used it",
	.args = "",
	.description =
		"Bills softirq time to containers as tare charge does, and acts on it: what the "
		"kernel did for a container in others' time is taken off its CPU quota, and what "
		"it lost to others in its own time is given back. A container that floods its "
		"neighbours so spends its own budget on it.\n"
		"\n"
		"The policy observe touches nothing and is the default; charge sets the quota "
		"(cpu.cfs_quota_us, or cpu.max); charge+drop also drops packets early once the "
		"budget is spent: at the host's half of the container's veth, and at --nic, by the "
		"container's addresses, where it costs less. There, ports of the host's own "
		"addresses that lead to a container are its by publish=tcp:8080/udp:53. Addresses "
		"are followed while it runs; one that another container has, too, is nobody's at "
		"--nic, and one of the host's is the host's: a container may be able to give "
		"itself any. A rule names who: "
		"WHO:POLICY, with WHO a name or a pattern "
		"of it (web-*; of a pod also namespace/name), kind:pattern (docker:*), an id or "
		"its first 12 digits, or a cgroup's path, which begins with a slash. The first "
		"rule that fits counts; who fits none has --policy. The budget is the container's "
		"own quota, or less by cpus=0.2 (or 200m). Who has neither can't be charged. "
		"Packets of protect='s ports, of TCP and UDP, are never dropped; irq= is what an "
		"interrupt costs this one. A rule that fits nobody is said once, on stderr, and "
		"counts for who comes later. --config has one a line; a line that "
		"begins with # is a comment.\n"
		"\n"
		"Each interval has a table, of who has a policy, and of others who would be "
		"charged or credited. Columns, in CPUs (0.250: a quarter of one): budget; "
		"used: CPU time of its processes as the scheduler counts it; charged: taken "
		"off; credited: given back; quota: what is in force at the end. dropped: "
		"packets, by early drop.\n"
		"\n"
		"While it is guarded, a cgroup's period is 20 ms or less where its budget allows, "
		"as every write of a quota hands out a fresh one. The kernel's least quota, 1 ms "
		"in a period, is left to everybody.\n"
		"\n"
		"Dropping packets saves nothing of the interrupts that they come with. Where each "
		"comes with one of its own, these take the time of whom they interrupt, and the "
		"guard says so once. --moderate has a device polled by a timer while packets "
		"come (gro_flush_timeout, napi_defer_hard_irqs; Linux 5.8), so that there is one "
		"interrupt for all that came meanwhile; a packet waits as long at most, and more "
		"of them than the device's ring holds are lost. Where the driver can moderate by "
		"itself, ethtool -C DEV rx-usecs does the same. Settings of single queues (Linux "
		"6.13) are not brought back.\n"
		"\n"
		"It fails open: quotas and periods are put back when the guard ends, by a "
		"process beside it when it is killed, and for as long as it is stopped or hangs "
		"(no step for two seconds and two steps), and when both were killed by the next "
		"guard or by tare guard --restore, which does no more than that and belongs into "
		"ExecStopPost= of a service. A cgroup that has been renamed is found. What the "
		"kernel refuses to put back, such as more than a cgroup above has by now, is "
		"named; it has as much as it may then, stays noted and is not guarded, and the "
		"others are not concerned: a guard starts, and exits with 4 should it be so "
		"still, as --restore does. A quota that somebody sets meanwhile is the "
		"container's new one. What --moderate has set is put back as quotas are, unless "
		"somebody has set another, but not while the guard is only stopped.\n"
		"\n"
		"A second guard in the same network namespace refuses, whatever its --state-dir, "
		"as both would drop packets at the same places; one in another leaves alone what "
		"the first has.",
	.examples = {"tare guard --policy charge\nevery container pays",
		"tare guard --container 'web-*:charge,cpus=0.5;docker:*:observe'\n"
		"some pay, with a budget of half a CPU",
		"tare guard --nic eth0 --container 'web:charge+drop,publish=tcp:80/tcp:443'\n"
		"packets dropped at the NIC, those to ports of the host's that lead to web, too",
		"tare guard --config /etc/tare/guard.conf --json-stream\nrules of a file",
		"tare guard --restore\nafter a guard was killed with all that belongs to it"},
	.defaults = guard_defaults,
	.groups = guard_groups,
	.run = guard_main,
};
