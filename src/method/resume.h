/*
 * The file of --resume: JSON lines. The first says what the campaign is: its configuration, and
 * facts that were found before its first unit; each other one is a finished unit. A line is
 * written in one piece and is on the disk before the next unit begins, so that a campaign that is
 * killed loses the unit it was at: half a last line is cut off.
 */
#pragma once

#include "base/cleanup.h"
#include "wire/doc.h"

/* What the file of one kind of campaign has in it. */
struct resume_ops {
	const char *format; /* "tare_rfc2544_resume": the first key of the head */
	/* All that makes numbers comparable. Values are compared one by one. */
	struct doc *(*config)(const void *campaign);
	/* Takes facts of the head over; -EEXIST: it is of another campaign. */
	int (*read_head)(void *campaign, const struct doc *d, struct err *e);
	int (*read_unit)(void *campaign, const struct doc *d, struct err *e);
};

struct resume;

/*
 * resume_open() - take what is there over into @campaign, or begin a new file.
 * *ret_there: there was such a file; else resume_head() is due before the first unit
 *
 * Return: 0, -EEXIST (of another configuration, or no such file), or another negative errno.
 */
int resume_open(struct resume **ret, const char *path, const struct resume_ops *ops, void *campaign,
	bool *ret_there, struct err *e) must_check_;
/* @facts: members of the head besides format and configuration */
int resume_head(struct resume *x, const void *campaign, const struct doc *facts, struct err *e)
	must_check_;
int resume_add(struct resume *x, const struct doc *unit, struct err *e) must_check_;
void resume_close(struct resume *x);
DEFINE_CLEANUP(struct resume *, resume_close, resume_closep)
