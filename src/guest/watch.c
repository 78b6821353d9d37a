/*
 * A process that dies closes its socket, which its controller sees at once. A port of a guest stays
 * open, as the guest does: without a word the controller would wait until its deadline.
 */
#include "guest/watch.h"

#include "base/clock.h"
#include "bench/agent.h"
#include "sys/file.h"
#include "wire/chan.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY_NS (5 * NSEC_PER_SEC)
/* /proc/vmstat has 190 lines. */
#define VMSTAT_BYTES 16384

/* Processes that the kernel has killed for want of memory. Ref: mm/vmstat.c (Linux 4.13) */
static unsigned long oom_kills(void)
{
	static const char name[] = "\noom_kill ";
	char text[VMSTAT_BYTES];
	struct err e = {0};
	unsigned long n = 0;
	const char *line;

	if (file_read("/proc/vmstat", text, sizeof(text), &e) < 0)
		return 0;
	line = strstr(text, name);
	return line && sscanf(line + strlen(name), "%lu", &n) == 1 ? n : 0;
}

static void say_why(int ctl_fd, int signal, bool no_memory)
{
	_cleanup_(doc_freep) struct doc *msg = doc_object();
	struct chan chan = {.fd = ctl_fd, .cancel_fd = -1, .who = "controller"};
	struct err e = {0};

	if (no_memory)
		(void)err_say(&e, ENOMEM,
			"the guest ran out of memory, and its kernel killed the agent: give it "
			"more (guest-memory)");
	else
		(void)err_say(&e, EIO, "the guest's agent was killed by signal %d", signal);
	doc_put_str(msg, "type", "error");
	doc_put_str(msg, "text", e.text);
	(void)!chan_send(&chan, msg, clock_now_ns() + SAY_NS, &e);
}

int watch_agent(int ctl_fd)
{
	unsigned long before = oom_kills();
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(agent_main(ctl_fd));
	}
	if (pid < 0)
		return 1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		say_why(ctl_fd, WTERMSIG(status), oom_kills() > before);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
