/*
 * One trial, in the phases of RFC 2544 s.23: learning frames, traffic, a wait for what is still on
 * its way. Every wait has an end: senders have that of their plan, and the main thread its own in
 * case one does not keep to it.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "frame/tester_priv.h"
#include "sys/affinity.h"
#include "sys/ns.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

/* From the moment all threads are ready to the first frame. */
#define LEAD_NS (2 * NSEC_PER_MSEC)
/* A sender that is told to stop has its system calls to finish. */
#define GRACE_NS (5 * NSEC_PER_SEC)
/* How often it is looked whether the devices are still there. */
#define LOOK_NS (100 * NSEC_PER_MSEC)
/* Learning frames: enough that one gets lost without harm, slow enough that none needs to. */
#define LEARN_FRAMES 16
#define LEARN_FPS    1000.0
/* Frames closer than that are sent together, as sleeping and waking takes about as long. */
#define BURST_NS (20 * NSEC_PER_USEC)
/* As many as a driver takes in at once. Ref: linux/netdevice.h NAPI_POLL_WEIGHT */
#define BURST_MAX 64

/* A thread of a port: sends by a plan, or receives until *stop. */
struct job {
	struct tester *t;
	struct tester_port *port;
	bool sends;
	struct frame_plan plan;
	struct frame_sent sent;
	struct crew *crew;
	pthread_t thread;
	int r;
	struct err e;
	atomic_bool failed; /* set after r and e are */
};

/* All threads of a trial. */
struct crew {
	struct job job[2 * TESTER_N_PORTS];
	uint32_t n;
	pthread_barrier_t ready, go;
	atomic_bool stop_tx, stop_rx;
	int done_fd; /* counts senders that have finished */
};

static int take_place(struct job *j, struct ns_scope *scope)
{
	int r = ns_scope_enter(scope, j->port->end.port.netns_fd, &j->e);

	return r < 0 ? r : affinity_pin(j->sends ? j->port->tx_cpu : j->port->rx_cpu, &j->e);
}

static void work(struct job *j)
{
	const struct tester *t = j->t;

	if (j->sends)
		j->r = t->tx_ops->run(j->port->tx, &j->plan, &j->crew->stop_tx, &j->sent, &j->e);
	else
		j->r = t->rx_ops->run(j->port->rx, &j->crew->stop_rx, &j->e);
}

static void *job_thread(void *arg)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const uint64_t one = 1;
	struct job *j = arg;

	j->r = take_place(j, &scope);
	pthread_barrier_wait(&j->crew->ready);
	pthread_barrier_wait(&j->crew->go);
	if (j->r == 0)
		work(j);
	atomic_store(&j->failed, j->r < 0);
	/* It can't fail: the count is far from the end of 64 bits. */
	if ((j->sends || j->r < 0) && write(j->crew->done_fd, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

static void add_job(struct crew *crew, struct tester *t, struct tester_port *p, bool sends)
{
	struct job *j = &crew->job[crew->n++];

	*j = (struct job){.t = t, .port = p, .sends = sends, .crew = crew};
}

static struct job *sender_of(struct crew *crew, const struct tester_port *p)
{
	for (uint32_t i = 0; i < crew->n; i++)
		if (crew->job[i].port == p && crew->job[i].sends)
			return &crew->job[i];
	return NULL;
}

/* Return: 0, -ECANCELED, or -ETIMEDOUT (no words set). */
static int wait_until(int fd, int cancel_fd, uint64_t until_ns)
{
	struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
		struct timespec ts = {.tv_sec = (time_t)(left_ns / NSEC_PER_SEC),
			.tv_nsec = (long)(left_ns % NSEC_PER_SEC)};

		if (left_ns == 0)
			return -ETIMEDOUT;
		(void)ppoll(p, ARRAY_SIZE(p), &ts, NULL); /* EINTR: the clock decides */
		if (p[1].revents)
			return -ECANCELED;
		if (p[0].revents)
			return 0;
	}
}

/* Nothing comes but the end, or the order to give up. */
static int pause_for(uint64_t ns, int cancel_fd, struct err *e)
{
	return wait_until(-1, cancel_fd, clock_now_ns() + ns) == -ECANCELED
		       ? err_say(e, ECANCELED, "interrupted")
		       : 0;
}

static int ports_alive(const struct crew *crew, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < crew->n; i++)
		r = tester_alive(crew->job[i].port, e);
	return r;
}

/*
 * Waits for all senders, or for one thread that has failed. Some ways of sending do not notice that
 * there is no device any more: it is looked for.
 */
static int wait_senders(struct crew *crew, uint32_t n_senders, uint64_t deadline_ns, int cancel_fd,
	struct err *e)
{
	uint64_t done = 0, n;

