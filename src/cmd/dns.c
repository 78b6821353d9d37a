#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/table.h"
#include "report/dns.h"
#include "sys/signals.h"

#include <errno.h>

static const struct opt ask_opts[] = {
	OPT_FLAG(struct ask_cfg, json, "json", 'J', "one JSON document on stdout, at the end"),
	OPT_FLAG(struct ask_cfg, quiet, "quiet", 0,
		"no lines for intervals and trials, only the result"),
	OPT_END,
};

static void dns_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"Options", ask_opts, &cfg->ask, .stored = false};
	*ret++ = (struct opt_group){"Server", dns_server_opts, &cfg->dns, .stored = true};
	*ret++ = (struct opt_group){"Queries", dns_query_opts, &cfg->dns, .stored = true};
	*ret++ = (struct opt_group){"Load", dns_load_opts, &cfg->dns, .stored = true};
	*ret++ = (struct opt_group){"Search", dns_search_opts, &cfg->dns, .stored = true};
	*ret = (struct opt_group){0};
}

static void dns_free(struct dns_run *run)
{
	dns_run_fini(run);
	free(run);
}
DEFINE_CLEANUP(struct dns_run *, dns_free, dns_freep)

/* Lines as it goes are part of the text; of a search, and beside a document, they are progress. */
static struct dns_run_ops ops_of(const struct cmd_cfg *cfg)
{
	bool search = dns_mode_of(&cfg->dns) == DNS_MODE_SEARCH;
	struct dns_run_ops ops = {.ctx = cfg->ask.json || search ? stderr : stdout};

	if (cfg->ask.quiet)
		return ops;
	ops.interval = cfg->dns.interval_ns ? report_dns_interval : NULL;
	ops.trial = report_dns_trial;
	return ops;
}

static enum exit_code code_of(int r)
{
	static const int environment[] = {EMFILE, ENFILE, ENOMEM, EADDRINUSE, EACCES};

	if (r == -EINVAL || r == -E2BIG || r == -ENOENT || r == -EISDIR)
		return EXIT_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(environment); i++)
		if (r == -environment[i])
			return EXIT_ENVIRONMENT;
	return EXIT_RUN;
}

static int dns_command(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	_cleanup_(dns_freep) struct dns_run *run = xcalloc(1, sizeof(*run));
	struct dns_run_ops ops = ops_of(cfg);
	_cleanup_(closep) int cancel_fd = -1;
	struct err e = {0};
	int r;

	(void)argc;
	(void)argv;
	if (n_args != 1)
		return cmd_fail(EXIT_USAGE, "dns: expected one server, not %d", n_args);
	if (dns_cfg_check(&cfg->dns, &e) < 0)
		return cmd_fail(EXIT_USAGE, "dns: %s", e.text);
	run->cfg = cfg->dns;
	if (str_copy(run->host, sizeof(run->host), args[0]) < 0)
		return cmd_fail(EXIT_USAGE, "dns: the server's name is too long");
	cancel_fd = ops.cancel_fd = signals_open(&e);
	if (cancel_fd < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "dns: %s", e.text);
	r = dns_run_measure(run, &ops, &e);
	if (r < 0)
		return cmd_fail(code_of(r), "dns: %s", e.text);
	(void)(cfg->ask.json ? report_dns_json : report_dns_text)(run, stdout); /* said below */
	r = cmd_finish();
	return r == EXIT_DONE && !run->complete ? EXIT_RUN : r;
}

static void dns_defaults(struct cmd_cfg *cfg)
{
	cfg->dns = dns_cfg_default;
}

const struct command command_dns = {
	.name = "dns",
	.summary = "the highest rate at which a DNS server answers without loss",
	.args = "HOST",
	.description =
		"Asks a DNS server, over UDP or TCP, and searches for the highest rate of queries "
		"of which no more than --loss-ratio is lost. A query is lost when no answer comes "
		"within --timeout of when it was due, and also when this machine could not send it "
		"within --slip-max. After the search, latencies are taken at the rate found and at "
		"half of it.\n"
		"\n"
		"With --rate, queries are due on a schedule, whatever is answered, and latency "
		"counts from then. With --outstanding a query leaves when another one was answered "
		"or lost, as dnsperf does.\n"
		"\n"
		"What the server answers is in the table of response codes; REFUSED is an answer, "
		"too. Answers twice, late, or to nothing that was asked are counted apart.\n"
		"\n"
		"Only ask servers that are yours: the rate is as high as they can take.",
	.examples = {"tare dns 192.0.2.1 --names host{1-1000}.example.com\n"
		     "the highest rate with no loss",
		"tare dns 192.0.2.1 --query-file queries --rate 10000 --time 30s\n"
		"latencies and response codes at 10,000 queries a second",
		"tare dns ::1 --port 5300 --names example.com --type SOA --protocol tcp "
		"--outstanding 100\nclosed loop over TCP connections"},
	.defaults = dns_defaults,
	.groups = dns_groups,
	.run = dns_command,
};
