/* tare guard for tare penalty. */
#pragma once

#include "method/penalty.h"

extern const struct penalty_guard_ops penalty_guard_ops;
