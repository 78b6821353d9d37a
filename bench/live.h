/* Live frames of 64 bytes from one machine to a socket of another that is full, for benches. */
#pragma once

#include "frame/io.h"
#include "sys/rtnl.h"

#include <stdint.h>

struct live_end {
	int netns_fd;
	const char *dev, *ip;
	const struct rt_id *id; /* of @dev */
};

struct frame_tx *live_open(const struct live_end *from, const struct live_end *to);
/*
 * @gap_q16: from one frame to the next, see struct frame_phase; @burst: so many at once, 1 if
 * @gap_q16 is 0
 * Return: how many were sent
 */
uint64_t live_send(struct frame_tx *tx, uint64_t n_frames, uint64_t gap_q16, uint32_t burst);

/* What is sent to the namespace's UDP port 7 is dropped where it would be queued. */
void live_fill_sink(int netns_fd);
