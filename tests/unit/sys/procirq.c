/* Rows of /proc/softirqs and /proc/interrupts, of a machine with four CPUs, one offline. */
#include "sys/procirq.h"

#include "base/macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char softirqs[] = "                    CPU0       CPU1       CPU3       \n"
			       "          HI:          0          0          1\n"
			       "      NET_TX:          4          0         12\n"
			       "      NET_RX:      11053       9987          7\n"
			       "       BLOCK:          1\n";
static const char interrupts[] =
	"           CPU0       CPU1       CPU3       \n"
	"  1:          9          0          0  IO-APIC   1-edge      i8042\n"
	" 24:         10        200          0  PCI-MSI 2 virtio0-input.0\n"
	"LOC:        500        600        700  Local timer interrupts\n"
	"ERR:          3\n";

static void rows(void **state)
{
	uint64_t n[4] = {9, 9, 9, 9};

	(void)state;
	assert_int_equal(procirq_row(softirqs, "NET_RX", n, ARRAY_SIZE(n)), 3);
	assert_int_equal(n[0], 11053);
	assert_int_equal(n[1], 9987);
	assert_int_equal(n[2], 7);
	assert_int_equal(n[3], 9);
	assert_int_equal(procirq_row(softirqs, "NET_TX", n, ARRAY_SIZE(n)), 3);
	assert_int_equal(n[2], 12);
	/* Fewer numbers than CPUs, and a row that only begins like one. */
	assert_int_equal(procirq_row(softirqs, "BLOCK", n, ARRAY_SIZE(n)), 3);
	assert_int_equal(n[0] + n[1] + n[2], 1);
	assert_int_equal(procirq_row(softirqs, "NET", n, ARRAY_SIZE(n)), 0);
	assert_int_equal(procirq_row("", "NET_RX", n, ARRAY_SIZE(n)), 0);
}

static void no_more_than_there_is_room_for(void **state)
{
	uint64_t n[3] = {0, 0, 77};

	(void)state;
	assert_int_equal(procirq_row(softirqs, "NET_RX", n, 2), 2);
	assert_int_equal(n[1], 9987);
	assert_int_equal(n[2], 77);
}

static void devices(void **state)
{
	uint64_t n[4];

	(void)state;
	assert_int_equal(procirq_devices(interrupts, n, ARRAY_SIZE(n)), 3);
	assert_int_equal(n[0], 19);
	assert_int_equal(n[1], 200);
	assert_int_equal(n[2], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(no_more_than_there_is_room_for),
		cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
