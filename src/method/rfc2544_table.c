#include "method/rfc2544_table.h"

/* A test's row is its number: a unit is stored with it. */
const struct rfc_test *const rfc_test_table[RFC_TEST_N] = {
	[RFC_THROUGHPUT] = &rfc_test_throughput,
	[RFC_LATENCY] = &rfc_test_latency,
	[RFC_LOSS] = &rfc_test_loss,
	[RFC_BACK_TO_BACK] = &rfc_test_back_to_back,
	[RFC_RECOVERY] = &rfc_test_recovery,
	[RFC_RESET] = &rfc_test_reset,
};
