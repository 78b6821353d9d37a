/*
 * The receiver of test frames, where a driver hands over what came in: counts those with the
 * tester's mark and drops them, and lets all else pass to the kernel.
 *
 * Several CPUs may run it at once. Counts and latencies are per CPU; the bit of a number is set
 * atomically, so a number is received once whoever comes first. The order of frames that different
 * CPUs see is theirs: which of two numbers came first is a race there.
 *
 * No helper here is for GPL programs only, so the object states no licence.
 */
#include "bpf/ether.h"
#include "bpf/frame.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 key;
const volatile __u8 verify;
const volatile __u64 max_frames;

/* Of a trial; the user side writes them between trials. */
__u8 trial;
__u8 latency;
__u32 next_seq; /* one more than the highest number so far */

/* A bit for each number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame_rx_count);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame_rx_hist);
} hists SEC(".maps");

/* Where things are in a frame. */
struct layout {
	__u32 l3, l4; /* offsets */
	__u32 end;    /* of the packet, as the IP header says */
	__u8 ipv6;
};

static __always_inline int parse_v4(void *data, void *end, struct layout *l)
{
	struct iphdr *ip = data + l->l3;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5 ||
		ip->protocol != IPPROTO_UDP)
		return -1;
	if (ip->frag_off & bpf_htons(0x1fff)) /* a later fragment. Ref: RFC 791 s.3.1 */
		return -1;
	l->l4 = l->l3 + ip->ihl * 4U;
	l->end = l->l3 + bpf_ntohs(ip->tot_len);
	return 0;
}

