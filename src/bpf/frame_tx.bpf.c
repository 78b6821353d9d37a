/*
 * The sender of test frames inside the kernel. BPF_PROG_TEST_RUN in live-frame mode runs the first
 * program once for each page of a pool that it recycles; the program makes a frame of the page when
 * one is due, and lets the page go when none is.
 *
 * A device's queue may be full, and nobody tells the program: frames go to the device by 16, later
 * than it returned. The second program hears of each such bulk from the kernel's trace point, and
 * what was refused, which are the last ones of a bulk, is made anew.
 * Ref: kernel/bpf/devmap.c bq_xmit_all, DEV_MAP_BULK_SIZE; net/bpf/test_run.c xdp_test_run_batch
 *
 * No helper here is for GPL programs only, so the object states no licence.
 */
#include "bpf/frame.h"

#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 ifindex;
const volatile __u32 head_bytes; /* that are written anew; even */
const volatile __u32 mark_at;
const volatile __u32 full_len; /* of a page's frame before it is cut */
const volatile __u16 key;
const volatile __u32 wake; /* a signal */

struct frame_tx_slot slots[FRAME_TX_MAX_SLOTS];
struct frame_tx_note ring[FRAME_TX_RING], again[FRAME_TX_RING];
struct frame_tx_plan plan;
struct frame_tx_state state;
__u8 whole[FRAME_TX_PAGE]; /* the longest frame; payload is the same at the same place in all */

#define NEVER (~0ULL)
/* Ref: include/net/xdp.h DEV_MAP_BULK_SIZE */
#define BULK 16
/* Runs to let pass when a queue is full: a batch ends meanwhile, and soft interrupts empty it. */
#define PATIENCE 64
/*
 * Frames that share one reading of the clock: those of one burst, which are due at once, and while
 * the sender is late, or has no pace. Reading it takes 30 ns here (kvm-clock), and the bare kernel
 * needs 40 ns for a frame. They leave together, as one bulk, so none has a stamp from after it
 * could have left; the last one's is early by the time the others took, 1 us.
 */
#define SHARE BULK

static __always_inline int fail(__s32 error)
{
	state.error = error;
	state.due_ns = NEVER;
	state.n_again = 0;
	state.train = 0;
	state.put_off = 0;
	state.finished = FRAME_TX_ERROR;
	return XDP_DROP;
}

/* A burst, or the phase, is over: the next frame is due after the time of what was in it. */
static __always_inline void due_next(void)
{
	state.due_q16 += state.gap_q16 * state.in_burst;
	state.due_ns = plan.begin_ns + (state.due_q16 >> 16);
	state.in_burst = 0;
}

/* @n frames have been taken from the plan, all of this burst. */
static __always_inline void advance(__u32 n)
{
	state.left -= n;
	state.in_burst += n;
	if (state.in_burst == plan.burst || state.left == 0)
		due_next();
}

/*
 * How many frames after one that is due need not be asked for: they are of its burst, or have no
 * pace, and share its reading of the clock.
 */
static __always_inline __u32 in_its_train(void)
{
	__u64 n = state.gap_q16 ? plan.burst - state.in_burst - 1 : SHARE - 1;

	if (n > state.left - 1)
		n = state.left - 1;
	return n < SHARE - 1 ? n : SHARE - 1;
}

/* A phase without pace lasts for as long as it took. */
static __always_inline void next_phase(__u64 now_ns)
{
	__u32 i = ++state.phase;

	if (i >= plan.n_phases || i >= FRAME_TX_MAX_PHASES) {
		state.due_ns = NEVER;
		state.finished = FRAME_TX_DONE;
		return;
	}
	if (state.gap_q16 == 0 && i > 0) {
		state.due_q16 = (now_ns - plan.begin_ns) << 16;
		state.due_ns = now_ns;
	}
	state.left = plan.n_frames[i];
	state.gap_q16 = plan.gap_q16[i];
}

