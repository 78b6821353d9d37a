/*
 * Frames that are made inside the kernel, by an XDP program that runs on the pages of a recycling
 * pool (src/bpf/frame_tx.bpf.c), and handed to the device's ndo_xdp_xmit by 16. The thread that
 * called is inside one system call for the whole trial; it comes out of it by a signal, which the
 * program sends it when all is done, or a second thread, which also watches the caller's stop flag
 * and finds out that a plan's end is past.
 *
 * The pool is made by each call and costs 0.1 ms, so there is one call for a trial, and it begins
 * before the first frame is due. While none is due the program's CPU spins. Before that the kernel
 * makes the program's call a direct one and waits until no CPU is in the old code, for 4 to 20 ms,
 * unless the program is on a device: so it is on one that no packet comes to.
 * Ref: kernel/bpf/dispatcher.c bpf_dispatcher_update, v6.18.
 *
 * Nothing is lost on the way to the device: what it refuses is sent again, under its number.
 *
 * Limits: a frame has to fit into a page with all that the kernel puts there. A stamp is taken when
 * a frame is made; it goes to the device when 16 are made or the batch is over, 0.5 us later; above
 * 500,000 a second, 1 or 2 us.
 * A call ends after 2^32 runs of the program, which with none due is more than a minute; then there
 * is a gap of a new pool's making.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "bpf/frame.h"
#include "frame/io.h"
#include "sys/ebpf.h"
#include "sys/ns.h"

#include <frame_tx.skel.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

static_assert(FRAME_TX_MAX_SLOTS == FRAME_MAX_SLOTS);
static_assert(FRAME_TX_MAX_PHASES == FRAME_MAX_PHASES);

/*
 * Runs of one batch, with soft interrupts off, and pages that the pool keeps; at most 256. A frame
 * leaves at the end of its batch, so where frames are far apart batches are as short as bursts.
 */
#define BATCH      64
#define SLOW_BATCH 8
#define SLOW_NS    (2 * NSEC_PER_USEC)
/* Before the first frame is due; making the pool takes 0.1 ms. */
#define EARLY_NS (2 * NSEC_PER_MSEC)
/* How often the caller's stop flag is looked at. */
#define POLL_NS (20 * NSEC_PER_MSEC)
/* The end of a plan is past, and the device still takes no frames: then it is broken. */
#define STUCK_NS NSEC_PER_SEC
/* The shortest frame without FCS. */
#define LEAST_BYTES (FRAME_MIN_BYTES - FRAME_FCS_BYTES)
/* Without a handler it is ignored, so it does no harm when it comes late. */
#define WAKE SIGURG

struct frame_tx {
	struct frame_port port;
	struct frame_tx_bpf *skel;
	struct bpf_link *taken, *failed;
	int quiet_fd;    /* a namespace where nothing happens */
	int on_quiet_fd; /* the program on its loopback */
	uint8_t *page;   /* [len] */
	uint32_t len;
	uint32_t n_slots;
	uint32_t batch;
};

static void nothing(int sig)
{
	(void)sig;
}

/* ---- the thread that watches */

struct watch {
	struct frame_tx_plan *plan;
	struct frame_tx_state *state;
	const atomic_bool *stop;
	uint64_t end_ns; /* when it should be over */
	pthread_t sender;
	int over_fd; /* readable: go home */
	cpu_set_t cpus;
};

static bool wait_over(const struct watch *w, uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};
	struct pollfd pfd = {w->over_fd, POLLIN, 0};

	return ppoll(&pfd, 1, &ts, NULL) > 0;
}

static void *watch_run(void *arg)
{
	struct watch *w = arg;
	uint64_t ns = POLL_NS, now_ns;

	(void)pthread_setaffinity_np(pthread_self(), sizeof(w->cpus), &w->cpus);
	while (!wait_over(w, ns)) {
		now_ns = clock_now_ns();
		if (atomic_load_explicit(w->stop, memory_order_relaxed))
			__atomic_store_n(&w->plan->end_ns, 0, __ATOMIC_RELAXED);
		ns = POLL_NS;
		if (__atomic_load_n(&w->state->finished, __ATOMIC_RELAXED) != FRAME_TX_GOING) {
			(void)pthread_kill(w->sender, WAKE);
			ns = NSEC_PER_MSEC;
		} else if (now_ns < w->end_ns) {
			ns = MIN(POLL_NS, w->end_ns - now_ns);
		}
	}
	return NULL;
}

