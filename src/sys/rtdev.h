/* Network devices that were there before tare: what they are used for, and lending them out. */
#pragma once

#include "sys/rtnl.h"

struct rt_dev {
	int ifindex;
	uint32_t mtu;
	char mac[20]; /* "52:54:00:12:34:56" */
	bool up;
	const char *use; /* what it is used for, "is up"; NULL: nothing */
};
int rt_dev(struct rt *rt, const char *name, struct rt_dev *ret, struct err *e) must_check_;

/* Tells the kernel @mac of the machine @addr, so that nobody has to be asked for it. */
int rt_neigh_add(struct rt *rt, const char *name, const char *addr, const uint8_t mac[static 6],
	struct err *e) must_check_;

/* A device that is down gets another name. */
int rt_rename(struct rt *rt, const char *name, const char *to, struct err *e) must_check_;

/*
 * rt_dev_move() - move it into the namespace @netns_fd, where it is down.
 *
 * It keeps its name, hardware address and MTU, what ethtool sets, and its number if that is free
 * there; the kernel takes from it addresses, routes, queueing disciplines, devices on top of it and
 * the sysctls below conf/<name>. When its namespace goes, a device with hardware is moved to the
 * machine's first one, by its name if that is free there, else as "dev<number>".
 * Ref: net/core/dev.c __dev_change_net_namespace, default_device_exit_net.
 */
int rt_dev_move(struct rt *rt, const char *name, int netns_fd, struct err *e) must_check_;

/* What a device is, by its number. */
struct rt_sort {
	char kind[32]; /* "veth", "bridge", "macvlan"; "": not made by the kernel, as an adapter */
	bool ethernet; /* its frames have Ethernet headers */
};
int rt_sort(struct rt *rt, int ifindex, struct rt_sort *ret, struct err *e) must_check_;

/* Return: how many filters the qdisc clsact of a device has, both ways; or negative errno. */
int rt_clsact_filters(struct rt *rt, int ifindex, struct err *e) must_check_;
