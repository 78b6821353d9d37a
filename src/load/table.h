/* One line per load; order is that of reports. */
#pragma once

#include "load/load.h"

extern const struct load_ops load_stream;
extern const struct load_ops load_rr;
extern const struct load_ops load_udp;
extern const struct load_ops load_crr;
