#include "bench/metric.h"

#include "bench/result.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Sent by near, one second; 1000 of 10000 were lost. */
static struct trial lossy_trial(void)
{
	struct trial t = {.status = STATUS_OK, .same_machine = true};

	t.near.end_ns = t.far.end_ns = 1000000000;
	t.near.packets_tx = 10000;
	t.far.packets_expected = 10000;
	t.far.packets_rx = 9010;
	t.far.duplicated = 10;
	t.near.readings.valid[METER_DROPS] = t.far.readings.valid[METER_DROPS] = true;
	return t;
}

static void check(const struct trial *t, enum metric_id id, double expected)
{
	assert_true(fabs(metric_table[id].value(t) - expected) < 1e-9);
}

/* In the order of enum metric_id, from socket to elsewhere. */
static void check_split(const struct trial *t, const double expected[7])
{
	double sum = 0;

	for (uint32_t i = 0; i < 7; i++) {
		check(t, METRIC_LOSS_SOCKET_RATIO + i, expected[i]);
		sum += expected[i];
	}
	check(t, METRIC_LOSS_RATIO, sum);
}

static void doubles_hide_no_loss(void **state)
{
	const struct trial t = lossy_trial();

	(void)state;
	check(&t, METRIC_LOSS_RATIO, 0.1);
	check(&t, METRIC_PACKETS_PER_S, 9010);
	check(&t, METRIC_PACKETS_OFFERED_PER_S, 10000);
	check(&t, METRIC_DUPLICATED_RATIO, 10.0 / 9010);
}

static void unexplained_loss_is_elsewhere(void **state)
{
	const struct trial t = lossy_trial();

	(void)state;
	check_split(&t, (const double[]){0, 0, 0, 0, 0, 0, 0.1});
}

static void each_place_gets_its_own(void **state)
{
	struct trial t = lossy_trial();

	(void)state;
	t.far.socket_drops = 100;
	t.far.readings.drops.udp_in_errors = 150; /* the socket's are among them */
	t.far.readings.drops.ip_in_discards = 60;
	t.near.readings.drops.qdisc_drops = 200;
	/* One machine: both ends read the same backlogs. */
	t.near.readings.drops.softnet_drops = t.far.readings.drops.softnet_drops = 70;
	/* The same 70, as the veth device sees them. */
	t.near.readings.drops.dev_tx_drops = 70;
	check_split(&t, (const double[]){0.01, 0.005, 0.006, 0.007, 0.02, 0.007, 0.045});
}

/* What others lost on the same machine is not this load's. */
static void no_more_is_given_out_than_was_lost(void **state)
{
	struct trial t = lossy_trial();

	(void)state;
	t.far.socket_drops = 600;
	t.near.readings.drops.softnet_drops = 5000;
	t.near.readings.drops.qdisc_drops = 5000;
	check_split(&t, (const double[]){0.06, 0, 0, 0.04, 0, 0, 0});
}

static void a_dropped_aggregate_is_as_large_as_others(void **state)
{
	struct trial t = lossy_trial();

	(void)state;
	t.far.socket_drops = 15;
	t.far.packets_gro = 9010;
	t.far.aggregates_gro = 901;
	check_split(&t, (const double[]){0.015, 0, 0, 0, 0, 0, 0.085});
}

static void without_counters_there_is_no_split(void **state)
{
	struct trial t = lossy_trial();

	(void)state;
	t.far.readings.valid[METER_DROPS] = false;
	assert_true(isnan(metric_table[METRIC_LOSS_QDISC_RATIO].value(&t)));
	t.far.packets_expected = 0;
	assert_true(isnan(metric_table[METRIC_LOSS_RATIO].value(&t)));
}

/* 100,000 packets/s for one second; the meter's span is half as long. */
static struct trial metered_trial(void)
{
	struct trial t = {.status = STATUS_OK, .same_machine = true};
	struct softirq_reading *x = &t.near.readings.softirq;

