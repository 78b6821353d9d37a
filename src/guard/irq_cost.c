#include "guard/irq_cost.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/mem.h"
#include "base/num.h"
#include "stat/gaps.h"
#include "sys/affinity.h"
#include "sys/ipi.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* So many are enough: their quartiles are 10 % apart or less where they come from one thing. */
#define ENOUGH 400
/* Fewer say nothing. */
#define LEAST 12
/* Between two interrupts: as bursts of a busy NIC come, and the loop has most of the time. */
#define PAUSE_NS (60 * NSEC_PER_USEC)
/* As long as most calls and gaps may take: on a CPU that others use many find nobody there. */
#define MOST_NS (500 * NSEC_PER_MSEC)
/* In a call that takes longer somebody else had a CPU, and gaps are of many kinds. */
#define CALL_MOST_NS (100 * NSEC_PER_USEC)
/* A call waits for its interrupt: a gap that is so small a part of it is a slow turn. */
#define CALL_PARTS 8
#define MAX_CALLS  8192
#define MAX_GAPS   8192
#define N_STEPS    2048
/* On a shared machine it is dear for moments, and who is credited too much harms others. */
#define N_TRIES    3
#define BETWEEN_NS (100 * NSEC_PER_MSEC)

const struct field irq_cost_fields[] = {
	FIELD_U64(struct irq_cost, ns, "ns",
		"What an interrupt costs beside its softirq, the least median of three tries; 0: "
		"not known."),
	FIELD_U64(struct irq_cost, low_ns, "ns", "The first quartile."),
	FIELD_U64(struct irq_cost, high_ns, "ns", "The third quartile."),
	FIELD_U64(struct irq_cost, n, "", "Interrupts that were timed; 0: it was given."),
	FIELD_END,
};

/* Who is interrupted, in a thread of its own. */
struct loop {
	uint32_t cpu;
	atomic_uint n_gaps;
	atomic_bool ready, failed, stop;
	uint64_t step_ns;
	struct irq_span gap[MAX_GAPS];
	struct err why;
};

