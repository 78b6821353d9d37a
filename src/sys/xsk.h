/*
 * AF_XDP sockets: frames in memory that the kernel and this process share, handed over by rings.
 * Senders queue and kick; receivers have an XDP program steer frames into a socket; forwarders have
 * two sockets on one pool, so a frame goes from one to the other without being copied here.
 *
 * The functions of a running socket take many frames at once, so a call costs nothing to speak of.
 * A frame belongs to this process or to the kernel:
 *
 *	xsk_fill  -->  kernel, to receive into  -->  xsk_rx
 *	xsk_tx    -->  kernel, to send          -->  xsk_done
 *
 * What is left out: frames of more than one buffer (Linux 6.6), so a frame fits into a page.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Memory for frames, of any number of sockets. Frame i is at i * frame_bytes. */
struct xsk_pool;

/* @frame_bytes: 2048 or 4096; of it, XSK_HEADROOM_BYTES are not for what is received */
#define XSK_HEADROOM_BYTES 256 /* Ref: include/uapi/linux/bpf.h XDP_PACKET_HEADROOM */
int xsk_pool_new(struct xsk_pool **ret, uint32_t n_frames, uint32_t frame_bytes, struct err *e)
	must_check_;
/* The same in huge pages that were set aside; there must be enough. */
int xsk_pool_new_huge(struct xsk_pool **ret, uint32_t n_frames, uint32_t frame_bytes, struct err *e)
	must_check_;
/* After all sockets are closed. */
void xsk_pool_free(struct xsk_pool *pool);
DEFINE_CLEANUP(struct xsk_pool *, xsk_pool_free, xsk_pool_freep)

/* The memory: a frame's bytes are at base + addr. */
uint8_t *xsk_pool_base(const struct xsk_pool *pool);

enum xsk_mode {
	XSK_BEST,    /* zero-copy where the driver has it, else copy */
	XSK_COPY,    /* the kernel copies to and from skbs, or the driver's buffers */
	XSK_GENERIC, /* the same; what is received comes by the generic XDP hook */
	XSK_MODE_N,
};
extern const char *const xsk_mode_name[XSK_MODE_N];

struct xsk_args {
	int netns_fd;
	uint32_t ifindex, queue;
	enum xsk_mode mode;
	uint32_t rx_ring, tx_ring; /* entries, powers of two; 0: does not receive, send */
	bool busy_poll;            /* the kernel polls the device in this process's calls */
};

struct xsk;

/*
 * xsk_open() - open a socket. The ring for filling has as many entries as that for receiving, the
 *              one for what was sent as that for sending.
 *
 * Return: 0; -EOPNOTSUPP or -EPERM when this kernel or user can't; -EBUSY when somebody else has
 * the queue; or another negative errno.
 */
int xsk_open(struct xsk **ret, struct xsk_pool *pool, const struct xsk_args *args, struct err *e)
	must_check_;
void xsk_close(struct xsk *x);
DEFINE_CLEANUP(struct xsk *, xsk_close, xsk_closep)

/* For poll(). */
int xsk_fd(const struct xsk *x);
bool xsk_zerocopy(const struct xsk *x);

/* As struct xdp_desc. */
struct xsk_frame {
	uint64_t addr; /* into the pool's memory */
	uint32_t len;
	uint32_t options; /* 0 */
};

/* Receiving. Frames that came in, at most @max. They are the caller's until filled again. */
uint32_t xsk_rx(struct xsk *x, struct xsk_frame *ret, uint32_t max);
/* Gives frames to receive into; the address may be anywhere in a frame. Return: how many fitted. */
uint32_t xsk_fill(struct xsk *x, const struct xsk_frame *frame, uint32_t n);
/* The same with whole frames of the pool, @first up. */
uint32_t xsk_fill_new(struct xsk *x, uint32_t first, uint32_t n);
/* Tells a driver that sleeps for want of frames, or polls a device that is busy-polled. */
void xsk_rx_kick(struct xsk *x);
/* Return: true when there is something to receive, false after @timeout_ms. */
bool xsk_rx_wait(struct xsk *x, int timeout_ms);

/* Sending. Queues frames. Return: how many fitted. */
uint32_t xsk_tx(struct xsk *x, const struct xsk_frame *frame, uint32_t n);

/* One call of xsk_tx_kick() moves that many in copy mode. Ref: net/xdp/xsk.c TX_BATCH_SIZE, v6.1 */
#define XSK_TX_BATCH 32
/*
 * xsk_tx_kick() - have the kernel send what is queued, once.
 *
 * Return: 0, also when some is left (xsk_tx_pending()): for want of memory or a busy device;
 * XSK_DROPPED: the device dropped the last frame that was taken, e.g. its other half's queue is
 * full, and those after it are left; or negative errno.
 */
#define XSK_DROPPED 1
int xsk_tx_kick(struct xsk *x, struct err *e) must_check_;
/* Queued frames that the kernel has not taken yet. */
uint32_t xsk_tx_pending(const struct xsk *x);
/*
 * xsk_tx_replace() - write the pending frames anew, the oldest first.
 * @frame: [xsk_tx_pending()]. In copy mode only: else the driver may have read them.
 */
void xsk_tx_replace(struct xsk *x, const struct xsk_frame *frame);
/* Takes the pending frames back: nobody sends them. In copy mode only. */
int xsk_tx_cancel(struct xsk *x, struct err *e) must_check_;
/* Frames that are done with and the caller's again, dropped ones too; the lengths are not told. */
uint32_t xsk_done(struct xsk *x, struct xsk_frame *ret, uint32_t max);

/* What the kernel lost for want of a free frame or of room in the ring, and what did not fit. */
uint64_t xsk_overflowed(const struct xsk *x);

/*
 * The XDP program that steers what a device receives into sockets, by queue. What no socket takes
 * goes up the stack. It is there as long as this is open.
 */
struct xsk_steer;

/*
 * @mode: the sockets'
 * @udp_only: what is no UDP, as ARP, goes up the stack; a VLAN tag may be in front of it
 */
int xsk_steer_open(struct xsk_steer **ret, int netns_fd, uint32_t ifindex, enum xsk_mode mode,
	bool udp_only, struct err *e) must_check_;
void xsk_steer_close(struct xsk_steer *s);
DEFINE_CLEANUP(struct xsk_steer *, xsk_steer_close, xsk_steer_closep)
/* What comes in by the socket's queue is the socket's from now on. */
int xsk_steer_to(struct xsk_steer *s, const struct xsk *x, struct err *e) must_check_;
/* Frames that went up the stack. */
uint64_t xsk_steer_passed(const struct xsk_steer *s);
