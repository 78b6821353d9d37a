#include "frame/pace.h"

#include "base/clock.h"
#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BEGIN_NS (1000 * NSEC_PER_SEC)

static struct frame_plan plan_of(uint64_t n_frames, double fps, uint32_t burst)
{
	return (struct frame_plan){.begin_ns = BEGIN_NS,
		.end_ns = BEGIN_NS + 24 * 3600 * NSEC_PER_SEC,
		.burst = burst,
		.n_phases = 1,
		.phase = {{.n_frames = n_frames, .gap_q16 = fps > 0 ? FRAME_GAP_Q16(fps) : 0}}};
}

/* By the contract's own words, one by one. */
static uint64_t naive_due(const struct frame_phase *phase, uint32_t burst, uint64_t elapsed_ns)
{
	uint64_t n = 0;

	for (uint64_t k = 0; k < phase->n_frames; k++)
		n += (k - k % burst) * phase->gap_q16 >> 16 <= elapsed_ns;
	return n;
}

/* At whatever times it is asked, it gives what is due in all, and never more. */
static void gives_what_is_due(void **state)
{
	static const double fps[] = {3, 1e6, 1488095.238, 14880952.381};
	static const uint32_t burst[] = {1, 2, 7, 64};

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(fps); a++)
		for (size_t b = 0; b < ARRAY_SIZE(burst); b++) {
			const struct frame_plan plan = plan_of(500, fps[a], burst[b]);
			const uint64_t step_ns = MAX((uint64_t)(1e9 / fps[a] / 3), 1U);
			struct frame_pace p;
			uint64_t sent = 0, next_ns, asks = 0;

			frame_pace_begin(&p, &plan);
			for (uint64_t now = BEGIN_NS - 5; sent < 500;
				now += step_ns * (1 + asks++ % 5)) {
				const uint32_t n = frame_pace_due(&p, now, UINT32_MAX, &next_ns);
				const uint64_t elapsed = now - BEGIN_NS;

				frame_pace_sent(&p, n);
				sent += n;
				assert_int_equal(sent, now < BEGIN_NS ? 0
								      : naive_due(&plan.phase[0],
										burst[b], elapsed));
				assert_int_equal(frame_pace_left(&p), 500 - sent);
				if (n == 0)
					assert_true(next_ns > now);
			}
			assert_int_equal(frame_pace_due(&p, BEGIN_NS, 1, &next_ns), 0);
			assert_true(next_ns == UINT64_MAX);
		}
}

/* From one next_ns to the other, each burst comes in its nanosecond, and no ask is in vain. */
static void next_is_when_it_is_due(void **state)
{
	static const double fps[] = {7, 999983, 14880952.381};
	static const uint32_t burst[] = {1, 16};

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(fps); a++)
		for (size_t b = 0; b < ARRAY_SIZE(burst); b++) {
			const struct frame_plan plan = plan_of(100000, fps[a], burst[b]);
			uint64_t next_ns, sent = 0;
			struct frame_pace p;

			frame_pace_begin(&p, &plan);
			assert_int_equal(frame_pace_due(&p, 1, 100, &next_ns), 0);
			assert_int_equal(next_ns, BEGIN_NS);
			while (next_ns != UINT64_MAX) {
				const uint64_t due_ns =
					BEGIN_NS + (sent * plan.phase[0].gap_q16 >> 16);
				const uint64_t now_ns = next_ns;

				assert_int_equal(now_ns, due_ns);
				assert_int_equal(frame_pace_due(&p, now_ns, 100, &next_ns),
					burst[b]);
				frame_pace_sent(&p, burst[b]);
				sent += burst[b];
				assert_int_equal(frame_pace_due(&p, now_ns, 100, &next_ns), 0);
			}
			assert_int_equal(sent, 100000);
			assert_int_equal(p.slip_max_ns, 0);
		}
}

/* A million seconds' worth of frames do not drift from the rate by more than the gap's cut. */
static void does_not_drift(void **state)
{
	const struct frame_plan plan = plan_of(UINT64_MAX, 1e6, 1);
	struct frame_pace p;
	uint64_t next_ns;

	(void)state;
	frame_pace_begin(&p, &plan);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 3600 * NSEC_PER_SEC, UINT32_MAX, &next_ns),
		3600 * 1000000ULL + 1);
}

/* Held up for 10 ms, the sender gets the 10 ms' frames, in pieces of its size, and then waits. */
static void catches_up_and_no_more(void **state)
{
	const struct frame_plan plan = plan_of(1000000, 1e6, 1);
	const uint64_t late_ns = BEGIN_NS + 20 * NSEC_PER_MSEC;
	struct frame_pace p;
	uint64_t next_ns, sent = 0;
	uint32_t n;

	(void)state;
	frame_pace_begin(&p, &plan);
	n = frame_pace_due(&p, BEGIN_NS + 10 * NSEC_PER_MSEC, UINT32_MAX, &next_ns);
	assert_int_equal(n, 10001);
	frame_pace_sent(&p, n);
	while ((n = frame_pace_due(&p, late_ns, 64, &next_ns)) > 0) {
		assert_true(n <= 64);
		frame_pace_sent(&p, n);
		sent += n;
	}
	assert_int_equal(sent, 10000);
	assert_int_equal(next_ns, late_ns + 1000);
	/* Frame 10001 waited longest, and number 0 the ten before. */
	assert_int_equal(p.slip_max_ns, 10 * NSEC_PER_MSEC);
}

