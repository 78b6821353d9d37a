/*
 * The engine under all loads: legs, their flows and the threads that drive them; from opening to
 * stopping. How flows get their sockets is in join.c, what can be read off a load in read.c.
 */
#include "load/load.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/engine.h"
#include "sys/affinity.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* A paced flow that was held up catches up with at most this much of its schedule at once. */
#define LOAD_GATE_SLACK_NS (1 * NSEC_PER_MSEC)

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
	if (!l->cfg.packet_bytes)
		l->cfg.packet_bytes = LOAD_PACKET_BYTES;
	l->udp = args->cfg->proto == LOAD_PROTO_UDP;
	l->near = near;
	l->shared_gate = args->shared_gate;
	if (l->ops->drives(&l->cfg, near))
		leg_new(l, true, args);
	if (l->ops->drives(&l->cfg, !near))
		leg_new(l, false, args);
	assert(l->n_legs > 0);
	for (uint32_t i = 0; r == 0 && i < load_n_flows(l); i++)
		r = make_file(load_flow(l, i), e);
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
