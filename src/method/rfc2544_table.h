/* One line per test. */
#pragma once

#include "method/rfc2544.h"

extern const struct rfc_test rfc_test_throughput;
extern const struct rfc_test rfc_test_latency;
extern const struct rfc_test rfc_test_loss;
extern const struct rfc_test rfc_test_back_to_back;
extern const struct rfc_test rfc_test_recovery;
extern const struct rfc_test rfc_test_reset;
