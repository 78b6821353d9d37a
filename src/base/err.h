/*
 * One channel for words. A function that can fail returns 0, a negative errno (failed, forward it
 * unchanged) or a positive, documented outcome; the struct err it takes last says the same in a
 * sentence. The message is data: a failed trial is stored with it, only cmd/ prints it.
 */
#pragma once

#include "base/macro.h"

#include <stddef.h>

struct err {
	int code;       /* negative errno of the last err_set, 0 if none */
	char text[480]; /* one line, NUL-terminated, no trailing dot */
};

/*
 * err_set() - state why something failed.
 * @e:      where to put it; NULL discards the words
 * @errnum: a positive errno; its strerror() text is appended
 *
 * Return: -errnum (or -EINVAL should @errnum be 0), to be returned as it is.
 */
int err_set(struct err *e, int errnum, const char *fmt, ...) printf_(3, 4);

/* As err_set(), but the sentence is complete without the strerror() text. */
int err_say(struct err *e, int errnum, const char *fmt, ...) printf_(3, 4);

/*
 * err_wrap() - put what a caller knows more in front of the reason: "path 'nat': cannot ...".
 *
 * Return: e->code, to be returned as it is.
 */
int err_wrap(struct err *e, const char *fmt, ...) printf_(2, 3);
