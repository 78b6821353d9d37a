#include "guard/guard.h"

#include "base/mem.h"
#include "base/str.h"
#include "guard/price.h"
#include "guard/ward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * What is stopped, or waits for who reads its lines, sees to no quota. Longer than a step by what
 * a busy machine may make of it.
 */
#define SILENCE_MS 2000

/* A container that can't be guarded, as it has no quota, may be one that can a while later. */
#define AGAIN_NS NSEC_PER_SEC

static_assert(SOFTIRQ_MAX_OWNERS <= 65536, "a table of them is no size to speak of");

bool guard_row_floods(const struct guard_row *x, uint64_t dt_ns)
{
	return x->dropped_pkts > 0 &&
	       (double)x->irqs * 1e9 > (double)GUARD_FLOOD_IRQS_HZ * (double)dt_ns;
}

/* A container that bills have named. */
struct client {
	const struct guard_rule *rule; /* NULL: none fits */
	struct ward ward;              /* if row.guarded */
	uint64_t tried_ns;             /* when it was to be guarded last */
	bool claimed;                  /* no other guard has its cgroup */
	bool dropping;
	bool seen; /* in this bill */
	struct guard_row row;
};

struct guard {
	struct guard_args args;
	uint64_t from_ns, to_ns; /* of the report that begins */
	uint32_t n;
	struct client **client;                      /* [n] */
	struct client *of_owner[SOFTIRQ_MAX_OWNERS]; /* borrowed; NULL: none that is alive */
};

static void unclaim(const struct guard *g, struct client *c)
{
	if (c->claimed)
		guard_state_unclaim(g->args.state, c->ward.id);
	c->claimed = false;
}

struct guard *guard_new(const struct guard_args *args)
{
	struct guard *g = xcalloc(1, sizeof(*g));

	g->args = *args;
	return g;
}

static void stop_drop(struct guard *g, struct client *c)
{
	if (c->dropping)
		g->args.drop->remove(g->args.drop_ctx, c->row.owner);
	c->dropping = false;
}

/* Not guarded any more, because. */
static void stop(struct guard *g, struct client *c, const char *why)
{
	stop_drop(g, c);
	unclaim(g, c);
	c->row.guarded = false;
	c->row.budget_cpus = c->row.quota_cpus = NAN;
	c->row.debt_ns = 0;
	str_set(c->row.why, why);
}

static void release(struct guard *g, struct client *c)
{
	/* What can't be put back stays noted. */
	if (c->row.guarded)
		(void)!ward_end(&c->ward, g->args.state, NULL);
	stop(g, c, "");
}

void guard_free(struct guard *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		release(g, g->client[i]);
		free(g->client[i]);
	}
	free(g->client);
	free(g);
}

/* Its end: it is in one more report. */
static void bury(struct guard *g, struct client *c)
{
	release(g, c);
	if (g->args.drop)
		g->args.drop->see(g->args.drop_ctx, c->row.owner, NULL);
	c->row.gone = true;
	g->of_owner[c->row.owner] = NULL;
}

static bool is_same(const struct client *c, const struct bill_row *x)
{
	return c->row.who.cgroup_id == x->who.cgroup_id && c->row.who.netns == x->who.netns;
}

/* A number may be another one's by now. */
static struct client *client_find(struct guard *g, const struct bill_row *x)
{
	struct client *c = g->of_owner[x->owner];

	if (!c || is_same(c, x))
		return c;
	bury(g, c);
	return NULL;
}

static struct client *client_add(struct guard *g, const struct bill_row *x)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->row.who = x->who;
	c->row.owner = x->owner;
	c->rule = guard_rules_find(g->args.rules, &x->who);
	c->row.policy = c->rule ? c->rule->policy : g->args.cfg->policy;
	stop(g, c, "");
	g->client = xreallocarray(g->client, g->n + 1, sizeof(struct client *));
	g->client[g->n++] = g->of_owner[x->owner] = c;
	return c;
}

