/*
 * What stands between the two ports of bench/sut.py: programs for a device's ingress, each with
 * one way to treat frames. They come in by device 101 and leave by 102. Counting begins with the
 * first frame and goes on over trials, so of N frames exactly N / K are treated when K divides N.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <stddef.h>

#define IN  101
#define OUT 102

static __u64 n_frames;

/* Is this one of those that are treated, one in @k? What is no IP does not count. */
static __always_inline int every(const struct __sk_buff *skb, __u64 k)
{
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 0;
	return __sync_fetch_and_add(&n_frames, 1) % k == k - 1;
}

#define SUT(name, treat)                                                                           \
	SEC(#name) int sut_##name(struct __sk_buff *skb)                                           \
	{                                                                                          \
		(void)skb;                                                                         \
		treat;                                                                             \
		return (int)bpf_redirect(OUT, 0);                                                  \
	}

/* Ref: net/sched/sch_generic.c prio2band: 6 is TC_PRIO_INTERACTIVE, which overtakes the others */
static __always_inline void hurry(struct __sk_buff *skb)
{
	skb->priority = 6;
}

/* The last byte of the frame. */
static __always_inline void damage(struct __sk_buff *skb)
{
	__u8 byte = 0x5a;

	(void)bpf_skb_store_bytes(skb, skb->len - 1, &byte, sizeof(byte), 0);
}

SUT(pass, )
SUT(drop10, if (every(skb, 10)) return TC_ACT_SHOT)
SUT(drop7, if (every(skb, 7)) return TC_ACT_SHOT)
SUT(nothing, return TC_ACT_SHOT)
SUT(twice, if (every(skb, 10))(void) bpf_clone_redirect(skb, OUT, 0))
SUT(cut, if (every(skb, 10))(void) bpf_skb_change_tail(skb, skb->len - 8, 0))
SUT(damage, if (every(skb, 10)) damage(skb))
SUT(overtake, if (every(skb, 10)) hurry(skb))
SUT(reflect, (void)bpf_clone_redirect(skb, IN, 0))

/* A loop of routers: a frame leaves in each round, until its time to live is over. */
SEC("loop") int sut_loop(struct __sk_buff *skb)
{
	const __u32 at = ETH_HLEN + offsetof(struct iphdr, ttl);
	struct {
		__u8 ttl, protocol;
	} old, now;

	(void)bpf_clone_redirect(skb, OUT, 0);
	if (bpf_skb_load_bytes(skb, at, &old, sizeof(old)) < 0 || old.ttl < 2)
		return TC_ACT_SHOT;
	now = old;
	now.ttl--;
	(void)bpf_skb_store_bytes(skb, at, &now, sizeof(now), 0);
	(void)bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), *(__u16 *)&old,
		*(__u16 *)&now, sizeof(__u16));
	return (int)bpf_redirect(IN, BPF_F_INGRESS);
}

/* For the other direction, on the other device. */
SEC("back") int sut_back(struct __sk_buff *skb)
{
	(void)skb;
	return (int)bpf_redirect(IN, 0);
}

/* A veth device with an XDP program takes frames from XDP senders. */
SEC("xdp") int sut_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
