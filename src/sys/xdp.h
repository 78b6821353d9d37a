/* AF_XDP: can this process put XDP programs on devices, and open the sockets they fill? */
#pragma once

#include "base/err.h"

/* Return: 0; -EOPNOTSUPP or -EPERM with the reason; or another negative errno. */
int xdp_probe(struct err *e) must_check_;
