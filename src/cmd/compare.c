#include "cmd/table.h"

static void compare_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	measure_groups(ret, ask_compare_opts, cfg);
}

static int compare_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return measure(cfg, argc, argv);
}

const struct command command_compare = {
	.name = "compare",
	.summary = "weigh container networks against the bare machine",
	.args = "",
	.description =
		"Builds each path in namespaces of its own, runs each load on all of them in turn, "
		"and prints what each path costs over native: goodput both ways, latency, and CPU "
		"time per byte and per transaction of the whole path, both ends and softirq "
		"included.\n"
		"\n"
		"Every ratio is to native, measured in the same round. Trials are repeated until "
		"the 95 % confidence interval of each ratio is narrower than --width, or "
		"--repeat-max or --time-max is reached; the report says which.\n"
		"\n"
		"Root is not needed where the kernel allows user namespaces. Nothing is left "
		"behind, whatever ends the run.",
	.examples = {"tare compare\nall paths, TCP both ways, TCP and UDP request/response",
		"tare compare --path bridge,nat --load rr:proto=tcp,req=1,rsp=1 --wire-rate 1Gbps\n"
		"what NAT adds to the latency of small messages on a gigabit wire"},
	.groups = compare_groups,
	.run = compare_run,
};
