/*
 * MSG_ZEROCOPY: pages are pinned instead of copied, and the kernel reports on the socket's error
 * queue when it is done with them, and whether it had to copy after all (as over loopback).
 * Ref: Documentation/networking/msg_zerocopy.rst
 */
#pragma once

#include "load/flow.h"

int zerocopy_enable(int fd, struct err *e) must_check_;

/* Takes the reports that are there. Return: 0 or negative errno. */
int zerocopy_reap(struct flow *f);
