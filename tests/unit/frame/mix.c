#include "base/macro.h"
#include "frame/frame.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Means and rates that others publish for these mixes. Ref: FD.io CSIT; TRex stl/bench.py */
static void means_are_as_published(void **state)
{
	static const struct {
		const char *name;
		uint32_t n;
		double mean_bytes, fps_10g;
	} c[] = {
		{"64", 1, 64, 14880952.381},
		{"imix", 12, 334.5, 3526093.089},
		{"imix-csit", 12, 353.833333333, 3343736.07},
		{"imix-ipv6", 12, 362, 3272251.31},
		{"imix-trex", 13, 379.692307692, 3127405.697},
		{"imix:aaaaaaaddddg", 12, 334.5, 3526093.089},
		{"imix:abcdefgh", 8, 861.75, 1417635.384},
		{"imix:z", 1, 1518, 812743.823},
		{"imix:az", 2, 791, 1541307.03},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct frame_mix mix;
		struct err e = {0};
		double sum = 0;

		assert_int_equal(frame_mix_parse(&mix, c[i].name, 1500, &e), 0);
		assert_string_equal(mix.name, c[i].name);
		assert_int_equal(mix.n, c[i].n);
		assert_true(fabs(mix.mean_bytes - c[i].mean_bytes) < 1e-9);
		assert_true(fabs(frame_max_fps(10e9, mix.mean_bytes) - c[i].fps_10g) < 0.01);
		for (uint32_t k = 0; k < mix.n; k++)
			sum += mix.size[k];
		assert_true(fabs(sum / mix.n - mix.mean_bytes) < 1e-9);
	}
}

/* The shares are those of 28, 16 (TRex: 20) and 4 frames. */
static void named_mixes_are_genomes(void **state)
{
	static const struct {
		const char *name;
		uint16_t size[3];
		uint32_t n[3];
	} c[] = {
		{"imix", {64, 512, 1518}, {7, 4, 1}},
		{"imix-csit", {64, 570, 1518}, {7, 4, 1}},
		{"imix-ipv6", {78, 570, 1518}, {7, 4, 1}},
		{"imix-trex", {64, 594, 1518}, {7, 5, 1}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct frame_mix mix;
		uint32_t at = 0;

		assert_int_equal(frame_mix_parse(&mix, c[i].name, 1500, NULL), 0);
		for (int k = 0; k < 3; k++)
			for (uint32_t n = 0; n < c[i].n[k]; n++)
				assert_int_equal(mix.size[at++], c[i].size[k]);
		assert_int_equal(at, mix.n);
	}
}

static void wrong_ones_say_what(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *says;
	} c[] = {
		{"", -EINVAL, "frame size ''"},
		{"63", -ERANGE, "'63' is 63 bytes, not between 64 and 9216"},
		{"9217", -ERANGE, "9217"},
		{"18446744073709551680", -EINVAL, "18446744073709551680"},
		{"64k", -EINVAL, "'64k'"},
		{"-64", -EINVAL, "'-64'"},
		{" 64", -EINVAL, "' 64'"},
		{"imx", -EINVAL, "'imx'"},
		{"imix:", -EINVAL, "letters"},
		{"imix:ab1", -EINVAL, "'1' in 'imix:ab1'"},
		{"imix:aA", -EINVAL, "'A'"},
		{"imix:aj", -ERANGE, "'j' is 16000 bytes"},
		{"imix:k", -EINVAL, "'k'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct frame_mix mix = {.n = 77};
		struct err e = {0};

		assert_int_equal(frame_mix_parse(&mix, c[i].text, 1500, &e), c[i].r);
		if (!strstr(e.text, c[i].says))
			fail_msg("'%s' is not in: %s", c[i].says, e.text);
		assert_int_equal(mix.n, 77); /* untouched */
	}
}

/* z is a frame of the MTU; the others do not depend on it. */
static void z_is_the_mtu(void **state)
{
	static const uint32_t mtu[] = {576, 1400, 1500, 9000, 9198};
	struct frame_mix mix;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mtu); i++) {
		assert_int_equal(frame_mix_parse(&mix, "imix:azi", mtu[i], NULL), 0);
		assert_int_equal(mix.size[1], mtu[i] + 18);
		assert_int_equal(mix.size[2], 9000);
	}
	assert_int_equal(frame_mix_parse(&mix, "imix:z", 9199, NULL), -ERANGE);
	assert_int_equal(frame_mix_parse(&mix, "imix:z", UINT32_MAX, NULL), -ERANGE);
	assert_int_equal(frame_mix_parse(&mix, "imix:a", 9199, NULL), 0);
}

static void longest_genome_fits(void **state)
{
	char text[5 + FRAME_MAX_SEQUENCE + 2] = "imix:";
	struct frame_mix mix;

	(void)state;
	memset(text + 5, 'g', FRAME_MAX_SEQUENCE);
	assert_int_equal(frame_mix_parse(&mix, text, 1500, NULL), 0);
	assert_int_equal(mix.n, FRAME_MAX_SEQUENCE);
	assert_string_equal(mix.name, text);
	text[5 + FRAME_MAX_SEQUENCE] = 'g';
	assert_int_equal(frame_mix_parse(&mix, text, 1500, NULL), -ERANGE);
}

static void lists(void **state)
{
	static const uint16_t ipv4[] = {64, 128, 256, 512, 1024, 1280, 1518};
	static struct frame_mix mix[8];
	struct err e = {0};

	(void)state;
	assert_int_equal(frame_mix_list(mix, 8, frame_sizes_ipv4, 1500, &e), 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(mix[i].size[0], ipv4[i]);
	assert_int_equal(frame_mix_list(mix, 7, frame_sizes_ipv6, 1500, &e), 7);
	assert_int_equal(mix[0].size[0], 78);
	assert_int_equal(frame_mix_list(mix, 8, "64,imix,imix:ag", 1500, &e), 3);
	assert_string_equal(mix[2].name, "imix:ag");

	assert_int_equal(frame_mix_list(mix, 6, frame_sizes_ipv4, 1500, &e), -ERANGE);
	assert_int_equal(frame_mix_list(mix, 8, "", 1500, &e), -EINVAL);
	assert_int_equal(frame_mix_list(mix, 8, "64,", 1500, &e), -EINVAL);
	assert_int_equal(frame_mix_list(mix, 8, ",64", 1500, &e), -EINVAL);
	assert_int_equal(frame_mix_list(mix, 8, "64,,65", 1500, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(means_are_as_published),
		cmocka_unit_test(named_mixes_are_genomes),
		cmocka_unit_test(wrong_ones_say_what),
		cmocka_unit_test(z_is_the_mtu),
		cmocka_unit_test(longest_genome_fits),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
