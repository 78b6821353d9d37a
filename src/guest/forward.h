/* The network of a guest that is a forwarding function. */
#pragma once

#include "path/guest_link.h"
#include "sys/rtnl.h"

/*
 * guest_forward() - give the two NICs the names and settings of a function's devices, and start the
 *                   function, as path/chain.c does in a namespace.
 *
 * Return: 0; -EOPNOTSUPP when the NIC can't do what is asked for; or negative errno.
 */
int guest_forward(struct rt *rt, const struct guest_cfg *cfg, struct err *e) must_check_;
