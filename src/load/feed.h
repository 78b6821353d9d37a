/*
 * Where an end that has no port of its own gets its data sockets from: a server on one port hands
 * each connection to the session that it belongs to.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct load_feed {
	/*
	 * From now on @n data sockets for this session are taken in. Waits for the turn where
	 * sockets can't be told apart by what they carry (two sessions of one address, iperf3 over
	 * UDP).
	 */
	int (*expect)(struct load_feed *feed, bool udp, uint32_t n, uint64_t deadline_ns,
		struct err *e);

	/*
	 * The next data socket, connected, its first bytes (cookie, token) read and checked. A UDP
	 * socket's greeting is read and not yet answered.
	 * @ret_flow: number of the flow that its opener said; 0, 1, 2, ... where it says none
	 *
	 * Return: descriptor, now the caller's; -ETIMEDOUT or other negative errno.
	 */
	int (*next)(struct load_feed *feed, uint32_t *ret_flow, uint64_t deadline_ns,
		struct err *e);

	/* No more sockets are wanted: the next session may have its turn. */
	void (*done)(struct load_feed *feed);
};
