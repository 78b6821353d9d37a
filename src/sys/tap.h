/* TAP devices, held by their descriptors: a device goes when the last of its queues is closed. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Return: 0, or -EINVAL when no such device takes that MTU. */
int tap_check_mtu(uint32_t mtu, struct err *e) must_check_;

/*
 * tap_open() - create device @name in the namespace @netns_fd, with as many queues as asked for.
 * @vnet_hdr: packets carry a header (struct virtio_net_hdr) that says what is left to do:
 *            checksum, segmentation
 * @ret_fd: [queues], non-blocking
 *
 * Return: 0; -EOPNOTSUPP when this machine does not let us have one; or negative errno.
 */
int tap_open(int netns_fd, const char *name, bool vnet_hdr, uint32_t queues, int *ret_fd,
	struct err *e) must_check_;

/* Who reads the device takes checksums and segmentation of TCP upon himself; needs vnet_hdr. */
int tap_offload(int fd, struct err *e) must_check_;
