/* Allocation that cannot fail: out of memory aborts, so no caller carries an untested path. */
#pragma once

#include "base/macro.h"

#include <stddef.h>

void *xcalloc(size_t n, size_t size) must_check_;
void *xreallocarray(void *p, size_t n, size_t size) must_check_;
char *xstrdup(const char *s) must_check_;
char *xasprintf(const char *fmt, ...) must_check_ printf_(1, 2);
