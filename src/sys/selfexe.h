/* The running program as files: itself, the loader, and the shared objects it runs on. */
#pragma once

#include "base/err.h"

/*
 * Called for each file. @source: where it is; @name: where it belongs below another root, without
 * a leading "/". Return: 0 to go on, or negative errno.
 */
typedef int self_file_fn(void *ctx, const char *source, const char *name, struct err *e);

/*
 * self_files() - visit all that this program needs to run as /@exe_name on the same kernel. The
 * loader is named as the program asks for it, shared objects belong to /lib: the program needs
 * LD_LIBRARY_PATH=/lib in its environment there.
 */
int self_files(const char *exe_name, self_file_fn *fn, void *ctx, struct err *e) must_check_;
