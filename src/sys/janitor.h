/*
 * Removal of the one kind of thing whose life is not a file descriptor: cgroup directories. A
 * small process of its own session waits for tare's end of a pipe to close, which kill -9 does
 * too, and then removes what it was told of.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

struct janitor;

int janitor_start(struct janitor **ret, struct err *e) must_check_;

/* Names a directory to be removed at the end; say it before it is created. */
int janitor_note(struct janitor *j, const char *dir, struct err *e) must_check_;

/* Has everything noted removed now, and waits until that is done (at most 5 s). */
void janitor_finish(struct janitor *j);
DEFINE_CLEANUP(struct janitor *, janitor_finish, janitor_finishp)
