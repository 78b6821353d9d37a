/* Stream sockets with a name in the file system. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* Return: descriptor of a socket that listens at @path, or negative errno. */
int unixsock_listen(const char *path, struct err *e) must_check_;

/*
 * unixsock_connect() - connect to the one at @path, as soon as somebody listens there.
 * @cancel_fd: readable: give up with -ECANCELED; -1: none
 *
 * Return: descriptor, or negative errno; what keeps it from there when the time is over.
 */
int unixsock_connect(const char *path, uint64_t deadline_ns, int cancel_fd, struct err *e)
	must_check_;
