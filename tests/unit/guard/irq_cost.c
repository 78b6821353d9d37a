/* Which gaps are an interrupt's, and the word that asks for them. */
#include "guard/irq_cost.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N 40

/* Calls every 100 us, that take 12 us; the gap that each makes begins 2 us into it. */
static void make(struct irq_span *call, struct irq_span *gap, uint64_t long_ns)
{
	for (uint32_t i = 0; i < N; i++) {
		const uint64_t at_ns = 1000000 + i * 100000;

		call[i] = (struct irq_span){at_ns, at_ns + 12000};
		gap[i] = (struct irq_span){at_ns + 2000, at_ns + 2000 + long_ns + i};
	}
}

static void gaps_of_calls_only(void **state)
{
	struct irq_span call[N], gap[2 * N];
	struct irq_cost x;

	(void)state;
	make(call, gap, 9020);
	irq_cost_of(&x, gap, N, call, N, 20);
	assert_int_equal(x.n, N);
	assert_int_equal(x.low_ns, 9010);
	assert_int_equal(x.ns, 9020);
	assert_int_equal(x.high_ns, 9029);

	/* Ticks between calls, or after the first gap of one, are none of theirs. */
	for (uint32_t i = N; i-- > 0;) {
		gap[2 * i] = gap[i];
		gap[2 * i + 1] = (struct irq_span){gap[i].to_ns + (i % 2 ? 500 : 50000),
			gap[i].to_ns + 52000};
	}
	irq_cost_of(&x, gap, 2 * N, call, N, 20);
	assert_int_equal(x.n, N);
	assert_int_equal(x.ns, 9020);
}

/* On a CPU that slowed down after the loop was calibrated every turn may look like a gap. */
static void slow_turns_are_no_interrupts(void **state)
{
	struct irq_span call[N], gap[2 * N];
	struct irq_cost x;

	(void)state;
	make(call, gap, 9020);
	for (uint32_t i = N; i-- > 0;) {
		gap[2 * i + 1] = gap[i];
		gap[2 * i] = (struct irq_span){gap[2 * i + 1].from_ns - 1000,
			gap[2 * i + 1].from_ns - 700};
	}
	irq_cost_of(&x, gap, 2 * N, call, N, 20);
	assert_int_equal(x.n, N);
	assert_int_equal(x.ns, 9020);
}

static void what_says_nothing(void **state)
{
	struct irq_span call[N], gap[N];
	struct irq_cost x;

	(void)state;
	make(call, gap, 9000);
	irq_cost_of(&x, gap, 11, call, N, 20);
	assert_int_equal(x.n, 0);
	assert_int_equal(x.ns, 0);
	irq_cost_of(&x, gap, 0, call, 0, 20);
	assert_int_equal(x.n, 0);
	/* Somebody else had the sender's CPU. */
	for (uint32_t i = 0; i < N; i++)
		call[i].to_ns += 1000000;
	irq_cost_of(&x, gap, N, call, N, 20);
	assert_int_equal(x.n, 0);
}

static void words(void **state)
{
	struct err e;
	uint64_t ns = 1;

	(void)state;
	assert_int_equal(irq_cost_parse("auto", &ns, &e), 0);
	assert_true(ns == IRQ_COST_AUTO);
	assert_int_equal(irq_cost_parse("0", &ns, &e), 0);
	assert_int_equal(ns, 0);
	assert_int_equal(irq_cost_parse("3us", &ns, &e), 0);
	assert_int_equal(ns, 3000);
	assert_int_equal(irq_cost_parse("often", &ns, &e), -EINVAL);
	assert_int_equal(irq_cost_parse("2ms", &ns, &e), -ERANGE);
	assert_string_equal(e.text, "--irq: '2ms' is more than 1ms");
}

/* Any number but a wrong one, or a reason; that it is there at all is the machine's. */
static void measured(void **state)
{
	struct irq_cost x;
	struct err e = {0};
	int r = irq_cost_measure_here(&x, &e);

	(void)state;
	assert_true(r == 0 || r == IRQ_COST_UNAVAILABLE);
	if (r == 0)
		assert_true(x.n >= 12 && x.low_ns <= x.ns && x.ns <= x.high_ns && x.ns > 0);
	else
		assert_true(x.ns == 0 && e.text[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gaps_of_calls_only),
		cmocka_unit_test(slow_turns_are_no_interrupts),
		cmocka_unit_test(what_says_nothing),
		cmocka_unit_test(words),
		cmocka_unit_test(measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
