/*
 * What a receiver makes of a flow of numbered datagrams, as pure arithmetic: their header, which
 * of them are late or double, jitter and delay variation.
 *
 * Header, all big endian: uint32 seconds, uint32 microseconds (the sender's monotonic clock),
 * then the sequence number from 1 on, as uint64, or uint32 where an old iperf3 is at the other
 * end. Ref: iperf 3.12, src/iperf_udp.c iperf_udp_send.
 *
 * The end datagram is one more header, whose number has its top bit set and else says how many
 * were sent, followed by UDP_SEQ_MAGIC.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDP_SEQ_MIN_BYTES 16U /* smallest datagram of a flow: the longer header */
#define UDP_SEQ_END_BYTES 24U

/*
 * How far back a late datagram is told from a double one. At a million a second it is 16 ms; what
 * is older counts as late.
 */
#define UDP_SEQ_WINDOW 16384U
/* A number further ahead than this is no number of ours. 2^32: 7 minutes of loss at 10 M/s. */
#define UDP_SEQ_MAX_AHEAD (1ULL << 32)

enum udp_seq_kind {
	UDP_SEQ_ALIEN, /* short, or from another conversation */
	UDP_SEQ_DATA,
	UDP_SEQ_END,
};

struct udp_seq_packet {
	enum udp_seq_kind kind;
	uint64_t seq;     /* DATA: not yet unwrapped where 32 bits; END: datagrams sent */
	uint64_t sent_ns; /* on the sender's monotonic clock */
};

struct udp_seq {
	uint64_t highest;                   /* number that came in; 0: none yet */
	uint64_t seen[UDP_SEQ_WINDOW / 64]; /* bit per number, at number % UDP_SEQ_WINDOW */
	bool wide;                          /* 64-bit numbers */

	bool timed;         /* there was a datagram before */
	int64_t transit_ns; /* of the datagram before; both clocks' offset is in it */
	int64_t min_transit_ns;
	uint64_t jitter16_ns; /* 16 times the jitter */
};

enum udp_seq_verdict {
	UDP_SEQ_FOREIGN, /* not of this flow; nothing changed */
	UDP_SEQ_NEW,     /* higher than all before */
	UDP_SEQ_LATE,    /* after a higher one */
	UDP_SEQ_DOUBLE,  /* here before */
};

void udp_seq_init(struct udp_seq *s, bool wide);

/* Writes a header. @p: [UDP_SEQ_MIN_BYTES], of which the shorter header uses 12 */
void udp_seq_put(uint8_t *p, uint64_t seq, uint64_t sent_ns, bool wide);
/* Writes an end datagram. @p: [UDP_SEQ_END_BYTES] */
void udp_seq_put_end(uint8_t *p, uint64_t sent, uint64_t sent_ns);

/* Reads a datagram of @len bytes, whatever it is. */
struct udp_seq_packet udp_seq_get(const uint8_t *p, size_t len, bool wide);

/* The number near @highest whose low 32 bits are @seq; 0: there is none. */
uint64_t udp_seq_unwrap(uint64_t highest, uint32_t seq);

enum udp_seq_verdict udp_seq_add(struct udp_seq *s, uint64_t seq);

/* Can @sent be what the sender sent in all? Then it is the highest number from now on. */
bool udp_seq_end(struct udp_seq *s, uint64_t sent);

/*
 * udp_seq_time() - account a datagram's transit time, @arrived_ns - @sent_ns, on two clocks of
 * any offset. Jitter is RFC 3550's, s. 6.4.1 and A.8.
 *
 * Return: transit over the smallest so far: the packet delay variation of RFC 5481, s. 4.2.
 */
uint64_t udp_seq_time(struct udp_seq *s, uint64_t arrived_ns, uint64_t sent_ns);

static inline uint64_t udp_seq_jitter_ns(const struct udp_seq *s)
{
	return s->jitter16_ns / 16;
}
