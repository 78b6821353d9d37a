/*
 * Counting test frames in user space. A frame is ours when it is UDP and its mark sums to the key;
 * whatever else came in by the device is alien. What a SUT did to the headers (other addresses and
 * ports, a lower TTL, a VLAN tag more or less) is no fault as long as they fit.
 *
 * One thread adds. Others may read received meanwhile, so the counts are relaxed atomics.
 */
#include "frame/count.h"

#include "base/clock.h"
#include "base/macro.h"
#include "base/mem.h"
#include "frame/csum.h"
#include "frame/frame.h"
#include "frame/headers.h"

#include <string.h>

#define MAX_TAGS 2 /* as much as 802.1ad has */

struct frame_counter {
	struct frame_count got; /* but for the lost ones */
	uint64_t end;           /* the highest number that came in, and one: 0: none */
	uint64_t max_frames;
	uint64_t *seen; /* [(max_frames + 63) / 64]: bit per number */
	uint16_t key;
	uint8_t trial;
	bool latency, verify;
	struct hist hist;
};

/* Where the parts of a UDP datagram with a mark are. */
struct parts {
	const uint8_t *ip, *udp;
	uint32_t udp_len; /* by its header */
	bool ipv6;
	bool fits; /* all lengths agree with each other and with the frame's */
	struct frame_mark mark;
};

static void bump(uint64_t *n, uint64_t by)
{
	__atomic_store_n(n, *n + by, __ATOMIC_RELAXED);
}

struct frame_counter *frame_counter_new(uint16_t key, uint64_t max_frames)
{
	struct frame_counter *c = xcalloc(1, sizeof(*c));

	c->key = key;
	c->max_frames = max_frames;
	c->seen = xcalloc(MAX((max_frames + 63) / 64, 1U), sizeof(*c->seen));
	frame_counter_begin(c, 0, false, false);
	return c;
}

void frame_counter_free(struct frame_counter *c)
{
	if (!c)
		return;
	free(c->seen);
	free(c);
}

void frame_counter_begin(struct frame_counter *c, uint8_t trial, bool latency, bool verify)
{
	memset(c->seen, 0, (c->end + 63) / 64 * sizeof(*c->seen));
	c->got = (struct frame_count){0};
	c->end = 0;
	c->trial = trial;
	c->latency = latency;
	c->verify = verify;
	hist_init(&c->hist);
}

/* The IP header behind the Ethernet header and its tags. Return: its offset, 0: no IP. */
static uint32_t find_ip(const uint8_t *bytes, uint32_t len, bool *ret_ipv6)
{
	uint32_t at = ETH_HEAD_BYTES;
	uint16_t type;

	if (len < at)
		return 0;
	type = get16(bytes + at - 2);
	for (int i = 0; i < MAX_TAGS && (type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ); i++) {
		at += VLAN_TAG_BYTES;
		if (len < at)
			return 0;
		type = get16(bytes + at - 2);
	}
	*ret_ipv6 = type == ETH_TYPE_IPV6;
	return *ret_ipv6 || type == ETH_TYPE_IPV4 ? at : 0;
}

/* Return: the length of the IP header; 0: it is none that UDP follows. */
static uint32_t ip_head_bytes(const uint8_t *ip, uint32_t left, bool ipv6)
{
	uint32_t head;

	if (ipv6)
		return left >= IPV6_HEAD_BYTES && ip[0] >> 4 == 6 && ip[6] == IP_PROTO_UDP
			       ? IPV6_HEAD_BYTES
			       : 0;
	if (left < IPV4_HEAD_BYTES || ip[0] >> 4 != 4 || ip[9] != IP_PROTO_UDP)
		return 0;
	/* Of a datagram in pieces only the first has the UDP header; it does not fit, below. */
	if (get16(ip + 6) & 0x1fff)
		return 0;
	head = (ip[0] & 0xfU) * 4;
	return head >= IPV4_HEAD_BYTES && head <= left ? head : 0;
}

/* Return: false: no UDP, or too short for a mark. */
static bool find_parts(struct parts *p, const uint8_t *bytes, uint32_t len)
{
	const uint32_t ip_at = find_ip(bytes, len, &p->ipv6);
	uint32_t head, udp_at, ip_len;

	if (!ip_at)
		return false;
	p->ip = bytes + ip_at;
	head = ip_head_bytes(p->ip, len - ip_at, p->ipv6);
	udp_at = ip_at + head;
	if (!head || len - udp_at < UDP_HEAD_BYTES + sizeof(p->mark))
		return false;
	p->udp = bytes + udp_at;
	memcpy(&p->mark, p->udp + UDP_HEAD_BYTES, sizeof(p->mark));

	ip_len = p->ipv6 ? IPV6_HEAD_BYTES + get16(p->ip + 4) : get16(p->ip + 2);
	p->udp_len = get16(p->udp + 4);
	/* Behind IP there is nothing but what fills a frame up that is shorter than Ethernet's. */
	p->fits =
		ip_len == head + p->udp_len && p->udp_len >= UDP_HEAD_BYTES + sizeof(p->mark) &&
		(ip_at + ip_len == len ||
			(ip_at + ip_len < len && len <= ETH_LEAST_BYTES + ip_at - ETH_HEAD_BYTES));
	return true;
}

