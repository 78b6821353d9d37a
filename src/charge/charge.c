#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "charge/account.h"
#include "charge/charge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int scan(struct charge *c, bool first, struct err *e)
{
	_cleanup_(container_list_fini) struct container_list list = {0};
	struct container_cfg cfg = c->cfg.find;
	uint64_t from_ns = clock_thread_ns();
	int r;

	cfg.before = first ? NULL : &c->list;
	cfg.same_devs = c->watch && !container_watch_take_devs(c->watch);
	cfg.gone_ok = !first; /* what was there at first may be gone by now */
	r = containers_scan(&list, &cfg, e);
	if (r < 0)
		return r;
	r = owners_update(&c->owners, &list, e);
	container_list_fini(&c->list);
	c->list = list;
	list = (struct container_list){0};
	c->scanned_ns = clock_now_ns();
	c->scan_took_ns = clock_thread_ns() - from_ns;
	c->due = false;
	return r;
}

/*
 * Where containers come and go all the time, looking for them takes a CPU's twentieth at most; as
 * the kernel's word comes ten times a second at most, short ones take no more anyway.
 */
static bool is_too_soon(const struct charge *c)
{
	return c->scan_took_ns > 5 * NSEC_PER_MSEC &&
	       clock_now_ns() - c->scanned_ns < 20 * c->scan_took_ns;
}

int charge_scan(struct charge *c, struct err *e)
{
	c->due |= !c->watch || container_watch_take(c->watch);
	return c->due && !is_too_soon(c) ? scan(c, false, e) : 0;
}

/* What was there before is not new, and counts from here. */
static void begin(struct charge *c)
{
	struct reading now;

	for (uint32_t i = 0; i < c->owners.n; i++)
		c->owners.at[i].is_new = c->owners.at[i].came = false;
	reading_take(c, &now);
	for (uint32_t i = 0; i < c->owners.n; i++) {
		struct owner *w = &c->owners.at[i];

		if (w->state == OWNER_FREE)
			continue;
		free(w->base.cpu);
		w->base = now.of_owner[i];
		now.of_owner[i].cpu = NULL;
		w->last.soft = w->base.soft;
		w->last.process_ns = w->base.process_ns;
		w->last.process_known = w->base.process_known;
		if (!c->owners.per_cpu)
			continue;
		free(w->last.cpu);
		w->last.cpu = xcalloc(c->owners.n_cpus, sizeof(*w->last.cpu));
		memcpy(w->last.cpu, w->base.cpu, c->owners.n_cpus * sizeof(*w->last.cpu));
	}
	c->cpu_base = xcalloc(c->owners.n_cpus, sizeof(*c->cpu_base));
	memcpy(c->cpu_base, now.cpu, c->owners.n_cpus * sizeof(*c->cpu_base));
	c->cpu_last = take_ptr(now.cpu);
	c->machine_base = c->machine_last = now.machine;
	c->from_ns = c->last_ns = now.at_ns;
	reading_fini(&now, &c->owners);
}

int charge_open(struct charge **ret, const struct charge_cfg *cfg, struct err *e)
{
	_cleanup_(charge_closep) struct charge *c = xcalloc(1, sizeof(*c));
	const struct softirq_cfg soft = {.n_owners = cfg->find.max + SOFTIRQ_FIRST,
		.precise = cfg->precise,
		.enforce = cfg->enforce};
	int r;

	assert(cfg->find.max && cfg->find.max <= SOFTIRQ_MAX_OWNERS - SOFTIRQ_FIRST);
	c->cfg = *cfg;
	r = softirq_open(&c->soft, &soft, e);
	if (r != 0)
		return r;
	if (container_watch_open(&c->watch, NULL) < 0)
		c->watch = NULL; /* scans now and then find all, only later */
	owners_init(&c->owners, c->soft, soft.n_owners, cfg->per_cpu);
	r = scan(c, true, e);
	if (r < 0)
		return r;
	begin(c);
	*ret = take_ptr(c);
	return 0;
}

void charge_close(struct charge *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->n_gone; i++)
		free(c->gone[i].cpu);
	free(c->gone);
	free(c->cpu_base);
	free(c->cpu_last);
	owners_fini(&c->owners);
	container_list_fini(&c->list);
	container_watch_close(c->watch);
	softirq_close(c->soft);
	free(c);
}

const struct softirq_kernel *charge_kernel(const struct charge *c)
{
	return softirq_kernel(c->soft);
}

int charge_fd(const struct charge *c)
{
	return c->watch ? container_watch_fd(c->watch) : -1;
}

struct softirq *charge_softirq(const struct charge *c)
{
	return c->soft;
}

/* The two earliest are one row from now on. */
static void join_earliest(struct charge *c)
{
	struct bill_entry *a = &c->gone[0], *b = &c->gone[1];

	a->row.who = (struct container){.kind = a->row.who.kind};
	str_set(a->row.who.name, BILL_EARLIER);
	account_add(&a->row.soft, &b->row.soft);
	a->row.process_ns += b->row.process_ns;
	a->row.process_known = a->row.process_known && b->row.process_known;
	for (uint32_t i = 0; a->cpu && b->cpu && i < c->owners.n_cpus; i++)
		account_add(&a->cpu[i], &b->cpu[i]);
	free(b->cpu);
	memmove(&c->gone[1], &c->gone[2], (c->n_gone - 2) * sizeof(*c->gone));
	c->n_gone--;
}

/* Its row of the total is kept, its number is free. */
static void retire(struct charge *c, const struct reading *now, uint32_t number)
{
	assert(c->owners.at[number].state == OWNER_GONE);
	if (c->n_gone == CHARGE_MAX_GONE)
		join_earliest(c);
	c->gone = xreallocarray(c->gone, c->n_gone + 1, sizeof(*c->gone));
	c->gone[c->n_gone++] = bill_entry_of(c, now, true, number);
	owner_release(&c->owners, number);
}

/* The next bill begins where this reading was taken. */
static void advance(struct charge *c, struct reading *now)
{
	struct softirq_cpu *cpu = c->cpu_last;

	for (uint32_t i = 0; i < c->owners.n; i++) {
		struct owner *w = &c->owners.at[i];
		struct softirq_account *last_cpu = w->last.cpu;

		if (w->state == OWNER_FREE)
			continue;
		if (w->state == OWNER_GONE && w->told) {
			retire(c, now, i);
			continue;
		}
		w->told = w->state == OWNER_GONE;
		w->is_new = false;
		w->last = now->of_owner[i];
		now->of_owner[i].cpu = last_cpu;
	}
	c->cpu_last = now->cpu;
	now->cpu = cpu;
	if (!machine_same(&c->machine_last, &now->machine))
		c->machine_base = (struct machine_time){0}; /* the total's is not known any more */
	c->machine_last = now->machine;
	c->last_ns = now->at_ns;
}

int charge_bill(struct charge *c, struct bill *ret, struct err *e)
{
	struct reading now;
	int r = 0;

	if ((c->due && !is_too_soon(c)) || clock_now_ns() - c->scanned_ns >= c->cfg.scan_ns)
		r = scan(c, false, e);
	if (r < 0)
		return r;
	reading_take(c, &now);
	bill_make(c, &now, false, ret);
	advance(c, &now);
	reading_fini(&now, &c->owners);
	return 0;
}

void charge_total(struct charge *c, struct bill *ret)
{
	struct reading now;

	reading_take(c, &now);
	bill_make(c, &now, true, ret);
	reading_fini(&now, &c->owners);
}
