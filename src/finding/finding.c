#include "finding/finding.h"

#include "finding/table.h"

const struct finding_ops *const finding_table[] = {
	&finding_overlay_mtu,
	&finding_conntrack,
	&finding_emulated_nic,
	NULL,
};

void finding_each(const struct run *run, finding_fn *found, void *ctx)
{
	for (uint32_t i = 0; run->cell && i < run->n_loads * run->n_paths; i++) {
		const struct cell *c = &run->cell[i];

		for (size_t k = 0; finding_table[k]; k++) {
			struct finding f = {.ops = finding_table[k],
				.path = c->path,
				.load = c->load};

			if (f.ops->look(run, c, f.text, sizeof(f.text)))
				found(ctx, run, &f);
		}
	}
}

static uint64_t counter_of(const struct drops_reading *d, size_t counter)
{
	return *(const uint64_t *)((const char *)d + counter);
}

uint64_t finding_sum(const struct run *run, const struct cell *c, unsigned where, size_t counter)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < run->n_trials; i++) {
		const struct trial *t = &run->trial[i];

		if (t->path != c->path || t->load != c->load)
			continue;
		if (where & FINDING_ENDS && t->status == STATUS_OK)
			sum += counter_of(&t->near.readings.drops, counter) +
			       counter_of(&t->far.readings.drops, counter);
		if (where & FINDING_BETWEEN)
			sum += counter_of(&t->watch.drops, counter);
	}
	return sum;
}
