#include "sys/iptables.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "sys/exec.h"

#include <errno.h>
#include <string.h>

/* It works within milliseconds; a busy guest with modules to load first took more than 10 s. */
#define IPTABLES_TIMEOUT_NS (60 * NSEC_PER_SEC)

/* The program's legacy kind locks a file below /run: the room has one of its own. */
static int run(struct exec_result **ret, const char *const *argv, const char *input, int netns_fd,
	int cancel_fd, struct err *e)
{
	_cleanup_(room_closep) struct room *room = NULL;
	struct exec_args args = {.argv = argv,
		.input = input,
		.netns_fd = netns_fd,
		.timeout_ns = IPTABLES_TIMEOUT_NS,
		.cancel_fd = cancel_fd};
	int r = room_open(&room, e);

	if (r < 0)
		return r;
	args.room = room;
	r = exec_run(ret, &args, e);
	if (r == -ENOENT)
		return err_say(e, EOPNOTSUPP, "there is no %s (package iptables)", argv[0]);
	return r == EXEC_FAILED ? -EOPNOTSUPP : r;
}

int iptables_restore(int netns_fd, bool ipv6, const char *script, int cancel_fd, struct err *e)
{
	const char *const argv[] = {ipv6 ? "ip6tables-restore" : "iptables-restore", NULL};
	_cleanup_(freep) struct exec_result *result = NULL;

	return run(&result, argv, script, netns_fd, cancel_fd, e);
}

int iptables_version(bool ipv6, char *ret, size_t size, struct err *e)
{
	const char *const argv[] = {ipv6 ? "ip6tables" : "iptables", "-V", NULL};
	_cleanup_(freep) struct exec_result *result = NULL;
	int r = run(&result, argv, NULL, -1, -1, e);

	if (r < 0)
		return r;
	result->out[strcspn(result->out, "\n")] = '\0';
	(void)str_copy(ret, size, result->out);
	return 0;
}
