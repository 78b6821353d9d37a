/* Which files of an unpacked kernel's modules are needed for some modules, in order of loading. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define KMODULE_MAX 64

struct kmodule_list {
	char *path[KMODULE_MAX]; /* owned; what a module needs stands before it */
	uint32_t n;
};

/*
 * kmodule_resolve() - find @names and what they need. Parts built into the kernel need no file.
 * @dir: ".../lib/modules/<release>"
 * @names: NULL-terminated; "_" and "-" are the same
 *
 * Return: 0; -EOPNOTSUPP when the kernel has no such module, or the folder no index; negative
 * errno.
 */
int kmodule_resolve(struct kmodule_list *ret, const char *dir, const char *const *names,
	struct err *e) must_check_;
void kmodule_list_fini(struct kmodule_list *list);
