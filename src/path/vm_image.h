/*
 * What a guest boots: a distribution's kernel, unpacked into a folder as its package has it (boot/,
 * lib/modules/), and a first file system made of this program and the modules that are needed.
 */
#pragma once

#include "path/guest_link.h"
#include "sys/kmodule.h"

#include <limits.h>

struct vm_image {
	char kernel[PATH_MAX];
	struct kmodule_list modules;
};

/*
 * vm_image_find() - the newest kernel below @guest_dir, and its files for @modules.
 * @modules: NULL-terminated names
 *
 * Return: 0; -EOPNOTSUPP when something is missing, in words that say how to get it.
 */
int vm_image_find(struct vm_image *ret, const char *guest_dir, const char *const *modules,
	struct err *e) must_check_;
void vm_image_fini(struct vm_image *image);

/*
 * vm_image_initramfs() - the first file system, with @text as /@name.
 *
 * Return: its descriptor, or negative errno.
 */
int vm_image_initramfs(const struct vm_image *image, const char *name, const char *text,
	struct err *e) must_check_;
