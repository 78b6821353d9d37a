/* What any trial may have: the victim, a neighbour that computes, the bystander, the guard. */
#include "base/clock.h"
#include "method/penalty_guard.h"
#include "method/penalty_priv.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BYSTANDER_PORT  7002
#define BYSTANDER_BYTES 64
/* Turns that the loop is timed by, about 0.2 ms. */
#define N_STEPS 4096

/* Nothing but reading the clock. The calibration is as undisturbed as the median of 4096 is. */
int task_victim(struct crew_task *task, struct err *e)
{
	uint64_t step[N_STEPS], least_ns, begin_ns;

	(void)e;
	least_ns = gaps_calibrate(step, N_STEPS, &task->said->step_ns);
	begin_ns = crew_ready(task);
	if (begin_ns) {
		struct gaps g;

		gaps_begin(&g, least_ns, begin_ns, atomic_load(&task->shared->end_ns));
		while (gaps_add(&g, clock_now_ns()))
			;
		task->said->gaps = g;
	}
	crew_wait_stop(task);
	return 0;
}

int task_compute(struct crew_task *task, struct err *e)
{
	uint64_t end_ns;

	(void)e;
	if (!crew_ready(task))
		return 0;
	end_ns = atomic_load(&task->shared->end_ns);
	while (clock_now_ns() < end_ns)
		;
	crew_wait_stop(task);
	return 0;
}

/* ---- datagrams that are only counted */

/* The calls' number is what a receiver's own time depends on: as many as a burst has. */
#define SINK_BATCH 64

int task_sink(struct crew_task *task, struct err *e)
{
	struct mmsghdr msg[SINK_BATCH];
	struct iovec iov[SINK_BATCH];
	char room[SINK_BATCH][64];
	const struct timeval tv = {.tv_usec = 20000}; /* how long it looks away from the stop */

	if (setsockopt(task->fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return err_set(e, errno, "cannot set the timeout of a socket");
	for (uint32_t i = 0; i < SINK_BATCH; i++) {
		iov[i] = (struct iovec){room[i], sizeof(room[i])};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	if (!crew_ready(task))
		return 0;
	while (!crew_stopped(task)) {
		int n = recvmmsg(task->fd[0], msg, SINK_BATCH, MSG_WAITFORONE, NULL);
		uint64_t bytes = 0;

		for (int i = 0; i < n; i++)
			bytes += msg[i].msg_len;
		if (n > 0) {
			atomic_fetch_add_explicit(&task->said->packets, (uint64_t)n,
				memory_order_relaxed);
			atomic_fetch_add_explicit(&task->said->bytes, bytes, memory_order_relaxed);
		} else if (errno != EAGAIN && errno != EINTR) {
			return err_set(e, errno, "cannot receive");
		}
	}
	return 0;
}

/* One at a time, by an absolute schedule, in the span only; one that is late is sent late. */
int task_bystander_peer(struct crew_task *task, struct err *e)
{
	const double gap_ns = 1e9 / (double)task->penalty->cfg.bystander_pps;
	const char payload[BYSTANDER_BYTES] = {0};
	const uint64_t begin_ns = crew_ready(task);
	const uint64_t end_ns = atomic_load(&task->shared->end_ns);

	for (uint64_t i = 0; begin_ns && !crew_stopped(task); i++) {
		const uint64_t due_ns = begin_ns + (uint64_t)((double)i * gap_ns);

		if (due_ns >= end_ns)
			break;
		crew_sleep_until(task, due_ns);
		if (clock_now_ns() >= end_ns)
			break;
		if (send(task->fd[0], payload, sizeof(payload), 0) < 0)
			return err_set(e, errno, "cannot send to the bystander");
		atomic_fetch_add_explicit(&task->said->packets, 1, memory_order_relaxed);
	}
	crew_wait_stop(task);
	return 0;
}

/* Steps it until @until_ns, the next time at *next_ns. */
static int guard_until(const struct crew_task *task, void *guard, uint64_t *next_ns,
	uint64_t until_ns, struct err *e)
{
	const struct penalty_guard_ops *ops = &penalty_guard_ops;
	int r = 0;

	while (r == 0 && !crew_stopped(task)) {
		crew_sleep_until(task, MIN(*next_ns, until_ns));
		if (*next_ns > until_ns)
			break;
		r = ops->step(guard, e);
		*next_ns = clock_next_ns(*next_ns, ops->step_ns);
	}
	return r;
}

static int guard_span(struct crew_task *task, void *guard, uint64_t begin_ns, struct err *e)
{
	const struct penalty_guard_ops *ops = &penalty_guard_ops;
	uint64_t next_ns = clock_now_ns() + ops->step_ns;
	int r = guard_until(task, guard, &next_ns, begin_ns, e);

	if (r == 0)
		r = ops->read(guard, &task->said->begin, e);
	if (r == 0)
		r = guard_until(task, guard, &next_ns, atomic_load(&task->shared->end_ns), e);
	if (r == 0)
		r = ops->read(guard, &task->said->end, e);
	return r < 0 ? r : guard_until(task, guard, &next_ns, UINT64_MAX, e);
}

int task_guard(struct crew_task *task, struct err *e)
{
	const struct penalty_guard_ops *ops = &penalty_guard_ops;
	uint64_t begin_ns;
	void *guard;
	int r = ops->open(&guard, task->guard, e);

	if (r < 0)
		return r;
	begin_ns = crew_ready(task);
	if (begin_ns)
		r = guard_span(task, guard, begin_ns, e);
	ops->close(guard);
	return r;
}

int task_bind(const struct tenants_end *end, int type, uint16_t port, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	return r < 0 ? r : sock_bind(type, end->ip, port, e);
}

int task_bystander_sockets(const struct tenants *net, int *ret_rx, int *ret_tx, struct err *e)
{
	const struct tenants_end *to = &net->tenant[TENANT_BYSTANDER];
	_cleanup_(closep) int rx = task_bind(to, SOCK_DGRAM, BYSTANDER_PORT, e);
	_cleanup_(closep) int tx = rx < 0 ? rx : task_bind(&net->peer, SOCK_DGRAM, 0, e);
	int r = tx < 0 ? tx
		       : sock_connect(tx, to->ip, BYSTANDER_PORT, clock_now_ns() + NSEC_PER_SEC, e);

	if (r < 0)
		return r;
	*ret_rx = take_fd(rx);
	*ret_tx = take_fd(tx);
	return 0;
}
