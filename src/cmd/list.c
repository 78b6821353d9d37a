#include "base/cleanup.h"
#include "base/str.h"
#include "bench/bench.h"
#include "cmd/list_containers.h"
#include "cmd/table.h"
#include "meter/meter.h"
#include "method/resources.h"
#include "method/subject.h"
#include "path/scenario.h"
#include "report/grid.h"
#include "sys/ethtool.h"

#include <string.h>

static const char *const list_kind[] = {"paths", "loads", "meters", "senders", "receivers",
	"scenarios", "resources"};

static const struct opt list_opts[] = {
	OPT_FLAG(struct ask_cfg, verbose, "verbose", 'v',
		"of each path: what a packet crosses, what it needs, its options"),
	OPT_END,
};

/* What list shows things by. */
struct view {
	const struct path_cfg *cfg;
	bool rootless;
};

static void add_row(struct grid *g, const char *name, int r, const struct err *e,
	const char *summary)
{
	grid_add(g, "%s", name);
	grid_add(g, "%s", r == 0 ? "yes" : "no");
	grid_add(g, "%s", r == 0 ? summary : e->text);
}

static int probe(const struct path_ops *ops, const struct view *view, struct err *e)
{
	int r = ops->real_root ? bench_others(view->rootless, e) : 0;

	return r != 0 ? r : path_probe_kind(ops, view->cfg, e);
}

/* "cni:<file>", as it is asked for. */
static void path_words(const struct path_ops *ops, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s%s", ops->name, ops->arg ? ":" : "", ops->arg ? ops->arg : "");
}

static void add_path_row(const struct path_ops *ops, const struct view *view, struct grid *g)
{
	char words[80] = "  ";
	struct err e = {0};
	int r = probe(ops, view, &e);

	path_words(ops, words + 2, sizeof(words) - 2);
	add_row(g, words, r, &e, ops->summary);
}

/* A family at a time: its name stands for all that follow it. */
static void list_paths(const struct view *view, struct grid *g)
{
	for (enum path_set set = 0; set < PATH_SET_N; set++) {
		bool any = false;

		for (size_t i = 0; path_table[i]; i++) {
			if (path_table[i]->set != set)
				continue;
			for (int column = 0; !any && column < 3; column++)
				grid_add(g, "%s", column ? "" : path_set_name[set]);
			any = true;
			add_path_row(path_table[i], view, g);
		}
	}
}

static void show_path(const struct path_ops *ops, const struct view *view)
{
	struct err e = {0};
	int r = probe(ops, view, &e);
	char words[80];

	path_words(ops, words, sizeof(words));
	printf("%s: %s\n", words, ops->summary);
	printf("  here     %s%s%s\n", r == 0 ? "yes" : "no", r == 0 ? "" : ": ", e.text);
	printf("  family   %s%s\n", path_set_name[ops->set],
		ops->pods_ok ? "; also --between pods" : "");
	printf("  wire     %s\n",
		ops->wire != PATH_WIRE_NO ? "yes: also on a real one, --wire" : "no");
	printf("  hops     %s\n", ops->hops);
	printf("  crosses  %s\n", ops->crosses ? ops->crosses : "nothing that is known");
	printf("  needs    %s\n", ops->needs ? ops->needs : "namespaces");
	if (ops->opts) {
		printf("  options\n");
		help_options(ops->opts, view->cfg, stdout);
	}
	if (ops->kin_opts)
		help_options(ops->kin_opts, view->cfg, stdout);
}

static void show_paths(const struct view *view)
{
	for (enum path_set set = 0; set < PATH_SET_N; set++)
		for (size_t i = 0; path_table[i]; i++)
			if (path_table[i]->set == set)
				show_path(path_table[i], view);
}

static void list_loads(const struct view *view, struct grid *g)
{
	(void)view;
	for (size_t i = 0; load_table[i]; i++)
		add_row(g, load_table[i]->name, 0, NULL, load_table[i]->summary);
}

static void list_meters(const struct view *view, struct grid *g)
{
	(void)view;
	for (size_t i = 0; i < METER_N; i++) {
		struct err e = {0};
		int r = meter_table[i]->probe(&e);

		add_row(g, meter_table[i]->name, r, &e, meter_table[i]->summary);
	}
}

/* On a veth pair of their own, whose other half is one as a receiver leaves it: with NAPI. */
static void list_senders(const struct view *view, struct grid *g)
{
	_cleanup_(subject_veth_close) struct subject_veth v;
	struct err e = {0};
	int r = subject_veth_open(&v, view->cfg->ipv6, &e);

	if (r == 0)
		r = ethtool_set(v.netns_fd[1], v.end[1].port.dev, ETHTOOL_GRO, true, &e);
	for (size_t i = 0; frame_tx_table[i]; i++) {
		int ok = r == 0 ? frame_tx_table[i]->probe(&v.end[0].port, &e) : r;

		add_row(g, frame_tx_table[i]->name, ok, &e, frame_tx_table[i]->summary);
	}
}