	while (done < n_senders) {
		uint64_t look_ns = MIN(clock_now_ns() + LOOK_NS, deadline_ns);
		int r = wait_until(crew->done_fd, cancel_fd, look_ns);

		if (r == -ECANCELED)
			return err_say(e, ECANCELED, "interrupted");
		if (r == -ETIMEDOUT && look_ns == deadline_ns)
			return err_say(e, ETIMEDOUT, "a sender did not end in time");
		if (r == -ETIMEDOUT)
			r = ports_alive(crew, e);
		else if (read(crew->done_fd, &n, sizeof(n)) == sizeof(n))
			done += n;
		if (r < 0)
			return r;
		for (uint32_t i = 0; i < crew->n; i++)
			if (!crew->job[i].sends && atomic_load(&crew->job[i].failed))
				return 0;
	}
	return 0;
}

static int start(struct crew *crew, struct err *e)
{
	crew->done_fd = eventfd(0, EFD_CLOEXEC);
	if (crew->done_fd < 0)
		return err_set(e, errno, "cannot make an eventfd");
	pthread_barrier_init(&crew->ready, NULL, crew->n + 1);
	pthread_barrier_init(&crew->go, NULL, crew->n + 1);
	for (uint32_t i = 0; i < crew->n; i++) {
		int r = pthread_create(&crew->job[i].thread, NULL, job_thread, &crew->job[i]);

		/* Those before wait for one that will never come. */
		if (r != 0) {
			(void)err_set(e, r, "cannot start a thread");
			abort();
		}
	}
	return 0;
}

static void join(struct crew *crew, bool senders)
{
	atomic_store(senders ? &crew->stop_tx : &crew->stop_rx, true);
	for (uint32_t i = 0; i < crew->n; i++)
		if (crew->job[i].sends == senders)
			pthread_join(crew->job[i].thread, NULL);
}

static int first_error(const struct crew *crew, struct err *e)
{
	for (uint32_t i = 0; i < crew->n; i++)
		if (crew->job[i].r < 0) {
			*e = crew->job[i].e;
			return crew->job[i].r;
		}
	return 0;
}

/*
 * All jobs from their start to the end of the senders and @drain_ns after that.
 * @plan: of every sender, without its begin; end_ns counts from there
 */
static int crew_run(struct crew *crew, const struct frame_plan *plan, uint64_t drain_ns,
	int cancel_fd, struct err *e)
{
	uint32_t n_senders = 0;
	uint64_t begin_ns;
	int r = start(crew, e), failed;

	if (r < 0)
		return r;
	pthread_barrier_wait(&crew->ready);
	begin_ns = clock_now_ns() + LEAD_NS;
	for (uint32_t i = 0; i < crew->n; i++) {
		crew->job[i].plan = *plan;
		crew->job[i].plan.begin_ns = begin_ns;
		crew->job[i].plan.end_ns = begin_ns + plan->end_ns;
		n_senders += crew->job[i].sends;
	}
	pthread_barrier_wait(&crew->go);
	r = wait_senders(crew, n_senders, begin_ns + plan->end_ns + GRACE_NS, cancel_fd, e);
	join(crew, true);
	if (r == 0)
		r = pause_for(drain_ns, cancel_fd, e);
	join(crew, false);
	closep(&crew->done_fd);
	pthread_barrier_destroy(&crew->ready);
	pthread_barrier_destroy(&crew->go);
	failed = r == 0 ? first_error(crew, e) : 0;
	return r < 0 ? r : failed;
}

/* Both ports say who they are, so that switches know where they are. */
static int learn(struct tester *t, int cancel_fd, struct err *e)
{
	struct crew crew = {.done_fd = -1};
	const struct frame_plan plan = {.magic = FRAME_MAGIC_LEARN,
		.burst = 1,
		.n_phases = 1,
		.phase = {{.n_frames = LEARN_FRAMES, .gap_q16 = FRAME_GAP_Q16(LEARN_FPS)}},
		.end_ns = NSEC_PER_SEC};

	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (t->port[i].tx)
			add_job(&crew, t, &t->port[i], true);
	return crew_run(&crew, &plan, t->cfg.drain_ns, cancel_fd, e);
}

static uint32_t choose_burst(const struct tester *t, const struct tester_trial_args *a)
{
	uint64_t gap_q16 = UINT64_MAX;

	for (uint32_t i = 0; i < a->n_phases; i++)
		gap_q16 = MIN(gap_q16, a->phase[i].gap_q16);
	if (t->cfg.burst)
		return t->cfg.burst;
	if (gap_q16 == 0)
		return BURST_MAX;
	return (uint32_t)MIN((uint64_t)BURST_MAX, 1 + ((BURST_NS << 16) - 1) / gap_q16);
}

/* @ret_total: frames of all phases, TESTER_UNTIL_END: as many as go */
static int make_plan(const struct tester *t, const struct tester_trial_args *a,
	struct frame_plan *ret, uint64_t *ret_total, struct err *e)
{
	bool until_end = a->phase[a->n_phases - 1].n_frames == TESTER_UNTIL_END;
	uint64_t total = 0;

