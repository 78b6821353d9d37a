#include "guard/price.h"

#include "base/macro.h"

struct price price_of(const struct bill *b, bool irq_time, uint64_t irq_ns)
{
	struct price p = {.irq_time = irq_time, .irq_ns = irq_ns};
	uint64_t irqs = 0, softirq_ns = 0;

	for (uint32_t i = 0; i < b->n_rows; i++)
		irqs += b->row[i].soft.irqs;
	for (uint32_t i = 0; i < b->n_cpus; i++)
		softirq_ns += b->cpu[i].rx_ns + b->cpu[i].tx_ns;
	if (softirq_ns)
		p.irqs_per_ns = (double)irqs / (double)softirq_ns;
	return p;
}

uint64_t price_charged(const struct price *p, const struct bill_row *x, uint64_t irq_ns)
{
	const uint64_t others_ns = x->softirq_ns - MIN(x->soft.own_ns, x->softirq_ns);
	const uint64_t irqs_ns = x->soft.irqs * irq_ns;

	/* NAPI threads are no processes of its own. */
	if (p->irq_time)
		return x->softirq_ns + x->soft.thread_ns + irqs_ns;
	if (!x->softirq_ns)
		return x->soft.thread_ns;
	return others_ns + x->soft.thread_ns +
	       (uint64_t)((double)irqs_ns * (double)others_ns / (double)x->softirq_ns);
}

uint64_t price_credited(const struct price *p, const struct bill_row *x)
{
	if (p->irq_time)
		return 0;
	return x->soft.gained_ns +
	       (uint64_t)((double)x->soft.gained_ns * p->irqs_per_ns * (double)p->irq_ns);
}
