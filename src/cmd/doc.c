/* What is generated from the option and field tables for the package and the tests. */
#include "base/cleanup.h"
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

static void lab_schema(void)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	_cleanup_(freep) struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));

	cmd_cfg_init(cfg, &command_compare, groups);
	(void)report_lab_schema(groups, stdout); /* what can't be written is said at the end */
}

static int doc_run(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	const char *what = n_args ? args[0] : "";
	const struct command *c = n_args > 1 ? command_find(args[1]) : NULL;

	(void)cfg;
	(void)argc;
	(void)argv;
	if (strcmp(what, "schema") == 0 && n_args == 1)
		report_schema(stdout);
	else if (strcmp(what, "lab-schema") == 0 && n_args == 1)
		lab_schema();
	else if (strcmp(what, "search-schema") == 0 && n_args == 1)
		(void)report_search_schema(stdout); /* what can't be written is said at the end */
	else if (strcmp(what, "dns-schema") == 0 && n_args == 1)
		(void)report_dns_schema(stdout); /* the same */
	else if (strcmp(what, "frames-schema") == 0 && n_args == 1)
		(void)frames_schema(stdout);
	else if (strcmp(what, "rfc2544-schema") == 0 && n_args == 1)
		(void)report_rfc2544_schema(stdout);
	else if (strcmp(what, "density-schema") == 0 && n_args == 1)
		(void)report_density_schema(stdout);
	else if (strcmp(what, "penalty-schema") == 0 && n_args == 1)
		(void)report_penalty_schema(stdout);
	else if (strcmp(what, "charge-schema") == 0 && n_args == 1)
		(void)report_charge_schema(stdout);
	else if (strcmp(what, "charge-stream-schema") == 0 && n_args == 1)
		(void)report_charge_stream_schema(stdout);
	else if (strcmp(what, "guard-schema") == 0 && n_args == 1)
		(void)report_guard_schema(stdout);
	else if (strcmp(what, "result") == 0 && n_args == 1)
		report_result_page(stdout);
	else if (strcmp(what, "completion") == 0 && n_args == 1)
		help_completion(stdout);
	else if (strcmp(what, "man") == 0 && n_args == 2 && strcmp(args[1], "iperf3") == 0)
		iperf_man(stdout);
	else if (strcmp(what, "man") == 0 && (n_args == 1 || (n_args == 2 && c)))
		help_man(c, stdout);
	else
		return cmd_fail(EXIT_USAGE,
			"doc: expected schema, lab-schema, search-schema, dns-schema, "
			"frames-schema, rfc2544-schema, density-schema, penalty-schema, "
			"charge-schema, charge-stream-schema, guard-schema, result, completion, "
			"man or man COMMAND, not '%s'",
			n_args ? args[n_args - 1] : "");
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
