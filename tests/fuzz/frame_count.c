/*
 * Frames off a wire, each two bytes of length and its bytes. Each is given once as it is, and once
 * with a mark of this tester in its last bytes or where the payload would be, for mutations alone
 * hardly ever make one. Whatever it is, it is in exactly one count.
 */
#include "frame/count.h"
#include "frame/stream.h"
#include "fuzz.h"

#define KEY        0x1234
#define MAX_FRAMES 1000

static void add(struct frame_counter *c, const uint8_t *data, uint32_t len)
{
	/* Of its own size, for a sanitizer to see a step beyond. */
	uint8_t *frame = malloc(len ? len : 1);

	if (!frame)
		abort();
	memcpy(frame, data, len);
	frame_counter_add(c, frame, len, 1);
	for (uint32_t at = 42; at + sizeof(struct frame_mark) <= len; at += 20) {
		frame_mark_put(frame + at, KEY, FRAME_MAGIC_TEST, len & 1, len, 0);
		frame_counter_add(c, frame, len, 1);
	}
	free(frame);
}

static uint64_t in_all(const struct frame_count *n)
{
	return n->received + n->duplicated + n->corrupt + n->late + n->learned + n->alien;
}

static void check(const struct frame_counter *c, uint64_t n_added)
{
	struct frame_count n;
	struct hist hist;

	hist_init(&hist);
	frame_counter_read(c, MAX_FRAMES, &n, &hist);
	FUZZ_CHECK(in_all(&n) == n_added);
	FUZZ_CHECK(hist.count == n.received);
	FUZZ_CHECK(n.received <= MAX_FRAMES && n.reordered <= n.received);
	FUZZ_CHECK((n.first_lost_seq == UINT64_MAX) == (n.received == MAX_FRAMES));
	FUZZ_CHECK(n.first_lost_seq <= n.last_lost_seq);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame_counter *c;
	uint64_t n_added = 0;

	if (!c)
		c = frame_counter_new(KEY, MAX_FRAMES);
	frame_counter_begin(c, 1, true, size & 1);
	while (size >= 2) {
		uint32_t len = data[0] | (uint32_t)data[1] << 8;

		data += 2;
		size -= 2;
		len = len < size ? len : (uint32_t)size;
		add(c, data, len);
		n_added += 1 + (len < 54 ? 0 : (len - 54) / 20 + 1);
		data += len;
		size -= len;
	}
	check(c, n_added);
	return 0;
}
