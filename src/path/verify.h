/* One UDP packet each way before anything is measured: an unproven path is not a path. */
#pragma once

#include "path/path.h"

/* Return: 0, or -ETIMEDOUT naming the direction that stayed silent. */
int path_verify(const struct path *p, struct err *e) must_check_;
