/*
 * A process of ours that copies frames between two tap devices, both ways, as pasta, slirp4netns
 * and the network back ends of virtual machines do. It is single-threaded, and dies with tare.
 */
#pragma once

#include "base/err.h"
#include "sys/spawn.h"

#define FORWARD_NONE                                                                               \
	{                                                                                          \
		.ctl_fd = -1                                                                       \
	}

/* @tap_fd: non-blocking, with headers of the same form. They may be closed afterwards. */
int forward_start(struct spawned *ret, const int tap_fd[2], struct err *e) must_check_;
/* Ends it, and with it the devices that nobody else holds. Fine for one that never started. */
void forward_stop(struct spawned *f);