static void list_receivers(const struct view *view, struct grid *g)
{
	_cleanup_(subject_veth_close) struct subject_veth v;
	struct err e = {0};
	int r = subject_veth_open(&v, view->cfg->ipv6, &e);

	for (size_t i = 0; frame_rx_table[i]; i++) {
		int ok = r == 0 ? frame_rx_table[i]->probe(&v.end[1].port, &e) : r;

		add_row(g, frame_rx_table[i]->name, ok, &e, frame_rx_table[i]->summary);
	}
}

static int scenario_here(const struct scenario *s, const struct view *view, struct err *e)
{
	const struct path_ops *ops = scenario_ops(s);
	int r = ops->real_root ? bench_others(view->rootless, e) : 0;

	return r != 0 ? r : scenario_probe(s, view->cfg, e);
}

/* "N/S  chain  T-S-F-S-F-...-S-T", and why it can't be. */
static void list_scenarios(const struct view *view, struct grid *g)
{
	for (const struct scenario *s = scenario_table; s->name; s++) {
		struct err e = {0};
		int r = scenario_here(s, view, &e);

		grid_add(g, "%s", s->name);
		grid_add(g, "%s", r == 0 ? "yes" : "no");
		grid_add(g, "%-4s %-20s %s%s%s", scenario_dir_name[s->dir], s->path, s->topology,
			r == 0 ? "" : "; ", r == 0 ? "" : e.text);
	}
}

/* "--numa  CPUs and memory of a node; this machine has one NUMA node" */
static void list_resources(const struct view *view, struct grid *g)
{
	(void)view;
	for (const struct resources_axis *x = resources_axis_table; x->name; x++) {
		struct err e = {0};
		int r = x->probe ? x->probe(&e) : 0;

		grid_add(g, "%s", x->name);
		grid_add(g, "%s", r == 0 ? "yes" : "no");
		grid_add(g, "%-11s %s%s%s", x->option, x->summary, r == 0 ? "" : "; ",
			r == 0 ? "" : e.text);
	}
}

static void (*const list_fill[])(const struct view *view, struct grid *g) = {list_paths, list_loads,
	list_meters, list_senders, list_receivers, list_scenarios, list_resources};
static_assert(ARRAY_SIZE(list_fill) == ARRAY_SIZE(list_kind));

static void list_one(size_t kind, const struct view *view)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(3);

	grid_left(g, 1);
	grid_left(g, 2);
	grid_add(g, "%s", list_kind[kind]);
	grid_add(g, "here");
	grid_add(g, "%s", "");
	list_fill[kind](view, g);
	grid_print(g, stdout);
}

static void list_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Options", list_opts, &cfg->ask, .stored = false};
	ret[1] = (struct opt_group){"Paths", path_opts, &cfg->path, .stored = false};
	ret[2] = (struct opt_group){0};
}

static int list_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	int only = n_args ? str_index(args[0], list_kind, ARRAY_SIZE(list_kind)) : -1;
	struct view view = {.cfg = &cfg->path};
	struct err e = {0};

	(void)argc;
	(void)argv;
	if (n_args == 1 && strcmp(args[0], "containers") == 0) {
		if (list_containers(&e) < 0)
			return cmd_fail(EXIT_ENVIRONMENT, "list: %s", e.text);
		return cmd_finish();
	}
	if (n_args > 1 || (n_args && only < 0))
		return cmd_fail(EXIT_USAGE,
			"list: expected paths, loads, meters, senders, receivers, scenarios, "
			"resources or containers, not '%s'",
			args[n_args - 1]);
	if (bench_privilege(&view.rootless, &e) < 0)
		fprintf(stderr, "tare: %s\n", e.text);
	for (size_t i = 0; i < ARRAY_SIZE(list_kind); i++) {
		if (only >= 0 && (size_t)only != i)
			continue;
		if (i > 0 && only < 0)
			putchar('\n');
		if (list_fill[i] == list_paths && cfg->ask.verbose)
			show_paths(&view);
		else
			list_one(i, &view);
	}
	return cmd_finish();
}

const struct command command_list = {
	.name = "list",
	.summary = "say what works here: paths, loads, senders, scenarios, resources, ...",
	.args = "[KIND]",
	.description =
		"KIND is paths, loads, meters, senders, receivers, scenarios or resources; without "
		"it all are said. containers, said only when asked for, are those that this "
		"machine has now: whose they are, their network namespace, the host's halves of "
		"their devices, and their cgroup, of a pod the pod's. "
		"Paths stand below their family, whose name on the command line stands for all "
		"of it. Each path is built for a moment to find out whether it works; what is "
		"missing is said. One that takes an argument is asked without it. "
		"Scenarios are those of the benchmarking drafts, each with the path that builds "
		"it: T is a port of the tester, S the switching host, F a forwarding function, G a "
		"guest; N/S goes in or out by a port, E/W stays on the machine. "
		"Resources are the axes of the same drafts, and what of them this machine can "
		"vary.",
	.examples = {"tare list\neverything",
		"tare list scenarios\nwhich topologies can be built here, and how",
		"tare list containers\nwho is told apart on this machine",
		"tare list paths -6 --verbose\npaths that work with IPv6, and what they are"},
	.groups = list_groups,
	.run = list_run,
};
