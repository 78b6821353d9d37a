#include "guard/price.h"

#include "base/macro.h"

uint64_t price_charged(const struct price *p, const struct bill_row *x, uint64_t irq_ns)
{
	const uint64_t others_ns = x->softirq_ns - MIN(x->soft.own_ns, x->softirq_ns);
	const uint64_t others_irqs = x->soft.irqs - MIN(x->soft.irqs_own, x->soft.irqs);

	/* NAPI threads are no processes of its own. */
	if (p->irq_time)
		return x->softirq_ns + x->soft.thread_ns + x->soft.irqs * irq_ns;
	return others_ns + x->soft.thread_ns + others_irqs * irq_ns;
}

uint64_t price_credited(const struct price *p, const struct bill_row *x)
{
	return p->irq_time ? 0 : x->soft.gained_ns + x->soft.irqs_gained * p->irq_ns;
}
