#include "meter/cycles.h"

#include "meter/table.h"
#include "sys/perf.h"

struct cycles_state {
	struct perf *perf;
	uint64_t at_begin[PERF_EVENT_N];
};

static const struct field cycles_fields[] = {
	FIELD_U64(struct cycles_reading, cycles, "cycles",
		"CPU cycles of all CPUs, user and kernel"),
	FIELD_U64(struct cycles_reading, instructions, "", "instructions retired on all CPUs"),
	FIELD_END,
};

static int cycles_probe(struct err *e)
{
	_cleanup_(perf_closep) struct perf *p = NULL;
	int r = perf_open(&p, e);

	return r == PERF_ABSENT ? METER_UNAVAILABLE : r;
}

static int cycles_open(void *state, struct err *e)
{
	struct cycles_state *s = state;
	int r = perf_open(&s->perf, e);

	return r == PERF_ABSENT ? METER_UNAVAILABLE : r;
}

static int cycles_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct cycles_state *s = state;

	(void)scope;
	return perf_read(s->perf, s->at_begin, e);
}

static int cycles_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	struct cycles_state *s = state;
	struct cycles_reading *x = reading;
	uint64_t now[PERF_EVENT_N];
	int r = perf_read(s->perf, now, e);

	(void)scope;
	if (r < 0)
		return r;
	x->cycles = now[PERF_CYCLES] - s->at_begin[PERF_CYCLES];
	x->instructions = now[PERF_INSTRUCTIONS] - s->at_begin[PERF_INSTRUCTIONS];
	return 0;
}

static void cycles_close(void *state)
{
	struct cycles_state *s = state;

	perf_close(s->perf);
}

const struct meter_ops meter_cycles = {
	.name = "cycles",
	.summary = "CPU cycles and instructions of the machine, where it has a PMU",
	.fields = cycles_fields,
	.reading_bytes = sizeof(struct cycles_reading),
	.state_bytes = sizeof(struct cycles_state),
	.per_machine = true,
	.probe = cycles_probe,
	.open = cycles_open,
	.begin = cycles_begin,
	.end = cycles_end,
	.close = cycles_close,
};
