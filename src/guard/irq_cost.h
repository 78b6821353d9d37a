/*
 * What an interrupt costs whom it interrupts, beside the softirq that it raises, which no
 * tracepoint sees: the way in, out, and in a VM that to the hypervisor and back. Measured as the
 * gap that an interrupt from another CPU, as RPS sends it, makes in the turns of a loop.
 */
#pragma once

#include "base/err.h"
#include "base/field.h"

#include <stdint.h>

struct irq_cost {
	uint64_t ns;              /* the least median of three tries; 0: not known */
	uint64_t low_ns, high_ns; /* quartiles of that try */
	uint64_t n;               /* interrupts that were timed in it */
};
extern const struct field irq_cost_fields[];

#define IRQ_COST_UNAVAILABLE 1

/*
 * irq_cost_measure() - takes about 150 ms of both CPUs, at most 1.7 s where they are busy.
 * @cpu: that is interrupted; @from_cpu: that sends. The calling thread is on any of its own after.
 *
 * Return: 0; IRQ_COST_UNAVAILABLE with the reason; or negative errno.
 */
int irq_cost_measure(struct irq_cost *ret, uint32_t cpu, uint32_t from_cpu, struct err *e)
	must_check_;
/* The same on the first and the last CPU that are allowed. */
int irq_cost_measure_here(struct irq_cost *ret, struct err *e) must_check_;

/* "auto", or a time: @ret_ns; IRQ_COST_AUTO: it is to be measured. */
#define IRQ_COST_AUTO UINT64_MAX
int irq_cost_parse(const char *text, uint64_t *ret_ns, struct err *e) must_check_;

/*
 * Pure: of each call the first gap that began in it and is an eighth of it or more, where the call
 * was short. Both in their order.
 * @step_ns: a turn of the loop, which is no gap
 */
struct irq_span {
	uint64_t from_ns, to_ns;
};
void irq_cost_of(struct irq_cost *ret, const struct irq_span *gap, uint32_t n_gaps,
	const struct irq_span *call, uint32_t n_calls, uint64_t step_ns);
