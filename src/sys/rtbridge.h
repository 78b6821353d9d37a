/* Linux bridges that neither speak by themselves nor flood: what they forward to is told them. */
#pragma once

#include "sys/rtnl.h"

/*
 * rt_bridge_quiet_add() - a bridge without multicast snooping, that forgets what it has learnt only
 *                         after hours; down. No spanning tree, as all of them here.
 */
int rt_bridge_quiet_add(struct rt *rt, const char *name, uint32_t mtu, struct err *e) must_check_;

/* Tells the bridge of @port for good that @mac is behind it. */
int rt_fdb_add(struct rt *rt, const char *port, const uint8_t mac[static 6], struct err *e)
	must_check_;
