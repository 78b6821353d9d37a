/* The engine under all loads: legs, their flows and the threads that drive them. */
#include "load/load.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/conn.h"
#include "load/flow.h"
#include "load/worker.h"
#include "sys/affinity.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* A paced flow that was held up catches up with at most this much of its schedule at once. */
#define LOAD_GATE_SLACK_NS (1 * NSEC_PER_MSEC)

struct leg {
	bool active; /* this end drives it */
	bool opens;  /* this end opens its sockets */
	uint32_t n_flows, n_workers;
	int *listen_fd; /* [n_flows] */
	struct flow *flow;
	struct gate *gate; /* [n_flows]; NULL: no rate */
	struct worker *worker;
	struct flow_budget budget;
};

struct load {
	const struct load_ops *ops;
	struct load_cfg cfg;
	bool near, udp;
	struct gate *shared_gate;
	struct flow_span span;
	uint32_t n_legs;
	struct leg leg[LOAD_MAX_LEGS];
};

static struct flow *flow_at(const struct load *l, uint32_t i)
{
	assert(i < load_n_flows(l));
	return &l->leg[i / l->cfg.flows].flow[i % l->cfg.flows];
}

static uint32_t thread_count(const struct load_args *args)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	uint32_t n = args->n_cpus ? args->n_cpus : affinity_allowed(cpus);

	if (args->cfg->threads)
		return args->cfg->threads;
	n = MAX(n, 1U);
	n = MIN(n, args->cfg->flows);
	return MIN(n, (uint32_t)LOAD_MAX_THREADS);
}

/* Touched now, so that no page fault falls into the measured span. */
static void *buffer_new(size_t bytes, int fill)
{
	char *buf = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (!buf)
		abort();
	return memset(buf, fill, bytes);
}

static void flow_new(struct flow *f, struct load *l, struct leg *leg, struct worker *w)
{
	*f = (struct flow){.fd = -1,
		.file_fd = -1,
		.listen_fd = -1,
		.active = leg->active,
		.udp = l->udp,
		.index = (uint32_t)(f - leg->flow),
		.cfg = &l->cfg,
		.span = &l->span,
		.budget = &leg->budget,
		.shared_gate = l->shared_gate};
	memcpy(f->hist, w->hist, sizeof(f->hist));
	if (leg->gate) {
		f->gate = &leg->gate[f->index];
		gate_init(f->gate, l->cfg.rate_bps, LOAD_GATE_SLACK_NS);
	}
	if (l->ops->state_bytes)
		f->state = buffer_new(l->ops->state_bytes, 0);
	l->ops->flow_init(f);
	f->borrows_buf = l->ops->one_buffer && f != w->flow;
	if (f->borrows_buf)
		f->buf = w->flow->buf;
	else if (f->buf_bytes)
		f->buf = buffer_new(f->buf_bytes, 'T');
	if (f->ring_bytes)
		f->ring = buffer_new(f->ring_bytes, 0);
}

static void worker_new(struct worker *w, struct load *l, uint32_t cpu)
{
	*w = (struct worker){.ops = l->ops, .cpu = cpu, .span = &l->span, .epoll_fd = -1};
	for (uint32_t i = 0; i < LOAD_HIST_N; i++) {
		if (!(l->ops->hists & 1U << i))
			continue;
		w->hist[i] = xcalloc(1, sizeof(*w->hist[i]));
		hist_init(w->hist[i]);
	}
}

static void leg_new(struct load *l, bool active, const struct load_args *args)
{
	struct leg *leg = &l->leg[l->n_legs++];
	uint64_t budget = load_cfg_bytes(&l->cfg);
	uint32_t n = l->cfg.flows;

	leg->active = active;
	leg->opens = args->opener == LOAD_OPENER_NEAR     ? args->near
		     : args->opener == LOAD_OPENER_DRIVER ? active
							  : false;
	leg->n_flows = n;
	leg->n_workers = thread_count(args);
	leg->listen_fd = xcalloc(n, sizeof(*leg->listen_fd));
	memset(leg->listen_fd, 0xff, n * sizeof(*leg->listen_fd));
	leg->flow = aligned_alloc(64, n * sizeof(*leg->flow));
	leg->gate = active && l->cfg.rate_bps ? aligned_alloc(64, n * sizeof(*leg->gate)) : NULL;
	leg->worker = xcalloc(leg->n_workers, sizeof(*leg->worker));
	atomic_init(&leg->budget.limited, budget > 0);
	atomic_init(&leg->budget.left, (int64_t)budget);

	for (uint32_t i = 0, first = 0; i < leg->n_workers; i++) {
		struct worker *w = &leg->worker[i];

		worker_new(w, l, args->n_cpus ? args->cpus[i % args->n_cpus] : UINT32_MAX);
		w->flow = &leg->flow[first];
		w->n_flows = n / leg->n_workers + (i < n % leg->n_workers);
		/* Blocking is a property of the listening socket, which all threads share. */
		w->blocks = w->n_flows == 1 && (leg->n_workers == n || !l->ops->connects) &&
			    (!l->ops->blocks || l->ops->blocks(&l->cfg));
		for (uint32_t k = 0; k < w->n_flows; k++)
			flow_new(&w->flow[k], l, leg, w);
		first += w->n_flows;
	}
}

