/* What the family of NAT paths shares: pods on a bridge, reached at an address of the host. */
#pragma once

#include "path/lab.h"

/* What is published, and where it leads. */
struct nat_base {
	const char *ip;        /* "ip" or "ip6", as nftables has it */
	const char *net;       /* of the pods */
	const char *published; /* where the other end reaches a pod */
	uint32_t n_ends;       /* pods that are ends */
	struct {
		const char *name; /* of the end, for chains */
		const char *addr; /* of its pod */
		uint16_t first_port, last_port;
	} end[LAB_N_PODS];
};

/* Builds the bridge and its pods, and fills p->near and p->far. @published NULL: the host's. */
int nat_base_build(struct path *p, const char *published, struct nat_base *ret, struct err *e)
	must_check_;

/* The path "nat". */
int nat_build(struct path *p, struct err *e) must_check_;
