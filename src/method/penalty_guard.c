/*
 * tare guard over the containers of a trial. Bills are made here, of three owners that are known
 * from the beginning; what follows from them is guard's own.
 */
#include "method/penalty_guard.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "charge/account.h"
#include "guard/early.h"
#include "guard/guard.h"
#include "guard/moderate.h"
#include "sys/rtpeer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Where a mount of the process' own hides what others have there. */
#define PRIVATE_DIR "/run"

#define N_OWNERS (SOFTIRQ_FIRST + TENANT_N)

static const uint32_t policy_of[] = {
	[PENALTY_GUARD_OFF] = GUARD_OBSERVE,
	[PENALTY_GUARD_CHARGE] = GUARD_CHARGE,
	[PENALTY_GUARD_CHARGE_DROP] = GUARD_CHARGE_DROP,
	[PENALTY_GUARD_CHARGE_DROP_MODERATE] = GUARD_CHARGE_DROP,
};
static_assert(ARRAY_SIZE(policy_of) == PENALTY_GUARD_N);

struct guarded {
	const struct penalty_guard_args *args;
	struct softirq *soft;
	struct early *early;
	struct guard_state *state;
	struct guard *guard;
	struct guard_cfg cfg;
	struct guard_rules no_rules;
	struct guard_source source;
	struct softirq_account was[N_OWNERS];
	uint64_t was_process_ns[N_OWNERS];
	struct bill bill;
	struct bill_row row[N_OWNERS];
};

static struct container *who(struct guarded *g, uint32_t i)
{
	return &g->row[SOFTIRQ_FIRST + i].who;
}

/* ---- who there is */

static int inode_of(int fd, const char *dir, uint64_t *ret, struct err *e)
{
	struct stat st;

	if ((dir ? stat(dir, &st) : fstat(fd, &st)) < 0)
		return err_set(e, errno, "cannot look at %s", dir ? dir : "a namespace");
	*ret = st.st_ino;
	return 0;
}

static int introduce(struct guarded *g, uint32_t i, uint32_t host_netns, struct err *e)
{
	const uint32_t owner = SOFTIRQ_FIRST + i;
	struct container *c = who(g, i);
	uint64_t netns = 0;
	int r = inode_of(g->args->container[i].netns_fd, NULL, &netns, e);

	if (r == 0)
		r = inode_of(-1, g->args->container[i].cgroup_dir, &c->cgroup_id, e);
	if (r < 0)
		return r;
	c->kind = CONTAINER_LAB;
	str_set(c->name, g->args->container[i].name);
	str_set(c->cgroup, g->args->container[i].cgroup_dir);
	c->netns = (uint32_t)netns;
	c->nsid = RT_NSID_NONE;
	c->n_devs = 1;
	c->dev[0] = (struct softirq_dev){host_netns, if_nametoindex(c->name)};
	if (!c->dev[0].ifindex)
		return err_set(e, errno, "device '%s'", c->name);
	r = softirq_set_netns(g->soft, c->netns, owner, e);
	if (r == 0)
		r = softirq_set_dev(g->soft, &c->dev[0], owner, e);
	return r < 0 ? r : softirq_set_cgroup(g->soft, c->cgroup_id, owner, e);
}

static int introduce_all(struct guarded *g, struct err *e)
{
	uint64_t host_netns = 0;
	int r = inode_of(g->args->host_fd, NULL, &host_netns, e);

	for (uint32_t i = 0; r == 0 && i < g->args->n; i++)
		r = introduce(g, i, (uint32_t)host_netns, e);
	softirq_changed(g->soft);
	return r;
}

static int open_netns(void *ctx, const struct container *c, struct err *e)
{
	struct guarded *g = ctx;

	for (uint32_t i = 0; i < g->args->n; i++)
		if (g->row[SOFTIRQ_FIRST + i].who.netns == c->netns) {
			int fd = fcntl(g->args->container[i].netns_fd, F_DUPFD_CLOEXEC, 0);

			return fd < 0 ? err_set(e, errno, "cannot copy a descriptor") : fd;
		}
	return err_say(e, ENOENT, "there is no such container");
}

/* ---- bills */

/* Directories of two hierarchies, each whole. */
static int process_ns(struct guarded *g, uint32_t i, uint64_t *ret, struct err *e)
{
	struct container c = {0};

	if (!g->args->container[i].usage_dir)
		return container_usage(who(g, i), ret, e);
	str_set(c.cgroup, "/");
	str_set(c.usage_root, g->args->container[i].usage_dir);
	return container_usage(&c, ret, e);
}

static int read_row(struct guarded *g, uint32_t owner, struct err *e)
{
	struct bill_row *x = &g->row[owner];
	struct softirq_account now;
	uint64_t ns = 0;
	int r = 0;

	softirq_read_sum(g->soft, owner, &now);
	x->owner = owner;
	x->soft = account_since(now, &g->was[owner]);
	x->softirq_ns = x->soft.rx_ns + x->soft.tx_ns + x->soft.other_ns;
	g->was[owner] = now;
	x->process_known = owner >= SOFTIRQ_FIRST;
	if (x->process_known)
		r = process_ns(g, owner - SOFTIRQ_FIRST, &ns, e);
	x->process_ns = ns - g->was_process_ns[owner];
	g->was_process_ns[owner] = ns;
	return r;
}

static int next_bill(void *ctx, const struct bill **ret, struct err *e)
{
	struct guarded *g = ctx;
	int r = 0;

	g->bill.from_ns = g->bill.to_ns;
	g->bill.to_ns = clock_now_ns();
	for (uint32_t i = 0; r == 0 && i < g->bill.n_rows; i++)
		r = read_row(g, i, e);
	*ret = &g->bill;
	return r;
}