/* Gives the next frame its number and its place in the table of slots. */
static __always_inline void number(struct frame_tx_note *n)
{
	n->due_ns = state.train_due_ns;
	n->slot = state.slot;
	n->seq = state.seq;
	if (slots[n->slot & (FRAME_TX_MAX_SLOTS - 1)].modifier)
		state.modifiers++;
	else
		state.seq++;
	if (++state.slot == plan.n_slots)
		state.slot = 0;
}

/* Takes the next frame from the plan. Return: 0, or 1 when there is none now. */
static __always_inline int take(struct frame_tx_note *n, __u64 now_ns)
{
	if (now_ns < state.due_ns)
		return 1;
	if (now_ns >= plan.end_ns) {
		state.due_ns = NEVER;
		state.finished = FRAME_TX_ENDED;
		return 1;
	}
	if (state.left == 0) {
		next_phase(now_ns);
		return 1;
	}
	state.train_due_ns = state.gap_q16 ? state.due_ns : now_ns;
	state.train = in_its_train();
	if (state.train)
		state.shared = 0;
	advance(1 + state.train);
	number(n);
	if (!state.first_ns)
		state.first_ns = now_ns;
	return 0;
}

/* What the device did not take comes first. */
static __always_inline int take_again(struct frame_tx_note *n)
{
	*n = again[state.again++ & (FRAME_TX_RING - 1)];
	if (--state.n_again == 0) {
		state.train = state.put_off;
		state.put_off = 0;
	}
	return 0;
}

/* All but the payload: who had the page before may have written into it. */
static __always_inline void put_head(void *data, const struct frame_tx_slot *slot)
{
#pragma unroll
	for (__u32 i = 0; i < FRAME_HEAD_BYTES / 8; i++)
		if (i * 8 + 8 <= head_bytes)
			((__u64 *)data)[i] = slot->head[i];
	if (head_bytes & 4)
		*(__u32 *)(data + (head_bytes & ~7U)) =
			*(const __u32 *)((const void *)slot->head + (head_bytes & ~7U));
	if (head_bytes & 2)
		*(__u16 *)(data + (head_bytes & ~3U)) =
			*(const __u16 *)((const void *)slot->head + (head_bytes & ~3U));
}

#define WORD(p) (*(__u64 *)(p))

/* The payload anew: 8 bytes at a time, and the last 8. */
static __noinline int mend(struct xdp_md *ctx, __u32 len)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 off = head_bytes;

	for (__u32 i = 0; i < FRAME_TX_PAGE / 8; i++) {
		if (off > FRAME_TX_PAGE - 8 || data + off + 8 > end)
			break;
		WORD(data + off) = WORD(whole + off);
		off += 8;
	}
	off = len - 8;
	if (off <= FRAME_TX_PAGE - 8 && data + off + 8 <= end)
		WORD(data + off) = WORD(whole + off);
	return 0;
}

/*
 * Who encrypts in place leaves a page whose payload is another. It shows at both ends of it.
 */
static __always_inline int is_damaged(void *data, void *end, __u32 len,
	const struct frame_tx_slot *slot)
{
	__u32 tail = len - 8;

	if (len <= head_bytes || tail > FRAME_TX_PAGE - 8)
		return 0;
	if (data + tail + 8 > end || WORD(data + tail) != slot->tail)
		return 1;
	return data + head_bytes + 8 <= end && WORD(data + head_bytes) != WORD(whole + head_bytes);
}

