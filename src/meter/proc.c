#include "meter/proc.h"

#include "meter/table.h"

#include <errno.h>
#include <sys/resource.h>

struct proc_state {
	uint64_t threads_ns, user_ns, system_ns;
};

static const struct field proc_fields[] = {
	FIELD_U32(struct proc_reading, n_threads, "", "threads of the load at this end"),
	FIELD_U64(struct proc_reading, threads_ns, "ns",
		"CPU time of these threads, from the scheduler, exact; includes softirq work the "
		"kernel happened to do in their time"),
	FIELD_U64(struct proc_reading, user_ns, "ns", "user part of the process's CPU time"),
	FIELD_U64(struct proc_reading, system_ns, "ns", "system part of the process's CPU time"),
	FIELD_END,
};

static uint64_t timeval_ns(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * NSEC_PER_USEC;
}

static int sample(const struct meter_scope *scope, struct proc_state *ret, struct err *e)
{
	struct rusage ru;

	*ret = (struct proc_state){0};
	for (uint32_t i = 0; i < scope->n_threads; i++) {
		struct timespec ts;

		if (clock_gettime(scope->threads[i], &ts) < 0)
			return err_set(e, errno, "cannot read a thread's CPU time");
		ret->threads_ns += (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	if (getrusage(RUSAGE_SELF, &ru) < 0)
		return err_set(e, errno, "cannot read the process's CPU time");
	ret->user_ns = timeval_ns(ru.ru_utime);
	ret->system_ns = timeval_ns(ru.ru_stime);
	return 0;
}

static int proc_probe(struct err *e)
{
	(void)e;
	return 0;
}

static int proc_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	return sample(scope, state, e);
}

static int proc_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	const struct proc_state *b = state;
	struct proc_reading *x = reading;
	struct proc_state a;
	int r = sample(scope, &a, e);

	if (r < 0)
		return r;
	*x = (struct proc_reading){.n_threads = scope->n_threads,
		.threads_ns = a.threads_ns - b->threads_ns,
		.user_ns = a.user_ns - b->user_ns,
		.system_ns = a.system_ns - b->system_ns};
	return 0;
}

const struct meter_ops meter_proc = {
	.name = "proc",
	.summary = "CPU time of the load's own threads",
	.fields = proc_fields,
	.reading_bytes = sizeof(struct proc_reading),
	.state_bytes = sizeof(struct proc_state),
	.probe = proc_probe,
	.begin = proc_begin,
	.end = proc_end,
};
