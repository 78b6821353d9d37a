/* What the files of resources share; not for others. */
#pragma once

#include "method/resources.h"

/* Are processes to be placed, or kept from each other, at all? */
bool resources_place_asked(const struct resources_cfg *cfg);
/* Of NUMA; at least one. */
uint32_t resources_n_nodes(void);
/* Can the machine do what is asked? As resources_open(). */
int resources_probe(const struct resources_cfg *cfg, struct err *e) must_check_;
