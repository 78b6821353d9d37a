/* Links, addresses, routes and queueing disciplines of one network namespace, by rtnetlink. */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt;

struct rt_stats {
	uint64_t rx_packets, rx_bytes, rx_dropped;
	uint64_t tx_packets, tx_bytes, tx_dropped;
};

/* What the devices of a namespace, and the queueing disciplines on them, have dropped. */
struct rt_drops {
	uint64_t qdisc, rx, tx;
};

/* Opens a netlink socket inside the namespace @netns_fd; it stays there. */
int rt_open(struct rt **ret, int netns_fd, struct err *e) must_check_;
/* Opens one inside the namespace of the calling thread. */
int rt_open_here(struct rt **ret, struct err *e) must_check_;
void rt_close(struct rt *rt);
DEFINE_CLEANUP(struct rt *, rt_close, rt_closep)

/* A veth pair: @name here, @peer_name in the namespace @peer_netns_fd; both down, with this MTU. */
int rt_veth_add(struct rt *rt, const char *name, const char *peer_name, int peer_netns_fd,
	uint32_t mtu, struct err *e) must_check_;
/* The same with so many queues each way at both ends; 0: one. */
struct rt_veth {
	const char *name, *peer_name;
	int peer_netns_fd;
	uint32_t mtu, queues;
};
int rt_veth_add_args(struct rt *rt, const struct rt_veth *v, struct err *e) must_check_;
int rt_bridge_add(struct rt *rt, const char *name, uint32_t mtu, struct err *e) must_check_;
int rt_set_up(struct rt *rt, const char *name, struct err *e) must_check_;
/* Routes by it, and IPv6 addresses of it, go away by that. */
int rt_set_down(struct rt *rt, const char *name, struct err *e) must_check_;
/* Waits until the link carries packets: the kernel finds that out a moment after it is set up. */
int rt_wait_up(struct rt *rt, const char *name, uint64_t deadline_ns, struct err *e) must_check_;
int rt_set_mtu(struct rt *rt, const char *name, uint32_t mtu, struct err *e) must_check_;
int rt_set_master(struct rt *rt, const char *name, const char *master, struct err *e) must_check_;

/* @prefix is "198.18.0.1/24" or "2001:2::1/64"; IPv6 addresses skip duplicate detection. */
int rt_addr_add(struct rt *rt, const char *name, const char *prefix, struct err *e) must_check_;

/* Route to @prefix ("default" of the gateway's family when NULL) via @gateway; NULL: on-link. */
int rt_route_add(struct rt *rt, const char *name, const char *prefix, const char *gateway,
	struct err *e) must_check_;
/* The same, and what is sent there from here has the address @source; NULL: the kernel's choice. */
int rt_route_add_from(struct rt *rt, const char *name, const char *prefix, const char *gateway,
	const char *source, struct err *e) must_check_;

/*
 * rt_shape() - token-bucket filter as root qdisc of @name.
 * @rate_bytes_per_s: at most 2^31 - 1, what the kernel's tbf takes from libnl
 * @burst_bytes: bucket; @limit_bytes: queue
 */
int rt_shape(struct rt *rt, const char *name, uint64_t rate_bytes_per_s, uint32_t burst_bytes,
	uint32_t limit_bytes, struct err *e) must_check_;

/* Makes a qdisc of a kind that needs no parameters the root of @name. */
int rt_qdisc_set(struct rt *rt, const char *name, const char *kind, struct err *e) must_check_;

/*
 * rt_qdisc_of() - kind of the root qdisc of the device that holds @fd's own address: where what
 *                 the socket sends most probably leaves.
 *
 * Return: 0, -ENODEV when no device holds it, or negative errno.
 */
int rt_qdisc_of(struct rt *rt, int fd, char *ret, size_t size, struct err *e) must_check_;

/* An address of a device that is up. */
struct rt_addr {
	char addr[46], dev[16];
	uint32_t mtu;
};
/*
 * rt_addrs() - the addresses of a family by which other machines may know this namespace: those of
 *              global scope that are in use.
 *
 * Return: how many are in @ret [@max], or negative errno.
 */
int rt_addrs(struct rt *rt, bool ipv6, struct rt_addr *ret, uint32_t max, struct err *e)
	must_check_;

/* Sums over all devices. A root qdisc counts what its children drop. */
int rt_drops(struct rt *rt, struct rt_drops *ret, struct err *e) must_check_;

/* What a link is: number, MTU, hardware address. */
struct rt_id {
	int ifindex;
	uint32_t mtu;
	uint8_t mac[6];
};
int rt_id(struct rt *rt, const char *name, struct rt_id *ret, struct err *e) must_check_;

int rt_stats(struct rt *rt, const char *name, struct rt_stats *ret, struct err *e) must_check_;
