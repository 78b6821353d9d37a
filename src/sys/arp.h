/* Who has an address on a link. */
#pragma once

#include "base/cleanup.h"
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

/*
 * Somebody who answers on a link for an address that no device has: a socket and a thread, which
 * go with the process.
 */
struct arp_answerer;

/* @ip: 4 bytes. With the hardware address of @dev. */
int arp_answerer_open(struct arp_answerer **ret, int netns_fd, const char *dev, const uint8_t *ip,
	struct err *e) must_check_;
void arp_answerer_close(struct arp_answerer *a);
DEFINE_CLEANUP(struct arp_answerer *, arp_answerer_close, arp_answerer_closep)