static void *loop_run(void *arg)
{
	struct loop *l = arg;
	uint64_t step[N_STEPS], least_ns, last_ns;
	uint32_t n = 0;

	if (affinity_pin(l->cpu, &l->why) < 0) {
		atomic_store(&l->failed, true);
		return NULL;
	}
	least_ns = gaps_calibrate(step, N_STEPS, &l->step_ns);
	atomic_store(&l->ready, true);
	last_ns = clock_now_ns();
	while (n < MAX_GAPS && !atomic_load_explicit(&l->stop, memory_order_relaxed)) {
		const uint64_t now_ns = clock_now_ns();

		if (now_ns - last_ns >= least_ns) {
			l->gap[n++] = (struct irq_span){last_ns, now_ns};
			atomic_store(&l->n_gaps, n);
		}
		last_ns = now_ns;
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t length_of(const struct irq_span *s)
{
	return s->to_ns - s->from_ns;
}

void irq_cost_of(struct irq_cost *ret, const struct irq_span *gap, uint32_t n_gaps,
	const struct irq_span *call, uint32_t n_calls, uint64_t step_ns)
{
	_cleanup_(freep) uint64_t *ns = xcalloc(n_calls + 1, sizeof(*ns));
	uint32_t n = 0, k = 0;

	*ret = (struct irq_cost){0};
	for (uint32_t i = 0; i < n_calls; i++) {
		/* The turn that it cut began before the call, at most one turn. */
		while (k < n_gaps && gap[k].from_ns < call[i].from_ns - step_ns)
			k++;
		while (k < n_gaps && gap[k].from_ns <= call[i].to_ns &&
			length_of(&gap[k]) < length_of(&call[i]) / CALL_PARTS)
			k++;
		if (k == n_gaps || gap[k].from_ns > call[i].to_ns ||
			length_of(&call[i]) > CALL_MOST_NS)
			continue;
		ns[n++] = length_of(&gap[k]) - MIN(step_ns, length_of(&gap[k]));
	}
	if (n < LEAST)
		return;
	qsort(ns, n, sizeof(*ns), by_size);
	*ret = (struct irq_cost){ns[n / 2], ns[n / 4], ns[n - 1 - n / 4], n};
}

/* Return: how many calls there were. */
static uint32_t interrupt_it(const struct loop *l, struct irq_span *call)
{
	const uint64_t end_ns = clock_now_ns() + MOST_NS;
	uint32_t n = 0;

	while (n < MAX_CALLS && atomic_load(&l->n_gaps) < ENOUGH && clock_now_ns() < end_ns) {
		const uint64_t due_ns = clock_now_ns() + PAUSE_NS;

		call[n].from_ns = clock_now_ns();
		ipi_send();
		call[n++].to_ns = clock_now_ns();
		while (clock_now_ns() < due_ns)
			;
	}
	return n;
}

static int with_loop(struct irq_cost *ret, struct loop *l, struct err *e)
{
	_cleanup_(freep) struct irq_span *call = xcalloc(MAX_CALLS, sizeof(*call));
	uint32_t n_calls = 0;
	pthread_t thread;
	int r = pthread_create(&thread, NULL, loop_run, l);

	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	while (!atomic_load(&l->ready) && !atomic_load(&l->failed))
		(void)nanosleep(&(struct timespec){.tv_nsec = NSEC_PER_MSEC / 10}, NULL);
	if (atomic_load(&l->ready))
		n_calls = interrupt_it(l, call);
	atomic_store(&l->stop, true);
	(void)pthread_join(thread, NULL); /* it is there */
	if (atomic_load(&l->failed))
		return err_say(e, EOPNOTSUPP, "%s", l->why.text);
	irq_cost_of(ret, l->gap, atomic_load(&l->n_gaps), call, n_calls, l->step_ns);
	if (ret->n)
		return 0;
	(void)err_say(e, EBUSY,
		"what an interrupt costs can't be measured: CPU %u is too busy, or takes none from "
		"others",
		l->cpu);
	return IRQ_COST_UNAVAILABLE;
}

/* Where one says nothing, those after it would not either. */
static int least_of_tries(struct irq_cost *ret, uint32_t cpu, struct err *e)
{
	for (uint32_t i = 0; i < N_TRIES; i++) {
		_cleanup_(freep) struct loop *l = xcalloc(1, sizeof(*l));
		struct irq_cost one;
		int r;

		if (i > 0)
			(void)nanosleep(&(struct timespec){.tv_nsec = BETWEEN_NS}, NULL);
		l->cpu = cpu;
		r = with_loop(&one, l, e);
		if (r != 0)
			return r > 0 && ret->n ? 0 : r;
		if (ret->n == 0 || one.ns < ret->ns)
			*ret = one;
	}
	return 0;
}

int irq_cost_measure(struct irq_cost *ret, uint32_t cpu, uint32_t from_cpu, struct err *e)
{
	uint32_t was[AFFINITY_MAX_CPUS];
	const uint32_t n_was = affinity_allowed(was);
	int r = ipi_ready(e), back;

	*ret = (struct irq_cost){0};
	if (r < 0)
		return IRQ_COST_UNAVAILABLE;
	r = affinity_pin(from_cpu, e);
	if (r == 0)
		r = least_of_tries(ret, cpu, e);
	back = affinity_set_task(0, was, n_was, r == 0 ? e : NULL);
	return r == 0 ? back : r;
}

int irq_cost_measure_here(struct irq_cost *ret, struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];
	const uint32_t n = affinity_allowed(cpu);

	*ret = (struct irq_cost){0};
	if (n < 2) {
		(void)err_say(e, EOPNOTSUPP,
			"what an interrupt costs can't be measured with one CPU");
		return IRQ_COST_UNAVAILABLE;
	}
	return irq_cost_measure(ret, cpu[n - 1], cpu[0], e);
}

int irq_cost_parse(const char *text, uint64_t *ret_ns, struct err *e)
{
	uint64_t ns = 0;
	int r;

	if (strcmp(text, "auto") == 0) {
		*ret_ns = IRQ_COST_AUTO;
		return 0;
	}
	r = strcmp(text, "0") == 0 ? 0 : num_parse(text, NUM_DURATION, &ns, e);
	if (r < 0)
		return err_wrap(e, "--irq");
	if (ns > NSEC_PER_MSEC)
		return err_say(e, ERANGE, "--irq: '%s' is more than 1ms", text);
	*ret_ns = ns;
	return 0;
}
