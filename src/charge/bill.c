#include "charge/bill.h"

#include "base/mem.h"
#include "charge/account.h"
#include "charge/bill_sum.h"
#include "charge/charge_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void bill_fini(struct bill *b)
{
	free(b->row);
	free(b->cpu);
	free(b->cpu_row);
	*b = (struct bill){0};
}

static bool is_none(const struct softirq_account *a)
{
	static const struct softirq_account none;

	return memcmp(a, &none, sizeof(none)) == 0;
}

struct bill_entry bill_entry_of(const struct charge *c, const struct reading *now, bool total,
	uint32_t number)
{
	const struct owners *o = &c->owners;
	const struct owner *w = &o->at[number];
	const struct owner_reading *new = &now->of_owner[number];
	const struct owner_reading *old = total ? &w->base : &w->last;
	struct bill_entry g = {.serial = w->serial};

	g.row = (struct bill_row){.owner = number,
		.who = w->who,
		.is_new = total ? w->came : w->is_new,
		.is_gone = w->state == OWNER_GONE,
		.process_known =
			number == SOFTIRQ_OVERHEAD || (new->process_known && old->process_known),
		.soft = account_since(new->soft, &old->soft)};
	if (g.row.process_known)
		g.row.process_ns = count_since(new->process_ns, old->process_ns);
	if (!new->cpu || !old->cpu)
		return g;
	g.cpu = xcalloc(o->n_cpus, sizeof(*g.cpu));
	for (uint32_t i = 0; i < o->n_cpus; i++)
		g.cpu[i] = account_since(new->cpu[i], &old->cpu[i]);
	return g;
}

/* Rows being collected. */
struct rows {
	const struct charge *c;
	const struct reading *now;
	bool total; /* since open, else since the last bill */
	uint32_t n;
	struct bill_entry *item; /* [n]: the rows, in no order; cpu is borrowed or of own */
};

static void rows_add(struct rows *rows, struct bill_entry g)
{
	rows->item[rows->n++] = g;
}

/* Gone ones have been told of, unless something was booked on them after that. */
static bool wanted(const struct rows *rows, const struct owner *w, const struct bill_entry *g)
{
	return rows->total || !w->told || !is_none(&g->row.soft);
}

static void rows_of_owners(struct rows *rows)
{
	const struct owners *o = &rows->c->owners;

	for (uint32_t i = 0; i < o->n; i++) {
		struct bill_entry g;

		if (o->at[i].state == OWNER_FREE)
			continue;
		g = bill_entry_of(rows->c, rows->now, rows->total, i);
		if (wanted(rows, &o->at[i], &g))
			rows_add(rows, g);
		else
			free(g.cpu);
	}
}

static struct bill_entry copy_of(const struct bill_entry *x, uint32_t n_cpus)
{
	struct bill_entry g = *x;

	if (x->cpu) {
		g.cpu = xcalloc(n_cpus, sizeof(*g.cpu));
		memcpy(g.cpu, x->cpu, n_cpus * sizeof(*g.cpu));
	}
	return g;
}

static int by_serial(const void *a, const void *b)
{
	const struct bill_entry *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static void rows_collect(struct rows *rows)
{
	const struct charge *c = rows->c;

	rows->item = xcalloc(c->owners.n + c->n_gone, sizeof(*rows->item));
	rows_of_owners(rows);
	for (uint32_t i = 0; rows->total && i < c->n_gone; i++)
		rows_add(rows, copy_of(&c->gone[i], c->owners.n_cpus));
	qsort(rows->item, rows->n, sizeof(*rows->item), by_serial);
}

static void rows_fini(struct rows *rows)
{
	for (uint32_t i = 0; i < rows->n; i++)
		free(rows->item[i].cpu);
	free(rows->item);
}

static void fill_cpus(struct bill *b, const struct rows *rows)
{
	const struct charge *c = rows->c;
	const struct softirq_cpu *then = rows->total ? c->cpu_base : c->cpu_last;

	b->n_cpus = c->owners.n_cpus;
	b->cpu = xcalloc(b->n_cpus, sizeof(*b->cpu));
	for (uint32_t i = 0; i < b->n_cpus; i++)
		b->cpu[i] = account_cpu_since(rows->now->cpu[i], &then[i]);
	if (!c->cfg.per_cpu)
		return;
	b->cpu_row = xcalloc((size_t)b->n_cpus * b->n_rows, sizeof(*b->cpu_row));
	for (uint32_t i = 0; i < b->n_cpus; i++)
		for (uint32_t k = 0; k < b->n_rows; k++)
			if (rows->item[k].cpu)
				b->cpu_row[i * b->n_rows + k] = rows->item[k].cpu[i];
}

void bill_make(const struct charge *c, const struct reading *now, bool total, struct bill *ret)
{
	_cleanup_(rows_fini) struct rows rows = {.c = c, .now = now, .total = total};
	struct bill b = {.from_ns = total ? c->from_ns : c->last_ns,
		.to_ns = now->at_ns,
		.n_left_out = c->owners.n_left_out};
	uint64_t busy_ns;
	bool known = machine_busy(total ? &c->machine_base : &c->machine_last, &now->machine,
		b.to_ns - b.from_ns, &busy_ns);

	rows_collect(&rows);
	b.n_rows = rows.n;
	b.row = xcalloc(b.n_rows, sizeof(*b.row));
	for (uint32_t i = 0; i < b.n_rows; i++)
		b.row[i] = rows.item[i].row;
	fill_cpus(&b, &rows);
	bill_sum(&b, known ? &busy_ns : NULL, softirq_kernel(c->soft)->irq_time);
	*ret = b;
}
