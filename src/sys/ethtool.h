/* Offload switches of a network device, by the ethtool ioctl. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * ethtool_offloads() - "tso=on gso=on gro=off ..." of device @dev in namespace @netns_fd; here and
 *                      below -1 is the calling thread's.
 */
int ethtool_offloads(int netns_fd, const char *dev, char *ret, size_t size, struct err *e)
	must_check_;

/* ethtool_offloads_off() - switch off what the device lets be switched of them. */
int ethtool_offloads_off(int netns_fd, const char *dev, struct err *e) must_check_;

enum ethtool_switch {
	ETHTOOL_TX_CSUM, /* without it, no TSO either */
	ETHTOOL_TSO,     /* of all its forms */
	ETHTOOL_GRO,
	ETHTOOL_SWITCH_N,
};

/* Turns one of them on or off. */
int ethtool_set(int netns_fd, const char *dev, enum ethtool_switch what, bool on, struct err *e)
	must_check_;

/* Turns off one of those that "ethtool -k" lists; fine for one that this kernel does not know. */
int ethtool_feature_off(int netns_fd, const char *dev, const char *feature, struct err *e)
	must_check_;

/*
 * Features that make one frame of several on their way in. Sending by a socket or a program splits
 * and joins nothing.
 */
struct ethtool_merge {
	uint32_t on; /* bits of a table of features */
};
/* Turns off those that are on and can be; *ret_old: for ethtool_merge_restore(). */
int ethtool_merge_off(int netns_fd, const char *dev, struct ethtool_merge *ret_old, struct err *e)
	must_check_;
int ethtool_merge_restore(int netns_fd, const char *dev, const struct ethtool_merge *old,
	struct err *e);
