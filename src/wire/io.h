/*
 * Whole reads and writes on a stream socket, or the port of a guest, with a deadline and a
 * descriptor that cancels.
 */
#pragma once

#include "base/macro.h"

#include <stddef.h>
#include <stdint.h>

/*
 * io_read() and io_write() - move exactly @len bytes.
 * @cancel_fd: readable means give up; -1: none
 * @deadline_ns: monotonic
 *
 * Return: 0; -EPIPE (closed by the other side), -ETIMEDOUT, -ECANCELED or other negative errno.
 */
int io_read(int fd, int cancel_fd, void *buf, size_t len, uint64_t deadline_ns) must_check_;
int io_write(int fd, int cancel_fd, const void *buf, size_t len, uint64_t deadline_ns) must_check_;
