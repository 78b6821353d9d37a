/*
 * Variance components of measurements in groups: how much of the spread is within a group (trials
 * of one instantiation of a SUT) and how much between groups (what differs from one instantiation
 * to the next, such as where its processes came to run). Model: x = mean + group + trial, both
 * random. Ref: Searle, Casella, McCulloch, Variance Components (1992), s. 3.6, one-way
 * classification, unbalanced data, analysis-of-variance estimators.
 */
#pragma once

#include "base/field.h"

#include <stdint.h>

struct components {
	uint32_t n_groups; /* with a number */
	uint32_t n;        /* numbers in all */
	double mean;       /* of the groups' means */
	/* 95 % interval of mean, from the groups' means: they are what is independent. */
	double ci_low, ci_high;
	double sd_within;  /* of one group; NAN: no group has two */
	double sd_between; /* of groups, without what is within; NAN: unknown */
	double sd_means;   /* of the groups' means as they are; NAN: one group */
};
extern const struct field components_fields[];

/*
 * components_of() - @x: numbers, a group after the other; NAN: no number, it is left out.
 * @n_of: [n_groups] how many of @x a group has
 */
struct components components_of(const double *x, const uint32_t *n_of, uint32_t n_groups);
