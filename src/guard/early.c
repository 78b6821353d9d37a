#include "guard/early.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/drop.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

/* A device that takes no program is tried again. */
#define AGAIN_NS NSEC_PER_SEC

/* The host's halves of a container's devices. */
struct devs {
	uint32_t n;
	uint32_t ifindex[CONTAINER_MAX_DEVS]; /* [n] */
};

struct early_owner {
	bool drops;
	struct devs now; /* as it has them */
	struct devs on;  /* those with a program */
	uint64_t again_ns;
	struct err why; /* not all have one */
};

struct early {
	struct softirq *soft;
	struct drop *drop;
	struct early_cfg cfg;
	struct whose *whose; /* NULL: there is no device where addresses tell */
	struct early_owner *of_owner[SOFTIRQ_MAX_OWNERS];
};

static int open_netns(void *ctx, const struct container *who, struct err *e)
{
	(void)ctx;
	return container_netns_open(who, e);
}

static int add_nic(struct early *x, const char *name, struct err *e)
{
	struct drop_device dev = {.netns_fd = -1, .hook = DROP_BEST};
	struct drop_used used;
	int r;

	dev.ifindex = (int)if_nametoindex(name);
	if (!dev.ifindex)
		return err_set(e, errno, "device '%s'", name);
	r = drop_add_device(x->drop, &dev, &used, e);
	return r < 0 ? err_wrap(e, "device '%s'", name) : 0;
}

int early_open(struct early **ret, struct softirq *soft, const struct early_cfg *cfg, struct err *e)
{
	_cleanup_(early_closep) struct early *x = xcalloc(1, sizeof(*x));
	_cleanup_(freep) char *list = xstrdup(cfg->nics);
	char *rest = *list ? list : NULL, *name;
	struct softirq_shared shared;
	int r;

	x->soft = soft;
	x->cfg = *cfg;
	softirq_share(soft, &shared);
	r = drop_open(&x->drop, &(struct drop_cfg){.n_owners = shared.n_owners}, &shared, e);
	if (r != 0)
		return r < 0 ? r : EARLY_UNAVAILABLE;
	if (rest)
		x->whose = whose_new(x->drop, cfg->netns_open ? cfg->netns_open : open_netns,
			cfg->ctx);
	while (r == 0 && (name = strsep(&rest, ",")))
		r = add_nic(x, name, e);
	if (r == 0)
		*ret = take_ptr(x);
	return r;
}

/* ---- devices */

static bool has_dev(const struct devs *devs, uint32_t ifindex)
{
	for (uint32_t i = 0; i < devs->n; i++)
		if (devs->ifindex[i] == ifindex)
			return true;
	return false;
}

static void leave_dev(struct early *x, uint32_t ifindex)
{
	drop_remove_device(x->drop, &(struct drop_device){-1, (int)ifindex, DROP_TC_EGRESS});
	drop_unset_dev(x->drop, (int)ifindex);
}

/* Those that are not in @keep. */
static void leave_devs(struct early *x, struct early_owner *o, const struct devs *keep)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->on.n; i++) {
		if (has_dev(keep, o->on.ifindex[i]))
			o->on.ifindex[n++] = o->on.ifindex[i];
		else
			leave_dev(x, o->on.ifindex[i]);
	}
	o->on.n = n;
}

static int join_dev(struct early *x, uint32_t owner, uint32_t ifindex, struct err *e)
{
	const struct drop_device dev = {-1, (int)ifindex, DROP_TC_EGRESS};
	struct drop_used used;
	int r = drop_set_dev(x->drop, owner, dev.ifindex, e);

	if (r < 0)
		return r;
	r = drop_add_device(x->drop, &dev, &used, e);
	if (r < 0 && r != -EEXIST) {
		drop_unset_dev(x->drop, dev.ifindex);
		return r;
	}
	return 0;
}

static void join_devs(struct early *x, uint32_t owner, struct early_owner *o, uint64_t now_ns)
{
	if (now_ns < o->again_ns)
		return;
	o->why = (struct err){0};
	for (uint32_t i = 0; i < o->now.n; i++) {
		if (has_dev(&o->on, o->now.ifindex[i]))
			continue;
		if (join_dev(x, owner, o->now.ifindex[i], &o->why) < 0)
			o->again_ns = now_ns + AGAIN_NS;
		else
			o->on.ifindex[o->on.n++] = o->now.ifindex[i];
	}
}

