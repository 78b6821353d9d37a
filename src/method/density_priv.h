/* What the files of a matrix share; not for others. */
#pragma once

#include "method/density.h"

void density_unit_add(struct density *d, struct density_unit *u);
/* NULL: not there */
const struct density_unit *density_unit_at(const struct density *d,
	const struct density_unit *which, uint32_t rebuild);

/* One measurement of a cell, which is built for it. u's cell is set, the rest is filled in. */
int density_measure(struct density *d, struct density_unit *u, int cancel_fd, struct err *e)
	must_check_;
/* The cell's path, built. Return: 0, PATH_UNAVAILABLE with the reason, or negative errno. */
int density_open(struct subject **ret, const struct density *d, const struct density_unit *u,
	int cancel_fd, struct err *e) must_check_;

/* density_doc.c: what the file of --resume has of these campaigns, and units read from there. */
struct resume;
int density_resume_open(struct resume **ret, struct density *d, bool *ret_there, struct err *e)
	must_check_;
int density_resume_head(struct resume *x, const struct density *d, struct err *e) must_check_;
/* As it is when it was written down and read again; the caller's. */
int density_unit_as_read(struct density_unit **ret, const struct density_unit *u, struct err *e)
	must_check_;