	assert(a->n_phases >= 1 && a->n_phases <= FRAME_MAX_PHASES);
	*ret = (struct frame_plan){.magic = FRAME_MAGIC_TEST,
		.trial = t->n_trial,
		.burst = choose_burst(t, a),
		.n_phases = a->n_phases,
		.end_ns = a->time_ns};
	for (uint32_t i = 0; i < a->n_phases - until_end; i++)
		total += a->phase[i].n_frames;
	if (total > t->cfg.max_frames)
		return err_say(e, E2BIG, "%llu frames are more than a trial may have, %llu",
			(unsigned long long)total, (unsigned long long)t->cfg.max_frames);
	memcpy(ret->phase, a->phase, sizeof(ret->phase));
	if (until_end)
		ret->phase[a->n_phases - 1].n_frames = t->cfg.max_frames - total;
	*ret_total = until_end ? TESTER_UNTIL_END : total;
	return 0;
}

static int begin_rx(struct tester *t, const struct tester_trial_args *a, struct err *e)
{
	int r = 0;

	t->n_trial++;
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		if (t->port[i].receives)
			r = t->rx_ops->begin(t->port[i].rx, t->n_trial, a->latency, e);
	return r;
}

/*
 * Conservation: what was intended is received or lost, and no more comes in than was sent. A plan
 * counts all frames; those that a modifier takes the place of are nobody's to receive.
 * @planned: frames of all phases, or TESTER_UNTIL_END
 */
static int account(struct tester_flow *f, const struct frame_stream *stream, uint64_t planned,
	struct err *e)
{
	f->used = true;
	f->intended = planned == TESTER_UNTIL_END ? f->sent.sent
						  : frame_stream_test_frames(stream, planned);
	assert(f->sent.sent <= f->intended);
	f->sent.unsent = f->intended - f->sent.sent;
	if (f->got.received > f->sent.sent)
		return err_say(e, EPROTO, "%llu frames came of %llu that were sent",
			(unsigned long long)f->got.received, (unsigned long long)f->sent.sent);
	f->lost = f->intended - f->got.received;
	return 0;
}

/* Test frames go by turns from the first number on, so a number tells its way. */
static void itemise(struct tester *t, uint32_t i, struct tester_flow *f)
{
	const uint32_t n = t->port[i].end.n_ways;

	for (uint32_t k = 0; k < n; k++)
		f->intended_of[k] = f->intended / n + (k < f->intended % n);
	if (n == 1)
		f->received_of[0] = f->got.received;
	else
		frame_seen_turns(t->rx_ops->seen(t->port[!i].rx), f->sent.sent, n, f->received_of);
}

static int read_flow(struct tester *t, uint32_t i, struct crew *crew, uint64_t planned,
	struct tester_trial *ret, struct err *e)
{
	const struct tester_port *to = &t->port[!i];
	struct tester_flow *f = &ret->flow[i];
	int r;

	f->sent = sender_of(crew, &t->port[i])->sent;
	r = t->rx_ops->read(to->rx, f->sent.sent, &f->got, ret->hist, e);
	if (r == 0)
		r = account(f, t->port[i].stream, planned, e);
	if (r == 0 && t->rx_ops->overflowed)
		f->overflowed = MIN(t->rx_ops->overflowed(to->rx), f->lost);
	if (r == 0)
		itemise(t, i, f);
	return r;
}

static int read_all(struct tester *t, struct crew *crew, uint64_t planned, struct tester_trial *ret,
	struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = tester_alive(&t->port[i], e);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		if (t->port[i].sends)
			r = read_flow(t, i, crew, planned, ret, e);
	return r;
}

static int traffic(struct tester *t, const struct tester_trial_args *a, int cancel_fd,
	struct tester_trial *ret, struct err *e)
{
	struct crew crew = {.done_fd = -1};
	struct frame_plan plan;
	uint64_t planned = 0;
	int r = begin_rx(t, a, e);

	if (r == 0)
		r = make_plan(t, a, &plan, &planned, e);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++) {
		if (t->port[i].sends)
			add_job(&crew, t, &t->port[i], true);
		if (t->port[i].receives && t->rx_ops->run)
			add_job(&crew, t, &t->port[i], false);
	}
	if (r == 0)
		r = crew_run(&crew, &plan, t->cfg.drain_ns, cancel_fd, e);
	if (r == 0)
		r = read_all(t, &crew, planned, ret, e);
	if (r == 0) {
		ret->burst = plan.burst;
		ret->begin_ns = crew.job[0].plan.begin_ns;
	}
	return r;
}

int tester_trial(struct tester *t, const struct tester_trial_args *args, int cancel_fd,
	struct tester_trial *ret, struct err *e)
{
	const uint64_t begin_ns = clock_now_ns();
	struct tester_trial x = {.hist = ret->hist};
	int r = tester_mix(t, args->mix, args->learn, e);

	if (r == 0 && args->learn)
		r = learn(t, cancel_fd, e);
	if (r == 0)
		r = traffic(t, args, cancel_fd, &x, e);
	if (r != 0)
		return r;
	x.effective_ns = clock_now_ns() - begin_ns;
	*ret = x;
	return 0;
}
