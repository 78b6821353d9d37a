/*
 * An Open vSwitch of tare's own, in a room: its database, sockets and logs are below the room's
 * /run, its devices in one network namespace. One that the machine runs is not touched.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>

struct ovs;

struct ovs_args {
	int netns_fd;           /* whose devices are its ports */
	int cancel_fd;          /* readable: give up with -ECANCELED; -1: none */
	const char *vswitchd;   /* the program; NULL: ovs-vswitchd */
	const char *const *set; /* "other_config:key=value", before it starts; NULL: nothing */
};

/*
 * ovs_start() - start database and switch, and wait until both answer.
 *
 * Return: 0; -EOPNOTSUPP when a program is not installed; -ETIMEDOUT, -ECANCELED, or another errno.
 */
int ovs_start(struct ovs **ret, const struct ovs_args *args, struct err *e) must_check_;
/* Ends it and all it has made. */
void ovs_stop(struct ovs *ovs);
DEFINE_CLEANUP(struct ovs *, ovs_stop, ovs_stopp)

/*
 * ovs_vsctl() - one transaction; back when the switch has done it.
 * @words: as ovs-vsctl takes them, NULL-terminated
 *
 * Return: 0, or negative errno: -EIO with the words of the switch when it could not.
 */
int ovs_vsctl(struct ovs *ovs, const char *const *words, struct err *e) must_check_;

/* Stops it, or lets it go on: a polling switch takes a CPU also without traffic. */
int ovs_freeze(struct ovs *ovs, bool freeze, struct err *e) must_check_;

/* Has the switch logged this? For reasons that ovs_vsctl() does not tell. */
bool ovs_logged(const struct ovs *ovs, const char *text);
