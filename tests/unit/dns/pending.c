#include "dns/pending.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ids_come_again_late(void **state)
{
	struct dns_pending p;

	(void)state;
	dns_pending_init(&p, 256);
	for (uint32_t i = 0; i < 200000; i++) {
		assert_int_equal(dns_pending_add(&p, i, i), (uint16_t)i);
		assert_int_equal(dns_pending_find(&p, (uint16_t)i)->query, i);
		dns_pending_find(&p, (uint16_t)i)->fate = DNS_ANSWERED;
		if (i >= 255) {
			assert_non_null(dns_pending_find(&p, (uint16_t)(i - 255)));
			assert_null(dns_pending_find(&p, (uint16_t)(i - 256)));
		}
	}
	dns_pending_fini(&p);
}

static void room_is_what_the_oldest_leaves(void **state)
{
	struct dns_pending p;

	(void)state;
	dns_pending_init(&p, 256);
	for (uint32_t i = 0; i < 256; i++)
		(void)dns_pending_add(&p, i, i);
	assert_int_equal(dns_pending_room(&p), 0);
	dns_pending_find(&p, 1)->fate = DNS_ANSWERED;
	assert_int_equal(dns_pending_room(&p), 0);
	dns_pending_find(&p, 0)->fate = DNS_ANSWERED;
	assert_int_equal(dns_pending_room(&p), 2);
	dns_pending_fini(&p);
}

static void what_is_due_before_is_lost(void **state)
{
	struct dns_pending p;

	(void)state;
	dns_pending_init(&p, 1024);
	for (uint32_t i = 0; i < 10; i++)
		(void)dns_pending_add(&p, i, 100 * i);
	dns_pending_find(&p, 2)->fate = DNS_ANSWERED;
	assert_int_equal(dns_pending_expire(&p, 400), 3);
	assert_int_equal(dns_pending_expire(&p, 400), 0);
	assert_int_equal(dns_pending_find(&p, 0)->fate, DNS_LOST);
	assert_int_equal(dns_pending_find(&p, 2)->fate, DNS_ANSWERED);
	assert_int_equal(dns_pending_find(&p, 4)->fate, DNS_WAITING);
	dns_pending_take_back(&p, 2);
	assert_null(dns_pending_find(&p, 8));
	assert_int_equal(dns_pending_add(&p, 77, 900), 8);
	assert_int_equal(dns_pending_expire(&p, UINT64_MAX), 5);
	assert_int_equal(dns_pending_room(&p), 1024);
	dns_pending_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_come_again_late),
		cmocka_unit_test(room_is_what_the_oldest_leaves),
		cmocka_unit_test(what_is_due_before_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
