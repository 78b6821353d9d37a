/* Small kernel files: procfs, sysfs, sysctl, cgroupfs. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/*
 * file_read() - read a whole small file as text.
 * @ret: [size], NUL-terminated; one trailing newline is cut. A longer file is cut at size - 1.
 *
 * Return: bytes read, or negative errno (the text says which file).
 */
int file_read(const char *path, char *ret, size_t size, struct err *e) must_check_;

/* Writes @text to an existing file, in one write. */
int file_write(const char *path, const char *text, struct err *e) must_check_;

/*
 * A sysctl by its path below /proc/sys ("net/ipv4/ip_forward"). Files below net/ belong to the
 * network namespace of the calling thread.
 */
int file_sysctl_read(const char *name, char *ret, size_t size, struct err *e) must_check_;
int file_sysctl_write(const char *name, const char *value, struct err *e) must_check_;
