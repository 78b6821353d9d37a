/* Links on top of another one, and pairs: made here, or right inside another namespace. */
#pragma once

#include "sys/rtnl.h"

/* A link on top of @parent; down, with this MTU. */
struct rt_child {
	const char *name, *parent;
	int netns_fd; /* where it shall be; -1: beside its parent */
	uint32_t mtu;
};

/*
 * All of them return -EOPNOTSUPP, with the part that is missing, when the kernel does not know the
 * kind.
 */

/* @mode: as "ip link" calls it, "private", "vepa", "bridge" */
int rt_macvlan_add(struct rt *rt, const struct rt_child *child, const char *mode, struct err *e)
	must_check_;
enum rt_ipvlan_mode {
	RT_IPVLAN_L2,
	RT_IPVLAN_L3,
	RT_IPVLAN_L3S,
};
/* @mode: the same for all children of one parent */
int rt_ipvlan_add(struct rt *rt, const struct rt_child *child, enum rt_ipvlan_mode mode,
	struct err *e) must_check_;
/* IEEE 802.1Q. */
int rt_vlan_add(struct rt *rt, const struct rt_child *child, uint16_t id, struct err *e)
	must_check_;

/* What a link is that something is to be put on top of. */
struct rt_nic {
	bool ethernet, loopback, up, carrier;
	uint32_t mtu;
	char master[16]; /* the bridge, bond or switch that has it; "": none */
};
int rt_nic(struct rt *rt, const char *name, struct rt_nic *ret, struct err *e) must_check_;

/* A netkit pair without programs: @name here, @peer_name in the namespace @peer_netns_fd. */
struct rt_netkit {
	const char *name, *peer_name;
	int peer_netns_fd;
	uint32_t mtu;
	bool l3; /* no Ethernet addresses, no ARP */
};
int rt_netkit_add(struct rt *rt, const struct rt_netkit *pair, struct err *e) must_check_;
