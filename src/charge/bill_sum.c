#include "charge/bill_sum.h"

#include <math.h>

/* Sums over all rows, and over all CPUs. */
struct sums {
	uint64_t process_ns, softirq_ns, in_rows_ns, thread_ns, net_ns;
	uint64_t cpu_net_ns, cpu_idle_ns;
};

static uint64_t net_ns(const struct softirq_account *a)
{
	return a->rx_ns + a->tx_ns;
}

static struct sums sums_of(const struct bill *b)
{
	struct sums s = {0};

	for (uint32_t i = 0; i < b->n_rows; i++) {
		const struct bill_row *r = &b->row[i];

		s.net_ns += net_ns(&r->soft);
		s.softirq_ns += net_ns(&r->soft) + r->soft.other_ns;
		s.in_rows_ns += r->soft.own_ns + r->soft.gained_ns;
		s.thread_ns += r->soft.thread_ns;
		if (r->owner != SOFTIRQ_HOST && r->process_known)
			s.process_ns += r->process_ns;
	}
	for (uint32_t i = 0; i < b->n_cpus; i++) {
		s.cpu_net_ns += b->cpu[i].rx_ns + b->cpu[i].tx_ns;
		s.cpu_idle_ns += b->cpu[i].idle_ns;
	}
	return s;
}

static uint64_t left(uint64_t from, uint64_t take)
{
	return from > take ? from - take : 0;
}

/* Idle CPUs' softirqs are in the machine's busy time, and so are all of them with irq_time. */
static void sum_host(struct bill_row *r, const struct sums *s, const uint64_t *busy_ns,
	bool irq_time)
{
	uint64_t softirqs_ns = irq_time ? s->softirq_ns : s->cpu_idle_ns;

	r->process_known = busy_ns;
	r->process_ns = busy_ns ? left(*busy_ns, s->process_ns + softirqs_ns) : 0;
}

void bill_row_sum(struct bill_row *r, bool irq_time)
{
	const struct softirq_account *a = &r->soft;
	uint64_t pkts = a->rx_pkts + a->tx_pkts;

	r->softirq_ns = net_ns(a) + a->other_ns;
	r->total_ns = (int64_t)(r->process_ns + r->softirq_ns + a->thread_ns);
	if (!irq_time)
		r->total_ns -= (int64_t)(a->gained_ns + a->own_ns);
	r->ns_per_pkt = pkts ? (double)net_ns(a) / (double)pkts : NAN;
}

void bill_sum(struct bill *b, const uint64_t *busy_ns, bool irq_time)
{
	const struct sums s = sums_of(b);

	b->conservation = s.cpu_net_ns ? (double)s.net_ns / (double)s.cpu_net_ns : NAN;
	for (uint32_t i = 0; i < b->n_rows; i++) {
		struct bill_row *r = &b->row[i];

		if (r->owner == SOFTIRQ_HOST)
			sum_host(r, &s, busy_ns, irq_time);
		bill_row_sum(r, irq_time);
		if (r->owner != SOFTIRQ_HOST)
			continue;
		r->total_ns -= (int64_t)s.thread_ns;
		if (!irq_time)
			r->total_ns -= (int64_t)left(s.softirq_ns, s.in_rows_ns + s.cpu_idle_ns);
	}
}