static int make_file(struct flow *f, struct err *e)
{
	if (!f->wants_file)
		return 0;
	f->file_fd = memfd_create("tare-block", MFD_CLOEXEC);
	if (f->file_fd < 0)
		return err_set(e, errno, "cannot create a memory file");
	if (write(f->file_fd, f->buf, f->buf_bytes) != (ssize_t)f->buf_bytes)
		return err_set(e, errno, "cannot fill a memory file");
	return 0;
}

int load_open(struct load **ret, const struct load_args *args, struct err *e)
{
	_cleanup_(load_closep) struct load *l = NULL;
	bool near = args->near;
	int r = args->ops->check(args->cfg, e);

	if (r < 0)
		return r;
	l = xcalloc(1, sizeof(*l));
	l->ops = args->ops;
	l->cfg = *args->cfg;
	l->udp = args->cfg->proto == LOAD_PROTO_UDP;
	l->near = near;
	l->shared_gate = args->shared_gate;
	if (l->ops->drives(&l->cfg, near))
		leg_new(l, true, args);
	if (l->ops->drives(&l->cfg, !near))
		leg_new(l, false, args);
	assert(l->n_legs > 0);
	for (uint32_t i = 0; r == 0 && i < load_n_flows(l); i++)
		r = make_file(flow_at(l, i), e);
	if (r < 0)
		return r;
	*ret = take_ptr(l);
	return 0;
}

static void leg_close(struct leg *leg)
{
	for (uint32_t i = 0; i < leg->n_flows; i++) {
		closep(&leg->listen_fd[i]);
		closep(&leg->flow[i].fd);
		closep(&leg->flow[i].file_fd);
		closep(&leg->flow[i].listen_fd);
		if (!leg->flow[i].borrows_buf)
			free(leg->flow[i].buf);
		free(leg->flow[i].ring);
		free(leg->flow[i].state);
	}
	for (uint32_t i = 0; i < leg->n_workers; i++)
		worker_fini(&leg->worker[i]);
	free(leg->gate);
	free(leg->listen_fd);
	free(leg->flow);
	free(leg->worker);
}

/* Wakes threads that block in a socket call, but for those that have a farewell to send. */
static void wake_all(struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_flows; k++) {
			struct flow *f = &l->leg[i].flow[k];
			int fd = __atomic_load_n(&f->fd, __ATOMIC_RELAXED);

			if (fd >= 0 && !(l->ops->flow_finish && f->active))
				(void)shutdown(fd, SHUT_RDWR);
			if (f->listen_fd >= 0)
				(void)shutdown(f->listen_fd, SHUT_RDWR);
		}
}

static bool any_running(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++)
			if (l->leg[i].worker[k].running && !atomic_load(&l->leg[i].worker[k].ended))
				return true;
	return false;
}

/* Stops the threads and waits for them. */
static void halt(struct load *l)
{
	static const struct timespec soon = {.tv_nsec = NSEC_PER_MSEC};

	atomic_store(&l->span.stop, true);
	wake_all(l);
	/* A thread may have been about to wait on a new connection, which none has shut down. */
	while (l->ops->connects && any_running(l)) {
		nanosleep(&soon, NULL);
		wake_all(l);
	}
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++)
			worker_join(&l->leg[i].worker[k]);
}

void load_close(struct load *l)
{
	if (!l)
		return;
	halt(l);
	for (uint32_t i = 0; i < l->n_legs; i++)
		leg_close(&l->leg[i]);
	free(l);
}

/*
 * Flows that a server is told of by number: the legs that near drives come first, whichever end
 * counts. Each end has its own legs first, so far counts from the other one.
 */
static uint32_t number_of(const struct load *l, uint32_t i)
{
	uint32_t n = load_n_flows(l);

	return l->near ? i : (i + n / 2 * (l->n_legs - 1)) % n;
}

int load_listen(struct load *l, const char *any, uint16_t port, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (l->ops->connects ? !l->leg[i].active : !l->leg[i].opens)
			r = conn_listen(&l->cfg, l->udp, any, port, l->leg[i].listen_fd,
				l->leg[i].n_flows, e);
	return r;
}

