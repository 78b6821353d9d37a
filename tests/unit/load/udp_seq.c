#include "load/udp_seq.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void header_is_iperf3s(void **state)
{
	/* 1.000002 s, number 3: as captured from iperf 3.12, but for the values. */
	static const uint8_t wide[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3};
	static const uint8_t narrow[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
	uint8_t p[UDP_SEQ_MIN_BYTES] = {0};
	struct udp_seq_packet q;

	(void)state;
	udp_seq_put(p, 3, NSEC_PER_SEC + 2999, true);
	assert_memory_equal(p, wide, sizeof(wide));
	q = udp_seq_get(p, sizeof(p), true);
	assert_int_equal(q.kind, UDP_SEQ_DATA);
	assert_int_equal(q.seq, 3);
	assert_int_equal(q.sent_ns, NSEC_PER_SEC + 2000);

	udp_seq_put(p, 3, NSEC_PER_SEC + 2999, false);
	assert_memory_equal(p, narrow, sizeof(narrow));
	q = udp_seq_get(p, sizeof(p), false);
	assert_int_equal(q.kind, UDP_SEQ_DATA);
	assert_int_equal(q.seq, 3);
}

static void strangers_are_seen(void **state)
{
	uint8_t p[UDP_SEQ_END_BYTES];

	(void)state;
	udp_seq_put_end(p, 7, 0);
	assert_int_equal(udp_seq_get(p, sizeof(p), true).kind, UDP_SEQ_END);
	assert_int_equal(udp_seq_get(p, sizeof(p), true).seq, 7);
	/* Top bit without the rest of an end; and a whole end where numbers have 32 bits. */
	assert_int_equal(udp_seq_get(p, sizeof(p) - 1, true).kind, UDP_SEQ_ALIEN);
	p[sizeof(p) - 1] ^= 1;
	assert_int_equal(udp_seq_get(p, sizeof(p), true).kind, UDP_SEQ_ALIEN);
	assert_int_equal(udp_seq_get(p, sizeof(p), false).kind, UDP_SEQ_DATA);
	/* More than a second of microseconds; too short. */
	memset(p, 0xff, sizeof(p));
	assert_int_equal(udp_seq_get(p, sizeof(p), false).kind, UDP_SEQ_ALIEN);
	memset(p, 0, sizeof(p));
	assert_int_equal(udp_seq_get(p, UDP_SEQ_MIN_BYTES - 1, true).kind, UDP_SEQ_ALIEN);
	assert_int_equal(udp_seq_get(NULL, 0, true).kind, UDP_SEQ_ALIEN);
}

static void numbers_unwrap(void **state)
{
	static const struct {
		uint64_t highest;
		uint32_t seq;
		uint64_t expected;
	} c[] = {
		{0, 1, 1},
		{5, 4, 4},
		{5, 0, 0}, /* there is no number 0 */
		{5, UINT32_MAX, 0},
		{UINT32_MAX, UINT32_MAX, UINT32_MAX},
		{UINT32_MAX, 0, 1ULL << 32},
		{UINT32_MAX - 1, 2, (1ULL << 32) + 2},
		{(1ULL << 32) + 2, UINT32_MAX, UINT32_MAX},
		{(7ULL << 32) + 2, UINT32_MAX, (7ULL << 32) - 1},
		{100, 100U + INT32_MAX, 100 + (uint64_t)INT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(udp_seq_unwrap(c[i].highest, c[i].seq), c[i].expected);
}

static void order_is_judged(void **state)
{
	static const uint64_t w = UDP_SEQ_WINDOW;
	static const struct {
		uint64_t seq;
		enum udp_seq_verdict v;
	} c[] = {
		{0, UDP_SEQ_FOREIGN},
		{1, UDP_SEQ_NEW},
		{1, UDP_SEQ_DOUBLE},
		{3, UDP_SEQ_NEW},
		{2, UDP_SEQ_LATE},
		{2, UDP_SEQ_DOUBLE},
		{w, UDP_SEQ_NEW},
		{w + 1, UDP_SEQ_NEW}, /* takes number 1's place in the window */
		{2, UDP_SEQ_DOUBLE},
		{1, UDP_SEQ_LATE}, /* too old to tell */
		{1, UDP_SEQ_LATE},
		{4, UDP_SEQ_LATE},
		{4 + w, UDP_SEQ_NEW},
		{4, UDP_SEQ_LATE},
		{3 + w, UDP_SEQ_LATE}, /* 3 was seen, 3 + w was not */
		{100 * w, UDP_SEQ_NEW},
		{100 * w - 1, UDP_SEQ_LATE},
		{99 * w + 1, UDP_SEQ_LATE},
		{99 * w + 1, UDP_SEQ_DOUBLE},
		{100 * w + UDP_SEQ_MAX_AHEAD + 1, UDP_SEQ_FOREIGN},
		{100 * w + UDP_SEQ_MAX_AHEAD, UDP_SEQ_NEW},
	};
	static struct udp_seq s;

	(void)state;
	udp_seq_init(&s, true);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(udp_seq_add(&s, c[i].seq), c[i].v);
}

static void narrow_numbers_run_on(void **state)
{
	static struct udp_seq s;

	(void)state;
	udp_seq_init(&s, false);
	/* Up to the wrap in steps that unwrap, then over it. */
	for (uint64_t seq = 1ULL << 30; seq < 1ULL << 32; seq += 1ULL << 30)
		assert_int_equal(udp_seq_add(&s, (uint32_t)seq), UDP_SEQ_NEW);
	assert_int_equal(udp_seq_add(&s, UINT32_MAX), UDP_SEQ_NEW);
	assert_int_equal(udp_seq_add(&s, 1), UDP_SEQ_NEW);
	assert_int_equal(udp_seq_add(&s, 0), UDP_SEQ_LATE);
	assert_int_equal(udp_seq_add(&s, UINT32_MAX), UDP_SEQ_DOUBLE);
	assert_int_equal(s.highest, (1ULL << 32) + 1);
}

static void end_says_how_many(void **state)
{
	static struct udp_seq s;

	(void)state;
	udp_seq_init(&s, true);
	assert_true(udp_seq_end(&s, 0));
	assert_int_equal(udp_seq_add(&s, 5), UDP_SEQ_NEW);
	assert_false(udp_seq_end(&s, 4));
	assert_false(udp_seq_end(&s, 6 + UDP_SEQ_MAX_AHEAD));
	assert_true(udp_seq_end(&s, 5));
	assert_true(udp_seq_end(&s, 9));
	assert_int_equal(s.highest, 9);
	/* Overtaken by the end, but not lost. */
	assert_int_equal(udp_seq_add(&s, 9), UDP_SEQ_LATE);
	assert_int_equal(udp_seq_add(&s, 8), UDP_SEQ_LATE);
	assert_int_equal(udp_seq_add(&s, 5), UDP_SEQ_DOUBLE);
}

static void times_are_rfc3550s_and_rfc5481s(void **state)
{
	/* Transit 100, 116, 100, 84, 84; the receiver's clock is 10^6 behind. */
	static const struct {
		uint64_t sent_ns, arrived_ns, pdv_ns, jitter16_ns;
	} c[] = {
		{2000000, 1000100, 0, 0},
		{2001000, 1001116, 16, 16}, /* 0 + 16 - (0 + 8)/16 */
		{2002000, 1002100, 0, 31},  /* 16 + 16 - (16 + 8)/16 */
		{2003000, 1003084, 0, 45},  /* 31 + 16 - (31 + 8)/16 */
		{2004000, 1004084, 0, 42},  /* 45 + 0 - (45 + 8)/16 */
		{2005000, 1006084, 1000, 42 + 1000 - 3},
	};
	static struct udp_seq s;

	(void)state;
	udp_seq_init(&s, true);
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(udp_seq_time(&s, c[i].arrived_ns, c[i].sent_ns), c[i].pdv_ns);
		assert_int_equal(s.jitter16_ns, c[i].jitter16_ns);
	}
	assert_int_equal(udp_seq_jitter_ns(&s), (42 + 1000 - 3) / 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_is_iperf3s),
		cmocka_unit_test(strangers_are_seen),
		cmocka_unit_test(numbers_unwrap),
		cmocka_unit_test(order_is_judged),
		cmocka_unit_test(narrow_numbers_run_on),
		cmocka_unit_test(end_says_how_many),
		cmocka_unit_test(times_are_rfc3550s_and_rfc5481s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
