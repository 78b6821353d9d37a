/* One trial between two machines in full, as text. */
#pragma once

#include "bench/result.h"

#include <stdio.h>

void trial_print(const struct run *run, const struct trial *t, FILE *out);

/* "9.41 Gbit/s": decimal prefixes, three digits. */
const char *trial_scaled(double v, const char *unit, char ret[static 32]);
