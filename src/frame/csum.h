/*
 * The Internet checksum over bytes as they lie in memory: the sum of one's complement does not
 * depend on the byte order, so nothing is swapped, and a sum is stored as it comes.
 * Ref: RFC 1071 s.2.
 */
#pragma once

#include <stdint.h>
#include <string.h>

/* Adds @n bytes. Of several pieces only the last may be odd. No carry is lost below 2^32 words. */
static inline uint64_t csum_add(uint64_t sum, const void *bytes, uint32_t n)
{
	const uint8_t *p = bytes;
	uint8_t last[2] = {0};
	uint32_t four;
	uint16_t two;

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&four, p, sizeof(four));
		sum += four;
	}
	if (n == 0)
		return sum;
	if (n >= 2) {
		memcpy(&two, p, sizeof(two));
		sum += two;
		p += 2;
		n -= 2;
	}
	if (n == 1) {
		last[0] = *p;
		memcpy(&two, last, sizeof(two));
		sum += two;
	}
	return sum;
}

static inline uint16_t csum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
