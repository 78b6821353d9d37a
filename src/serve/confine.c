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
 * What a run may not show: depends on the C library, the allocator, the number of processors or
 * an option of a load. Sessions measure, so they start threads and pin them.
 */
static const char *const always[] = {
	/* threads */
	"clone",
	"clone3",
	"futex",
	"set_robust_list",
	"rseq",
	"sched_setaffinity",
	"sched_getaffinity",
	"sched_yield",
	"sched_setscheduler",
	"set_tid_address",
	"tgkill",
	"gettid",
	"membarrier",
	/* memory, and what sanitizers do with it */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"madvise",
	"mprotect",
	"sigaltstack",
	"prlimit64",
	"getrlimit",
	"sysinfo",
	"mincore",
	/* a meter that then says it is not available: too much kernel behind one call */
	"!perf_event_open",
	/* ends, signals, time */
	"exit",
	"exit_group",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"restart_syscall",
	"clock_gettime",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"getrusage",
	"times",
	"timerfd_create",
	"timerfd_settime",
	"wait4",
	"waitid",
	/* sockets of loads */
	"socket",
	"socketpair",
	"bind",
	"listen",
	"accept4",
	"connect",
	"shutdown",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"sendto",
	"recvfrom",
	"sendmsg",
	"recvmsg",
	"sendmmsg",
	"recvmmsg",
	"sendfile",
	"splice",
	"pipe2",
	"memfd_create",
	"ftruncate",
	/* waiting */
	"poll",
	"ppoll",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"signalfd4",
	"select",
	"pselect6",
	/* /proc, /sys, users file: openat for reading only, see sys/seccomp.c */
	"openat",
	"read",
	"pread64",
	"readv",
	"write",
	"writev",
	"pwrite64",
	"lseek",
	"close",
	"close_range",
	"fstat",
	"newfstatat",
	"statx",
	"fcntl",
	"getdents64",
	"readlink",
	"readlinkat",
	"access",
	"faccessat2",
	"uname",
	"ioctl",
	"dup",
	"dup3",
	"getrandom",
	"getpid",
	"getppid",
	"getcpu",
	"prctl",
	"pidfd_open",
	"pidfd_send_signal",
	"kill",
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
