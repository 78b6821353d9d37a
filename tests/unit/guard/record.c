/* A record is what was written, or it is refused: no half of it, no bit of it changed. */
#include "guard/record.h"

#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *sample(void)
{
	_cleanup_(guard_record_fini) struct guard_record r = {.boot = "a-boot"};
	const struct guard_entry x = {.dir = "/sys/fs/cgroup/cpu/a b",
		.id = 18446744073709551615u,
		.was = {20000, 100000}};
	const struct guard_entry y = {.dir = "/c", .id = 7, .was = {CPUQUOTA_NONE, 50000}};

	guard_record_add(&r, &x);
	guard_record_add(&r, &y);
	guard_record_add_device(&r, &(struct guard_device){.netns = UINT32_MAX,
					    .ifindex = 3,
					    .was = {UINT64_MAX, 1},
					    .set = {200000, UINT32_MAX}});
	return guard_record_text(&r);
}

static void comes_back(void **state)
{
	_cleanup_(guard_record_fini) struct guard_record r = {0};
	_cleanup_(freep) char *text = sample();
	struct err e = {0};

	(void)state;
	assert_int_equal(guard_record_parse(&r, text, strlen(text), &e), 0);
	assert_string_equal(r.boot, "a-boot");
	assert_int_equal(r.n, 2);
	assert_string_equal(guard_record_find(&r, 18446744073709551615u)->dir,
		"/sys/fs/cgroup/cpu/a b");
	assert_int_equal(r.item[0].was.quota_us, 20000);
	assert_int_equal(r.item[1].was.quota_us, CPUQUOTA_NONE);
	assert_int_equal(r.item[1].was.period_us, 50000);
	assert_int_equal(r.n_devices, 1);
	assert_true(r.device[0].netns == UINT32_MAX && r.device[0].ifindex == 3);
	assert_true(r.device[0].was.flush_ns == UINT64_MAX && r.device[0].was.defer == 1);
	assert_true(r.device[0].set.flush_ns == 200000 && r.device[0].set.defer == UINT32_MAX);
	guard_record_remove(&r, guard_record_find(&r, 18446744073709551615u));
	assert_null(guard_record_find(&r, 18446744073709551615u));
	assert_int_equal(r.n, 1);
}

static void nothing_damaged_is_believed(void **state)
{
	_cleanup_(freep) char *text = sample();
	const size_t len = strlen(text);
	struct guard_record r = {0};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < len; i++) {
		const char was = text[i];

		text[i] = '\0';
		assert_int_equal(guard_record_parse(&r, text, i, &e), -EBADMSG);
		assert_int_equal(guard_record_parse(&r, text, len, &e), -EBADMSG);
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(was ^ (1 << bit));
			assert_int_equal(guard_record_parse(&r, text, len, &e), -EBADMSG);
		}
		text[i] = was;
	}
	assert_null(r.item);
	assert_null(r.device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(nothing_damaged_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
