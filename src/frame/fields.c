#include "frame/io.h"

/* Without the lost numbers: those that say "none" are no integers of JSON. */
const struct field frame_count_fields[] = {
	FIELD_U64(struct frame_count, received, "frames",
		"test frames of the trial, each number once"),
	FIELD_U64(struct frame_count, duplicated, "frames", "of a number that was received before"),
	FIELD_U64(struct frame_count, corrupt, "frames",
		"test frames with a wrong length or checksum"),
	FIELD_U64(struct frame_count, late, "frames", "of an earlier trial"),
	FIELD_U64(struct frame_count, learned, "frames", "learning frames, sent before the trial"),
	FIELD_U64(struct frame_count, alien, "frames", "no test frames"),
	FIELD_U64(struct frame_count, reordered, "frames",
		"of received: after one of a higher number"),
	FIELD_U64(struct frame_count, bytes, "bytes", "of received, with FCS"),
	FIELD_U64(struct frame_count, first_ns, "ns",
		"when the first of received came, on the monotonic clock; 0: none came"),
	FIELD_U64(struct frame_count, last_ns, "ns",
		"when the last of received came; 0: none came"),
	FIELD_END,
};

/* Shown beside the above in one object, whose first_ns and last_ns are the receiver's. */
const struct field frame_sent_fields[] = {
	FIELD_U64(struct frame_sent, sent, "frames", "test frames that the kernel took"),
	FIELD_U64(struct frame_sent, modifiers, "frames",
		"sent in the place of test frames (broadcasts)"),
	FIELD_U64(struct frame_sent, unsent, "frames",
		"due by the schedule, and not sent before its end"),
	FIELD_U64(struct frame_sent, refused, "",
		"times that the kernel did not take a frame, which was tried again"),
	FIELD_U64(struct frame_sent, slip_max_ns, "ns",
		"the most that a frame was sent after it was due"),
	FIELD_END,
};
