#include "frame/frame.h"

#include "base/macro.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Ref: RFC 2544 appendix B, column Ethernet, 10 Mbit/s */
static void rates_are_rfc2544s(void **state)
{
	static const struct {
		uint32_t size, fps;
	} c[] = {
		{64, 14880},
		{128, 8445},
		{256, 4528},
		{512, 2349},
		{768, 1586},
		{1024, 1197},
		{1280, 961},
		{1518, 812},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal((uint64_t)frame_max_fps(10e6, c[i].size), c[i].fps);
}

/*
 * Ref: RFC 5180 appendix A.1, as printed. Three cells are not what the formula gives, and not
 * what other cells of their row say; they are here as printed, with the right value beside.
 */
static void rates_are_rfc5180s(void **state)
{
	enum { M10, M100, G1, G10 };
	static const double rate_bps[] = {10e6, 100e6, 1e9, 10e9};
	static const struct {
		uint32_t size;
		uint32_t printed[4];
	} c[] = {
		{64, {14880, 148809, 1488095, 14880952}},
		{128, {8445, 84459, 844594, 8445945}},
		{256, {4528, 45289, 452898, 4528985}},
		{512, {2349, 23496, 234962, 2349624}},
		{1024, {1197, 11973, 119731, 1197318}},
		{1280, {961, 9615, 96153, 961538}},
		{1518, {812, 8127, 81274, 812743}},
		{1522, {810, 8106, 81063, 810635}},
		{2048, {604, 6044, 60444, 604448}},
		{4096, {303, 3036, 30396, 303691}},
		{8192, {152, 1522, 15221, 152216}},
		{9216, {135, 1353, 13534, 135339}},
	};
	static const struct {
		uint32_t size, rate, printed, right;
	} misprint[] = {
		{4096, G1, 30396, 30369},
		{4096, G10, 303691, 303692},
		{9216, G1, 13534, 13533},
	};
	uint32_t misprints = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++)
		for (uint32_t r = 0; r < ARRAY_SIZE(rate_bps); r++) {
			uint32_t want = c[i].printed[r];

			for (size_t k = 0; k < ARRAY_SIZE(misprint); k++)
				if (misprint[k].size == c[i].size && misprint[k].rate == r) {
					assert_int_equal(misprint[k].printed, want);
					want = misprint[k].right;
					misprints++;
				}
			assert_int_equal((uint64_t)frame_max_fps(rate_bps[r], c[i].size), want);
		}
	assert_int_equal(misprints, ARRAY_SIZE(misprint));
}

/* The rates themselves, which the tables cut. From bc: scale=12; r / (8 * (s + 20)) */
static void rates_are_exact(void **state)
{
	static const struct {
		double rate_bps, size, fps;
	} c[] = {
		{10e9, 64, 14880952.380952380952},
		{10e9, 78, 12755102.040816326530},
		{10e9, 128, 8445945.945945945945},
		{10e9, 512, 2349624.060150375939},
		{10e9, 1518, 812743.823146944083},
		{10e9, 4096, 303692.905733722060},
		{10e9, 9216, 135339.974014724989},
		{25e9, 64, 37202380.952380952380},
		{40e9, 64, 59523809.523809523809},
		{100e9, 64, 148809523.809523809523},
		{200e9, 64, 297619047.619047619047},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		const double fps = frame_max_fps(c[i].rate_bps, c[i].size);

		assert_true(fabs(fps - c[i].fps) <= c[i].fps * 1e-15);
		assert_true(fabs(frame_l1_bps(fps, c[i].size) - c[i].rate_bps) <=
			    c[i].rate_bps * 1e-15);
		assert_true(fabs(frame_l2_bps(fps, c[i].size) -
				    c[i].rate_bps * c[i].size / (c[i].size + 20)) <=
			    c[i].rate_bps * 1e-15);
	}
}

static void smallest_frames(void **state)
{
	static const struct {
		struct frame_form form;
		uint32_t headers, smallest;
	} c[] = {
		{{.ipv6 = false, .vlan = 0}, 42, 64},
		{{.ipv6 = false, .vlan = 7}, 46, 64},
		{{.ipv6 = true, .vlan = 0}, 62, 78},
		{{.ipv6 = true, .vlan = 7}, 66, 82},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(frame_headers_bytes(&c[i].form), c[i].headers);
		assert_int_equal(frame_smallest_bytes(&c[i].form), c[i].smallest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_rfc2544s),
		cmocka_unit_test(rates_are_rfc5180s),
		cmocka_unit_test(rates_are_exact),
		cmocka_unit_test(smallest_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
