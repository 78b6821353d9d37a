/* Where the SUT's processes and a competing load were, in words. */
#pragma once

#include "method/resources.h"

#include <stdio.h>

/* Nothing, when nothing was asked for. */
void report_resources(const struct resources_cfg *cfg, const struct resources_info *x, FILE *out);