/* A burst that is taken in pieces is due in all of them at once. */
static void bursts_come_in_pieces(void **state)
{
	const struct frame_plan plan = plan_of(96, 1000, 64);
	static const uint32_t want[] = {24, 24, 16, 0};
	struct frame_pace p;
	uint64_t next_ns;

	(void)state;
	frame_pace_begin(&p, &plan);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(frame_pace_due(&p, BEGIN_NS, 24, &next_ns), want[i]);
		frame_pace_sent(&p, want[i]);
	}
	assert_int_equal(next_ns, BEGIN_NS + 64 * NSEC_PER_MSEC);
	assert_int_equal(frame_pace_due(&p, next_ns, 64, &next_ns), 32);
}

/* The second phase begins when the first is over by the schedule, whenever it was sent. */
static void phases_follow(void **state)
{
	struct frame_plan plan = plan_of(100, 1e6, 8);
	struct frame_pace p;
	uint64_t next_ns, sent = 0;

	(void)state;
	plan.n_phases = 3;
	plan.phase[1] = (struct frame_phase){.n_frames = 0, .gap_q16 = FRAME_GAP_Q16(1000.0)};
	plan.phase[2] = (struct frame_phase){.n_frames = 10, .gap_q16 = FRAME_GAP_Q16(1000.0)};
	frame_pace_begin(&p, &plan);
	assert_int_equal(frame_pace_left(&p), 110);
	/* 100 us for the first; the second's burst of 8 at 100 us, the rest at 8.1 ms. */
	while (frame_pace_due(&p, BEGIN_NS + 99000, 8, &next_ns) > 0) {
		const uint32_t n = frame_pace_due(&p, BEGIN_NS + 99000, 8, &next_ns);

		frame_pace_sent(&p, n);
		sent += n;
	}
	assert_int_equal(sent, 100);
	assert_int_equal(next_ns, BEGIN_NS + 100000);
	assert_int_equal(frame_pace_due(&p, next_ns, 100, &next_ns), 8);
	frame_pace_sent(&p, 8);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 100001, 100, &next_ns), 0);
	assert_int_equal(next_ns, BEGIN_NS + 8100000);
	assert_int_equal(frame_pace_left(&p), 2);
	assert_int_equal(frame_pace_due(&p, next_ns, 100, &next_ns), 2);
	frame_pace_sent(&p, 2);
	assert_int_equal(frame_pace_left(&p), 0);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 9000000, 100, &next_ns), 0);
	assert_true(next_ns == UINT64_MAX);
}

/* Without a gap everything is due at once; what follows begins when that was sent. */
static void no_gap_is_at_once(void **state)
{
	struct frame_plan plan = plan_of(1000, 0, 1);
	struct frame_pace p;
	uint64_t next_ns;

	(void)state;
	plan.n_phases = 2;
	plan.phase[1] = (struct frame_phase){.n_frames = 2, .gap_q16 = FRAME_GAP_Q16(1e6)};
	frame_pace_begin(&p, &plan);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS - 1, 64, &next_ns), 0);
	assert_int_equal(next_ns, BEGIN_NS);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS, 64, &next_ns), 64);
	frame_pace_sent(&p, 64);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 500, UINT32_MAX, &next_ns), 936);
	frame_pace_sent(&p, 936);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 700, 64, &next_ns), 1);
	frame_pace_sent(&p, 1);
	assert_int_equal(frame_pace_due(&p, BEGIN_NS + 701, 64, &next_ns), 0);
	assert_int_equal(next_ns, BEGIN_NS + 1700);
	assert_int_equal(p.slip_max_ns, 0);
}

/* Past the end nothing is sent; what was not is what is left. */
static void ends(void **state)
{
	struct frame_plan plan = plan_of(1000, 1e6, 1);
	struct frame_pace p;
	uint64_t next_ns;

	(void)state;
	plan.end_ns = BEGIN_NS + 500000;
	frame_pace_begin(&p, &plan);
	assert_int_equal(frame_pace_due(&p, plan.end_ns, UINT32_MAX, &next_ns), 501);
	frame_pace_sent(&p, 501);
	/* The next one would be due past the end. */
	assert_int_equal(frame_pace_due(&p, plan.end_ns, UINT32_MAX, &next_ns), 0);
	assert_true(next_ns == UINT64_MAX);
	assert_int_equal(frame_pace_due(&p, plan.end_ns + 1, UINT32_MAX, &next_ns), 0);
	assert_true(next_ns == UINT64_MAX);
	assert_int_equal(frame_pace_left(&p), 499);
}

static void waits(void **state)
{
	atomic_bool stop = false;
	const uint64_t until_ns = clock_now_ns() + 2 * NSEC_PER_MSEC;

	(void)state;
	assert_true(frame_pace_wait(until_ns, &stop) >= until_ns);
	assert_true(clock_now_ns() >= until_ns);
	stop = true;
	assert_true(frame_pace_wait(UINT64_MAX, &stop) < UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_is_due),
		cmocka_unit_test(next_is_when_it_is_due),
		cmocka_unit_test(does_not_drift),
		cmocka_unit_test(catches_up_and_no_more),
		cmocka_unit_test(bursts_come_in_pieces),
		cmocka_unit_test(phases_follow),
		cmocka_unit_test(no_gap_is_at_once),
		cmocka_unit_test(ends),
		cmocka_unit_test(waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
