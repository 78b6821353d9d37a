/* The addresses of chains: of the ends, an own one for each instance, and of functions. */
#pragma once

#include "path/path.h"

#include <stddef.h>

enum chain_addr {
	ADDR_NEAR,  /* on the first segment */
	ADDR_FIRST, /* of the first function, there */
	ADDR_FAR,   /* on the last segment */
	ADDR_LAST,  /* of the last function, there */
	ADDR_LEFT,  /* of the function on the left of a segment between two */
	ADDR_RIGHT,
	ADDR_N,
};

/* @i: instance; for LEFT and RIGHT PATH_MAX_NFS * instance + segment */
void chain_addr(const struct path *p, enum chain_addr what, uint32_t i, char *ret, size_t size);
#define chain_addr_set(p, what, i, dst) chain_addr(p, what, i, dst, sizeof(dst))
