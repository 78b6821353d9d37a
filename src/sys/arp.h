/* Who has an address on a link. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct arp_owner {
	uint8_t mac[6];
};

/*
 * arp_probe() - ask the link of @dev who has @addr, as one who has no address yet.
 * @netns_fd: where @dev is
 * @deadline_ns: how long to wait for an answer
 *
 * Return: 0, nobody has answered; 1, *ret has; or negative errno.
 */
int arp_probe(int netns_fd, const char *dev, const char *addr, uint64_t deadline_ns,
	struct arp_owner *ret, struct err *e) must_check_;
