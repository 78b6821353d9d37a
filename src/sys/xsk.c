#include "sys/xsk.h"

#include "base/clock.h"
#include "base/mem.h"
#include "sys/ebpf.h"
#include "sys/ns.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <xdp/xsk.h>

#include <steer.skel.h>

/* Not in Debian 12's headers. Ref: include/uapi/asm-generic/socket.h, v5.11 */
#define PREFER_BUSY_POLL 69
#define BUSY_POLL_BUDGET 70

/* A queue is free again only when the kernel's deferred work has run. Ref: net/xdp/xsk.c, */
#define REBIND_NS   (1 * NSEC_PER_SEC) /* xp_put_pool */
#define REBIND_STEP (5 * NSEC_PER_MSEC)

const char *const xsk_mode_name[] = {
	[XSK_BEST] = "best",
	[XSK_COPY] = "copy",
	[XSK_GENERIC] = "generic",
};
static_assert(ARRAY_SIZE(xsk_mode_name) == XSK_MODE_N);

static const uint16_t bind_flags[] = {
	[XSK_BEST] = XDP_USE_NEED_WAKEUP,
	[XSK_COPY] = XDP_USE_NEED_WAKEUP | XDP_COPY,
	[XSK_GENERIC] = XDP_USE_NEED_WAKEUP | XDP_COPY,
};
static_assert(ARRAY_SIZE(bind_flags) == XSK_MODE_N);

struct xsk_pool {
	uint8_t *base;
	uint64_t bytes;
	uint32_t frame_bytes, n_frames, n_sockets;
	struct xsk_umem *umem; /* while there are sockets; the first one's namespace is its own */
};

/*
 * Zeroed: libxdp 1.3.1 leaves the rings' cached_* of filling and completion as they are. It keeps
 * pointers to the rings until the socket is closed.
 */
struct xsk {
	struct xsk_ring_cons rx, done;
	struct xsk_ring_prod tx, fill;
	struct xsk_pool *pool;
	struct xsk_socket *socket;
	int fd;
	uint32_t queue;
	uint32_t taken; /* of tx, by the kernel; a position in the ring as the ring's own are */
	bool sends, receives, zerocopy, busy_poll;
};

struct xsk_steer {
	struct steer *skel;
	int link_fd;
};

static_assert(sizeof(struct xsk_frame) == sizeof(struct xdp_desc) &&
		      offsetof(struct xsk_frame, len) == offsetof(struct xdp_desc, len),
	"copied as they are");

static int pool_new(struct xsk_pool **ret, uint32_t n_frames, uint32_t frame_bytes, int flags,
	struct err *e)
{
	struct xsk_pool *pool;
	uint64_t bytes = (uint64_t)n_frames * frame_bytes;
	void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);

	if (base == MAP_FAILED)
		return err_set(e, errno, "cannot get memory for %u frames%s", n_frames,
			flags & MAP_HUGETLB ? " in huge pages" : "");
	pool = xcalloc(1, sizeof(*pool));
	*pool = (struct xsk_pool){base, bytes, frame_bytes, n_frames, 0, NULL};
	*ret = pool;
	return 0;
}

int xsk_pool_new(struct xsk_pool **ret, uint32_t n_frames, uint32_t frame_bytes, struct err *e)
{
	return pool_new(ret, n_frames, frame_bytes, 0, e);
}

int xsk_pool_new_huge(struct xsk_pool **ret, uint32_t n_frames, uint32_t frame_bytes, struct err *e)
{
	return pool_new(ret, n_frames, frame_bytes, MAP_HUGETLB, e);
}

void xsk_pool_free(struct xsk_pool *pool)
{
	if (!pool)
		return;
	assert(pool->n_sockets == 0);
	munmap(pool->base, pool->bytes);
	free(pool);
}

uint8_t *xsk_pool_base(const struct xsk_pool *pool)
{
	return pool->base;
}

