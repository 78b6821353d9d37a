#include "frame/frame.h"

#include "base/macro.h"

double frame_max_fps(double rate_bps, double size_bytes)
{
	return rate_bps / (8 * (size_bytes + FRAME_OVERHEAD_BYTES));
}

double frame_l1_bps(double fps, double size_bytes)
{
	return fps * 8 * (size_bytes + FRAME_OVERHEAD_BYTES);
}

double frame_l2_bps(double fps, double size_bytes)
{
	return fps * 8 * size_bytes;
}

/* A tagged frame need not be longer than any other. Ref: IEEE 802.1Q, minimum PDU size */
uint32_t frame_smallest_bytes(const struct frame_form *form)
{
	return MAX((uint32_t)FRAME_MIN_BYTES,
		frame_headers_bytes(form) + FRAME_MARK_BYTES + FRAME_FCS_BYTES);
}
