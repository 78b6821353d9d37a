/* Containers on a bridge of the host; what bridge, conntrack, NAT and guests have in common. */
#pragma once

#include "path/lab.h"

/* Adds bridge br0 with the gateway's address, forwarding on. */
int bridge_add(struct lab *lab, struct err *e) must_check_;

/* Adds pod @i to it. */
int bridge_pod_add(struct lab *lab, uint32_t i, struct err *e) must_check_;

/* Both: bridge br0 and all pods of the lab on it. */
int bridge_pods(struct lab *lab, struct err *e) must_check_;

/* The path "bridge". */
int bridge_build(struct path *p, struct err *e) must_check_;