static int refused(int r, const char *dev, uint32_t queue, struct err *e)
{
	if (r == -EAFNOSUPPORT)
		return err_say(e, EOPNOTSUPP, "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
	if (r == -EPERM)
		return err_say(e, EPERM, "AF_XDP takes CAP_NET_RAW");
	if (r == -EBUSY)
		return err_say(e, EBUSY, "another AF_XDP socket has queue %u of '%s'", queue, dev);
	return err_set(e, -r, "cannot open an AF_XDP socket on queue %u of '%s'", queue, dev);
}

static uint32_t ring_of(uint32_t n)
{
	return n ? n : XSK_RING_CONS__DEFAULT_NUM_DESCS;
}

static int umem_open(struct xsk *x, const struct xsk_args *args)
{
	const struct xsk_umem_config cfg = {
		.fill_size = ring_of(args->rx_ring),
		.comp_size = ring_of(args->tx_ring),
		.frame_size = x->pool->frame_bytes,
	};

	if (x->pool->umem)
		return 0;
	return xsk_umem__create(&x->pool->umem, x->pool->base, x->pool->bytes, &x->fill, &x->done,
		&cfg);
}

static int socket_open(struct xsk *x, const struct xsk_args *args, const char *dev)
{
	const struct xsk_socket_config cfg = {
		.rx_size = args->rx_ring,
		.tx_size = args->tx_ring,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = bind_flags[args->mode],
	};

	return xsk_socket__create_shared(&x->socket, dev, args->queue, x->pool->umem,
		args->rx_ring ? &x->rx : NULL, args->tx_ring ? &x->tx : NULL, &x->fill, &x->done,
		&cfg);
}

static void umem_put(struct xsk_pool *pool)
{
	if (pool->n_sockets == 0 && pool->umem) {
		/* Fails only while a socket is left. */
		(void)xsk_umem__delete(pool->umem);
		pool->umem = NULL;
	}
}

/* Again and again while the queue was somebody's a moment ago. A failed bind spoils the umem. */
static int bind_queue(struct xsk *x, const struct xsk_args *args, const char *dev)
{
	uint64_t give_up_ns = clock_now_ns() + REBIND_NS;
	struct timespec step = {.tv_nsec = REBIND_STEP};
	int r;

	for (;;) {
		r = umem_open(x, args);
		if (r == 0)
			r = socket_open(x, args, dev);
		if (r == 0)
			return 0;
		umem_put(x->pool);
		if (r != -EBUSY || clock_now_ns() > give_up_ns)
			return r;
		nanosleep(&step, NULL);
	}
}

static int set_busy_poll(struct xsk *x, struct err *e)
{
	static const struct {
		int option, value;
	} set[] = {{PREFER_BUSY_POLL, 1}, {SO_BUSY_POLL, 20}, {BUSY_POLL_BUDGET, 64}};

	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		if (setsockopt(x->fd, SOL_SOCKET, set[i].option, &set[i].value,
			    sizeof(set[i].value)) < 0)
			return err_set(e, errno, "cannot have the kernel busy-poll for a socket");
	x->busy_poll = true;
	return 0;
}

static void learn_mode(struct xsk *x)
{
	struct xdp_options opt = {0};
	socklen_t len = sizeof(opt);

	x->zerocopy = getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &opt, &len) == 0 &&
		      (opt.flags & XDP_OPTIONS_ZEROCOPY);
}