/* A device may have gone from one to another: first all are left. */
static void follow_devs(struct early *x)
{
	const uint64_t now_ns = clock_now_ns();

	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		if (x->of_owner[i] && x->of_owner[i]->drops)
			leave_devs(x, x->of_owner[i], &x->of_owner[i]->now);
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		if (x->of_owner[i] && x->of_owner[i]->drops)
			join_devs(x, i, x->of_owner[i], now_ns);
}

/* ---- owners */

static void early_remove(void *ctx, uint32_t owner)
{
	struct early *x = ctx;
	struct early_owner *o = x->of_owner[owner];

	if (!o->drops)
		return;
	o->drops = false;
	leave_devs(x, o, &(struct devs){0});
	if (x->whose)
		whose_end(x->whose, owner);
	softirq_budget(x->soft, owner)->keep = 0;
	drop_clear(x->drop, owner);
}

static void forget(struct early *x, uint32_t owner)
{
	if (!x->of_owner[owner])
		return;
	early_remove(x, owner);
	if (x->whose)
		whose_see(x->whose, owner, NULL);
	free(x->of_owner[owner]);
	x->of_owner[owner] = NULL;
}

void early_close(struct early *x)
{
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		forget(x, i);
	whose_freep(&x->whose);
	drop_close(x->drop);
	free(x);
}

static void early_see(void *ctx, uint32_t owner, const struct container *who)
{
	struct early *x = ctx;
	struct early_owner *o = x->of_owner[owner];
	struct devs now = {0};

	if (!who) {
		forget(x, owner);
		return;
	}
	if (!o)
		o = x->of_owner[owner] = xcalloc(1, sizeof(*o));
	for (; now.n < who->n_devs; now.n++)
		now.ifindex[now.n] = who->dev[now.n].ifindex;
	if (memcmp(&now, &o->now, sizeof(now)) != 0)
		o->again_ns = 0;
	o->now = now;
	if (x->whose)
		whose_see(x->whose, owner, who);
}

static int protect(struct early *x, uint32_t owner, const struct guard_rule *rule, struct err *e)
{
	static const uint8_t proto[] = {IPPROTO_TCP, IPPROTO_UDP};
	int r = 0;

	for (uint32_t i = 0; rule && i < rule->n_ports; i++)
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(proto); k++)
			r = drop_protect(x->drop, owner, proto[k], rule->port[i], DROP_PORT_OWN, e);
	return r;
}

/* Full at first. It counts once keep is set. */
static void fill_bucket(struct early *x, uint32_t owner, double budget)
{
	struct softirq_budget *b = softirq_budget(x->soft, owner);
	const int64_t cap_ns = (int64_t)(budget * (double)x->cfg.bucket_ns);

	b->keep = 0;
	b->cap_ns = b->tokens_ns = cap_ns;
	b->floor_ns = -cap_ns;
	b->rate_ppb = (uint64_t)(budget * 1e9);
	b->filled_ns = clock_now_ns() - (uint64_t)clock_ahead_ns();
	b->drop = 1;
	__atomic_store_n(&b->keep, 1, __ATOMIC_RELEASE);
}

static int early_add(void *ctx, uint32_t owner, const struct guard_rule *rule, double budget,
	struct err *e)
{
	struct early *x = ctx;
	const struct drop_how how = {.early_ns = (int64_t)(budget * (double)x->cfg.bucket_ns / 2),
		.keep = DROP_KEEP_ICMP | DROP_KEEP_TCP};
	int r = drop_set_how(x->drop, owner, &how, e);

	if (r == 0)
		r = protect(x, owner, rule, e);
	if (r < 0) {
		drop_clear(x->drop, owner);
		return r;
	}
	fill_bucket(x, owner, budget);
	x->of_owner[owner]->drops = true;
	if (x->whose)
		whose_begin(x->whose, owner, rule);
	return 0;
}

static void early_beat(void *ctx)
{
	struct early *x = ctx;

	drop_beat(x->drop);
	follow_devs(x);
	if (x->whose)
		whose_refresh(x->whose);
}

static const char *early_why(const void *ctx, uint32_t owner)
{
	const struct early *x = ctx;
	const struct early_owner *o = x->of_owner[owner];

	return *o->why.text || !x->whose ? o->why.text : whose_why(x->whose, owner);
}

const struct guard_drop_ops early_ops = {
	.see = early_see,
	.add = early_add,
	.remove = early_remove,
	.beat = early_beat,
	.why = early_why,
};
