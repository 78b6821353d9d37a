/* The network of a guest. */
#pragma once

#include "base/clock.h"
#include "path/guest_link.h"
#include "sys/rtnl.h"

/*
 * guest_net_up() - address eth0, or a container behind it on a bridge, and wait until it is up; or
 *                  let the guest forward, when that is what it is for.
 * @ret_netns_fd: namespace of the container; -1: there is none
 *
 * Return: 0; -EOPNOTSUPP when the NIC can't do what is asked for; or negative errno.
 */
int guest_net_up(const struct guest_cfg *cfg, int *ret_netns_fd, struct err *e) must_check_;

/* Emulated NICs negotiate their link for up to 3 s. */
#define GUEST_NIC_UP_NS (15 * NSEC_PER_SEC)

/* Waits for a NIC, and has it as it is to be before it is set up. */
int guest_nic_prepare(struct rt *rt, const char *dev, const struct guest_cfg *cfg, struct err *e)
	must_check_;
