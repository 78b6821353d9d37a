/*
 * Removal of the things whose life is not a file descriptor: cgroup directories, and what a
 * daemon holds for us. A small process of its own session waits for tare's end of a pipe to close,
 * which kill -9 does too, and then removes what it was told of, the last first.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

struct janitor;

int janitor_start(struct janitor **ret, struct err *e) must_check_;

/* Names a directory to be removed at the end; say it before it is created. */
int janitor_note(struct janitor *j, const char *dir, struct err *e) must_check_;

/* The same of a directory with all directories below it; their files must go by themselves. */
int janitor_note_tree(struct janitor *j, const char *dir, struct err *e) must_check_;

/* Names a program to be run at the end, for at most 10 s. @argv: NULL-terminated */
int janitor_note_command(struct janitor *j, const char *const *argv, struct err *e) must_check_;

/* Removes the directory with all directories below it. Return: 0 or negative errno. */
int janitor_remove_tree(const char *dir);

/* Has everything noted removed now, and waits until that is done. */
void janitor_finish(struct janitor *j);
DEFINE_CLEANUP(struct janitor *, janitor_finish, janitor_finishp)
