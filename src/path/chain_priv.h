/* What the files of path/chain.c share. */
#pragma once

#include "path/nf.h"

struct chain_model {
	uint32_t nfs, max_nfs;
	bool linked; /* functions to each other, without the host between */
	bool shared; /* the last function is that of all instances */
	bool owned;  /* ports by the first and the last function, which has the device itself */
};

struct chain {
	const struct chain_model *model;
	const struct nf_ops *ops;
	uint32_t n, m;
	struct nf *nf;          /* [m][n] */
	struct rt_id near, far; /* devices of the ends */
};

/* Of a function that instances share, all but the first have only what it knows of their ways. */
static inline struct nf *nf_at(const struct chain *c, uint32_t i, uint32_t k)
{
	return &c->nf[i * c->n + k];
}

/* Addresses of the ends, their ways to each other, and p->instance[]. */
int chain_ends_add(struct path *p, struct err *e) must_check_;
/* Segments of TCP and checksums are finished where they are made. */
int chain_ends_finish(struct path *p, struct err *e) must_check_;
