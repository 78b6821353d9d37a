/* The paths by name, for the table and for paths that are kin. */
#pragma once

#include "path/path.h"

#define PATH(name) extern const struct path_ops path_##name;
#include "path/table.inc"
#undef PATH
