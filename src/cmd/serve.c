#include "base/cleanup.h"
#include "cmd/table.h"
#include "report/iperf_output.h"
#include "serve/sessions.h"

#include <errno.h>

static void serve_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	ret[0] = (struct opt_group){"Options", serve_opts, &cfg->serve, .stored = false};
	ret[1] = (struct opt_group){0};
}

static int serve(const struct serve_cfg *cfg, const struct sessions *sessions, FILE *nowhere)
{
	const struct serve_ops ops = {.tare = sessions_tare,
		.iperf = sessions_iperf,
		.ctx = sessions,
		.iperf_auth = sessions->auth,
		.keep_fd = {fileno(nowhere), -1, -1, -1}};
	_cleanup_(serve_closep) struct server *server = NULL;
	struct err e = {0};
	char text[1200];
	int r = serve_open(&server, cfg, &ops, &e);

	if (r < 0)
		return cmd_fail(r == -EINVAL ? EXIT_USAGE : EXIT_ENVIRONMENT, "serve: %s", e.text);
	serve_describe(server, text, sizeof(text));
	fprintf(stderr, "tare: serving on %s\n", text);
	r = serve_run(server, &e);
	if (r < 0)
		return cmd_fail(EXIT_ENVIRONMENT, "serve: %s", e.text);
	return r == SERVE_SESSION_FAILED ? EXIT_RUN : EXIT_DONE;
}

/* What iperf3's server would print is kept for clients that ask for it, and goes nowhere else. */
static int serve_command(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args)
{
	const struct iperf_output output = {.format = 'a'};
	_cleanup_(fclosep) FILE *nowhere = fopen("/dev/null", "we");
	struct iperf_report *report;
	struct sessions sessions;
	struct err e = {0};
	int r;

	(void)argc;
	(void)argv;
	(void)args;
	(void)n_args;
	if (!nowhere)
		return cmd_fail(EXIT_ENVIRONMENT, "serve: cannot open /dev/null");
	report = iperf_text_new(&output, nowhere, nowhere);
	r = sessions_init(&sessions, &cfg->serve, report, &e);
	r = r < 0 ? cmd_fail(r == -EINVAL ? EXIT_USAGE : EXIT_ENVIRONMENT, "serve: %s", e.text)
		  : serve(&cfg->serve, &sessions, nowhere);
	sessions_fini(&sessions);
	report->free(report);
	return r;
}

const struct command command_serve = {
	.name = "serve",
	.summary = "serve tests to tare and iperf3 clients on one port",
	.args = "",
	.description =
		"Listens on one port, TCP and UDP, for any number of clients at once. Each session "
		"runs in a process of its own, which ends with the server.\n"
		"\n"
		"UDP is sent only to the address of a TCP control connection, so the server can't "
		"be made to flood others. Connections that do not say within --handshake-timeout "
		"what they want are closed.\n"
		"\n"
		"Once it listens, the server started by root becomes --user, gives up its "
		"capabilities and confines itself to the system calls it needs. The sockets "
		"of systemd's socket activation, one TCP and one UDP, are used instead of --bind "
		"and --port.\n"
		"\n"
		"SIGTERM and SIGINT end the sessions and the server. One line per session is "
		"logged.",
	.examples = {"tare serve\nfor everybody, on port 5201",
		"tare serve --allow 192.0.2.0/24 --key-file /etc/tare.key\n"
		"for tare clients of one network that know the key"},
	.groups = serve_groups,
	.run = serve_command,
};
