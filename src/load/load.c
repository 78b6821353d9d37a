/*
 * The engine under all loads: legs, flows and the threads that drive them. A thread with one flow
 * blocks in its socket calls, which costs least and is what a plain program does; a thread with
 * more waits with epoll.
 */
#include "load/load.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/conn.h"
#include "load/flow.h"
#include "sys/affinity.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define WORKER_MAX_EVENTS 64

struct worker {
	struct load *load;
	struct flow *flow; /* [n_flows], a slice of the leg's */
	uint32_t n_flows;
	uint32_t cpu; /* UINT32_MAX: not pinned */
	int epoll_fd;
	struct hist *hist;
	pthread_t thread;
	bool running;
	int error;         /* negative errno, written before the thread ends */
	uint64_t error_ns; /* when; errors past the end of the span are the other end's farewell */
};

struct leg {
	bool active;
	uint32_t n_flows, n_workers;
	int *listen_fd; /* [n_flows] */
	struct flow *flow;
	struct worker *worker;
};

struct load {
	const struct load_ops *ops;
	struct load_cfg cfg;
	bool udp;
	struct flow_span span;
	uint32_t n_legs;
	struct leg leg[LOAD_MAX_LEGS];
};

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
static char *buffer_new(size_t bytes)
{
	char *buf = xcalloc(1, bytes);

	memset(buf, 'T', bytes);
	return buf;
}

static void flow_new(struct flow *f, struct load *l, bool active, struct hist *hist)
{
	*f = (struct flow){.fd = -1,
		.active = active,
		.udp = l->udp,
		.span = &l->span,
		.hist = hist};
	l->ops->flow_init(f, &l->cfg);
	f->buf = buffer_new(f->buf_bytes);
}

static void leg_new(struct leg *leg, struct load *l, bool active, const struct load_args *args)
{
	uint32_t n = l->cfg.flows;

	leg->active = active;
	leg->n_flows = n;
	leg->n_workers = thread_count(args);
	leg->listen_fd = xcalloc(n, sizeof(*leg->listen_fd));
	memset(leg->listen_fd, 0xff, n * sizeof(*leg->listen_fd));
	leg->flow = aligned_alloc(64, n * sizeof(*leg->flow));
	leg->worker = xcalloc(leg->n_workers, sizeof(*leg->worker));

	for (uint32_t i = 0, first = 0; i < leg->n_workers; i++) {
		struct worker *w = &leg->worker[i];

		w->load = l;
		w->flow = &leg->flow[first];
		w->n_flows = n / leg->n_workers + (i < n % leg->n_workers);
		w->cpu = args->n_cpus ? args->cpus[i % args->n_cpus] : UINT32_MAX;
		w->epoll_fd = -1;
		w->hist = xcalloc(1, sizeof(*w->hist));
		hist_init(w->hist);
		for (uint32_t k = 0; k < w->n_flows; k++)
			flow_new(&w->flow[k], l, active, w->hist);
		first += w->n_flows;
	}
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
	if (l->ops->drives(&l->cfg, near))
		leg_new(&l->leg[l->n_legs++], l, true, args);
	if (l->ops->drives(&l->cfg, !near))
		leg_new(&l->leg[l->n_legs++], l, false, args);
	assert(l->n_legs > 0);
	*ret = take_ptr(l);
	return 0;
}

static void leg_close(struct leg *leg)
{
	for (uint32_t i = 0; i < leg->n_flows; i++) {
		closep(&leg->listen_fd[i]);
		closep(&leg->flow[i].fd);
		free(leg->flow[i].buf);
	}
	for (uint32_t i = 0; i < leg->n_workers; i++) {
		closep(&leg->worker[i].epoll_fd);
		free(leg->worker[i].hist);
	}
	free(leg->listen_fd);
	free(leg->flow);
	free(leg->worker);
}

/* Stops the threads and waits for them. */
static void halt(struct load *l)
{
	atomic_store(&l->span.stop, true);
	/* Wakes threads that block in a socket call. */
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; k < l->leg[i].n_flows; k++)
			if (l->leg[i].flow[k].fd >= 0)
				(void)shutdown(l->leg[i].flow[k].fd, SHUT_RDWR);
	for (uint32_t i = 0; i < l->n_legs; i++) {
		for (uint32_t k = 0; k < l->leg[i].n_workers; k++) {
			struct worker *w = &l->leg[i].worker[k];

			if (w->running)
				pthread_join(w->thread, NULL);
			w->running = false;
		}
	}
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

int load_listen(struct load *l, const char *any, uint16_t port, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (!l->leg[i].active)
			r = conn_listen(&l->cfg, l->udp, any, port, l->leg[i].listen_fd,
				l->leg[i].n_flows, e);
	return r;
}

int load_connect(struct load *l, const char *addr, uint16_t port, uint64_t deadline_ns,
	struct err *e)
{
	int r = 0;

	/* Active legs come first (see load_open), so neither end waits for the other. */
	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++) {
		struct leg *leg = &l->leg[i];

		r = leg->active ? conn_active(&l->cfg, l->udp, addr, port, leg->flow, leg->n_flows,
					  deadline_ns, e)
				: conn_passive(&l->cfg, l->udp, leg->listen_fd, leg->flow,
					  leg->n_flows, deadline_ns, e);
	}
	return r;
}

