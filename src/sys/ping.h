/* One ICMP echo there and back. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/*
 * ping() - repeat echo requests to @addr until one is answered.
 * @netns_fd: where from; -1: the calling thread's namespace
 *
 * Return: 0, -ETIMEDOUT when none was answered in time, or negative errno.
 */
int ping(int netns_fd, const char *addr, uint64_t deadline_ns, struct err *e) must_check_;
