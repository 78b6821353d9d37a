/* The network of a guest. */
#pragma once

#include "path/guest_link.h"

/*
 * guest_net_up() - address eth0, or a container behind it on a bridge, and wait until it is up.
 * @ret_netns_fd: namespace of the container; -1: there is none
 *
 * Return: 0; -EOPNOTSUPP when the NIC can't do what is asked for; or negative errno.
 */
int guest_net_up(const struct guest_cfg *cfg, int *ret_netns_fd, struct err *e) must_check_;
