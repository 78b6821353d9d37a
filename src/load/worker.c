/*
 * A thread with one flow blocks in its socket calls, which costs least and is what a plain program
 * does; a thread with more, or with a flow that waits for times as well, waits with epoll.
 */
#include "load/worker.h"

#include "sys/affinity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define WORKER_MAX_EVENTS 64
/* Longest wait without a look at stop. */
#define WORKER_LOOK_NS (50 * NSEC_PER_MSEC)
/* How often a thread that has nothing more to do looks at stop. */
#define WORKER_ENDED_MS 10
/* Spread over 30 ms, so that a queue that was full for the first of them is not for the last. */
#define WORKER_FAREWELLS 5

static bool stopped(const struct worker *w)
{
	return atomic_load_explicit(&w->span->stop, memory_order_relaxed);
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC),
		.tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

/* Sleeps, then spins the last @spin_ns. */
static void wait_until(const struct worker *w, uint64_t at_ns, uint64_t spin_ns)
{
	uint64_t wake_ns = at_ns - MIN(at_ns, spin_ns);
	uint64_t now_ns;

	while (!stopped(w) && (now_ns = clock_now_ns()) < wake_ns) {
		struct timespec ts = timespec_of(MIN(wake_ns, now_ns + WORKER_LOOK_NS));

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	while (!stopped(w) && clock_now_ns() < at_ns)
		;
}

static int run_one(struct worker *w)
{
	struct flow *f = w->flow;

	while (!stopped(w)) {
		int r = w->ops->flow_step(f, 0);

		if (r <= 0)
			return r;
		/* Else its socket's timeout: the flow looks at the time itself. */
		if (r == FLOW_WANT_TIME)
			wait_until(w, f->wake_ns, f->spin_ns);
	}
	return FLOW_DONE;
}

static int finish_flow(struct worker *w, struct flow *f)
{
	f->done = true;
	f->wake_ns = 0;
	w->n_done++;
	if (f->fd < 0)
		return 0;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL) < 0 && errno != ENOENT ? -errno
											 : 0;
}

/*
 * For flows whose descriptor changes: what is watched is said for each wait, and holds for one
 * event, so no closed or idle descriptor needs to be looked after.
 */
static int watch_once(struct worker *w, struct flow *f, uint32_t events)
{
	int fd = f->fd >= 0 ? f->fd : f->listen_fd;
	struct epoll_event ev = {.events = events | EPOLLONESHOT, .data.ptr = f};

	if (!events)
		return 0;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0 ? -errno : 0;
}

/* Steps one flow and, if it waits for something else than before, tells epoll. */
static int step(struct worker *w, struct flow *f)
{
	static const uint32_t events[] = {
		[FLOW_WANT_IN] = EPOLLIN,
		[FLOW_WANT_OUT] = EPOLLOUT,
		[FLOW_WANT_IN_OUT] = EPOLLIN | EPOLLOUT,
		[FLOW_WANT_TIME] = 0,
	};
	int r = w->ops->flow_step(f, MSG_DONTWAIT);
	struct epoll_event ev = {.data.ptr = f};

	if (r < 0)
		return r;
	if (r == FLOW_DONE)
		return finish_flow(w, f);
	w->timed = w->timed || f->wake_ns;
	if (w->ops->connects)
		return watch_once(w, f, events[r]);
	if (events[r] == f->watched)
		return 0;
	f->watched = ev.events = events[r];
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, f->fd, &ev) < 0 ? -errno : 0;
}

/* How long to wait for events: until the first flow's time, at most until the next look. A flow
 * that spins is polled for instead of slept for. */
