/* One line per path; order is that of reports. */
#pragma once

#include "path/path.h"

extern const struct path_ops path_native;
extern const struct path_ops path_hostnet;
extern const struct path_ops path_veth;
extern const struct path_ops path_bridge;
extern const struct path_ops path_nat;
extern const struct path_ops path_existing;