static int run_one(struct worker *w)
{
	struct flow *f = w->flow;

	for (;;) {
		int r = w->load->ops->flow_step(f, 0);

		if (r <= 0)
			return r;
		/* The receive timeout of a UDP socket. */
		if (f->udp && f->active)
			flow_give_up(f);
	}
}

/* Steps one flow and, if it waits for something else than before, tells epoll. */
static int step_many(struct worker *w, struct flow *f, uint32_t waiting_for)
{
	int r = w->load->ops->flow_step(f, MSG_DONTWAIT);
	struct epoll_event ev = {.data.ptr = f};

	if (r <= 0)
		return r;
	ev.events = r == FLOW_WANT_OUT ? EPOLLOUT : EPOLLIN;
	if (ev.events != waiting_for && epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, f->fd, &ev) < 0)
		return -errno;
	return r;
}

static int give_up_late(struct worker *w)
{
	uint64_t now_ns = clock_now_ns();

	for (uint32_t i = 0; i < w->n_flows; i++) {
		struct flow *f = &w->flow[i];
		int r;

		if (!f->udp || !f->active || now_ns - f->asked_ns < FLOW_UDP_TIMEOUT_NS)
			continue;
		flow_give_up(f);
		r = step_many(w, f, EPOLLIN);
		if (r <= 0)
			return r;
	}
	return FLOW_WANT_IN;
}

static int run_many(struct worker *w)
{
	struct epoll_event ev[WORKER_MAX_EVENTS];
	uint64_t looked_ns = clock_now_ns();

	/* Every flow's first step; all were added waiting for output. */
	for (uint32_t i = 0; i < w->n_flows; i++) {
		int r = step_many(w, &w->flow[i], EPOLLOUT);

		if (r <= 0)
			return r;
	}
	for (;;) {
		int n = epoll_wait(w->epoll_fd, ev, WORKER_MAX_EVENTS, 100);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			int r = step_many(w, ev[i].data.ptr,
				ev[i].events & EPOLLOUT ? EPOLLOUT : EPOLLIN);

			if (r <= 0)
				return r;
		}
		if (atomic_load_explicit(&w->load->span.stop, memory_order_relaxed))
			return FLOW_DONE;
		if (w->load->udp && clock_now_ns() - looked_ns > FLOW_UDP_TIMEOUT_NS / 2) {
			int r = give_up_late(w);

			if (r <= 0)
				return r;
			looked_ns = clock_now_ns();
		}
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	prctl(PR_SET_NAME, "tare-load");
	w->error = w->cpu == UINT32_MAX ? 0 : affinity_pin(w->cpu, NULL);
	if (w->error == 0)
		w->error = w->n_flows == 1 ? run_one(w) : run_many(w);
	/* What our own shutdown() does to a flow is nobody's failure. */
	if (atomic_load(&w->load->span.stop))
		w->error = 0;
	w->error_ns = clock_now_ns();
	return NULL;
}

static int worker_prepare(struct worker *w, struct err *e)
{
	if (w->n_flows == 1)
		return 0;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return err_set(e, errno, "cannot create an epoll descriptor");
	for (uint32_t i = 0; i < w->n_flows; i++) {
		struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = &w->flow[i]};

		if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->flow[i].fd, &ev) < 0)
			return err_set(e, errno, "cannot watch a flow");
	}
	return 0;
}

static int worker_start(struct worker *w, struct err *e)
{
	int r = worker_prepare(w, e);

	if (r < 0)
		return r;
	r = pthread_create(&w->thread, NULL, worker_main, w);
	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	w->running = true;
	return 0;
}

int load_start(struct load *l, uint64_t begin_ns, uint64_t end_ns, struct err *e)
{
	int r = 0;

	assert(begin_ns < end_ns);
	l->span.begin_ns = begin_ns;
	l->span.end_ns = end_ns;
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; r == 0 && k < l->leg[i].n_workers; k++)
			r = worker_start(&l->leg[i].worker[k], e);
	return r;
}

void load_count(const struct load *l, struct load_count *ret)
{
	*ret = (struct load_count){0};
	for (uint32_t i = 0; i < l->n_legs; i++) {
		for (uint32_t k = 0; k < l->leg[i].n_flows; k++) {
			const struct flow *f = &l->leg[i].flow[k];

			ret->bytes_tx += atomic_load_explicit(&f->bytes_tx, memory_order_relaxed);
			ret->bytes_rx += atomic_load_explicit(&f->bytes_rx, memory_order_relaxed);
			ret->transactions +=
				atomic_load_explicit(&f->transactions, memory_order_relaxed);
			ret->lost += atomic_load_explicit(&f->lost, memory_order_relaxed);
		}
	}
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

uint32_t load_sending_fds(const struct load *l, int *ret, uint32_t max)
{
	uint32_t n = 0;

	if (l->udp)
		return 0;
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; l->leg[i].active && k < l->leg[i].n_flows && n < max; k++)
			ret[n++] = l->leg[i].flow[k].fd;
	return n;
}

/* What ended a thread before the span was over; later the other end may just have gone first. */
static int worker_verdict(const struct worker *w, struct err *e)
{
	if (w->error >= 0 || w->error_ns >= w->load->span.end_ns)
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

void load_latency(const struct load *l, struct hist *into)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		for (uint32_t k = 0; l->leg[i].active && k < l->leg[i].n_workers; k++)
			hist_merge(into, l->leg[i].worker[k].hist);
}