/* Not on the sender's CPU, if the process has another one. */
static void watch_cpus(cpu_set_t *ret)
{
	int here = sched_getcpu();

	if (sched_getaffinity(getpid(), sizeof(*ret), ret) < 0)
		CPU_ZERO(ret);
	if (here >= 0 && CPU_COUNT(ret) > 1)
		CPU_CLR((size_t)here, ret);
}

/* ---- one plan */

/* When it should be over; a phase without pace may last until the plan's end. */
static uint64_t plan_over_ns(const struct frame_plan *plan)
{
	double ns = (double)plan->begin_ns;

	for (uint32_t i = 0; i < plan->n_phases; i++) {
		if (!plan->phase[i].gap_q16)
			return plan->end_ns;
		ns += (double)plan->phase[i].n_frames * (double)plan->phase[i].gap_q16 / 65536.0;
	}
	return ns < (double)plan->end_ns ? (uint64_t)ns + NSEC_PER_USEC : plan->end_ns;
}

static void plan_put(struct frame_tx *tx, const struct frame_plan *plan)
{
	struct frame_tx_plan *p = &tx->skel->bss->plan;
	const uint8_t first[2] = {plan->magic, plan->trial};

	*p = (struct frame_tx_plan){.begin_ns = plan->begin_ns,
		.end_ns = plan->end_ns,
		.n_phases = plan->n_phases,
		.burst = MAX(plan->burst, 1U),
		.n_slots = tx->n_slots};
	memcpy(&p->magic_trial, first, sizeof(first));
	for (uint32_t i = 0; i < plan->n_phases; i++) {
		p->n_frames[i] = plan->phase[i].n_frames;
		p->gap_q16[i] = plan->phase[i].gap_q16;
	}
	tx->skel->bss->state = (struct frame_tx_state){.due_ns = plan->begin_ns,
		.left = p->n_frames[0],
		.gap_q16 = p->gap_q16[0],
		.slot = plan->first_slot % tx->n_slots};
}

/* What is due at once leaves in one batch, or its receiver is interrupted for each part of it. */
static uint32_t plan_batch(const struct frame_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_phases; i++)
		if (plan->phase[i].gap_q16 >> 16 < SLOW_NS)
			return BATCH;
	return MIN(MAX(plan->burst, (uint32_t)SLOW_BATCH), (uint32_t)BATCH);
}

static uint64_t plan_frames(const struct frame_plan *plan)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < plan->n_phases; i++)
		n += plan->phase[i].n_frames;
	return n;
}

static int live_once(const struct frame_tx *tx, uint32_t repeat, struct err *e)
{
	const struct ebpf_live live = {.prog_fd = bpf_program__fd(tx->skel->progs.frame_tx),
		.ifindex = tx->port.ifindex,
		.bytes = tx->page,
		.len = tx->len,
		.repeat = repeat,
		.batch = tx->batch};

	return ebpf_live_run(&live, e);
}

static int say_refused(const struct frame_tx *tx, int error, struct err *e)
{
	if (error == -EOPNOTSUPP || error == -ENXIO)
		return err_say(e, EOPNOTSUPP,
			"'%s' takes no frames from XDP programs: of a veth pair, the other half "
			"has to have GRO on, or an XDP program",
			tx->port.dev);
	return err_set(e, -error, "'%s' takes no live frames", tx->port.dev);
}

/* Runs the program until it has done all it wants to, and all was taken. */
static int run_until_done(struct frame_tx *tx, const struct frame_plan *plan, struct err *e)
{
	const struct frame_tx_state *s = &tx->skel->bss->state;

	for (;;) {
		int r = live_once(tx, UINT32_MAX, e);

		if (r < 0 && r != -EINTR)
			return r;
		if (s->finished == FRAME_TX_ERROR)
			return say_refused(tx, s->error, e);
		if (s->queued)
			return err_say(e, EIO, "'%s' swallowed frames unheard of", tx->port.dev);
		if (s->finished != FRAME_TX_GOING && !s->n_again)
			return 0;
		if (clock_now_ns() > plan->end_ns + STUCK_NS)
			return err_say(e, EIO, "'%s' takes no more frames", tx->port.dev);
	}
}

static int run_watched(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
	struct err *e)
{
	_cleanup_(closep) int over_fd = eventfd(0, EFD_CLOEXEC);
	struct watch w = {.plan = &tx->skel->bss->plan,
		.state = &tx->skel->bss->state,
		.stop = stop,
		.end_ns = plan_over_ns(plan),
		.sender = pthread_self(),
		.over_fd = over_fd};
	pthread_t thread;
	int r;

