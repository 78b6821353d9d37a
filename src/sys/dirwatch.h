/*
 * A tree of directories that is watched for directories that come and go, with a limit: what is
 * beyond it is not seen, and its user looks for itself from time to time anyway.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct dirwatch;

struct dirwatch_args {
	const char *root; /* absolute, without a "/" at its end */
	/* Is what is in @path, a directory below @root that begins with "/", to be watched? */
	bool (*enter)(const char *path);
	uint32_t max; /* directories at once */
};

int dirwatch_open(struct dirwatch **ret, const struct dirwatch_args *args, struct err *e)
	must_check_;
void dirwatch_close(struct dirwatch *w);
DEFINE_CLEANUP(struct dirwatch *, dirwatch_close, dirwatch_closep)

/* Readable when something came or went. */
int dirwatch_fd(const struct dirwatch *w);
/* Takes what was said, and watches what is new. Return: did any directory come or go? */
bool dirwatch_take(struct dirwatch *w);
/* Is anything not watched, for lack of room? */
bool dirwatch_is_short(const struct dirwatch *w);
