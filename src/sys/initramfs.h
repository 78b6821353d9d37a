/*
 * The first file system of a guest: this very program with the shared objects it runs on, kernel
 * modules and small texts, as a cpio archive in memory.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

struct initramfs;

/* Holds /dev/console and the mount points /proc, /sys, /dev and /tmp from the start. */
int initramfs_new(struct initramfs **ret, struct err *e) must_check_;
void initramfs_free(struct initramfs *fs);
DEFINE_CLEANUP(struct initramfs *, initramfs_free, initramfs_freep)

/* Names have no leading "/"; folders above them are made. */
int initramfs_add_file(struct initramfs *fs, const char *name, const char *source, struct err *e)
	must_check_;
int initramfs_add_text(struct initramfs *fs, const char *name, const char *text, struct err *e)
	must_check_;

/*
 * Adds the running program as @name, its loader where it expects it, and what that has loaded to
 * /lib: the guest needs LD_LIBRARY_PATH=/lib in its environment.
 */
int initramfs_add_self(struct initramfs *fs, const char *name, struct err *e) must_check_;

/* Return: descriptor of the archive, without a name on any disk; @fs is of no further use. */
int initramfs_finish(struct initramfs *fs, struct err *e) must_check_;
