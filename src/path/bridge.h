/* What the bridge and nat paths share. */
#pragma once

#include "path/lab.h"

/* A bridge br0 on the host with every pod of the lab on it, addressed; the host forwards. */
int bridge_pods(struct lab *lab, struct err *e) must_check_;
