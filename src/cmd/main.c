#include "base/cleanup.h"
#include "base/mem.h"
#include "base/version.h"
#include "bench/labfile.h"
#include "cmd/cmd.h"
#include "cmd/iperf.h"
#include "cmd/iperf_opts.h"
#include "guest/command.h"
#include "guest/init.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The command line over the file of --file, and that over the defaults. */
static int parse_over(const struct command *c, struct cmd_cfg *cfg, bool quick, int argc,
	char **argv, char **args, int *n_args, struct err *e)
{
	struct opt_group groups[CMD_MAX_GROUPS] = {0};
	struct doc *lab = cfg->lab;
	int r;

	cmd_cfg_init(cfg, c, groups);
	cfg->lab = lab;
	if (quick)
		cfg->bench = bench_cfg_quick;
	r = lab ? labfile_options(lab, groups, e) : 0;
	if (r == 0)
		r = opt_parse(groups, argc, argv, args, n_args, e);
	if (r != 0)
		return r;
	cfg->ask.paths_given = opt_given(groups, argc, argv, "path");
	cfg->ask.loads_given = opt_given(groups, argc, argv, "load");
	return 0;
}

/* --file and --quick change the defaults that other options then override, wherever they stand. */
static int parse(const struct command *c, struct cmd_cfg *cfg, int argc, char **argv, char **args,
	int *n_args, struct err *e)
{
	int r = parse_over(c, cfg, false, argc, argv, args, n_args, e);

	if (r == 0 && *cfg->ask.file) {
		r = labfile_read(&cfg->lab, cfg->ask.file, e);
		if (r == 0)
			r = parse_over(c, cfg, false, argc, argv, args, n_args, e);
	}
	if (r == 0 && cfg->ask.quick)
		r = parse_over(c, cfg, true, argc, argv, args, n_args, e);
	return r;
}

static void free_cfg(struct cmd_cfg *cfg)
{
	doc_free(cfg->lab);
	free(cfg);
}
DEFINE_CLEANUP(struct cmd_cfg *, free_cfg, free_cfgp)

static int run_command(const struct command *c, int argc, char **argv)
{
	_cleanup_(freep) char **args = xcalloc((size_t)argc, sizeof(*args));
	_cleanup_(free_cfgp) struct cmd_cfg *cfg = xcalloc(1, sizeof(*cfg));
	struct err e = {0};
	int n_args = 0;
	int r;

	r = parse(c, cfg, argc, argv, args, &n_args, &e);
	if (r == OPT_HELP) {
		help_command(c, stdout);
		return cmd_finish();
	}
	if (r < 0)
		return cmd_fail(EXIT_USAGE, "%s: %s", c->name, e.text);
	if (n_args && !*c->args)
		return cmd_fail(EXIT_USAGE, "%s: unexpected argument '%s'", c->name, args[0]);
	return c->run(cfg, argc, argv, args, n_args);
}

/*
 * A standard stream that is closed would be the next file opened, and the report would go there.
 * stdout becomes one that can't be written; a reader that is gone is such an error too, no signal.
 */
static void prepare_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
	signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const struct command *c;

	if (strcmp(argv[0], "/init") == 0) {
		if (getpid() == 1)
			guest_main();
		return command_modprobe(argv);
	}
	prepare_streams();
	if (iperf_opts_wanted(argc, argv))
		return iperf_main(argc, argv);
	if (!word) {
		help_overview(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("tare %s (method %d)\n", TARE_VERSION, METHOD_VERSION);
		return cmd_finish();
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		help_overview(stdout);
		return cmd_finish();
	}
	if (strcmp(word, "agent") == 0)
		return agent_command(argc - 1, argv + 1);
	c = command_find(word);
	if (!c)
		return cmd_fail(EXIT_USAGE, "unknown command '%s' (see tare --help)", word);
	return run_command(c, argc - 1, argv + 1);
}