static int take_next(struct load *l, const struct conn_args *args, struct err *e)
{
	struct load_feed *feed = args->peer->feed;
	_cleanup_(closep) int fd = -1;
	struct flow *f;
	uint32_t number;
	int r;

	fd = feed->next(feed, &number, args->deadline_ns, e);
	if (fd < 0)
		return fd;
	if (number >= load_n_flows(l) || flow_at(l, number_of(l, number))->fd >= 0)
		return err_say(e, EPROTO, "flow %u was opened twice, or is none of %u", number,
			load_n_flows(l));
	f = flow_at(l, number_of(l, number));
	r = l->udp ? conn_answer(args, fd, number, e)
		   : conn_finish(&l->cfg, false, f->active, fd, e);
	return r < 0 ? r : load_adopt(l, number_of(l, number), take_fd(fd), e);
}

/* From a feed, in any order: each says which flow it is, or they come in order. */
static int take_fed(struct load *l, const struct conn_args *args, struct err *e)
{
	struct load_feed *feed = args->peer->feed;
	int r = feed->expect(feed, l->udp, args->deadline_ns, e);

	for (uint32_t i = 0; r == 0 && i < load_n_flows(l); i++) {
		r = take_next(l, args, e);
		if (r < 0)
			r = err_wrap(e, "flow %u of %u", i + 1, load_n_flows(l));
	}
	feed->done(feed);
	return r;
}

static int open_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (l->leg[i].opens)
			r = conn_open(args, l->leg[i].flow, l->leg[i].n_flows,
				number_of(l, i * l->cfg.flows), e);
	return r;
}

static int take_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (!l->leg[i].opens)
			r = conn_take(args, l->leg[i].listen_fd, l->leg[i].flow, l->leg[i].n_flows,
				e);
	return r;
}

uint16_t load_port(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		if (l->leg[i].listen_fd[0] >= 0)
			return sock_port(l->leg[i].listen_fd[0]);
	return 0;
}

/* For a load that connects as it runs: all that can be done before. */
static int prepare_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++) {
		struct leg *leg = &l->leg[i];

		r = leg->active ? conn_aim(args, leg->flow, leg->n_flows, e)
				: conn_share(args, leg->listen_fd[0], leg->worker[0].blocks,
					  leg->flow, leg->n_flows, e);
	}
	return r;
}

int load_connect(struct load *l, const struct load_peer *peer, uint64_t deadline_ns, struct err *e)
{
	struct conn_args args = {.cfg = &l->cfg,
		.udp = l->udp,
		.peer = peer,
		.deadline_ns = deadline_ns};
	int r;

	if (l->ops->connects)
		return prepare_legs(l, &args, e);
	if (peer->feed)
		return take_fed(l, &args, e);
	/*
	 * Who opens UDP flows waits for their answers, so that one end must take while the other
	 * opens. TCP connects without; there each end opens before it takes.
	 */
	if (l->udp && !l->near) {
		r = take_legs(l, &args, e);
		return r < 0 ? r : open_legs(l, &args, e);
	}
	r = open_legs(l, &args, e);
	return r < 0 ? r : take_legs(l, &args, e);
}

int load_adopt(struct load *l, uint32_t i, int fd, struct err *e)
{
	struct flow *f = flow_at(l, i);
	int flags = fcntl(fd, F_GETFL);

	assert(f->fd < 0);
	f->fd = fd;
	/* A flow that is alone on its thread waits in its calls. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot set a socket blocking");
	return l->udp ? conn_finish(&l->cfg, true, f->active, fd, e) : 0;
}

uint32_t load_n_flows(const struct load *l)
{
	return l->n_legs * l->cfg.flows;
}

static int ready_flows(struct load *l, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++) {
			struct worker *w = &l->leg[i].worker[k];

			for (uint32_t n = 0; r == 0 && n < w->n_flows; n++)
				r = l->ops->flow_ready(&w->flow[n], w->blocks, e);
		}
	return r;
}

/*
 * A load that is started or a thread that runs late, even past begin, is late with all that was
 * due since, and that counts; but no more than a second of it, so that a begin of long ago asks
 * for no endless backlog.
 */
static uint64_t schedule_from_ns(uint64_t begin_ns, uint64_t now_ns)
{
	return MIN(now_ns, MAX(begin_ns - 1, now_ns - NSEC_PER_SEC));
}

int load_start(struct load *l, uint64_t begin_ns, uint64_t end_ns, struct err *e)
{
	int r = l->ops->flow_ready ? ready_flows(l, e) : 0;

	assert(begin_ns < end_ns);
	l->span.begin_ns = begin_ns;
	l->span.end_ns = end_ns;
	l->span.start_ns = schedule_from_ns(begin_ns, clock_now_ns());
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; r == 0 && k < l->leg[i].n_workers; k++)
			r = worker_start(&l->leg[i].worker[k], e);
	return r;
}

