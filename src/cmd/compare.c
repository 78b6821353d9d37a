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
		"With --near and --far a network that is there already is measured, between two "
		"namespaces of this machine: the loads run in them, nothing is built or changed "
		"there, and native is built beside it. That takes root. If --far is another "
		"machine where a tare server runs, the loads go there, and native is from this "
		"machine as it is.\n"
		"\n"
		"With --wire and --peer the paths are put on a device of this machine, a real NIC, "
		"and far is a tare server on another machine. The device and the machine's own "
		"network stay as they are: each path's host, or its container, is one more machine "
		"of that network, by a macvlan device on the NIC with an address of --wire-addr, "
		"which nobody else may have. native is this machine as it is, without the "
		"macvlan; what that alone costs is the row macvlan. Paths whose container the "
		"other machine would need a route to are skipped. near, which sends in tx, is the "
		"container here. That takes root and IPv4.\n"
		"\n"
		"A file for --file is a JSON object with the keys paths, loads, options and "
		"title, all optional. paths and loads are lists of what --path and --load take, "
		"one a string, or of objects: {\"path\": \"existing\", \"options\": {\"near\": "
		"\"pid:1\", \"far\": \"netns:a\"}}, {\"load\": \"rr\", \"options\": {\"proto\": "
		"\"tcp\"}}; a path's argument stands in its key argument. options has the "
		"options of this page by their long names, with true for one that takes no value. "
		"tare doc lab-schema prints the schema.\n"
		"\n"
		"Root is not needed where the kernel allows user namespaces. Nothing is left "
		"behind, whatever ends the run.",
	.examples = {"tare compare\nall paths, TCP both ways, TCP and UDP request/response",
		"tare compare --path bridge,nat --load rr:proto=tcp,req=1,rsp=1 --wire-rate 1Gbps\n"
		"what NAT adds to the latency of small messages on a gigabit wire",
		"tare compare --near container:c0ffee --far host\n"
		"what the network of a container costs that runs here",
		"tare compare --wire eth0 --peer 192.0.2.2 --wire-addr 192.0.2.20-192.0.2.29/24 "
		"--path nat,macvlan\nthe same on real hardware, tare serve running on 192.0.2.2"},
	.groups = compare_groups,
	.run = compare_run,
};
