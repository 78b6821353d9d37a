/* What the tests of a campaign share; not for others. */
#pragma once

#include "method/rfc2544.h"

struct rfc_unit *rfc_unit_new(uint32_t test, uint32_t size, uint32_t index);
void rfc_unit_free(struct rfc_unit *u);
DEFINE_CLEANUP(struct rfc_unit *, rfc_unit_free, rfc_unit_freep)
void rfc_unit_add(struct rfc *c, struct rfc_unit *u);

/* The unit's next row, with no number in it. */
struct rfc_row *rfc_row_add(struct rfc_unit *u);
/* Its status and why, as a sentence. */
void rfc_verdict(struct rfc_row *row, enum rfc_status status, const char *fmt, ...) printf_(3, 4);

/* The part of a row that is the test's own. */
void *rfc_row_own(const struct rfc_test *t, struct rfc_row *row);
const void *rfc_row_own_const(const struct rfc_test *t, const struct rfc_row *row);

/* One trial of one phase, accounted in @u. @ret: may be NULL */
struct rfc_one {
	double fps;
	uint64_t n_frames;
	struct hist *hist; /* NULL: not wanted */
	bool fair;         /* rfc_trial_fair() instead; not where loss is verified anyway */
};
int rfc_trial_one(struct rfc *c, struct rfc_unit *u, const struct rfc_one *one,
	struct subject_trial *ret, struct err *e) must_check_;
/* Any trial, with ret->hist to be filled or NULL. Fills in ask's mix, settling and learning. */
int rfc_trial_ask(struct rfc *c, struct rfc_unit *u, struct subject_ask *ask,
	struct subject_trial *ret, struct err *e) must_check_;
/*
 * The same, made again up to RFC_UNFAIR_MAX times while nobody but the tester lost frames: a sender
 * that was held up for a moment has not offered the load that was to be tried.
 */
#define RFC_UNFAIR_MAX 2
int rfc_trial_fair(struct rfc *c, struct rfc_unit *u, struct subject_ask *ask,
	struct subject_trial *ret, struct err *e) must_check_;
/* All but load and rate. */
void rfc_latency_fill(struct rfc_latency *x, const struct hist *h);
uint64_t rfc_frames(double fps, uint64_t duration_ns);

/* The row whose rate others build on: no loss (@loss false), or the last goal's. NULL: none */
const struct rfc_throughput *rfc_base(const struct rfc *c, uint32_t size, bool loss);
/* A row that says that there is no such rate. */
void rfc_no_base(struct rfc_unit *u);

/* Drain, settling and learning: what a trial takes besides its frames. */
double rfc_overhead_s(const struct rfc *c);
/* Steps of a binary search over loads of --width. */
uint32_t rfc_search_steps(const struct rfc *c);

/* rfc2544_doc.c: units as JSON. */
int rfc_unit_read(struct rfc_unit **ret, const struct rfc *c, const struct doc *d, struct err *e)
	must_check_;
/* As it is when it was written down and read again. */
int rfc_unit_as_read(struct rfc_unit **ret, const struct rfc *c, const struct rfc_unit *u,
	struct err *e) must_check_;

/* rfc2544_resume.c: the file of --resume, as method/resume.h has it. Sizes of @c become its. */
struct resume;
int rfc_resume_open(struct resume **ret, struct rfc *c, bool *ret_there, struct err *e) must_check_;
int rfc_resume_head(struct resume *x, const struct rfc *c, struct err *e) must_check_;
int rfc_resume_add(struct resume *x, const struct rfc *c, const struct rfc_unit *u, struct err *e)
	must_check_;