static bool is_ours(const struct frame_mark *m, uint16_t key)
{
	return (m->magic == FRAME_MAGIC_TEST || m->magic == FRAME_MAGIC_LEARN) &&
	       csum_fold(csum_add(0, m, sizeof(*m))) == key;
}

/* A stream's datagrams all have a UDP checksum. Ref: RFC 1071 s.1: a right sum is all ones. */
static bool is_intact(const struct parts *p)
{
	if (get16(p->udp + 6) == 0)
		return false;
	if (!p->ipv6 && csum_fold(csum_add(0, p->ip, (uint32_t)(p->udp - p->ip))) != 0xffff)
		return false;
	return headers_udp_sum(p->ip, p->ipv6, p->udp, p->udp_len) == 0xffff;
}

/*
 * Time since a stamp. Both times are cut to the unit, so the mean error is 0. A receiver may have
 * read the clock before the frame was sent, once for many frames: such a time is 0, not 34 s.
 */
static uint64_t since_ns(uint32_t stamp, uint64_t now_ns)
{
	const int32_t units = (int32_t)((uint32_t)(now_ns >> FRAME_STAMP_SHIFT) - stamp);

	return units < 0 ? 0 : (uint64_t)units << FRAME_STAMP_SHIFT;
}

static void receive(struct frame_counter *c, const struct frame_mark *m, uint32_t len,
	uint64_t now_ns)
{
	const uint32_t seq = __builtin_bswap32(m->seq);
	const uint64_t bit = 1ULL << seq % 64;

	if (seq >= c->max_frames) {
		bump(&c->got.corrupt, 1);
		return;
	}
	if (c->seen[seq / 64] & bit) {
		bump(&c->got.duplicated, 1);
		return;
	}
	c->seen[seq / 64] |= bit;
	if (now_ns == 0)
		now_ns = clock_now_ns();
	if (c->got.received == 0)
		c->got.first_ns = now_ns;
	c->got.last_ns = now_ns;
	bump(&c->got.received, 1);
	c->got.bytes += len + FRAME_FCS_BYTES;
	if (seq < c->end)
		c->got.reordered++;
	else
		c->end = seq + 1ULL;
	if (c->latency)
		hist_add(&c->hist, since_ns(__builtin_bswap32(m->stamp), now_ns));
}

void frame_counter_add(struct frame_counter *c, const uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
	struct parts p;

	if (!find_parts(&p, bytes, len) || !is_ours(&p.mark, c->key))
		bump(&c->got.alien, 1);
	else if (!p.fits || (c->verify && !is_intact(&p)))
		bump(&c->got.corrupt, 1);
	else if (p.mark.magic == FRAME_MAGIC_LEARN)
		bump(&c->got.learned, 1);
	else if (p.mark.trial != c->trial)
		bump(&c->got.late, 1);
	else
		receive(c, &p.mark, len, now_ns);
}

void frame_seen_lost(const uint64_t *word, uint64_t n_sent, struct frame_count *ret)
{
	const uint64_t n_words = (n_sent + 63) / 64;
	/* In the last word, what is not below n_sent is not missing. */
	const uint64_t beyond = n_sent % 64 ? ~0ULL << n_sent % 64 : 0;
	uint64_t missing = 0, i;

	ret->first_lost_seq = ret->last_lost_seq = UINT64_MAX;
	for (i = 0; i < n_words && !missing; i++)
		missing = ~(word[i] | (i == n_words - 1 ? beyond : 0));
	if (!missing)
		return;
	ret->first_lost_seq = (i - 1) * 64 + (uint64_t)__builtin_ctzll(missing);
	for (missing = 0, i = n_words; !missing; i--)
		missing = ~(word[i - 1] | (i == n_words ? beyond : 0));
	ret->last_lost_seq = i * 64 + 63 - (uint64_t)__builtin_clzll(missing);
}

void frame_seen_turns(const uint64_t *word, uint64_t n_sent, uint32_t n, uint64_t *ret)
{
	memset(ret, 0, n * sizeof(*ret));
	for (uint64_t i = 0; i * 64 < n_sent; i++) {
		const uint64_t left = n_sent - i * 64;
		uint64_t set = word[i] & (left < 64 ? ~(~0ULL << left) : ~0ULL);

		for (; set; set &= set - 1)
			ret[(i * 64 + (uint64_t)__builtin_ctzll(set)) % n]++;
	}
}

const uint64_t *frame_counter_seen(const struct frame_counter *c)
{
	return c->seen;
}

void frame_counter_read(const struct frame_counter *c, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist)
{
	assert(n_sent <= c->max_frames);
	*ret = (struct frame_count){
		.received = __atomic_load_n(&c->got.received, __ATOMIC_RELAXED),
		.duplicated = __atomic_load_n(&c->got.duplicated, __ATOMIC_RELAXED),
		.corrupt = __atomic_load_n(&c->got.corrupt, __ATOMIC_RELAXED),
		.late = __atomic_load_n(&c->got.late, __ATOMIC_RELAXED),
		.learned = __atomic_load_n(&c->got.learned, __ATOMIC_RELAXED),
		.alien = __atomic_load_n(&c->got.alien, __ATOMIC_RELAXED),
		.reordered = c->got.reordered,
		.bytes = c->got.bytes,
		.first_ns = c->got.first_ns,
		.last_ns = c->got.last_ns,
	};
	frame_seen_lost(c->seen, n_sent, ret);
	if (hist)
		hist_merge(hist, &c->hist);
}
