#include "path/table.h"

const struct path_ops *const path_table[] = {
#define PATH(name) &path_##name,
#include "path/table.inc"
#undef PATH
	NULL,
};
