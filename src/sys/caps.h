/* Capabilities of the calling thread, and giving them up. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* @cap: CAP_NET_ADMIN and the like, from linux/capability.h; effective ones count. */
bool caps_have(int cap);

/*
 * caps_drop() - become @user for good: its uid and gid, no groups, no capabilities but @keep, an
 * empty bounding set, no_new_privs. Without root the user stays who he is.
 * @user: NULL or "": keep the user
 * @keep: one capability to keep; -1: none
 */
int caps_drop(const char *user, int keep, struct err *e) must_check_;
