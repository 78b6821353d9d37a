/*
 * How much of the time that softirqs take from a process the accounting sees.
 *
 *	peer == wire == host: bridge -- neighbour, whose socket is full
 *
 * The process only reads the clock, on the CPU that receives for the host, and knows what it did
 * not get: its gaps, less those of a span without packets, are the truth. The accounting says how
 * long softirqs were in its time; what an interrupt costs beside them, measured at the start, is
 * stated apart. Live frames of 64 bytes, from another CPU.
 *
 * Usage: tare-stolen [<rounds>]
 */
#include "base/clock.h"
#include "base/macro.h"
#include "charge/softirq.h"
#include "guard/irq_cost.h"
#include "live.h"
#include "must.h"
#include "path/tenants.h"
#include "stat/estimate.h"
#include "stat/gaps.h"
#include "sys/affinity.h"

#include <pthread.h>
#include <sys/stat.h>

#define SPAN_NS    (400 * NSEC_PER_MSEC)
#define N_STEPS    4096
#define MAX_ROUNDS 100
#define NEIGHBOUR  SOFTIRQ_FIRST

static const struct load {
	uint32_t pps, burst;
} loads[] = {{20000, 1}, {100000, 64}, {300000, 64}};

static struct tenants *stage;
static struct frame_tx *tx;
static uint32_t here, there; /* the CPU of the process, and another one */

/* What the process lost, in a thread of its own. */
struct victim {
	uint64_t begin_ns;
	struct gaps gaps;
};

static void *victim_run(void *arg)
{
	static uint64_t step[N_STEPS];
	struct victim *v = arg;
	uint64_t least_ns;

	must(affinity_pin(here, &e_));
	least_ns = gaps_calibrate(step, N_STEPS, &(uint64_t){0});
	gaps_begin(&v->gaps, least_ns, v->begin_ns, v->begin_ns + SPAN_NS);
	while (gaps_add(&v->gaps, clock_now_ns()))
		;
	return NULL;
}

static struct softirq *account(void)
{
	const struct tenants_end *to = &stage->tenant[TENANT_NEIGHBOUR];
	const struct softirq_cfg cfg = {.n_owners = 64};
	struct stat st = {0};
	struct softirq *s;

	must(-(softirq_open(&s, &cfg, &e_) != 0));
	must(fstat(to->netns_fd, &st));
	must(softirq_set_netns(s, (uint32_t)st.st_ino, NEIGHBOUR, &e_));
	softirq_changed(s);
	return s;
}

/* In time of processes that were interrupted. */
static uint64_t in_processes(const struct softirq_cpu *x)
{
	return x->rx_ns + x->tx_ns - x->ksoft_ns - x->idle_ns;
}

/* Shares of the span. */
struct seen {
	double lost, softirq;
	double n_per_s; /* softirqs */
};

static struct seen trial(const struct load *l, struct softirq *s)
{
	struct victim v = {.begin_ns = clock_now_ns() + 20 * NSEC_PER_MSEC};
	struct softirq_cpu from, to;
	pthread_t thread;

	must(-pthread_create(&thread, NULL, victim_run, &v));
	while (clock_now_ns() < v.begin_ns)
		;
	softirq_read_cpu(s, here, &from);
	if (l)
		(void)live_send(tx, (uint64_t)l->pps * (SPAN_NS / NSEC_PER_MSEC) / 1000,
			FRAME_GAP_Q16(l->pps), l->burst);
	(void)pthread_join(thread, NULL);
	softirq_read_cpu(s, here, &to);
	return (struct seen){(double)v.gaps.gap_ns / (double)SPAN_NS,
		(double)(in_processes(&to) - in_processes(&from)) / (double)SPAN_NS,
		(double)(to.rx_n + to.tx_n - from.rx_n - from.tx_n) / ((double)SPAN_NS / 1e9)};
}

static void measure(const struct load *l, struct softirq *s, const struct irq_cost *irq, uint32_t n)
{
	double lost[MAX_ROUNDS], softirq[MAX_ROUNDS], with_irq[MAX_ROUNDS];
	struct seen on = {0};
	struct estimate a, b, c;

	for (uint32_t i = 0; i < n; i++) {
		const struct seen off = trial(NULL, s);

		on = trial(l, s);
		lost[i] = on.lost - off.lost;
		softirq[i] = (on.softirq - off.softirq) / lost[i];
		with_irq[i] =
			softirq[i] + (on.n_per_s - off.n_per_s) * (double)irq->ns / 1e9 / lost[i];
	}
	a = estimate_mean(lost, n);
	b = estimate_mean(softirq, n);
	c = estimate_mean(with_irq, n);
	printf("%6u/s, bursts of %2u: %5.1f %% lost; softirqs %5.1f %% of it (%.1f to %.1f), "
	       "with %.0f interrupts/s of %llu ns %5.1f %%\n",
		l->pps, l->burst, 100 * a.median, 100 * b.median, 100 * b.ci_low, 100 * b.ci_high,
		on.n_per_s, (unsigned long long)irq->ns, 100 * c.median);
}

static void build(void)
{
	const struct tenants_args args = {.mtu = 1500,
		.cpu = here,
		.peer_cpu = there,
		.live = true};
	const struct tenants_end *p, *q;

	must(tenants_open(&stage, &args, &e_));
	p = &stage->peer;
	q = &stage->tenant[TENANT_NEIGHBOUR];
	live_fill_sink(q->netns_fd);
	tx = live_open(&(struct live_end){p->netns_fd, p->dev, p->ip, &p->id},
		&(struct live_end){q->netns_fd, q->dev, q->ip, &q->id});
}

int main(int argc, char **argv)
{
	uint32_t cpu[AFFINITY_MAX_CPUS], n_cpus = affinity_allowed(cpu),
					 n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5;
	struct irq_cost irq;
	struct softirq *s;

	n = n < 2 ? 2 : n > MAX_ROUNDS ? MAX_ROUNDS : n;
	if (n_cpus < 2) {
		fprintf(stderr, "tare-stolen: two CPUs, please\n");
		return 3;
	}
	here = cpu[n_cpus - 1];
	there = cpu[0];
	must(-(irq_cost_measure(&irq, here, there, &e_) != 0));
	must(affinity_pin(there, &e_));
	build();
	s = account();
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
		measure(&loads[i], s, &irq, n);
	softirq_close(s);
	frame_tx_find("live")->close(tx);
	tenants_close(stage);
	return 0;
}