/* In one's complement, which may be done at any point, and as often as one likes. */
static __always_inline __u32 fold(__u32 sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

/* What the marks of frames with this reading of the clock have in common. */
static __always_inline void stamp(__u64 now_ns)
{
	__u32 t = bpf_htonl((__u32)(now_ns >> FRAME_STAMP_SHIFT));

	/* Adding the complement is subtracting. */
	state.stamp = t;
	state.sum = fold(key + (__u16)~plan.magic_trial + fold(~t));
}

static __always_inline void put_mark(void *at, __u32 seq)
{
	__u32 s = bpf_htonl(seq);

	((__u16 *)at)[0] = plan.magic_trial;
	((__u16 *)at)[1] = (__u16)fold(fold(state.sum + fold(~s)));
	((__u32 *)at)[1] = s;
	((__u32 *)at)[2] = state.stamp;
}

static __always_inline int send(struct xdp_md *ctx, const struct frame_tx_note *n)
{
	const struct frame_tx_slot *slot = &slots[n->slot & (FRAME_TX_MAX_SLOTS - 1)];
	__u32 len = slot->len;
	void *data, *end;

	if (len != full_len && bpf_xdp_adjust_tail(ctx, (int)(len - full_len)) < 0)
		return fail(-1);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + head_bytes > end)
		return fail(-1);
	if (is_damaged(data, end, len, slot)) {
		mend(ctx, len);
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
		if (data + head_bytes > end)
			return fail(-1);
	}
	put_head(data, slot);
	if (!slot->modifier)
		put_mark(data + mark_at, n->seq);
	ring[state.built++ & (FRAME_TX_RING - 1)] = *n;
	if (state.queued++ == 0)
		state.cpu = bpf_get_smp_processor_id();
	return (int)bpf_redirect(ifindex, 0);
}

static __always_inline __u64 clock(void)
{
	if (state.shared == 0 || state.now_ns < state.due_ns) {
		state.now_ns = bpf_ktime_get_ns();
		state.shared = SHARE;
	}
	state.shared--;
	return state.now_ns;
}

SEC("xdp")
int frame_tx(struct xdp_md *ctx)
{
	struct frame_tx_note n;
	__u64 now_ns;

	if (state.skip) {
		state.skip--;
		return XDP_DROP;
	}
	if (state.train) {
		state.train--;
		number(&n);
		return send(ctx, &n);
	}
	now_ns = clock();
	if (state.n_again ? take_again(&n) : take(&n, now_ns))
		return XDP_DROP;
	state.last_ns = now_ns;
	if (now_ns - n.due_ns > state.slip_max_ns)
		state.slip_max_ns = now_ns - n.due_ns;
	stamp(now_ns);
	return send(ctx, &n);
}

/* While the sender has frames queued, its CPU takes no other's: soft interrupts are off. */
static __always_inline int is_mine(void)
{
	return state.queued && bpf_get_smp_processor_id() == state.cpu;
}

static __always_inline void refuse(__u32 at, __u32 n)
{
	__u32 to = state.again + state.n_again;

	for (__u32 i = 0; i < BULK && i < n; i++)
		again[(to + i) & (FRAME_TX_RING - 1)] = ring[(at + i) & (FRAME_TX_RING - 1)];
	state.n_again += n;
	state.refused += n;
	state.skip = PATIENCE;
	state.shared = 0;
	state.put_off += state.train;
	state.train = 0;
}

/* The plan is at its end, and the device has all of it. */
static __always_inline int is_over(void)
{
	if (state.queued || state.n_again || state.train || state.put_off)
		return 0;
	if (!state.finished && state.left == 0 && state.phase + 1 >= plan.n_phases) {
		state.due_ns = NEVER;
		state.finished = FRAME_TX_DONE;
	}
	return state.finished != FRAME_TX_GOING;
}

/* Arguments: from, to, how many were taken, how many not, and an error. */
SEC("raw_tp/xdp_devmap_xmit")
int frame_tx_taken(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 taken = (__u32)ctx->args[2], refused = (__u32)ctx->args[3], at;
	__s32 error = (__s32)ctx->args[4];

	if (!is_mine())
		return 0;
	at = state.built - state.queued + taken;
	state.queued -= taken + refused;
	if (!refused) {
		/* Out of the system call; what is missed here the user side finds out later. */
		if (is_over())
			bpf_send_signal_thread(wake);
		return 0;
	}
	if (error < 0 && error != -ENOSPC && error != -ENOBUFS && error != -EBUSY)
		fail(error);
	else
		refuse(at, refused);
	return 0;
}

/* A frame that the device would never take. Arguments: from, program, to, error. */
SEC("raw_tp/xdp_redirect_err")
int frame_tx_failed(struct bpf_raw_tracepoint_args *ctx)
{
	if (is_mine()) {
		state.queued--;
		fail((__s32)ctx->args[3]);
	}
	return 0;
}
