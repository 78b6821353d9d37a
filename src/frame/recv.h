/* The loop of the receivers of user space, and what they do alike. */
#pragma once

#include "frame/io.h"

struct frame_receiver {
	struct frame_rx *rx;
	uint32_t (*take)(struct frame_rx *rx);             /* Return: how many came */
	bool (*wait)(struct frame_rx *rx, int timeout_ms); /* until some may have come */
	bool busy_poll;                                    /* never waits */
};
/* As run of struct frame_rx_ops; takes what is there when it stops, too. */
void frame_receive(const struct frame_receiver *r, const atomic_bool *stop);
