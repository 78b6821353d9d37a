/*
 * What is to be seen in every matrix of service densities, whatever its machine: relations between
 * cells, stated over numbers with their intervals. Pure functions.
 *
 * Ref: the results of FD.io in draft-mkonstan-nf-service-density-01 (CSC and CSP, 64 bytes).
 */
#pragma once

#include "path/path.h"

#include <stdint.h>

enum density_relation_id {
	DENSITY_D1, /* of one function, a chain and a pipeline do the same */
	DENSITY_D2, /* with more functions a chain falls, and a pipeline less */
	DENSITY_D3, /* with more instances both fall */
	DENSITY_RELATION_N,
};

enum density_holds {
	DENSITY_HOLDS,
	DENSITY_HOLDS_NOT,
	DENSITY_UNDECIDED, /* it does not, but by less than the numbers are certain */
	DENSITY_NOT_TESTABLE,
	DENSITY_HOLDS_N,
};
extern const char *const density_holds_name[DENSITY_HOLDS_N]; /* "holds", ... */

struct density_relation {
	const char *name;  /* "D1" */
	const char *claim; /* "with one function ..." */
	uint32_t holds;    /* enum density_holds */
	char text[256];    /* the numbers, or why it can't be tested */
};

/* NAN: not measured. low and high are the interval, of nothing but a number both the number. */
struct density_value {
	double fps, low_fps, high_fps;
};

/* Rows and columns are in rising order. */
struct density_matrix {
	uint32_t n_instances, n_nfs;
	uint32_t instances[PATH_MAX_INSTANCES], nfs[PATH_MAX_NFS];
	struct density_value cell[PATH_MAX_INSTANCES][PATH_MAX_NFS];
};

/* Two numbers are the same when they differ by no more, as the draft's do. */
#define DENSITY_SAME 0.02

/* @chain, @pipeline: of the same rows and columns. @ret: [DENSITY_RELATION_N] */
void density_relations(const struct density_matrix *chain, const struct density_matrix *pipeline,
	struct density_relation *ret);
