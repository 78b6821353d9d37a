/* What is generated from the option and field tables for the package and the tests. */
#include "base/cleanup.h"
#include "base/macro.h"
#include "base/mem.h"
#include "cmd/iperf_man.h"
#include "cmd/table.h"
#include "report/charge.h"
#include "report/density.h"
#include "report/dns.h"
#include "report/frames.h"
#include "report/guard.h"
#include "report/penalty.h"
#include "report/report.h"
#include "report/rfc2544.h"
#include "report/search.h"

#include <string.h>

static void doc_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	(void)cfg;
	ret[0] = (struct opt_group){0};
}

static int lab_schema(FILE *out)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	_cleanup_(freep) struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));

	cmd_cfg_init(cfg, &command_compare, groups);
	return report_lab_schema(groups, out);
}

static int completion(FILE *out)
{
	help_completion(out);
	return 0;
}

/* What can't be written is said at the end, whoever notices it. */
static const struct doc {
	const char *name;
	int (*print)(FILE *out);
} table[] = {
	{"schema", report_schema},
	{"lab-schema", lab_schema},
	{"search-schema", report_search_schema},
	{"dns-schema", report_dns_schema},
	{"frames-schema", frames_schema},
	{"rfc2544-schema", report_rfc2544_schema},
	{"density-schema", report_density_schema},
	{"penalty-schema", report_penalty_schema},
	{"charge-schema", report_charge_schema},
	{"charge-stream-schema", report_charge_stream_schema},
	{"guard-schema", report_guard_schema},
	{"result", report_result_page},
	{"completion", completion},
};

static const struct doc *doc_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static int man_run(char **args, int n_args)
{
	const struct command *c = n_args > 1 ? command_find(args[1]) : NULL;

	if (n_args == 2 && strcmp(args[1], "iperf3") == 0)
		iperf_man(stdout);
	else if (n_args == 1 || (n_args == 2 && c))
		help_man(c, stdout);
	else
		return cmd_fail(EXIT_USAGE, "doc: no page of '%s' (see tare --help)",
			args[n_args - 1]);
	return cmd_finish();
}

static int doc_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	const struct doc *doc = n_args == 1 ? doc_find(args[0]) : NULL;

	(void)cfg;
	(void)argc;
	(void)argv;
	if (n_args && strcmp(args[0], "man") == 0)
		return man_run(args, n_args);
	if (!doc)
		return cmd_fail(EXIT_USAGE, "doc: no document '%s' (see tare doc --help)",
			n_args ? args[n_args - 1] : "");
	(void)doc->print(stdout);
	return cmd_finish();
}

const struct command command_doc = {
	.name = "doc",
	.summary = "print the JSON schema, man page sources and shell completion",
	.args = "schema|lab-schema|search-schema|dns-schema|frames-schema|rfc2544-schema|"
		"density-schema|penalty-schema|charge-schema|charge-stream-schema|guard-schema|"
		"result|completion|man [COMMAND]",
	.description = "Everything is made from the tables that parse, measure and report.",
	.examples = {"tare doc schema\nthe JSON Schema of tare compare --json",
		"tare doc lab-schema\nthat of a file for tare compare --file",
		"tare doc completion > /etc/bash_completion.d/tare\nshell completion"},
	.groups = doc_groups,
	.run = doc_run,
};