static const struct client *other_of(const struct guard *g, const struct client *c)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (g->client[i] != c && g->client[i]->row.guarded &&
			g->client[i]->ward.id == c->ward.id)
			return g->client[i];
	return NULL;
}

/* Fills in whose quota it is. Return: false with the reason. */
static bool find_cgroup(const struct guard *g, struct client *c)
{
	const struct container *who = &c->row.who;
	const struct client *other;

	c->ward = (struct ward){.id = who->cgroup_id, .cpus_ppb = c->rule ? c->rule->cpus_ppb : 0};
	/* Without an id it is one of v2 only, where v1 has the CPU's quotas. */
	if (!who->cgroup_id || strcmp(who->cgroup, "") == 0 || strcmp(who->cgroup, "/") == 0) {
		str_set(c->row.why, "it has no cgroup of its own");
		return false;
	}
	str_addf(c->ward.dir, sizeof(c->ward.dir), "%s%s", g->args.cpu_root, who->cgroup);
	other = other_of(g, c);
	if (other) {
		str_set(c->row.why, "");
		str_addf(c->row.why, sizeof(c->row.why), "its cgroup is guarded already, as %s",
			other->row.who.name);
	}
	return !other;
}

static void start_drop(struct guard *g, struct client *c)
{
	const double budget = c->ward.control.cfg.budget;
	struct err e = {0};

	if (c->row.policy != GUARD_CHARGE_DROP)
		return;
	if (!g->args.drop)
		str_set(c->row.why, "nothing here can drop its packets");
	else if (g->args.drop->add(g->args.drop_ctx, c->row.owner, c->rule, budget, &e) < 0)
		str_set(c->row.why, e.text);
	else
		c->dropping = true;
}

static void show_ward(struct client *c)
{
	c->row.budget_cpus = c->ward.control.cfg.budget;
	c->row.quota_cpus = ward_quota(&c->ward);
	c->row.debt_ns = fmax(c->ward.control.debt_ns, 0);
}

/* Return: 0, or negative errno: not of the container, but of the guard. */
static int start(struct guard *g, struct client *c, uint64_t now_ns, struct err *e)
{
	struct err why = {0};
	int r;

	if (c->tried_ns && now_ns - c->tried_ns < AGAIN_NS)
		return 0;
	c->tried_ns = now_ns;
	if (!find_cgroup(g, c))
		return 0;
	c->claimed = guard_state_claim(g->args.state, c->ward.id);
	if (!c->claimed) {
		str_set(c->row.why, "another guard has its cgroup");
		return 0;
	}
	r = ward_begin(&c->ward, g->args.state, &why);
	if (r < 0)
		return err_say(e, -r, "%s: %s", c->row.who.name, why.text);
	if (r != 0) {
		stop(g, c, r == WARD_GONE ? "" : why.text);
		return 0;
	}
	c->row.guarded = true;
	str_set(c->row.why, "");
	c->row.writes++;
	start_drop(g, c);
	show_ward(c);
	return 0;
}

static int go_on(struct guard *g, struct client *c, const struct control_reading *x, struct err *e)
{
	const double budget = c->ward.control.cfg.budget;
	const uint64_t writes = c->ward.control.n_writes;
	const uint32_t changes = c->ward.n_changes;
	struct err why = {0};
	int r = ward_step(&c->ward, g->args.state, x, &why);

	if (r < 0)
		return err_say(e, -r, "%s: %s", c->row.who.name, why.text);
	c->row.changes += c->ward.n_changes - changes;
	if (r != 0) {
		stop(g, c, r == WARD_GONE ? "" : why.text);
		return 0;
	}
	c->row.writes += c->ward.control.n_writes > writes ? c->ward.control.n_writes - writes : 0;
	if (c->ward.control.cfg.budget != budget) {
		stop_drop(g, c);
		start_drop(g, c);
	}
	show_ward(c);
	return 0;
}

static void count(struct client *c, const struct bill_row *x, const struct control_reading *now)
{
	c->row.process_ns += now->process_ns;
	c->row.softirq_ns += x->softirq_ns;
	c->row.charged_ns += now->charged_ns;
	c->row.credited_ns += now->credited_ns;
	c->row.dropped_pkts += x->soft.drop_pkts;
	c->row.irqs += x->soft.irqs;
}

