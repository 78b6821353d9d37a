/* A container's root file system that holds this very program and nothing else. */
#pragma once

#include "base/err.h"

#include <sys/types.h>

/* The program in it; it needs LD_LIBRARY_PATH=/lib in its environment. */
#define ROOTFS_EXE "/bin/tare"

/*
 * rootfs_of_self() - create @dir with ROOTFS_EXE, what that runs on (sys/selfexe.h) and the mount
 * points that an engine expects, all of it @uid's and @gid's.
 */
int rootfs_of_self(const char *dir, uid_t uid, gid_t gid, struct err *e) must_check_;
