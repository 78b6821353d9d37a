/* Offload switches and driver of a network device, by the ethtool ioctl. */
#pragma once

#include "base/err.h"

#include <stddef.h>

/*
 * ethtool_offloads() - "tso=on gso=on gro=off ..." of device @dev in namespace @netns_fd.
 */
int ethtool_offloads(int netns_fd, const char *dev, char *ret, size_t size, struct err *e)
	must_check_;
