#include "base/str.h"
#include "cmd/table.h"

#include <string.h>

static void run_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	measure_groups(ret, ask_run_opts, cfg);
}

static int run_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	(void)args;
	(void)n_args;
	if (str_index(cfg->ask.paths, path_set_name, PATH_SET_N) >= 0 ||
		strcmp(cfg->ask.paths, "all") == 0)
		return cmd_fail(EXIT_USAGE, "run: name one path with --path (see tare list)");
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
