#include "base/cleanup.h"
#include "base/mem.h"
#include "cmd/table.h"
#include "guest/run.h"
#include "sys/signals.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void guest_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Guest", guest_run_opts, &cfg->guest, .stored = false};
	ret[1] = (struct opt_group){0};
}

static int guest_main_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(freep) char **words = xcalloc((size_t)n_args + 1, sizeof(*words));
	_cleanup_(closep) int cancel_fd = -1;
	struct err e = {0};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int r, status = 0;

	(void)argc;
	(void)argv;
	if (n_args == 0)
		return cmd_fail(EXIT_USAGE, "guest: which command? (tare guest -- tare list)");
	memcpy(words, args, (size_t)n_args * sizeof(*words));
	if (n > 0 && strcmp(words[0], "tare") == 0) {
		self[n] = '\0';
		words[0] = self;
	}
	cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	r = guest_run(&status, &cfg->guest, words, cancel_fd, &e);
	if (r == GUEST_RUN_UNAVAILABLE)
		return cmd_fail(EXIT_ENVIRONMENT, "%s", e.text);
	return r < 0 ? cmd_fail(EXIT_RUN, "%s", e.text) : status;
}

const struct command command_guest = {
	.name = "guest",
	.summary = "run a command in a guest with another kernel, on this machine's files",
	.args = "[--] COMMAND [ARGUMENT...]",
	.description =
		"Boots a small virtual machine with a stock kernel and runs the command in it as "
		"root, in the same folder, with all of this machine's files; what it writes stays "
		"in the guest's memory and is gone afterwards. The command \"tare\" is this very "
		"program. So paths that the running kernel lacks can be tried, and nested guests "
		"where the CPU has them.\n"
		"\n"
		"The guest's CPU is emulated: its numbers compare with each other, never with "
		"those of the machine. The exit status is the command's, as a shell has it; 3 and "
		"4 can also mean that there was no guest, which is said.\n"
		"\n"
		"The command's standard input is empty. When it ends, so do processes that it left "
		"behind. /dev, /proc, /run and /sys are the guest's own, and the only network is "
		"what the command builds, of --nics or without. Cgroups are those of v2, and may "
		"have CPU quotas. Ctrl-C ends the guest.",
	.examples = {"tare guest -- tare list paths\nwhich paths a stock kernel has",
		"tare guest -- tare compare --quick --path ipvlan-l2,wireguard\n"
		"measure paths that the running kernel lacks",
		"tare guest --one-thread -- tare charge --once\n"
		"does the accounting of softirqs work there?"},
	.groups = guest_groups,
	.run = guest_main_run,
};