	if (over_fd < 0)
		return err_set(e, errno, "cannot make an eventfd");
	watch_cpus(&w.cpus);
	r = pthread_create(&thread, NULL, watch_run, &w);
	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	r = run_until_done(tx, plan, e);
	(void)eventfd_write(over_fd, 1);
	(void)pthread_join(thread, NULL);
	return r;
}

/* Lets the signal through to the calling thread alone. Return: the mask before. */
static sigset_t open_to_wake(void)
{
	const struct sigaction sa = {.sa_handler = nothing};
	sigset_t set, old;

	(void)sigaction(WAKE, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, WAKE);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, &old);
	return old;
}

static void wait_early(uint64_t begin_ns, const atomic_bool *stop)
{
	while (!atomic_load(stop)) {
		uint64_t now_ns = clock_now_ns();
		struct timespec ts = {0};

		if (now_ns + EARLY_NS >= begin_ns)
			return;
		ts.tv_nsec = (long)MIN(begin_ns - EARLY_NS - now_ns, POLL_NS);
		(void)nanosleep(&ts, NULL);
	}
}

static int live_run(struct frame_tx *tx, const struct frame_plan *plan, const atomic_bool *stop,
	struct frame_sent *ret, struct err *e)
{
	const struct frame_tx_state *s = &tx->skel->bss->state;
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, tx->port.netns_fd, e);
	sigset_t old;

	if (r < 0)
		return r;
	assert(plan->n_phases > 0 && plan->n_phases <= FRAME_MAX_PHASES);
	plan_put(tx, plan);
	tx->batch = plan_batch(plan);
	wait_early(plan->begin_ns, stop);
	old = open_to_wake();
	r = run_watched(tx, plan, stop, e);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret = (struct frame_sent){.sent = s->seq,
		.modifiers = s->modifiers,
		.unsent = plan_frames(plan) - s->seq - s->modifiers,
		.refused = s->refused,
		.first_ns = s->first_ns,
		.last_ns = s->last_ns,
		.slip_max_ns = s->slip_max_ns};
	return r;
}

/* ---- opening */

static void live_close(struct frame_tx *tx)
{
	if (!tx)
		return;
	closep(&tx->on_quiet_fd);
	closep(&tx->quiet_fd);
	bpf_link__destroy(tx->taken);
	bpf_link__destroy(tx->failed);
	frame_tx_bpf__destroy(tx->skel);
	free(tx->page);
	free(tx);
}
DEFINE_CLEANUP(struct frame_tx *, live_close, live_closep)

static int too_long(uint32_t len, struct err *e)
{
	return err_say(e, EMSGSIZE,
		"live frames of %u bytes: this kernel has none that long, as they have to fit into "
		"a page with all that it puts there",
		len + FRAME_FCS_BYTES);
}

/* Whole frames are in the pages; the program writes heads only. */
static int page_put(struct frame_tx *tx, const struct frame_stream *stream, struct err *e)
{
	const struct frame_slot *longest = NULL;

	for (uint32_t i = 0; i < stream->n_slots; i++)
		if (stream->slot[i].len == stream->max_len)
			longest = &stream->slot[i];
	if (!longest)
		return err_say(e, EINVAL, "a stream without its longest frame");
	if (longest->len > FRAME_TX_PAGE)
		return too_long(longest->len, e);
	tx->len = longest->len;
	tx->page = xcalloc(1, tx->len);
	memcpy(tx->page, longest->bytes, tx->len);
	return 0;
}

static void slots_put(struct frame_tx *tx, const struct frame_stream *stream)
{
	for (uint32_t i = 0; i < stream->n_slots; i++) {
		const struct frame_slot *from = &stream->slot[i];
		struct frame_tx_slot *to = &tx->skel->bss->slots[i];

		to->len = from->len;
		to->modifier = from->kind == FRAME_SLOT_MODIFIER;
		memcpy(&to->tail, from->bytes + from->len - sizeof(to->tail), sizeof(to->tail));
		memcpy(to->head, from->bytes, MIN(from->len, sizeof(to->head)));
	}
	memcpy(tx->skel->bss->whole, tx->page, tx->len);
	tx->n_slots = stream->n_slots;
}

