#include "method/penalty.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void plan_reads_lists(void **state)
{
	struct penalty p = {.cfg = penalty_cfg_default};
	struct err e = {0};

	(void)state;
	str_set(p.cfg.shares, "60/20/20,9/91");
	str_set(p.cfg.neighbours, "tcp-rx,compute");
	str_set(p.cfg.guards, "charge+drop,off");
	str_set(p.cfg.cpu, "3");
	assert_int_equal(penalty_plan(&p, &e), 0);
	assert_int_equal(p.n_shares, 2);
	assert_int_equal(p.shares[0].n, 3);
	assert_int_equal(p.shares[0].pct[TENANT_VICTIM], 60);
	assert_int_equal(p.shares[0].pct[TENANT_BYSTANDER], 20);
	assert_string_equal(p.shares[1].name, "9/91");
	assert_int_equal(p.shares[1].n, 2);
	assert_int_equal(p.n_kinds, 2);
	assert_int_equal(p.kind[0], PENALTY_TCP_RX);
	assert_int_equal(p.guard[0], PENALTY_GUARD_CHARGE_DROP);
	assert_int_equal(p.cpu, 3);
	/* Two rows, of each the baseline and four cells. */
	assert_int_equal(penalty_max_trials(&p), 2 * 5 * p.cfg.repeat_max);
}

static void plan_refuses(void **state)
{
	static const char *const shares[] = {"", "60", "60/", "/40", "60/41", "0/50", "100/1",
		"20/20/20/20", "50/50,50/50", "a/b", "60/20/20/", "000000050/50", "50/50,",
		"1/1,1/2,1/3,1/4,1/5,1/6,1/7,1/8,1/9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		struct penalty p = {.cfg = penalty_cfg_default};
		struct err e = {0};

		str_set(p.cfg.shares, shares[i]);
		assert_int_equal(penalty_plan(&p, &e), -EINVAL);
		assert_non_null(strstr(e.text, "--shares"));
	}
}

static struct penalty_trial trial(uint32_t round, bool baseline, uint32_t status, double victim)
{
	return (struct penalty_trial){.round = round,
		.kind = baseline ? PENALTY_COMPUTE : PENALTY_UDP_RX,
		.baseline = baseline,
		.status = status,
		.victim_share = victim,
		.neighbour_cpu_share = 0.25,
		.bystander_sent = 100,
		.bystander_received = 100 - 10 * round};
}

/* Only pairs of one round count; what failed does not, what was disturbed does. */
static void cell_is_of_pairs(void **state)
{
	struct penalty_trial t[] = {
		trial(0, true, PENALTY_OK, 0.5),
		trial(0, false, PENALTY_OK, 0.25),
		trial(1, false, PENALTY_DISTURBED, 0.125),
		trial(1, true, PENALTY_OK, 1.0),
		trial(2, true, PENALTY_FAILED, NAN),
		trial(2, false, PENALTY_OK, 0.01),
		trial(3, true, PENALTY_OK, 0.5),
		trial(3, false, PENALTY_FAILED, NAN),
	};
	struct penalty p = {.trial = t, .n_trials = ARRAY_SIZE(t)};
	struct penalty_cell c;

	(void)state;
	str_set(t[7].reason, "why");
	penalty_cell(&p, 0, PENALTY_UDP_RX, PENALTY_GUARD_OFF, &c);
	assert_int_equal(c.factor.n, 2);
	assert_true(fabs(c.factor.mean - 4) < 1e-9); /* geometric mean of 2 and 8 */
	assert_int_equal(c.n_disturbed, 1);
	assert_int_equal(c.n_failed, 1);
	assert_string_equal(c.reason, "why");
	assert_true(fabs(c.baseline_share - 0.75) < 1e-9);
	assert_true(fabs(c.victim_share - 0.1875) < 1e-9);
	assert_true(fabs(c.bystander_delivery - 0.95) < 1e-9);
	assert_true(penalty_any_failed(&p));
}

/* As a neighbour, "compute" is a cell of its own and not the baseline. */
static void control_is_no_baseline(void **state)
{
	struct penalty_trial t[] = {
		trial(0, true, PENALTY_OK, 0.5),
		trial(0, false, PENALTY_OK, 0.5),
	};
	struct penalty p = {.trial = t, .n_trials = ARRAY_SIZE(t)};
	struct penalty_cell c;

	(void)state;
	t[1].kind = PENALTY_COMPUTE;
	penalty_cell(&p, 0, PENALTY_COMPUTE, PENALTY_GUARD_OFF, &c);
	assert_int_equal(c.factor.n, 1);
	assert_true(fabs(c.factor.mean - 1) < 1e-9);
	penalty_cell(&p, 0, PENALTY_UDP_RX, PENALTY_GUARD_OFF, &c);
	assert_int_equal(c.factor.n, 0);
	assert_true(isnan(c.factor.mean) && isnan(c.victim_share) && isnan(c.bystander_delivery));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_reads_lists),
		cmocka_unit_test(plan_refuses),
		cmocka_unit_test(cell_is_of_pairs),
		cmocka_unit_test(control_is_no_baseline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