static int begin_bills(struct guarded *g, struct err *e)
{
	const struct bill *first;

	g->bill = (struct bill){.to_ns = clock_now_ns(),
		.n_rows = SOFTIRQ_FIRST + g->args->n,
		.row = g->row};
	g->source = (struct guard_source){.ctx = g,
		.irq_time = softirq_kernel(g->soft)->irq_time,
		.bill = next_bill};
	return next_bill(g, &first, e);
}

/* ---- as cmd/guard.c has it */

/* What it notes goes with the last process that sees it. */
static int open_state(struct guarded *g, struct err *e)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tare", PRIVATE_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
		return err_set(e, errno, "cannot have a directory of its own");
	return guard_state_open(&g->state, PRIVATE_DIR "/guard", NULL, e);
}

static int open_early(struct guarded *g, struct err *e)
{
	const struct early_cfg cfg = {g->args->wire, g->args->bucket_ns, open_netns, g};
	int r = early_open(&g->early, g->soft, &cfg, e);

	if (r == EARLY_UNAVAILABLE)
		return -EOPNOTSUPP;
	softirq_set_irq_cost(g->soft, g->args->irq_ns);
	return r;
}

static int moderate(struct guarded *g, struct err *e)
{
	struct moderate device;
	char text[64];
	int r;

	if (g->args->policy != PENALTY_GUARD_CHARGE_DROP_MODERATE)
		return 0;
	snprintf(text, sizeof(text), "%s=%" PRIu64 "ns", g->args->wire, g->args->moderate_ns);
	r = moderate_parse(&device, text, e);
	return r < 0 ? r : moderate_begin(&device, g->state, e);
}

static int open_all(struct guarded *g, struct err *e)
{
	const bool drops = penalty_guard_drops(g->args->policy);
	const struct softirq_cfg soft = {.n_owners = N_OWNERS, .enforce = drops};
	int r;

	/* For good: it is a process of its own. Devices are found by name. */
	if (setns(g->args->host_fd, CLONE_NEWNET) < 0)
		return err_set(e, errno, "cannot enter the host's namespace");
	r = open_state(g, e);
	if (r != 0)
		return r < 0 ? r : -EBUSY;
	r = moderate(g, e);
	if (r < 0)
		return r;
	r = softirq_open(&g->soft, &soft, e);
	if (r == 0)
		r = introduce_all(g, e);
	if (r == 0 && drops)
		r = open_early(g, e);
	if (r == 0)
		r = begin_bills(g, e);
	return r > 0 ? -EOPNOTSUPP : r;
}

static void guarded_close(void *ctx)
{
	struct guarded *g = ctx;

	guard_freep(&g->guard);
	early_closep(&g->early);
	softirq_closep(&g->soft);
	guard_state_closep(&g->state);
	free(g);
}

static void guarded_closep(struct guarded **g)
{
	if (*g)
		guarded_close(*g);
}

static int guarded_step(void *ctx, struct err *e)
{
	struct guarded *g = ctx;

	return guard_step(g->guard, e);
}

/* Why is one not guarded? Nobody else would say so. */
static int all_guarded(struct guarded *g, struct err *e)
{
	_cleanup_(guard_report_fini) struct guard_report report = {0};

	guard_take(g->guard, &report);
	for (uint32_t i = 0; i < report.n; i++)
		if (!report.row[i].guarded || *report.row[i].why)
			return err_say(e, EOPNOTSUPP, "%s: %s", report.row[i].who.name,
				report.row[i].why);
	return 0;
}

static int guarded_open(void **ret, const struct penalty_guard_args *args, struct err *e)
{
	_cleanup_(guarded_closep) struct guarded *g = xcalloc(1, sizeof(*g));
	int r;

	g->args = args;
	g->cfg = guard_cfg_default;
	g->cfg.policy = policy_of[args->policy];
	r = open_all(g, e);
	if (r < 0)
		return r;
	g->guard = guard_new(&(struct guard_args){.cfg = &g->cfg,
		.rules = &g->no_rules,
		.source = &g->source,
		.drop = g->early ? &early_ops : NULL,
		.drop_ctx = g->early,
		.state = g->state,
		.cpu_root = "",
		.irq_ns = args->irq_ns});
	r = guard_step(g->guard, e);
	if (r == 0)
		r = all_guarded(g, e);
	if (r == 0)
		*ret = take_ptr(g);
	return r;
}

static int guarded_read(void *ctx, struct penalty_guard_count *ret, struct err *e)
{
	struct guarded *g = ctx;
	int r = 0;

	*ret = (struct penalty_guard_count){.at_ns = clock_now_ns()};
	for (uint32_t i = 0; r == 0 && i < g->args->n; i++) {
		struct softirq_account a;
		struct bill_row x = {0};

		softirq_read_sum(g->soft, SOFTIRQ_FIRST + i, &a);
		r = process_ns(g, i, &x.process_ns, e);
		ret->used_ns[i] = x.process_ns + a.rx_ns + a.tx_ns + a.other_ns + a.thread_ns +
				  a.irqs * g->args->irq_ns;
		/* Where the kernel has softirqs in processes' time. */
		if (!g->source.irq_time)
			ret->used_ns[i] -= a.own_ns + a.gained_ns +
					   (a.irqs_own + a.irqs_gained) * g->args->irq_ns;
		ret->dropped_pkts[i] = a.drop_pkts;
		ret->gained_ns[i] = a.gained_ns;
		ret->irqs_gained[i] = a.irqs_gained;
	}
	return r;
}

const struct penalty_guard_ops penalty_guard_ops = {
	.step_ns = 100 * NSEC_PER_MSEC, /* as guard_cfg_default has it */
	.open = guarded_open,
	.step = guarded_step,
	.read = guarded_read,
	.close = guarded_close,
};
