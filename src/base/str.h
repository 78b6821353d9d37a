/* Bounded string copies and a growing line buffer. */
#pragma once

#include "base/macro.h"

#include <stddef.h>
#include <stdint.h>

/*
 * str_copy() - copy @src into @dst, always NUL-terminated.
 *
 * Return: 0, or -E2BIG when it did not fit (then @dst holds the part that did).
 */
int str_copy(char *dst, size_t size, const char *src);

/* Copies into a member or local array; asserts that it is an array, not a pointer. */
#define str_set(dst, src)                                                                          \
	({                                                                                         \
		static_assert(!__builtin_types_compatible_p(typeof(dst), char *), "needs array");  \
		(void)str_copy((dst), sizeof(dst), (src));                                         \
	})

/* Index of @s in @names, or -1. Exact match only: abbreviations make scripts break later. */
int str_index(const char *s, const char *const *names, size_t n_names);

/*
 * Makes one line of what a program said, that can be shown anywhere: line ends become ";", other
 * control characters and all that is not ASCII (an escape sequence, half a character) blanks.
 */
void str_one_line(char *text);

/* Bytes of the well-formed character of UTF-8 that @text begins with, or 0: it is none. */
size_t str_utf8(const char *text);

/* Appends printf-style text to the fixed buffer @dst of @size; text that does not fit is cut. */
void str_addf(char *dst, size_t size, const char *fmt, ...) printf_(3, 4);
