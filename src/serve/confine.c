#include "serve/confine.h"

#include "sys/caps.h"
#include "sys/seccomp.h"

#include <linux/capability.h>
#include <string.h>

/* Ref: ip(7): below this a port needs CAP_NET_BIND_SERVICE. */
#define FIRST_FREE_PORT 1024

/* What the tests were seen to call: made by scripts/syscalls.sh. */
static const char *const seen[] = {
#include "serve/syscalls.inc"
};

/*
 * What a run may not show, since it depends on the C library, the allocator, the clock source, the
 * number of processors, a sanitizer, or a load's option that no test uses at the server's end.
 */
static const char *const always[] = {
	/* threads and memory */
	"sched_yield",
	"gettid",
	"getcpu",
	"mremap",
	"prlimit64",
	"sigaltstack",
	/* signals that end a process, and system calls that one broke */
	"rt_sigreturn",
	"restart_syscall",
	"tgkill",
	/* clocks where they are no library call */
	"gettimeofday",
	"nanosleep",
	/* datagrams one by one; files; other forms of what is seen */
	"sendmmsg",
	"fstat",
	"statx",
	"pread64",
	"writev",
	"epoll_pwait",
	"waitid",
	"kill",
	/* a meter that then says it is not available: too much kernel behind one call */
	"!perf_event_open",
};

static bool listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int confine_calls(struct err *e)
{
	const char *all[ARRAY_SIZE(always) + ARRAY_SIZE(seen)];
	size_t n = ARRAY_SIZE(always);

	memcpy(all, always, sizeof(always));
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		if (!listed(always, ARRAY_SIZE(always), seen[i]))
			all[n++] = seen[i];
	return seccomp_confine(all, n, e);
}

int confine(const struct serve_cfg *cfg, struct err *e)
{
	/* Sockets of UDP flows are bound to the port later on. */
	const bool low = cfg->port > 0 && cfg->port < FIRST_FREE_PORT;
	int r;

	if (cfg->no_sandbox)
		return 0;
	r = caps_drop(cfg->user, low ? CAP_NET_BIND_SERVICE : -1, e);
	return r < 0 ? r : confine_calls(e);
}
