#include "sys/perf.h"

#include "base/mem.h"
#include "sys/affinity.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>

struct perf {
	uint32_t n_cpus;
	int (*fd)[PERF_EVENT_N]; /* [n_cpus], -1 when not open */
};

static const uint64_t perf_config[] = {
	[PERF_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
	[PERF_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
};
static_assert(ARRAY_SIZE(perf_config) == PERF_EVENT_N);

static int open_event(enum perf_event event, uint32_t cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = perf_config[event],
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int say_absent(int errnum, struct err *e)
{
	if (errnum == EACCES || errnum == EPERM) {
		err_say(e, errnum,
			"not permitted: needs root, CAP_PERFMON or "
			"kernel.perf_event_paranoid <= 0");
		return PERF_ABSENT;
	}
	if (errnum == ENOENT || errnum == EOPNOTSUPP || errnum == ENODEV || errnum == ENOSYS) {
		err_say(e, errnum, "this machine shows no hardware counters (no PMU)");
		return PERF_ABSENT;
	}
	return err_set(e, errnum, "cannot open a hardware counter");
}

int perf_open(struct perf **ret, struct err *e)
{
	_cleanup_(perf_closep) struct perf *p = xcalloc(1, sizeof(*p));
	uint32_t cpus[AFFINITY_MAX_CPUS];

	p->n_cpus = affinity_allowed(cpus);
	p->fd = xcalloc(p->n_cpus, sizeof(*p->fd));
	memset(p->fd, 0xff, p->n_cpus * sizeof(*p->fd));

	for (uint32_t i = 0; i < p->n_cpus; i++) {
		for (enum perf_event k = 0; k < PERF_EVENT_N; k++) {
			p->fd[i][k] = open_event(k, cpus[i]);
			if (p->fd[i][k] < 0)
				return say_absent(errno, e);
		}
	}
	*ret = take_ptr(p);
	return 0;
}

void perf_close(struct perf *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n_cpus; i++)
		for (enum perf_event k = 0; k < PERF_EVENT_N; k++)
			closep(&p->fd[i][k]);
	free(p->fd);
	free(p);
}

int perf_read(const struct perf *p, uint64_t *ret, struct err *e)
{
	memset(ret, 0, PERF_EVENT_N * sizeof(*ret));
	for (uint32_t i = 0; i < p->n_cpus; i++) {
		for (enum perf_event k = 0; k < PERF_EVENT_N; k++) {
			uint64_t v;

			if (read(p->fd[i][k], &v, sizeof(v)) != sizeof(v))
				return err_set(e, errno, "cannot read a hardware counter");
			ret[k] += v;
		}
	}
	return 0;
}
