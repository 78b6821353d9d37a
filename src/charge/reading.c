#include "base/clock.h"
#include "base/mem.h"
#include "charge/account.h"
#include "charge/charge_priv.h"

#include <stdlib.h>
#include <string.h>

/* A softirq takes microseconds, and so does a reading. */
#define READ_TRIES 64

void reading_fini(struct reading *r, const struct owners *o)
{
	for (uint32_t i = 0; r->of_owner && i < o->n; i++)
		free(r->of_owner[i].cpu);
	free(r->of_owner);
	free(r->cpu);
	*r = (struct reading){0};
}

/* Numbers that are somebody's: owners themselves are large, and a CPU may be read many times. */
struct numbers {
	uint32_t n;
	uint32_t *at; /* [n] */
};

/* One CPU's totals and, beside them, what each owner has of it. */
static void read_cpu(const struct charge *c, const struct numbers *used, uint32_t cpu,
	struct softirq_account *ret)
{
	for (uint32_t i = 0; i < used->n; i++)
		softirq_read(c->soft, cpu, used->at[i], &ret[used->at[i]]);
}

/*
 * Nothing of the CPU may have changed while it was read, else rows do not add up to it. On one that
 * is never seen without a softirq they may be off by one softirq, and the next reading makes up for
 * it.
 */
static void read_cpu_whole(const struct charge *c, const struct numbers *used, uint32_t cpu,
	struct softirq_cpu *ret, struct softirq_account *accounts)
{
	for (uint32_t i = 0; i < READ_TRIES; i++) {
		uint32_t seq = softirq_seq(c->soft, cpu);

		softirq_read_cpu(c->soft, cpu, ret);
		read_cpu(c, used, cpu, accounts);
		if (seq % 2 == 0 && softirq_seq(c->soft, cpu) == seq)
			return;
	}
}

void reading_take(struct charge *c, struct reading *ret)
{
	struct owners *o = &c->owners;
	_cleanup_(freep) struct softirq_account *account = xcalloc(o->n, sizeof(*account));
	_cleanup_(freep) uint32_t *at = xcalloc(o->n, sizeof(*at));
	struct numbers used = {.at = at};

	*ret = (struct reading){.at_ns = clock_now_ns()};
	ret->cpu = xcalloc(o->n_cpus, sizeof(*ret->cpu));
	ret->of_owner = xcalloc(o->n, sizeof(*ret->of_owner));
	machine_read(&ret->machine);
	for (uint32_t i = 0; i < o->n; i++) {
		if (o->at[i].state == OWNER_FREE)
			continue;
		used.at[used.n++] = i;
		owner_read_process(o, &o->at[i], &ret->of_owner[i]);
		if (o->per_cpu)
			ret->of_owner[i].cpu = xcalloc(o->n_cpus, sizeof(*account));
	}
	for (uint32_t cpu = 0; cpu < o->n_cpus; cpu++) {
		read_cpu_whole(c, &used, cpu, &ret->cpu[cpu], account);
		for (uint32_t k = 0; k < used.n; k++) {
			struct owner_reading *r = &ret->of_owner[used.at[k]];

			account_add(&r->soft, &account[used.at[k]]);
			if (r->cpu)
				r->cpu[cpu] = account[used.at[k]];
		}
	}
}
