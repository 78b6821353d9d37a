/* The schedule of a plan, for senders in user space: how many frames are due, and waiting. */
#pragma once

#include "frame/io.h"

struct frame_pace {
	const struct frame_plan *plan;
	uint32_t phase;
	uint64_t done;           /* frames of this phase that were sent */
	uint64_t phase_begin_ns; /* of this phase */
	uint64_t slip_max_ns;
};

void frame_pace_begin(struct frame_pace *p, const struct frame_plan *plan);

/*
 * frame_pace_due() - how many frames may be sent now, at most @max.
 * @now_ns: the clock, as it was just read
 * @ret_next_ns: when none is due, the time at which the next one is
 *
 * Return: how many; 0 also when the plan is done, then *ret_next_ns is UINT64_MAX.
 */
uint32_t frame_pace_due(struct frame_pace *p, uint64_t now_ns, uint32_t max, uint64_t *ret_next_ns);
/* They were sent. */
void frame_pace_sent(struct frame_pace *p, uint32_t n);
/* Sleeps while the time is far, spins for the rest. Return: the clock. */
uint64_t frame_pace_wait(uint64_t until_ns, const atomic_bool *stop);
/* Of the whole plan, frames that were not sent. */
uint64_t frame_pace_left(const struct frame_pace *p);