static int load(struct frame_tx *tx, const struct frame_stream *stream, struct err *e)
{
	uint32_t headers = frame_headers_bytes(&stream->form);
	int r;

	ebpf_quiet();
	tx->skel = frame_tx_bpf__open();
	if (!tx->skel)
		return err_set(e, errno, "cannot open the sending XDP program");
	tx->skel->rodata->ifindex = tx->port.ifindex;
	tx->skel->rodata->head_bytes = MAX(headers + FRAME_MARK_BYTES, (uint32_t)LEAST_BYTES);
	tx->skel->rodata->mark_at = headers;
	tx->skel->rodata->full_len = tx->len;
	tx->skel->rodata->key = stream->key;
	tx->skel->rodata->wake = WAKE;
	r = frame_tx_bpf__load(tx->skel);
	if (r < 0)
		return ebpf_refused(r, e);
	tx->taken = bpf_program__attach(tx->skel->progs.frame_tx_taken);
	if (!tx->taken)
		return err_set(e, errno, "cannot hear of frames that a device refuses");
	tx->failed = bpf_program__attach(tx->skel->progs.frame_tx_failed);
	if (!tx->failed)
		return err_set(e, errno, "cannot hear of frames that a device can't take");
	slots_put(tx, stream);
	return 0;
}

/* The first device of any namespace is its loopback. */
#define LOOPBACK 1

static int keep_called_directly(struct frame_tx *tx, struct err *e)
{
	int r = ns_net_new(&tx->quiet_fd, e);

	if (r < 0)
		return r;
	return ebpf_xdp_attach(&tx->on_quiet_fd, tx->quiet_fd, LOOPBACK,
		bpf_program__fd(tx->skel->progs.frame_tx), EBPF_XDP_GENERIC, e);
}

/* With nothing to send: does this kernel have live frames, and are they long enough? */
static int try_live(struct frame_tx *tx, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, tx->port.netns_fd, e);

	if (r < 0)
		return r;
	tx->skel->bss->state.due_ns = UINT64_MAX;
	do
		r = live_once(tx, BATCH, e);
	while (r == -EINTR);
	if (r != -EINVAL)
		return r;
	if (tx->len > FRAME_MIN_BYTES)
		return too_long(tx->len, e);
	return err_say(e, EOPNOTSUPP, "this kernel has no live frames: Linux 5.18");
}

static int live_open(struct frame_tx **ret, const struct frame_port *port,
	const struct frame_stream *stream, struct err *e)
{
	_cleanup_(live_closep) struct frame_tx *tx = xcalloc(1, sizeof(*tx));
	int r;

	tx->port = *port;
	tx->batch = BATCH;
	tx->quiet_fd = tx->on_quiet_fd = -1;
	r = page_put(tx, stream, e);
	if (r == 0)
		r = load(tx, stream, e);
	if (r == 0)
		r = keep_called_directly(tx, e);
	if (r == 0)
		r = try_live(tx, e);
	if (r == 0)
		*ret = take_ptr(tx);
	return r;
}

/* One frame of a type that nobody knows, to the port's own address. */
static int send_one(const struct frame_port *port, struct err *e)
{
	_cleanup_(live_closep) struct frame_tx *tx = NULL;
	uint8_t bytes[LEAST_BYTES] = {[12] = 0x88, 0xb5}; /* Ref: IEEE 802, local experimental */
	struct frame_slot slot = {.kind = FRAME_SLOT_MODIFIER,
		.len = sizeof(bytes),
		.bytes = bytes};
	const struct frame_stream stream = {.n_slots = 1, .slot = &slot, .max_len = sizeof(bytes)};
	struct frame_plan plan = {.n_phases = 1,
		.burst = 1,
		.phase = {{.n_frames = 1, .gap_q16 = 1}}};
	const atomic_bool stop = false;
	struct frame_sent sent;
	int r;

	memcpy(bytes, port->mac, sizeof(port->mac));
	memcpy(bytes + sizeof(port->mac), port->mac, sizeof(port->mac));
	r = live_open(&tx, port, &stream, e);
	if (r < 0)
		return r;
	plan.begin_ns = clock_now_ns();
	plan.end_ns = plan.begin_ns + NSEC_PER_SEC;
	return live_run(tx, &plan, &stop, &sent, e);
}

static int live_probe(const struct frame_port *port, struct err *e)
{
	int r = send_one(port, e);

	return frame_probed(r);
}

const struct frame_tx_ops frame_tx_live = {
	.name = "live",
	.summary = "frames made in the kernel, by an XDP program",
	.probe = live_probe,
	.open = live_open,
	.run = live_run,
	.close = live_close,
};