	t.near.end_ns = t.far.end_ns = 1000000000;
	t.far.packets_rx = 100000;
	t.near.readings.valid[METER_PROC] = t.far.readings.valid[METER_PROC] = true;
	t.near.readings.proc.threads_ns = 300000000;
	t.far.readings.proc.threads_ns = 200000000;
	t.near.readings.valid[METER_SOFTIRQ] = true;
	x->span_ns = 500000000;
	x->near_known = x->far_known = x->context_known = true;
	x->of[SOFTIRQ_OF_NEAR].rx_ns = 5000000;
	x->of[SOFTIRQ_OF_NEAR].context_ns = 40000000;
	x->of[SOFTIRQ_OF_FAR].rx_ns = 50000000;
	x->of[SOFTIRQ_OF_FAR].tx_ns = 10000000;
	x->of[SOFTIRQ_OF_FAR].other_ns = 20000000;
	x->of[SOFTIRQ_OF_FAR].thread_ns = 5000000;
	x->of[SOFTIRQ_OF_FAR].context_ns = 10000000;
	x->of[SOFTIRQ_OF_HOST].rx_ns = 15000000;
	x->of[SOFTIRQ_OF_OVERHEAD].rx_ns = 2500000;
	return t;
}

static void check_parts(const struct trial *t, const double expected[METRIC_N_PARTS])
{
	for (uint32_t i = 0; i < METRIC_N_PARTS; i++) {
		double v = metric_table[metric_part(LOAD_KIND_PACKETS, i)].value(t);

		if (isnan(expected[i]))
			assert_true(isnan(v));
		else
			assert_true(fabs(v - expected[i]) < 1e-6);
	}
}

static void softirqs_are_per_packet_of_their_own_span(void **state)
{
	struct trial t = metered_trial();

	(void)state;
	check_parts(&t, (const double[]){100, 1700, 300, 50, 4000});
	t.near.readings.softirq.irq_time = true;
	check_parts(&t, (const double[]){100, 1700, 300, 50, 5000});
	t.near.readings.valid[METER_SOFTIRQ] = false;
	check_parts(&t, (const double[]){NAN, NAN, NAN, NAN, NAN});
}

static void what_no_meter_saw_is_no_number(void **state)
{
	struct trial t = metered_trial();

	(void)state;
	t.near.readings.softirq.context_known = false;
	check_parts(&t, (const double[]){100, 1700, 300, 50, NAN});
	/* More softirqs in the threads' time than they had: not in the same span. */
	t.near.readings.softirq.context_known = true;
	t.near.readings.softirq.of[SOFTIRQ_OF_NEAR].context_ns = 400000000;
	check_parts(&t, (const double[]){100, 1700, 300, 50, NAN});
	/* A guest of this machine, known by its tap or not: all softirqs here are told. */
	t.same_machine = false;
	t.far_guest = true;
	check_parts(&t, (const double[]){100, 1700, 300, 50, NAN});
	t.near.readings.softirq.far_known = false;
	check_parts(&t, (const double[]){100, NAN, 300, 50, NAN});
	/* Another machine without the meter: near's part only. */
	t.far_guest = false;
	check_parts(&t, (const double[]){100, NAN, NAN, NAN, NAN});
	/* And with it: far is its own, host and overhead are both machines'. */
	t.far.readings.valid[METER_SOFTIRQ] = true;
	t.far.readings.softirq.span_ns = 1000000000;
	t.far.readings.softirq.of[SOFTIRQ_OF_FAR].rx_ns = 70000000;
	t.far.readings.softirq.of[SOFTIRQ_OF_HOST].rx_ns = 10000000;
	check_parts(&t, (const double[]){100, 700, 400, 50, NAN});
}

static void each_number_is_of_some_kind(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < METRIC_N; i++) {
		assert_non_null(metric_table[i].name);
		assert_true(metric_table[i].kinds > 0);
		assert_true(metric_table[i].kinds < 1U << LOAD_KIND_N);
	}
	assert_true(metric_applies(&metric_table[METRIC_GOODPUT_BPS], LOAD_KIND_PACKETS));
	assert_false(metric_applies(&metric_table[METRIC_LOSS_RATIO], LOAD_KIND_BULK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_hide_no_loss),
		cmocka_unit_test(unexplained_loss_is_elsewhere),
		cmocka_unit_test(each_place_gets_its_own),
		cmocka_unit_test(no_more_is_given_out_than_was_lost),
		cmocka_unit_test(a_dropped_aggregate_is_as_large_as_others),
		cmocka_unit_test(without_counters_there_is_no_split),
		cmocka_unit_test(softirqs_are_per_packet_of_their_own_span),
		cmocka_unit_test(what_no_meter_saw_is_no_number),
		cmocka_unit_test(each_number_is_of_some_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