static uint64_t irq_cost(const struct guard *g, const struct client *c)
{
	return c->rule && c->rule->irq_ns != GUARD_IRQ_UNSAID ? c->rule->irq_ns : g->args.irq_ns;
}

static int bill_one(struct guard *g, const struct bill *b, const struct price *price,
	const struct bill_row *x, struct err *e)
{
	struct client *c = client_find(g, x);
	struct control_reading now = {.at_ns = b->to_ns, .dt_ns = b->to_ns - b->from_ns};
	int r = 0;

	if (!c && x->is_gone)
		return 0; /* told of before, or never seen alive */
	if (!c)
		c = client_add(g, x);
	c->seen = true;
	if (g->args.drop && !x->is_gone)
		g->args.drop->see(g->args.drop_ctx, x->owner, &x->who);
	now.process_ns = x->process_known ? x->process_ns : 0;
	now.charged_ns = price_charged(price, x, irq_cost(g, c));
	now.credited_ns = price_credited(price, x);
	count(c, x, &now);
	if (x->is_gone) {
		bury(g, c);
	} else if (c->row.guarded && x->process_known) {
		r = go_on(g, c, &now, e);
	} else if (!c->row.guarded && c->row.policy != GUARD_OBSERVE) {
		r = start(g, c, b->to_ns, e);
	}
	return r;
}

/* Those that the bill does not name any more. */
static void end_unseen(struct guard *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct client *c = g->client[i];

		if (!c->seen && !c->row.gone)
			bury(g, c);
		c->seen = false;
	}
}

static void beat(struct guard *g)
{
	const struct guard_drop_ops *drop = g->args.drop;

	if (!drop)
		return;
	drop->beat(g->args.drop_ctx);
	for (uint32_t i = 0; i < g->n; i++)
		if (g->client[i]->dropping)
			str_set(g->client[i]->row.why,
				drop->why(g->args.drop_ctx, g->client[i]->row.owner));
}

int guard_step(struct guard *g, struct err *e)
{
	const struct guard_source *src = g->args.source;
	const struct bill *b = NULL;
	struct price price;
	int r = src->bill(src->ctx, &b, e);

	guard_state_beat(g->args.state,
		SILENCE_MS + (uint32_t)(2 * g->args.cfg->step_ns / NSEC_PER_MSEC));
	if (r < 0)
		return r;
	price = (struct price){.irq_time = src->irq_time, .irq_ns = g->args.irq_ns};
	if (!g->from_ns)
		g->from_ns = b->from_ns;
	g->to_ns = b->to_ns;
	for (uint32_t i = 0; r == 0 && i < b->n_rows; i++)
		if (b->row[i].owner >= SOFTIRQ_FIRST && b->row[i].owner < SOFTIRQ_MAX_OWNERS)
			r = bill_one(g, b, &price, &b->row[i], e);
	if (r < 0)
		return r;
	end_unseen(g);
	beat(g);
	return 0;
}

void guard_report_fini(struct guard_report *r)
{
	free(r->row);
	*r = (struct guard_report){0};
}

static void begin_again(struct client *c)
{
	c->row.process_ns = c->row.softirq_ns = c->row.charged_ns = c->row.credited_ns = 0;
	c->row.dropped_pkts = c->row.irqs = c->row.writes = c->row.changes = 0;
}

void guard_take(struct guard *g, struct guard_report *ret)
{
	uint32_t n_live = 0;

	*ret = (struct guard_report){.from_ns = g->from_ns, .to_ns = g->to_ns, .n = g->n};
	ret->row = xcalloc(g->n + 1, sizeof(*ret->row));
	for (uint32_t i = 0; i < g->n; i++) {
		struct client *c = g->client[i];

		ret->row[i] = c->row;
		begin_again(c);
		if (c->row.gone)
			free(c);
		else
			g->client[n_live++] = c;
	}
	g->n = n_live;
	g->from_ns = g->to_ns;
}
