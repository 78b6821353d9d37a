/*
 * The processes of a trial. They are forked, so they have sockets and memory in common with tare;
 * each joins its cgroup before anything else, and dies with tare.
 */
#include "base/clock.h"
#include "method/penalty_priv.h"
#include "sys/affinity.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Programs for the kernel are loaded and cgroups joined in this time, on a slow machine too. */
#define READY_NS (20 * NSEC_PER_SEC)
#define STOP_NS  (10 * NSEC_PER_SEC)
/* How often one looks at shared memory, in which nobody wakes another. */
#define LOOK_NS (NSEC_PER_MSEC / 5)

static const char *const role_name[] = {
	[CREW_VICTIM] = "victim",
	[CREW_NEIGHBOUR] = "neighbour",
	[CREW_BYSTANDER] = "bystander",
	[CREW_PEER] = "the neighbour's peer",
	[CREW_BYSTANDER_PEER] = "the bystander's peer",
	[CREW_GUARD] = "guard",
};
static_assert(ARRAY_SIZE(role_name) == CREW_N);

static void nap(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

int crew_open(struct crew *c, struct err *e)
{
	void *p = mmap(NULL, sizeof(struct crew_shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*c = (struct crew){0};
	if (p == MAP_FAILED)
		return err_set(e, errno, "cannot have memory in common");
	c->shared = p;
	return 0;
}

void crew_close(struct crew *c)
{
	for (uint32_t i = 0; i < CREW_N; i++) {
		if (c->pid[i] <= 0)
			continue;
		(void)kill(c->pid[i], SIGKILL);
		while (waitpid(c->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
		c->pid[i] = 0;
	}
	if (c->shared)
		munmap(c->shared, sizeof(*c->shared));
	c->shared = NULL;
}

static int begin_task(struct crew_task *task, struct err *e)
{
	int r = task->cgroup ? cgroup_join(task->cgroup, e) : 0;

	return r < 0 ? r : affinity_pin(task->cpu, e);
}

int crew_start(struct crew *c, enum crew_role role, crew_fn *fn, const struct crew_task *task,
	struct err *e)
{
	struct crew_task own = *task;
	const pid_t parent = getpid();
	pid_t pid;
	int r;

	own.shared = c->shared;
	own.said = &c->shared->said[role];
	own.said->pps = own.said->bps = NAN;
	pid = fork();
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	if (pid > 0) {
		c->pid[role] = pid;
		c->n++;
		return 0;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	r = begin_task(&own, &own.said->why);
	if (r == 0)
		r = fn(&own, &own.said->why);
	own.said->failed = r < 0;
	_exit(r < 0);
}

/* Is a process still there? If not, and it was in order, it is forgotten. */
static int look(struct crew *c, uint32_t i, bool may_end, struct err *e)
{
	const struct crew_said *said = &c->shared->said[i];
	siginfo_t info = {0};

	if (c->pid[i] <= 0)
		return 0;
	/* Its clocks are read before it is reaped. */
	if (waitid(P_PID, (id_t)c->pid[i], &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return err_set(e, errno, "cannot wait for the %s", role_name[i]);
	if (info.si_pid == 0)
		return 1;
	if (said->failed)
		return err_say(e, EIO, "%s: %s", role_name[i], said->why.text);
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		return err_say(e, EIO, "%s died", role_name[i]);
	return may_end ? 0 : err_say(e, EIO, "%s ended too early", role_name[i]);
}

int crew_check(struct crew *c, struct err *e)
{
	for (uint32_t i = 0; i < CREW_N; i++) {
		int r = look(c, i, false, e);

		if (r < 0)
			return r;
	}
	return 0;
}

int crew_wait_until(uint64_t ns, int cancel_fd)
{
	struct pollfd pfd = {cancel_fd, POLLIN, 0};

	for (;;) {
		const uint64_t now_ns = clock_now_ns();
		struct timespec ts;

		if (now_ns >= ns)
			return 0;
		ts.tv_sec = (time_t)((ns - now_ns) / NSEC_PER_SEC);
		ts.tv_nsec = (long)((ns - now_ns) % NSEC_PER_SEC);
		if (ppoll(&pfd, 1, &ts, NULL) > 0)
			return -ECANCELED;
	}
}

int crew_wait_ready(struct crew *c, int cancel_fd, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + READY_NS;

	while (atomic_load(&c->shared->n_ready) < c->n) {
		int r = crew_check(c, e);

		if (r < 0)
			return r;
		if (clock_now_ns() > deadline_ns)
			return err_say(e, ETIMEDOUT, "the processes of a trial do not get ready");
		if (crew_wait_until(clock_now_ns() + NSEC_PER_MSEC, cancel_fd) < 0)
			return err_say(e, ECANCELED, "interrupted");
	}
	return 0;
}

int crew_stop(struct crew *c, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + STOP_NS;

	atomic_store(&c->shared->stop, true);
	for (uint32_t i = 0; i < CREW_N; i++) {
		int r;

		while ((r = look(c, i, true, e)) > 0) {
			if (clock_now_ns() > deadline_ns)
				return err_say(e, ETIMEDOUT, "%s does not stop", role_name[i]);
			nap();
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- in one of the processes */

uint64_t crew_ready(const struct crew_task *task)
{
	uint64_t begin_ns = 0;

	atomic_fetch_add(&task->shared->n_ready, 1);
	while (!crew_stopped(task) && !(begin_ns = atomic_load(&task->shared->begin_ns)))
		nap();
	return begin_ns;
}

void crew_sleep_until(const struct crew_task *task, uint64_t ns)
{
	const struct timespec ts = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

	while (!crew_stopped(task) &&
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void crew_wait_stop(const struct crew_task *task)
{
	while (!crew_stopped(task))
		nap();
}
