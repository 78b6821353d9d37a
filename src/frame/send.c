#include "frame/send.h"

#include "base/clock.h"
#include "frame/pace.h"

#include <string.h>

/*
 * After a refusal, so that some frames go in the next call: the other half of a veth pair takes 0.5
 * to 1 us for a frame, and has 256 queued (VETH_RING_SIZE), so it is not idle meanwhile.
 */
#define REFUSED_NS (20 * NSEC_PER_USEC)

void frame_copies_plan(struct frame_copies *c, const struct frame_stream *stream, uint32_t at_least,
	uint32_t least_stride)
{
	uint32_t stride = least_stride;

	while (stride < stream->max_len)
		stride *= 2;
	*c = (struct frame_copies){
		.stream = stream,
		.n = (at_least + stream->n_slots - 1) / stream->n_slots * stream->n_slots,
		.stride = stride,
	};
}

void frame_copies_fill(struct frame_copies *c, uint8_t *base)
{
	c->base = base;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct frame_slot *slot = frame_copies_slot(c, i);

		memcpy(base + (size_t)i * c->stride, slot->bytes, slot->len);
	}
}

void frame_copies_mark(const struct frame_copies *c, const struct frame_batch *b)
{
	const struct frame_stream *stream = c->stream;
	uint32_t at = b->at, slot = b->at % stream->n_slots, seq = b->seq;

	for (uint32_t i = 0; i < b->n; i++) {
		const struct frame_slot *s = &stream->slot[slot];

		if (s->kind == FRAME_SLOT_TEST)
			frame_mark_put(c->base + (size_t)at * c->stride + s->mark_at, stream->key,
				b->magic, b->trial, seq++, b->now_ns);
		at = at + 1 == c->n ? 0 : at + 1;
		slot = slot + 1 == stream->n_slots ? 0 : slot + 1;
	}
}

/* Test frames among the first @n of a batch. */
static uint32_t test_frames(const struct frame_copies *c, uint32_t at, uint32_t n)
{
	uint32_t k = 0;

	if (c->stream->vary.broadcast_every == 0)
		return n;
	for (uint32_t i = 0; i < n; i++)
		k += frame_copies_slot(c, (at + i) % c->n)->kind == FRAME_SLOT_TEST;
	return k;
}

static void account(struct frame_sent *sent, uint32_t n_test, uint32_t n, uint64_t now_ns)
{
	if (n == 0)
		return;
	if (sent->first_ns == 0)
		sent->first_ns = now_ns;
	sent->last_ns = now_ns;
	sent->sent += n_test;
	sent->modifiers += n - n_test;
}

/* Return: 1: go on; 0: the plan is done, or its time is over; or negative errno. */
static int step(const struct frame_sender *s, struct frame_pace *pace, struct frame_batch *b,
	const atomic_bool *stop, struct frame_sent *sent, struct err *e)
{
	uint64_t next_ns;
	uint32_t n_test;
	int n;

	if (b->now_ns > pace->plan->end_ns)
		return 0;
	b->n = frame_pace_due(pace, b->now_ns, s->batch, &next_ns);
	if (b->n == 0) {
		if (next_ns == UINT64_MAX)
			return 0;
		b->now_ns = frame_pace_wait(next_ns, stop);
		return 1;
	}
	n = s->push(s->tx, b, e);
	if (n < 0)
		return n;
	n_test = test_frames(s->copies, b->at, (uint32_t)n);
	account(sent, n_test, (uint32_t)n, b->now_ns);
	frame_pace_sent(pace, (uint32_t)n);
	sent->refused += (uint32_t)n < b->n;
	b->at = (b->at + (uint32_t)n) % s->copies->n;
	b->seq += n_test;
	b->now_ns = clock_now_ns();
	if ((uint32_t)n < b->n)
		b->now_ns = frame_pace_wait(b->now_ns + REFUSED_NS, stop);
	return 1;
}

int frame_send(const struct frame_sender *s, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e)
{
	struct frame_batch b = {
		.at = plan->first_slot % s->copies->n,
		.now_ns = clock_now_ns(),
		.magic = plan->magic,
		.trial = plan->trial,
	};
	struct frame_pace pace;
	int r = 1;

	*ret = (struct frame_sent){0};
	frame_pace_begin(&pace, plan);
	while (r > 0 && !atomic_load_explicit(stop, memory_order_relaxed))
		r = step(s, &pace, &b, stop, ret, e);
	ret->unsent = frame_pace_left(&pace);
	ret->slip_max_ns = pace.slip_max_ns;
	return r;
}
