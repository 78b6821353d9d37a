/*
 * What the senders of user space have in common: copies of a stream's frames to write marks into,
 * and the loop that follows a plan. A sender itself only hands some frames over.
 */
#pragma once

#include "frame/io.h"

#include <stddef.h>

/*
 * The slots of a stream, again and again: copy i is of slot i % n_slots. There are so many that a
 * batch has no copy twice. Each is at i * stride, a power of two that divides a page.
 */
struct frame_copies {
	const struct frame_stream *stream;
	uint8_t *base;
	uint32_t n, stride;
};
/* Everything but the memory: n * stride bytes. @at_least: copies; @least_stride: a power of two */
void frame_copies_plan(struct frame_copies *c, const struct frame_stream *stream, uint32_t at_least,
	uint32_t least_stride);
void frame_copies_fill(struct frame_copies *c, uint8_t *base);

static inline const struct frame_slot *frame_copies_slot(const struct frame_copies *c, uint32_t i)
{
	return &c->stream->slot[i % c->stream->n_slots];
}

/* Frames that are due together: @n copies, @at and what follows it, around the end. */
struct frame_batch {
	uint32_t at, n;
	uint32_t seq; /* of the first test frame among them */
	uint64_t now_ns;
	uint8_t magic, trial;
};
/* Writes all their marks. */
void frame_copies_mark(const struct frame_copies *c, const struct frame_batch *b);

/*
 * Hands a batch to the kernel. Return: how many it took, the first of them; those that it did not
 * are in the next batch, marked anew; or negative errno.
 */
typedef int frame_push_fn(struct frame_tx *tx, const struct frame_batch *b, struct err *e);

struct frame_sender {
	frame_push_fn *push;
	struct frame_tx *tx;
	const struct frame_copies *copies;
	uint32_t batch; /* at most so many are handed over together; copies->n at most */
};
/* As run of struct frame_tx_ops. */
int frame_send(const struct frame_sender *s, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e) must_check_;
