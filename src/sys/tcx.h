/*
 * A BPF program at a tc hook of a device, beside those of others: as a link, which goes with its
 * descriptor, or on kernels without such links as a filter, which does not.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct tcx_hook {
	int netns_fd;
	int ifindex;
	bool egress;
};

/*
 * tcx_attach() - before all that is there; the program says TC_ACT_UNSPEC for "go on".
 *
 * Return: 0; -EOPNOTSUPP: no such links here (Linux 6.6); -ENODEV; or another negative errno.
 */
int tcx_attach(int *ret_fd, const struct tcx_hook *at, int prog_fd, struct err *e) must_check_;

/*
 * tcx_filter_add() - a filter of the qdisc clsact. After kill -9 it is still there: the next
 *                    tcx_filter_add() on that device takes its place, told by its number and the
 *                    program's name.
 * @ret_own_qdisc: clsact was not there before
 *
 * Return: 0; -EOPNOTSUPP: no clsact here; -EBUSY: another's filter has that number; or errno.
 */
int tcx_filter_add(bool *ret_own_qdisc, const struct tcx_hook *at, int prog_fd, struct err *e)
	must_check_;
/* Removes it, and the qdisc if it is ours and has no other filter. Fine if the device is gone. */
void tcx_filter_remove(bool own_qdisc, const struct tcx_hook *at);
