#include "load/udp_seq.h"

#include "base/macro.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#define END_BIT (1ULL << 63)
/* Says that a datagram with the top bit set is an end, not a stranger's. "tare end" in ASCII. */
#define UDP_SEQ_MAGIC 0x7461726520656e64ULL

void udp_seq_init(struct udp_seq *s, bool wide)
{
	*s = (struct udp_seq){.wide = wide};
}

void udp_seq_put(uint8_t *p, uint64_t seq, uint64_t sent_ns, bool wide)
{
	const uint32_t head[] = {htonl((uint32_t)(sent_ns / NSEC_PER_SEC)),
		htonl((uint32_t)(sent_ns % NSEC_PER_SEC / NSEC_PER_USEC))};
	const uint64_t be64 = htobe64(seq);
	const uint32_t be32 = htonl((uint32_t)seq);

	memcpy(p, head, sizeof(head));
	if (wide)
		memcpy(p + sizeof(head), &be64, sizeof(be64));
	else
		memcpy(p + sizeof(head), &be32, sizeof(be32));
}

void udp_seq_put_end(uint8_t *p, uint64_t sent, uint64_t sent_ns)
{
	const uint64_t magic = htobe64(UDP_SEQ_MAGIC);

	udp_seq_put(p, sent | END_BIT, sent_ns, true);
	memcpy(p + UDP_SEQ_MIN_BYTES, &magic, sizeof(magic));
}

static bool is_end(const uint8_t *p, size_t len)
{
	uint64_t magic;

	if (len != UDP_SEQ_END_BYTES)
		return false;
	memcpy(&magic, p + UDP_SEQ_MIN_BYTES, sizeof(magic));
	return be64toh(magic) == UDP_SEQ_MAGIC;
}

struct udp_seq_packet udp_seq_get(const uint8_t *p, size_t len, bool wide)
{
	struct udp_seq_packet ret = {.kind = UDP_SEQ_ALIEN};
	uint32_t head[2], be32;
	uint64_t be64;

	if (len < UDP_SEQ_MIN_BYTES)
		return ret;
	memcpy(head, p, sizeof(head));
	memcpy(&be32, p + sizeof(head), sizeof(be32));
	memcpy(&be64, p + sizeof(head), sizeof(be64));
	if (ntohl(head[1]) >= NSEC_PER_SEC / NSEC_PER_USEC)
		return ret;
	ret.sent_ns = ntohl(head[0]) * NSEC_PER_SEC + ntohl(head[1]) * NSEC_PER_USEC;
	ret.seq = wide ? be64toh(be64) : ntohl(be32);
	if (!(wide && ret.seq & END_BIT))
		ret.kind = UDP_SEQ_DATA;
	else if (is_end(p, len))
		ret.kind = UDP_SEQ_END;
	ret.seq &= ~END_BIT;
	return ret;
}

uint64_t udp_seq_unwrap(uint64_t highest, uint32_t seq)
{
	int64_t ahead = (int32_t)(seq - (uint32_t)highest);

	return ahead < 0 && (uint64_t)-ahead >= highest ? 0 : highest + (uint64_t)ahead;
}

static uint64_t *word_of(struct udp_seq *s, uint64_t seq)
{
	return &s->seen[seq % UDP_SEQ_WINDOW / 64];
}

static uint64_t bit_of(uint64_t seq)
{
	return 1ULL << seq % 64;
}

/* Opens the window up to @seq: all that it skips has not been seen. */
static void advance(struct udp_seq *s, uint64_t seq)
{
	if (seq - s->highest >= UDP_SEQ_WINDOW)
		memset(s->seen, 0, sizeof(s->seen));
	else
		for (uint64_t i = s->highest + 1; i < seq; i++)
			*word_of(s, i) &= ~bit_of(i);
	s->highest = seq;
}

enum udp_seq_verdict udp_seq_add(struct udp_seq *s, uint64_t seq)
{
	bool seen;

	if (!s->wide)
		seq = udp_seq_unwrap(s->highest, (uint32_t)seq);
	if (seq == 0 || (seq > s->highest && seq - s->highest > UDP_SEQ_MAX_AHEAD))
		return UDP_SEQ_FOREIGN;
	if (seq > s->highest) {
		advance(s, seq);
		*word_of(s, seq) |= bit_of(seq);
		return UDP_SEQ_NEW;
	}
	if (s->highest - seq >= UDP_SEQ_WINDOW)
		return UDP_SEQ_LATE;
	seen = *word_of(s, seq) & bit_of(seq);
	*word_of(s, seq) |= bit_of(seq);
	return seen ? UDP_SEQ_DOUBLE : UDP_SEQ_LATE;
}

bool udp_seq_end(struct udp_seq *s, uint64_t sent)
{
	if (sent < s->highest || sent - s->highest > UDP_SEQ_MAX_AHEAD)
		return false;
	if (sent > s->highest) {
		advance(s, sent);
		*word_of(s, sent) &= ~bit_of(sent);
	}
	return true;
}

uint64_t udp_seq_time(struct udp_seq *s, uint64_t arrived_ns, uint64_t sent_ns)
{
	int64_t transit_ns = (int64_t)(arrived_ns - sent_ns);
	uint64_t d = 0;

	if (s->timed) {
		d = transit_ns > s->transit_ns ? (uint64_t)transit_ns - (uint64_t)s->transit_ns
					       : (uint64_t)s->transit_ns - (uint64_t)transit_ns;
		s->jitter16_ns += d - (s->jitter16_ns + 8) / 16;
	}
	if (!s->timed || transit_ns < s->min_transit_ns)
		s->min_transit_ns = transit_ns;
	s->timed = true;
	s->transit_ns = transit_ns;
	return (uint64_t)transit_ns - (uint64_t)s->min_transit_ns;
}