static __always_inline int parse_v6(void *data, void *end, struct layout *l)
{
	struct ipv6hdr *ip = data + l->l3;

	if ((void *)(ip + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return -1;
	l->l4 = l->l3 + sizeof(*ip);
	l->end = l->l4 + bpf_ntohs(ip->payload_len);
	l->ipv6 = 1;
	return 0;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

/* Return: the mark, or none if it is no test frame; *ret_udp_len is its UDP header's length. */
static __always_inline int find_mark(void *data, void *end, struct layout *l, struct frame_mark *m,
	__u32 *ret_udp_len)
{
	__u16 proto = skip_ethernet(data, end, &l->l3);
	struct udphdr *udp;
	__u32 *word;

	if (proto == bpf_htons(ETH_P_IP) ? parse_v4(data, end, l)
					 : proto != bpf_htons(ETH_P_IPV6) || parse_v6(data, end, l))
		return -1;
	if (l->l4 > 128)
		return -1;
	udp = data + l->l4;
	word = (void *)(udp + 1);
	if ((void *)(word + 3) > end)
		return -1;
	if (fold((__u64)word[0] + word[1] + word[2]) != key)
		return -1;
	__builtin_memcpy(m, word, sizeof(*m));
	if (m->magic != FRAME_MAGIC_TEST && m->magic != FRAME_MAGIC_LEARN)
		return -1;
	*ret_udp_len = bpf_ntohs(udp->len);
	return 0;
}

/* IPv4: protocol and length are in the pseudo header; IPv6: the same numbers, in other places. */
static __always_inline __u64 pseudo_sum(void *data, void *end, const struct layout *l,
	__u32 udp_len)
{
	__u64 sum = (__u64)bpf_htons(IPPROTO_UDP) + bpf_htons((__u16)udp_len);
	/* Source and destination stand together, behind the first 12 or 8 bytes. */
	__u32 *word = data + l->l3 + (l->ipv6 ? 8 : 12);

	if ((void *)(word + 8) > end)
		return 0;
#pragma unroll
	for (int i = 0; i < 8; i++)
		if (i < 2 || l->ipv6)
			sum += word[i];
	return sum;
}

/* Ref: RFC 791 s.3.1: of 5 to 15 words. */
static __always_inline int right_head(void *data, void *end, const struct layout *l)
{
	__u64 sum = 0;
	__u32 off = l->l3;

	for (__u32 i = 0; i < 15 && off < l->l4; i++) {
		if (off > 128 || data + off + 4 > end)
			return 0;
		sum += *(__u32 *)(data + off);
		off += 4;
	}
	return fold(sum) == 0xffff;
}

/* A sum that goes on, of what is left from an offset of even distance on. */
struct summing {
	struct xdp_md *ctx;
	__u64 sum;
	__u32 off, left;
	int failed;
};

#define PIECE 64 /* bytes */
/* Of the longest frame, FRAME_MAX_BYTES: pieces, words, and a half and a quarter of one. */
#define MAX_STEPS (9216 / PIECE + PIECE / 4 + 2)

static long sum_step(__u32 i, void *arg)
{
	struct summing *s = arg;
	__u32 word[PIECE / 4] = {};
	__u32 n = s->left >= PIECE ? PIECE : s->left >= 4 ? 4 : s->left >= 2 ? 2 : 1;
	long r;

	(void)i;
	if (s->left == 0)
		return 1;
	/* Frames may be in pieces, too, so there is no reading them by a pointer. */
	if (n == PIECE)
		r = bpf_xdp_load_bytes(s->ctx, s->off, word, PIECE);
	else if (n == 4)
		r = bpf_xdp_load_bytes(s->ctx, s->off, word, 4);
	else if (n == 2)
		r = bpf_xdp_load_bytes(s->ctx, s->off, word, 2);
	else
		r = bpf_xdp_load_bytes(s->ctx, s->off, word, 1);
	if (r < 0) {
		s->failed = 1;
		return 1;
	}
#pragma unroll
	for (int k = 0; k < PIECE / 4; k++)
		s->sum += word[k];
	s->off += n;
	s->left -= n;
	return 0;
}

/* Ref: RFC 1071 s.1: a right sum is all ones; RFC 768: 0 means that there is none. */
static __always_inline int right_sum(struct xdp_md *ctx, const struct layout *l, __u32 udp_len)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct summing s = {ctx, pseudo_sum(data, end, l, udp_len), l->l4, udp_len, 0};
	struct udphdr *udp = data + l->l4;

	if ((void *)(udp + 1) > end || !udp->check || (!l->ipv6 && !right_head(data, end, l)))
		return 0;
	bpf_loop(MAX_STEPS, sum_step, &s, 0);
	return !s.failed && s.left == 0 && fold(s.sum) == 0xffff;
}

/* Bucket of a value as hist_bucket() of stat/hist.c has it. */
static __always_inline __u32 bucket_of(__u64 v)
{
	__u64 x = v | 128;
	__u32 shift, log = 0;

	if (x >> 32) {
		x >>= 32;
		log += 32;
	}
	if (x >> 16) {
		x >>= 16;
		log += 16;
	}
	if (x >> 8) {
		x >>= 8;
		log += 8;
	}
	if (x >> 4) {
		x >>= 4;
		log += 4;
	}
	if (x >> 2) {
		x >>= 2;
		log += 2;
	}
	log += x >> 1;
	shift = log - 7;
	return (shift << 7) + (__u32)(v >> shift);
}

static __always_inline void add_latency(const struct frame_mark *m, __u64 now_ns)
{
	/* A stamp is the lower 32 bits of its clock, and so is the difference. */
	__s32 units = (__s32)((__u32)(now_ns >> FRAME_STAMP_SHIFT) - bpf_ntohl(m->stamp));
	__u64 v = units < 0 ? 0 : (__u64)units << FRAME_STAMP_SHIFT;
	__u32 zero = 0, i;
	struct frame_rx_hist *h = bpf_map_lookup_elem(&hists, &zero);

	if (!h)
		return;
	i = bucket_of(v);
	if (i < FRAME_RX_HIST_BUCKETS)
		h->bucket[i]++;
	h->count++;
	h->sum_ns += v;
	if (v < h->min_ns)
		h->min_ns = v;
	if (v > h->max_ns)
		h->max_ns = v;
}

/* Return: whether it is the first of its number. */
static __always_inline int first_of(__u32 seq)
{
	__u32 i = seq / 64;
	__u64 bit = 1ULL << (seq % 64), *word = bpf_map_lookup_elem(&seen, &i);

	return word && !(__sync_fetch_and_or(word, bit) & bit);
}

/*
 * Reading the clock takes as long as all the rest. Where nobody asks for latencies, frames that
 * come faster than one a microsecond are timed once in SHARE, or once in a jiffy, so last_ns may
 * be that much early.
 */
#define SHARE 16
static __always_inline void mark_time(struct frame_rx_count *c, const struct frame_mark *m)
{
	__u64 now_ns, jiffy = bpf_jiffies64();

	if (!latency && c->trust && c->jiffy == jiffy) {
		c->trust--;
		return;
	}
	now_ns = bpf_ktime_get_ns();
	c->trust = now_ns - c->last_ns < SHARE * 1000 ? SHARE - 1 : 0;
	c->jiffy = jiffy;
	if (!c->first_ns)
		c->first_ns = now_ns;
	c->last_ns = now_ns;
	if (latency)
		add_latency(m, now_ns);
}

static __always_inline void count(struct frame_rx_count *c, const struct frame_mark *m, __u32 len)
{
	__u32 seq = bpf_ntohl(m->seq);

	if (seq >= max_frames) {
		c->corrupt++;
		return;
	}
	if (!first_of(seq)) {
		c->duplicated++;
		return;
	}
	c->received++;
	c->bytes += len + 4; /* FRAME_FCS_BYTES */
	if (seq < next_seq)
		c->reordered++;
	else
		next_seq = seq + 1;
	mark_time(c, m);
}

/* Behind IP there is nothing but what fills a frame up that is shorter than Ethernet's 60. */
static __always_inline int right_length(const struct layout *l, __u32 udp_len, __u32 len)
{
	return l->l4 + udp_len == l->end &&
	       udp_len >= sizeof(struct udphdr) + sizeof(struct frame_mark) &&
	       (l->end == len || (l->end < len && len <= 60 + l->l3 - sizeof(struct ethhdr)));
}

SEC("xdp.frags")
int frame_rx(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct layout l = {};
	struct frame_mark m;
	__u32 zero = 0, udp_len = 0, len;
	struct frame_rx_count *c = bpf_map_lookup_elem(&counts, &zero);

	if (!c)
		return XDP_PASS;
	if (find_mark(data, end, &l, &m, &udp_len) < 0) {
		c->alien++;
		return XDP_PASS;
	}
	len = (__u32)bpf_xdp_get_buff_len(ctx);
	if (!right_length(&l, udp_len, len) || (verify && !right_sum(ctx, &l, udp_len)))
		c->corrupt++;
	else if (m.magic == FRAME_MAGIC_LEARN)
		c->learned++;
	else if (m.trial != trial)
		c->late++;
	else
		count(c, &m, len);
	return XDP_DROP;
}
