#include "cmd/table.h"

static void run_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	measure_groups(ret, ask_run_opts, cfg);
}

static int run_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	return measure(cfg, argc, argv);
}

const struct command command_run = {
	.name = "run",
	.summary = "measure one path under one load, next to native",
	.args = "",
	.description = "One cell of the table that tare compare prints, with its baseline.",
	.examples = {"tare run --path nat --load stream --dir rx\n"
		     "how fast a container behind NAT can send",
		"tare run --path veth --load rr:proto=udp --json\none cell as JSON"},
	.groups = run_groups,
	.run = run_run,
};
