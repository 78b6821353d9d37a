#include "bench/readings.h"

#include <stddef.h>

static const size_t reading_offset[] = {
	[METER_CPU] = offsetof(struct readings, cpu),
	[METER_PROC] = offsetof(struct readings, proc),
	[METER_TCP] = offsetof(struct readings, tcp),
	[METER_CYCLES] = offsetof(struct readings, cycles),
	[METER_DROPS] = offsetof(struct readings, drops),
	[METER_IRQS] = offsetof(struct readings, irqs),
	[METER_SOFTIRQ] = offsetof(struct readings, softirq),
};
static_assert(ARRAY_SIZE(reading_offset) == METER_N);

void *readings_of(struct readings *r, enum meter_id id)
{
	assert(id < METER_N);
	return (char *)r + reading_offset[id];
}

struct doc *readings_pack(struct readings *r)
{
	struct doc *d = doc_object();

	for (enum meter_id i = 0; i < METER_N; i++) {
		struct doc *one;

		if (!r->valid[i])
			continue;
		one = doc_object();
		doc_put_fields(one, meter_table[i]->fields, readings_of(r, i));
		doc_put(d, meter_table[i]->name, one);
	}
	return d;
}

int readings_unpack(const struct doc *d, struct readings *ret, struct err *e)
{
	for (enum meter_id i = 0; i < METER_N; i++) {
		const struct doc *one = doc_get(d, meter_table[i]->name);
		int r;

		ret->valid[i] = one != NULL;
		if (!one)
			continue;
		r = doc_get_fields(one, meter_table[i]->fields, readings_of(ret, i), e);
		if (r < 0)
			return err_wrap(e, "meter '%s'", meter_table[i]->name);
	}
	return 0;
}
