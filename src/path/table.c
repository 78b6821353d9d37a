#include "path/table.h"

const struct path_ops *const path_table[] = {
	&path_native,
	&path_hostnet,
	&path_veth,
	&path_bridge,
	&path_nat,
	&path_existing,
	NULL,
};
