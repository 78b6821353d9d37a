#include "base/cleanup.h"
#include "base/str.h"
#include "bench/bench.h"
#include "cmd/table.h"
#include "meter/meter.h"
#include "report/grid.h"

#include <string.h>

static const char *const list_kind[] = {"paths", "loads", "meters"};

static void add_row(struct grid *g, const char *name, int r, const struct err *e,
	const char *summary)
{
	grid_add(g, "%s", name);
	grid_add(g, "%s", r == 0 ? "yes" : "no");
	grid_add(g, "%s", r == 0 ? summary : e->text);
}

static void list_paths(const struct path_cfg *cfg, struct grid *g)
{
	for (size_t i = 0; path_table[i]; i++) {
		struct err e = {0};
		const struct path_spec spec = path_spec_of(path_table[i], cfg);
		int r = path_probe(&spec, &e);

		add_row(g, path_table[i]->name, r, &e, path_table[i]->summary);
	}
}

static void list_loads(const struct path_cfg *cfg, struct grid *g)
{
	(void)cfg;
	for (size_t i = 0; load_table[i]; i++)
		add_row(g, load_table[i]->name, 0, NULL, load_table[i]->summary);
}

static void list_meters(const struct path_cfg *cfg, struct grid *g)
{
	(void)cfg;
	for (size_t i = 0; i < METER_N; i++) {
		struct err e = {0};
		int r = meter_table[i]->probe(&e);

		add_row(g, meter_table[i]->name, r, &e, meter_table[i]->summary);
	}
}

static void (*const list_fill[])(const struct path_cfg *cfg, struct grid *g) = {list_paths,
	list_loads, list_meters};

static void list_one(size_t kind, const struct path_cfg *cfg)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(3);

	grid_left(g, 1);
	grid_left(g, 2);
	grid_add(g, "%s", list_kind[kind]);
	grid_add(g, "here");
	grid_add(g, "%s", "");
	list_fill[kind](cfg, g);
	grid_print(g, stdout);
}

static void list_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Paths", path_opts, &cfg->path, .stored = false};
	ret[1] = (struct opt_group){0};
}

static int list_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	int only = n_args ? str_index(args[0], list_kind, ARRAY_SIZE(list_kind)) : -1;
	struct err e = {0};
	bool rootless;

	(void)argc;
	(void)argv;
	if (n_args > 1 || (n_args && only < 0))
		return cmd_fail(EXIT_USAGE, "list: expected paths, loads or meters, not '%s'",
			args[n_args - 1]);
	if (bench_privilege(&rootless, &e) < 0)
		fprintf(stderr, "tare: %s\n", e.text);
	for (size_t i = 0; i < ARRAY_SIZE(list_kind); i++) {
		if (only >= 0 && (size_t)only != i)
			continue;
		if (i > 0 && only < 0)
			putchar('\n');
		list_one(i, &cfg->path);
	}
	return cmd_finish();
}

const struct command command_list = {
	.name = "list",
	.summary = "say which paths, loads and meters there are, and which work here",
	.args = "[paths|loads|meters]",
	.description = "Each path is built for a moment to find out; what is missing is said.",
	.examples = {"tare list\neverything", "tare list paths -6\npaths that work with IPv6"},
	.groups = list_groups,
	.run = list_run,
};
