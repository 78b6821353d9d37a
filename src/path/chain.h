/* Options of paths that have forwarding functions on the way. */
#pragma once

#include "path/path.h"

extern const struct opt chain_opts[];
#define CHAIN_OPTS_TITLE "Chains of functions"
