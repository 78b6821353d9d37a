#include "sys/seccomp.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <seccomp.h>

/* Ref: include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls: below 512 but for x32. */
#define MAX_CALLS 512

/* Names for the handler, which may not allocate. Set once before the filter is in place. */
static char *call_name[MAX_CALLS];

static size_t add_text(char *line, size_t at, size_t size, const char *text)
{
	while (*text && at < size)
		line[at++] = *text++;
	return at;
}

static size_t add_number(char *line, size_t at, size_t size, unsigned int v)
{
	char digits[11];
	size_t n = sizeof(digits) - 1;

	digits[n] = '\0';
	for (; n > 0 && (v || n == sizeof(digits) - 1); v /= 10)
		digits[--n] = (char)('0' + v % 10);
	return add_text(line, at, size, &digits[n]);
}

/* Only what is safe in a signal handler: the call may have come from inside malloc(). */
static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	unsigned int nr = (unsigned int)info->si_syscall;
	char line[128];
	size_t at = add_text(line, 0, sizeof(line), "tare: system call ");

	(void)sig;
	(void)context;
	at = add_number(line, at, sizeof(line), nr);
	if (nr < MAX_CALLS && call_name[nr]) {
		at = add_text(line, at, sizeof(line), " ");
		at = add_text(line, at, sizeof(line), call_name[nr]);
	}
	at = add_text(line, at, sizeof(line), " is not on the server's list\n");
	(void)!write(STDERR_FILENO, line, at);
	_exit(SECCOMP_EXIT);
}

static int handle_violations(struct err *e)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	for (int nr = 0; nr < MAX_CALLS; nr++)
		if (!call_name[nr])
			call_name[nr] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, nr);
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return err_set(e, errno, "cannot handle SIGSYS");
	return 0;
}

/* open() and openat() differ in where the flags stand. */
static int allow(scmp_filter_ctx ctx, const char *name, int nr)
{
	const scmp_datum_t writes = O_ACCMODE | O_CREAT | O_TRUNC;

	if (strcmp(name, "openat") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	if (strcmp(name, "open") == 0)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, writes, O_RDONLY));
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
}

static void releasep(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

int seccomp_confine(const char *const *names, size_t n, struct err *e)
{
	_cleanup_(releasep) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int r = handle_violations(e);

	if (r < 0)
		return r;
	if (!ctx)
		return err_say(e, ENOMEM, "cannot make a system call filter");
	for (size_t i = 0; i < n; i++) {
		bool refused = names[i][0] == '!';
		int nr = seccomp_syscall_resolve_name(names[i] + refused);

		r = nr < 0    ? 0
		    : refused ? seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0)
			      : allow(ctx, names[i], nr);
		if (r < 0 && r != -EEXIST)
			return err_set(e, -r, "cannot add system call '%s'", names[i]);
	}
	r = seccomp_load(ctx);
	return r < 0 ? err_set(e, -r, "cannot load the system call filter") : 0;
}