void load_end(struct load *l, uint64_t end_ns)
{
	atomic_store(&l->span.end_ns, end_ns);
}

void load_count_add(struct load_count *a, const struct load_count *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] += from[i];
}

void load_count_sub(struct load_count *a, const struct load_count *b)
{
	uint64_t *to = (uint64_t *)a;
	const uint64_t *from = (const uint64_t *)b;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*to); i++)
		to[i] -= from[i];
}

void load_flow_count(const struct load *l, uint32_t i, struct load_count *ret)
{
	const struct flow *f = flow_at(l, i);
	const uint64_t *from = (const uint64_t *)&f->count;
	uint64_t *to = (uint64_t *)ret;

	for (size_t k = 0; k < sizeof(*ret) / sizeof(*to); k++)
		to[k] = __atomic_load_n(&from[k], __ATOMIC_RELAXED);
	if (l->udp && f->fd >= 0)
		ret->socket_drops = sock_drops(f->fd);
}

uint64_t load_flow_jitter_ns(const struct load *l, uint32_t i)
{
	return __atomic_load_n(&flow_at(l, i)->jitter_ns, __ATOMIC_RELAXED);
}

uint64_t load_jitter_ns(const struct load *l)
{
	uint64_t sum_ns = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < load_n_flows(l); i++) {
		if (flow_at(l, i)->active)
			continue;
		sum_ns += load_flow_jitter_ns(l, i);
		n++;
	}
	return n ? sum_ns / n : 0;
}

void load_count(const struct load *l, struct load_count *ret)
{
	*ret = (struct load_count){0};
	for (uint32_t i = 0; i < load_n_flows(l); i++) {
		struct load_count one;

		load_flow_count(l, i, &one);
		load_count_add(ret, &one);
	}
}

uint32_t load_flow_cpus(const struct load *l, uint64_t *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < load_n_flows(l) && n < max; i++) {
		socklen_t len = sizeof(int);
		int cpu = -1;

		if (getsockopt(flow_at(l, i)->fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &len) == 0 &&
			cpu >= 0)
			ret[n++] = (uint64_t)cpu;
	}
	return n;
}

int load_flow_fd(const struct load *l, uint32_t i, bool *ret_active)
{
	const struct flow *f = flow_at(l, i);

	*ret_active = f->active;
	return f->fd;
}

void load_end_sending(struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++) {
		atomic_store(&l->leg[i].budget.left, 0);
		atomic_store(&l->leg[i].budget.limited, true);
	}
}

bool load_sent_all(const struct load *l)
{
	bool any = false;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; l->leg[i].active && k < l->leg[i].n_workers; k++) {
			if (!atomic_load(&l->leg[i].budget.limited) ||
				!atomic_load(&l->leg[i].worker[k].ended))
				return false;
			any = true;
		}
	return any;
}

bool load_ended(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++)
			if (!atomic_load(&l->leg[i].worker[k].ended))
				return false;
	return true;
}

uint32_t load_thread_clocks(const struct load *l, clockid_t *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers && n < max; k++)
			if (l->leg[i].worker[k].running &&
				pthread_getcpuclockid(l->leg[i].worker[k].thread, &ret[n]) == 0)
				n++;
	return n;
}

uint32_t load_thread_cpus(const struct load *l, uint64_t *first, uint64_t *last)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++) {
			first[n] = l->leg[i].worker[k].first_cpu;
			last[n++] = l->leg[i].worker[k].last_cpu;
		}
	return n;
}

uint32_t load_sending_fds(const struct load *l, int *ret, uint32_t max)
{
	uint32_t n = 0;

	if (l->udp || l->ops->connects)
		return 0;
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; l->leg[i].active && k < l->leg[i].n_flows && n < max; k++)
			ret[n++] = l->leg[i].flow[k].fd;
	return n;
}

/* What ended a thread before the span was over; later the other end may just have gone first. */
static int worker_verdict(const struct worker *w, struct err *e)
{
	if (w->error >= 0 || w->error_ns >= w->span->end_ns)
		return 0;
	if (w->error == -EPIPE)
		return err_say(e, ECONNRESET, "the other end closed a flow mid-trial");
	return err_set(e, -w->error, "a flow failed mid-trial");
}

int load_stop(struct load *l, struct err *e)
{
	int r = 0;

	halt(l);
	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		for (uint32_t k = 0; r == 0 && k < l->leg[i].n_workers; k++)
			r = worker_verdict(&l->leg[i].worker[k], e);
	return r;
}

uint32_t load_hists(const struct load *l)
{
	return l->ops->hists;
}

void load_hist(const struct load *l, enum load_hist id, struct hist *into)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++)
			if (l->leg[i].worker[k].hist[id])
				hist_merge(into, l->leg[i].worker[k].hist[id]);
}
