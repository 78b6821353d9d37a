#include "stat/mlr.h"

#include "base/macro.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S   NSEC_PER_SEC
#define PCT (MLR_PPB / 100)

static void check_goal(const struct mlr_goal *got, const struct mlr_goal *want)
{
	assert_string_equal(got->name, want->name);
	assert_int_equal(got->final_ns, want->final_ns);
	assert_int_equal(got->sum_ns, want->sum_ns);
	assert_int_equal(got->initial_ns, want->initial_ns);
	assert_int_equal(got->loss_ppb, want->loss_ppb);
	assert_int_equal(got->exceed_ppb, want->exceed_ppb);
	assert_int_equal(got->width_ppb, want->width_ppb);
}

static void goals_match_table(void **state)
{
	static const struct {
		const char *text;
		struct mlr_goal want;
	} rows[] = {
		{"ndr", {"NDR", S, 21 * S, 0, 50 * PCT, PCT / 2, S}},
		{"pdr", {"PDR", S, 21 * S, PCT / 2, 50 * PCT, PCT / 2, S}},
		{"rfc2544", {"RFC2544", 60 * S, 60 * S, 0, 0, PCT / 2, S}},
		{"ndr,sum=30s,name=slow", {"slow", S, 30 * S, 0, 50 * PCT, PCT / 2, S}},
		{"loss=1%", {"", S, 21 * S, PCT, 50 * PCT, PCT / 2, S}},
		{"loss=0.00001%,exceed=12.5%,width=0,final=2s,sum=2m,initial=500ms",
			{"", 2 * S, 120 * S, 100, 125000000, 0, S / 2}},
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mlr_goal g;
		struct err e = {0};

		assert_int_equal(mlr_goal_parse(&g, rows[i].text, &e), 0);
		check_goal(&g, &rows[i].want);
	}
}

static void nonsense_is_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"", -EINVAL},
		{"ndr,", -EINVAL},
		{"NDR", -EINVAL},
		{"ndrx", -EINVAL},
		{"loss", -EINVAL},
		{"loss=1", -EINVAL},
		{"loss=100%", -ERANGE},
		{"exceed=100%", -ERANGE},
		{"width=0.00001%", -ERANGE},
		{"final=0s", -ERANGE},
		{"final=22s", -EINVAL},
		{"initial=2s", -EINVAL},
		{"name=0123456789abcdef", -EINVAL},
	};
	struct mlr_goal untouched = mlr_goal_ndr;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};

		assert_int_equal(mlr_goal_parse(&untouched, rows[i].text, &e), rows[i].r);
		assert_true(strlen(e.text) > 0);
	}
	check_goal(&untouched, &mlr_goal_ndr);
}

static void lists_name_what_has_no_name(void **state)
{
	struct mlr_cfg cfg = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(mlr_goals_parse(&cfg, "ndr;loss=1%/loss=2%,name=two;loss=3%", &e), 0);
	assert_int_equal(cfg.n_goals, 4);
	assert_string_equal(cfg.goal[0].name, "NDR");
	assert_string_equal(cfg.goal[1].name, "goal2");
	assert_string_equal(cfg.goal[2].name, "two");
	assert_string_equal(cfg.goal[3].name, "goal4");
	assert_int_equal(mlr_goals_parse(&cfg, "ndr;pdr,name=NDR", &e), -EINVAL);
	assert_int_equal(mlr_goals_parse(&cfg, "loss=1%,name=goal2;loss=2%", &e), -EINVAL);
	assert_int_equal(mlr_goals_parse(&cfg, ";", &e), -EINVAL);
	assert_int_equal(mlr_goals_parse(&cfg, "ndr;", &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goals_match_table),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(lists_name_what_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
