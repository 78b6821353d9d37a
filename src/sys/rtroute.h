/* The way to an address, as the kernel would take it: route and neighbour. */
#pragma once

#include "sys/rtnl.h"

struct rt_hop {
	int ifindex;
	char dev[16];
	uint32_t mtu;
	bool ethernet;  /* its frames have Ethernet headers */
	bool no_arp;    /* nobody is asked there; next_mac is the device's own */
	bool known;     /* next_mac is; else nobody has answered yet */
	uint8_t mac[6]; /* the device's own */
	uint8_t next_mac[6];
	uint8_t src[16], dst[16]; /* addresses of packets there; IPv4: the first four bytes */
	bool ipv6, loopback;
};

/* rt_hop() - how packets from this namespace to @to ("198.18.1.2") leave. */
int rt_hop(struct rt *rt, const char *to, struct rt_hop *ret, struct err *e) must_check_;