int xsk_open(struct xsk **ret, struct xsk_pool *pool, const struct xsk_args *args, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(xsk_closep) struct xsk *x = xcalloc(1, sizeof(*x));
	char dev[IF_NAMESIZE];
	int r = ns_scope_enter(&scope, args->netns_fd, e);

	if (r < 0)
		return r;
	x->pool = pool;
	x->fd = -1;
	x->queue = args->queue;
	x->sends = args->tx_ring > 0;
	x->receives = args->rx_ring > 0;
	if (!if_indextoname(args->ifindex, dev))
		return err_set(e, errno, "device %u", args->ifindex);
	ebpf_quiet();
	r = bind_queue(x, args, dev);
	if (r < 0)
		return refused(r, dev, args->queue, e);
	pool->n_sockets++;
	x->fd = xsk_socket__fd(x->socket);
	learn_mode(x);
	r = args->busy_poll ? set_busy_poll(x, e) : 0;
	if (r < 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

void xsk_close(struct xsk *x)
{
	if (!x)
		return;
	if (x->socket) {
		xsk_socket__delete(x->socket);
		x->pool->n_sockets--;
		umem_put(x->pool);
	}
	free(x);
}

int xsk_fd(const struct xsk *x)
{
	return x->fd;
}

bool xsk_zerocopy(const struct xsk *x)
{
	return x->zerocopy;
}

uint32_t xsk_rx(struct xsk *x, struct xsk_frame *ret, uint32_t max)
{
	uint32_t at, n = xsk_ring_cons__peek(&x->rx, max, &at);

	for (uint32_t i = 0; i < n; i++)
		memcpy(&ret[i], xsk_ring_cons__rx_desc(&x->rx, at + i), sizeof(*ret));
	if (n)
		xsk_ring_cons__release(&x->rx, n);
	return n;
}

static uint32_t reserve(struct xsk_ring_prod *ring, uint32_t want, uint32_t *ret_at)
{
	uint32_t n = MIN(xsk_prod_nb_free(ring, want), want);

	return n ? xsk_ring_prod__reserve(ring, n, ret_at) : 0;
}

uint32_t xsk_fill(struct xsk *x, const struct xsk_frame *frame, uint32_t n)
{
	uint64_t start = ~(uint64_t)(x->pool->frame_bytes - 1);
	uint32_t at;

	n = reserve(&x->fill, n, &at);
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, at + i) = frame[i].addr & start;
	if (n)
		xsk_ring_prod__submit(&x->fill, n);
	return n;
}

uint32_t xsk_fill_new(struct xsk *x, uint32_t first, uint32_t n)
{
	uint32_t at;

	assert(first + n <= x->pool->n_frames);
	n = reserve(&x->fill, n, &at);
	for (uint32_t i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&x->fill, at + i) =
			(uint64_t)(first + i) * x->pool->frame_bytes;
	if (n)
		xsk_ring_prod__submit(&x->fill, n);
	return n;
}

void xsk_rx_kick(struct xsk *x)
{
	/* What it does is in the kernel; what it says does not matter here. */
	if (x->busy_poll || xsk_ring_prod__needs_wakeup(&x->fill))
		(void)recvfrom(x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

bool xsk_rx_wait(struct xsk *x, int timeout_ms)
{
	struct pollfd p = {.fd = x->fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) > 0;
}

uint32_t xsk_tx(struct xsk *x, const struct xsk_frame *frame, uint32_t n)
{
	uint32_t at;

	n = reserve(&x->tx, n, &at);
	for (uint32_t i = 0; i < n; i++)
		memcpy(xsk_ring_prod__tx_desc(&x->tx, at + i), &frame[i], sizeof(*frame));
	if (n)
		xsk_ring_prod__submit(&x->tx, n);
	return n;
}

/*
 * A dropped frame is taken from the ring and done with; the position in the ring, however, is told
 * only after a call in which some frame was sent. Ref: net/xdp/xsk.c __xsk_generic_xmit, v6.18.
 */
int xsk_tx_kick(struct xsk *x, struct err *e)
{
	bool dropped = false;
	uint32_t told;

	if (xsk_ring_prod__needs_wakeup(&x->tx) &&
		sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0) {
		dropped = errno == EBUSY;
		if (!dropped && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			return err_set(e, errno, "an AF_XDP socket does not send");
	}
	told = __atomic_load_n(x->tx.consumer, __ATOMIC_ACQUIRE);
	if ((int32_t)(told - x->taken) > 0)
		x->taken = told;
	else if (dropped)
		x->taken++;
	return dropped ? XSK_DROPPED : 0;
}

uint32_t xsk_tx_pending(const struct xsk *x)
{
	return x->tx.cached_prod - x->taken;
}

void xsk_tx_replace(struct xsk *x, const struct xsk_frame *frame)
{
	assert(!x->zerocopy);
	for (uint32_t at = x->taken; at != x->tx.cached_prod; at++, frame++)
		memcpy(xsk_ring_prod__tx_desc(&x->tx, at), frame, sizeof(*frame));
}

/* The kernel passes over frames that are outside the pool. Ref: net/xdp/xsk_queue.h v6.1 */
int xsk_tx_cancel(struct xsk *x, struct err *e)
{
	int r;

	assert(!x->zerocopy);
	for (uint32_t at = x->taken; at != x->tx.cached_prod; at++)
		*xsk_ring_prod__tx_desc(&x->tx, at) = (struct xdp_desc){.addr = x->pool->bytes};
	if (xsk_tx_pending(x) == 0)
		return 0;
	r = xsk_tx_kick(x, e);
	x->taken = x->tx.cached_prod;
	return r;
}

uint32_t xsk_done(struct xsk *x, struct xsk_frame *ret, uint32_t max)
{
	uint32_t at, n = xsk_ring_cons__peek(&x->done, max, &at);

	for (uint32_t i = 0; i < n; i++)
		ret[i] = (struct xsk_frame){.addr = *xsk_ring_cons__comp_addr(&x->done, at + i)};
	if (n)
		xsk_ring_cons__release(&x->done, n);
	return n;
}

uint64_t xsk_overflowed(const struct xsk *x)
{
	struct xdp_statistics s = {0};
	socklen_t len = sizeof(s);

	if (getsockopt(x->fd, SOL_XDP, XDP_STATISTICS, &s, &len) < 0)
		return 0;
	return s.rx_dropped + s.rx_ring_full;
}

static int steer_load(struct xsk_steer *s, bool udp_only, struct err *e)
{
	int r;

	ebpf_quiet();
	s->skel = steer__open();
	if (!s->skel)
		return err_set(e, errno, "cannot open the XDP program");
	s->skel->rodata->udp_only = udp_only;
	r = steer__load(s->skel);
	return r < 0 ? ebpf_refused(r, e) : 0;
}

int xsk_steer_open(struct xsk_steer **ret, int netns_fd, uint32_t ifindex, enum xsk_mode mode,
	bool udp_only, struct err *e)
{
	_cleanup_(xsk_steer_closep) struct xsk_steer *s = xcalloc(1, sizeof(*s));
	uint32_t hook = mode == XSK_GENERIC ? EBPF_XDP_GENERIC : EBPF_XDP_NATIVE;
	int r;

	s->link_fd = -1;
	r = steer_load(s, udp_only, e);
	if (r == 0)
		r = ebpf_xdp_attach(&s->link_fd, netns_fd, (int)ifindex,
			bpf_program__fd(s->skel->progs.steer), hook, e);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

void xsk_steer_close(struct xsk_steer *s)
{
	if (!s)
		return;
	closep(&s->link_fd);
	steer__destroy(s->skel);
	free(s);
}

int xsk_steer_to(struct xsk_steer *s, const struct xsk *x, struct err *e)
{
	int fd = x->fd;
	uint32_t queue = x->queue;
	int r = bpf_map_update_elem(bpf_map__fd(s->skel->maps.sockets), &queue, &fd, BPF_ANY);

	return r < 0 ? err_set(e, -r, "cannot steer queue %u into an AF_XDP socket", queue) : 0;
}

uint64_t xsk_steer_passed(const struct xsk_steer *s)
{
	return __atomic_load_n(&s->skel->bss->passed, __ATOMIC_RELAXED);
}
