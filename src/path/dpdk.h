/*
 * DPDK's own test program as the switch: one of its threads polls two ports and moves frames from
 * one to the other, unchanged. It needs no huge pages.
 */
#pragma once

#include "base/cleanup.h"
#include "path/lab.h"

struct dpdk;

/* A room, and nothing in it: a port may be a socket there. */
int dpdk_open(struct dpdk **ret, struct err *e) must_check_;
void dpdk_close(struct dpdk *d);
DEFINE_CLEANUP(struct dpdk *, dpdk_close, dpdk_closep)

/*
 * Starts it on two ports, in the host's namespace, and waits until it forwards.
 * @vdev: what "--vdev=" takes: "net_af_packet0,iface=wire"
 *
 * Return: 0, -EOPNOTSUPP when there is no such program, or another errno.
 */
int dpdk_start(struct dpdk *d, struct path *p, const char *const vdev[static 2], struct err *e)
	must_check_;

/* For struct path_ops.rest: a thread of it polls all the time. */
int dpdk_rest(struct dpdk *d, bool rest, struct err *e) must_check_;

/* A port on the host's device @dev, by a packet socket. Return: its vdev, the caller's. */
char *dpdk_packet_port(const struct path *p, uint32_t i, const char *dev);

/* A port that a guest connects to, by the socket at *ret_path. Return: its vdev, the caller's. */
char *dpdk_vhost_port(const struct dpdk *d, char *ret_path, size_t size);
