/* Effective capabilities of the calling thread. */
#pragma once

#include <stdbool.h>

/* @cap: CAP_NET_ADMIN and the like, from linux/capability.h. */
bool caps_have(int cap);
