/*
 * AF_PACKET sockets of one device: whole frames, headers included. A sender is past the queueing
 * discipline; a receiver has a ring of blocks that the kernel writes frames into.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Return: 0; -EPERM without CAP_NET_RAW; -EOPNOTSUPP; or another negative errno. */
int packet_sender_open(int *ret_fd, int netns_fd, uint32_t ifindex, struct err *e) must_check_;

struct packet_ring;

struct packet_ring_args {
	int netns_fd;
	uint32_t ifindex;
	const char *dev;
	uint16_t udp_port;
};
/*
 * packet_ring_open() - receive what comes in by a device as UDP, VLAN-tagged or not.
 *
 * Such frames go up the stack, too, where the kernel would answer those to its own addresses: ICMP
 * "port unreachable". A UDP socket of the ring's, on @udp_port of that device, swallows them.
 *
 * Return: as packet_sender_open(); -EADDRINUSE: somebody listens on that port.
 */
int packet_ring_open(struct packet_ring **ret, const struct packet_ring_args *args, struct err *e)
	must_check_;
void packet_ring_close(struct packet_ring *r);
DEFINE_CLEANUP(struct packet_ring *, packet_ring_close, packet_ring_closep)

/* @at_ns: when the kernel had it, CLOCK_MONOTONIC. A tag that was taken off is in its place. */
typedef void packet_take_fn(void *arg, const uint8_t *bytes, uint32_t len, uint64_t at_ns);

/* Takes one block's frames. Return: how many; 0: there is none. */
uint32_t packet_ring_take(struct packet_ring *r, packet_take_fn *take, void *arg);
/* A frame is in a block that can be taken so many ms after it came. */
#define PACKET_RETIRE_MS 2
/* Return: true when there is a block, false after @timeout_ms. */
bool packet_ring_wait(struct packet_ring *r, int timeout_ms);
/* Frames lost since it was opened, the ring being full. */
uint64_t packet_ring_overflowed(struct packet_ring *r);
