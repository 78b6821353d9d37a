/* Entries of a network namespace's connection table, by ctnetlink. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct conntrack_size {
	uint64_t count,
		max; /* max is the machine's, and holds for each namespace by itself; 0: none */
};
int conntrack_size(int netns_fd, struct conntrack_size *ret, struct err *e) must_check_;

/*
 * conntrack_fill() - add @n established TCP connections of addresses that nobody has, which the
 *                    kernel forgets neither by itself in the next days nor to make room.
 * @cancel_fd: readable: give up; -1: none
 * *ret_added: how many there was room for
 *
 * Return: 0; -EOPNOTSUPP when the kernel has no ctnetlink; -ECANCELED; or negative errno.
 */
int conntrack_fill(int netns_fd, uint64_t n, int cancel_fd, uint64_t *ret_added, struct err *e)
	must_check_;
