#include "meter/cpu.h"

#include "base/clock.h"
#include "meter/table.h"
#include "sys/cpustat.h"

#include <errno.h>

struct cpu_state {
	uint64_t begin_ns;
	int n_cpus;
	struct cpustat at_begin[CPUSTAT_MAX_CPUS];
	struct cpustat at_end[CPUSTAT_MAX_CPUS];
};
static_assert(sizeof(struct cpu_state) <= METER_STATE_BYTES);
static_assert(sizeof(struct cpu_reading) <= METER_READING_BYTES);

static const struct field cpu_fields[] = {
	FIELD_U64(struct cpu_reading, span_ns, "ns", "length of the counted span"),
	FIELD_U64(struct cpu_reading, busy_ns, "ns",
		"time the CPUs were not idle (nor stolen), all together; from idle time, which the "
		"kernel keeps exactly and prints in units of 10 ms per CPU"),
	FIELD_U64(struct cpu_reading, user_ns, "ns", "user time, sampled at ticks"),
	FIELD_U64(struct cpu_reading, system_ns, "ns", "system time, sampled at ticks"),
	FIELD_U64(struct cpu_reading, softirq_ns, "ns",
		"softirq time, sampled at ticks unless the kernel has IRQ_TIME_ACCOUNTING; softirq "
		"work inside a system call then counts as system"),
	FIELD_U64(struct cpu_reading, irq_ns, "ns", "hard interrupt time, sampled at ticks"),
	FIELD_U64(struct cpu_reading, steal_ns, "ns",
		"time taken by the hypervisor; not in busy_ns"),
	FIELD_U64S(struct cpu_reading, cpu_busy_ns, n_cpus, "ns", "busy_ns of each CPU"),
	FIELD_END,
};

static int cpu_probe(struct err *e)
{
	static struct cpustat unused[CPUSTAT_MAX_CPUS];
	int r = cpustat_read(unused, e);

	return r < 0 ? METER_UNAVAILABLE : 0;
}

static int cpu_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct cpu_state *s = state;

	(void)scope;
	s->n_cpus = cpustat_read(s->at_begin, e);
	s->begin_ns = clock_now_ns();
	return s->n_cpus < 0 ? s->n_cpus : 0;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static void add_cpu(struct cpu_reading *x, const struct cpustat *b, const struct cpustat *a)
{
	uint64_t steal_ns = minus(a->steal_ns, b->steal_ns);
	uint64_t idle_ns = minus(a->idle_ns + a->iowait_ns, b->idle_ns + b->iowait_ns);
	uint64_t busy_ns = minus(x->span_ns, idle_ns + steal_ns);

	x->cpu_busy_ns[x->n_cpus++] = busy_ns;
	x->busy_ns += busy_ns;
	x->user_ns += minus(a->user_ns + a->nice_ns, b->user_ns + b->nice_ns);
	x->system_ns += minus(a->system_ns, b->system_ns);
	x->softirq_ns += minus(a->softirq_ns, b->softirq_ns);
	x->irq_ns += minus(a->irq_ns, b->irq_ns);
	x->steal_ns += steal_ns;
}

static int cpu_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	struct cpu_state *s = state;
	struct cpu_reading *x = reading;
	int n = cpustat_read(s->at_end, e);

	(void)scope;
	if (n < 0)
		return n;
	if (n != s->n_cpus)
		return err_say(e, EAGAIN, "a CPU came or went during the trial");
	*x = (struct cpu_reading){.span_ns = clock_now_ns() - s->begin_ns};
	for (int i = 0; i < n; i++)
		add_cpu(x, &s->at_begin[i], &s->at_end[i]);
	return 0;
}

const struct meter_ops meter_cpu = {
	.name = "cpu",
	.summary = "busy time of every CPU of the machine, and how it splits",
	.fields = cpu_fields,
	.reading_bytes = sizeof(struct cpu_reading),
	.state_bytes = sizeof(struct cpu_state),
	.per_machine = true,
	.probe = cpu_probe,
	.begin = cpu_begin,
	.end = cpu_end,
};
