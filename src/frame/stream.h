/*
 * The frames of a stream, made once: a table of slots that a sender goes through in order, again
 * and again, writing a mark into each. Frames are RFC 2544 appendix C's: UDP to port 7 (echo),
 * TTL 10, an incrementing payload, all checksums right; RFC 5180's for IPv6.
 */
#pragma once

#include "base/cleanup.h"
#include "bpf/frame.h"
#include "frame/frame.h"

#include <stddef.h>

#define FRAME_MAX_SLOTS  4096
#define FRAME_MAX_ADDRS  16
#define FRAME_PORT_ECHO  7
#define FRAME_PORT_FIRST 0xC020 /* source port of flow 0. Ref: RFC 2544 appendix C.2.6.4 */

/* Who speaks to whom. The hardware address of @dst is the next hop's. */
struct frame_addr {
	uint8_t src_mac[6], dst_mac[6];
	uint8_t src_ip[16], dst_ip[16]; /* IPv4: the first four bytes */
	uint16_t dst_port;              /* 0: FRAME_PORT_ECHO */
	uint8_t ttl;                    /* of IPv6 the hop limit; 0: FRAME_TTL */
};

/* What varies from one frame to the next; of a stream with many addresses, of each. */
struct frame_vary {
	uint32_t flows;    /* UDP source ports, from FRAME_PORT_FIRST on; at least 1 */
	uint32_t networks; /* dst_ip's third byte (IPv6: sixth) counts up through so many; 1: no */
	uint32_t macs;     /* dst_mac's last two bytes count up through so many; 1: no */
	uint32_t broadcast_every; /* each so-manieth frame is one to everybody; 0: none */
};

enum frame_slot_kind {
	FRAME_SLOT_TEST,
	FRAME_SLOT_MODIFIER, /* in the place of a test frame, without mark. Ref: RFC 2544 s.11 */
};

struct frame_slot {
	enum frame_slot_kind kind;
	uint32_t len;         /* of bytes: the frame without FCS */
	uint32_t mark_at;     /* offset of the mark; even */
	const uint8_t *bytes; /* [len], with a mark of zero number and time; the stream's */
};

struct frame_stream {
	struct frame_form form;
	uint32_t n_addrs;
	struct frame_addr addr[FRAME_MAX_ADDRS]; /* of slot i: i % n_addrs */
	struct frame_vary vary;
	struct frame_mix mix;
	uint16_t key; /* sum of the twelve bytes of every mark, folded, as it lies in memory */
	uint32_t n_slots;
	struct frame_slot *slot; /* [n_slots]: whole rounds of sizes and of all that varies */
	uint32_t max_len;
	double mean_bytes; /* with FCS */
	uint8_t *room;     /* where the slots' bytes are; private */
};

struct frame_stream_args {
	const struct frame_form *form;
	const struct frame_addr *addr;
	const struct frame_vary *vary;
	const struct frame_mix *mix;
	uint16_t key;     /* random, not 0 and not 0xffff */
	uint32_t n_addrs; /* of addr, which frames take by turns; 0: one */
};

/* Return: 0, -EINVAL (a size too small for the form), -E2BIG (too many slots). */
int frame_stream_new(struct frame_stream **ret, const struct frame_stream_args *args, struct err *e)
	must_check_;
void frame_stream_free(struct frame_stream *s);
DEFINE_CLEANUP(struct frame_stream *, frame_stream_free, frame_stream_freep)

/* Of the first @n frames from slot 0 on, those that are no modifiers. */
uint64_t frame_stream_test_frames(const struct frame_stream *s, uint64_t n);

/* Writes a whole mark at @at, its check included. Inline: it is in every sender's inner loop. */
static inline void frame_mark_put(uint8_t *at, uint16_t key, uint8_t magic, uint8_t trial,
	uint32_t seq, uint64_t sent_ns)
{
	struct frame_mark m = {.magic = magic,
		.trial = trial,
		.seq = __builtin_bswap32(seq),
		.stamp = __builtin_bswap32((uint32_t)(sent_ns >> FRAME_STAMP_SHIFT))};
	uint16_t word[6];
	uint32_t sum = 0;

	__builtin_memcpy(word, &m, sizeof(m));
	for (int i = 0; i < 6; i++)
		sum += word[i];
	/* key - sum, in one's complement: adding the complement is subtracting. */
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = key + (uint16_t)~sum;
	m.check = (uint16_t)((sum & 0xffff) + (sum >> 16));
	__builtin_memcpy(at, &m, sizeof(m));
}