static uint64_t wait_ns(const struct worker *w)
{
	uint64_t now_ns, first_ns = UINT64_MAX;

	if (!w->timed)
		return WORKER_LOOK_NS;
	for (uint32_t i = 0; i < w->n_flows; i++)
		if (w->flow[i].wake_ns)
			first_ns = MIN(first_ns, w->flow[i].wake_ns - w->flow[i].spin_ns);
	now_ns = clock_now_ns();
	return first_ns <= now_ns ? 0 : MIN(first_ns - now_ns, (uint64_t)WORKER_LOOK_NS);
}

static int step_due(struct worker *w)
{
	uint64_t now_ns = clock_now_ns();
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < w->n_flows; i++)
		if (w->flow[i].wake_ns && w->flow[i].wake_ns <= now_ns)
			r = step(w, &w->flow[i]);
	return r;
}

static int run_many(struct worker *w)
{
	struct epoll_event ev[WORKER_MAX_EVENTS];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < w->n_flows; i++)
		r = step(w, &w->flow[i]);
	while (r == 0 && w->n_done < w->n_flows && !stopped(w)) {
		struct timespec ts = timespec_of(wait_ns(w));
		int n = epoll_pwait2(w->epoll_fd, ev, WORKER_MAX_EVENTS, &ts, NULL);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; r == 0 && i < n; i++)
			r = step(w, ev[i].data.ptr);
		if (r == 0 && w->timed)
			r = step_due(w);
	}
	return r;
}

static bool say_once(struct worker *w)
{
	bool again = false;

	for (uint32_t i = 0; i < w->n_flows; i++)
		again = w->ops->flow_finish(&w->flow[i]) || again;
	return again;
}

static void say_farewell(struct worker *w)
{
	if (!w->ops->flow_finish)
		return;
	for (uint32_t round = 1; say_once(w) && round < WORKER_FAREWELLS; round++)
		nanosleep(&(struct timespec){.tv_nsec = NSEC_PER_MSEC << round}, NULL);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	prctl(PR_SET_NAME, "tare-load");
	/* Times in a schedule are met to the timer's precision, not to the default 50 us. */
	prctl(PR_SET_TIMERSLACK, 1);
	w->error = w->cpu == UINT32_MAX ? 0 : affinity_pin(w->cpu, NULL);
	w->first_cpu = (uint32_t)sched_getcpu();
	if (w->error == 0)
		w->error = w->blocks ? run_one(w) : run_many(w);
	for (uint32_t i = 0; w->ops->flow_end && i < w->n_flows; i++)
		w->ops->flow_end(&w->flow[i]);
	/* What our own shutdown() does to a flow is nobody's failure. */
	if (stopped(w))
		w->error = 0;
	w->error_ns = clock_now_ns();
	w->last_cpu = (uint32_t)sched_getcpu();
	say_farewell(w);
	atomic_store(&w->ended, true);
	/* Its CPU clock is read until the span is over, and dies with it. */
	while (!stopped(w))
		poll(NULL, 0, WORKER_ENDED_MS);
	return NULL;
}

static int prepare(struct worker *w, struct err *e)
{
	if (w->blocks)
		return 0;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0)
		return err_set(e, errno, "cannot create an epoll descriptor");
	for (uint32_t i = 0; i < w->n_flows; i++) {
		struct flow *f = &w->flow[i];
		struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = f};

		/* sendfile() knows no MSG_DONTWAIT. */
		if (f->file_fd >= 0 && fcntl(f->fd, F_SETFL, O_NONBLOCK) < 0)
			return err_set(e, errno, "cannot make a socket non-blocking");
		f->watched = EPOLLOUT;
		if (f->fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, f->fd, &ev) < 0)
			return err_set(e, errno, "cannot watch a flow");
	}
	return 0;
}

int worker_start(struct worker *w, struct err *e)
{
	int r = prepare(w, e);

	if (r < 0)
		return r;
	r = pthread_create(&w->thread, NULL, worker_main, w);
	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	w->running = true;
	return 0;
}

void worker_join(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void worker_fini(struct worker *w)
{
	closep(&w->epoll_fd);
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		free(w->hist[i]);
}
