/*
 * Scope-bound ownership: a variable marked _cleanup_(f) is released by f when it leaves scope,
 * take_ptr() and take_fd() hand it over. Replaces goto-cleanup, whose shared status variable is
 * forgotten sooner or later.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define take_ptr(p)                                                                                \
	({                                                                                         \
		typeof(p) take_ptr_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_ptr_;                                                                         \
	})
#define take_fd(fd)                                                                                \
	({                                                                                         \
		int take_fd_ = (fd);                                                               \
		(fd) = -1;                                                                         \
		take_fd_;                                                                          \
	})

/* Defines func_p(), the form the attribute needs, from a destructor that takes NULL. */
#define DEFINE_CLEANUP(type, func, name)                                                           \
	static inline void name(type *p)                                                           \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
		*p = NULL;                                                                         \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void dir_closep(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}
