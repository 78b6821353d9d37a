/* One line per finding. */
#pragma once

#include "finding/finding.h"

extern const struct finding_ops finding_overlay_mtu;
extern const struct finding_ops finding_conntrack;
extern const struct finding_ops finding_emulated_nic;
