/* SIGINT, SIGTERM and SIGHUP as a descriptor, for the one loop that waits. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Blocks the three signals in this process and ignores SIGPIPE. Return: signalfd or negative. */
int signals_open(struct err *e) must_check_;

/* True once one of them has arrived; it stays readable. */
bool signals_pending(int fd);

/* Takes what has arrived off @fd, so that the next signal can be told from it. */
void signals_take(int fd);
