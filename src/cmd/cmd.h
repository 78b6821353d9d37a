/* Subcommands: one file each, exporting one const struct command, listed in table.c. */
#pragma once

#include "base/opt.h"
#include "bench/result.h"
#include "charge/cfg.h"
#include "dns/cfg.h"
#include "frame/tester.h"
#include "guard/guard.h"
#include "guest/run.h"
#include "load/load.h"
#include "method/density.h"
#include "method/penalty.h"
#include "method/rfc2544.h"
#include "path/path.h"
#include "serve/serve.h"
#include "stat/run.h"

#include <stdio.h>

enum exit_code {
	EXIT_DONE = 0,
	EXIT_CONDITION = 1, /* measured, but a --fail-* condition holds */
	EXIT_USAGE = 2,
	EXIT_ENVIRONMENT = 3, /* this machine, or the output, can't do it */
	EXIT_RUN = 4,         /* a trial or an agent failed, or the run was interrupted */
};

#define CMD_MAX_LOADS  16 /* rows of load_table, at most */
#define CMD_MAX_GROUPS 32

/* What is asked for besides how to measure. */
struct ask_cfg {
	char paths[2048];
	char loads[1024];
	bool paths_given, loads_given; /* on the command line, not by default */
	char file[256];
	bool verbose;
	bool quick;
	bool json, json_stream, csv;
	bool quiet;
	bool fail_width;
};

/* What is asked of search. */
struct search_ask {
	char sut[256];
	bool verbose, json, fail_irregular;
	struct search_cfg cfg;
};

/* frames.c: one trial. */
struct frames_cfg {
	char size[280]; /* as frame_mix_parse() reads it */
	char rate[32];
	uint64_t time_ns, count;
	bool latency, learn, json, fail_loss;
};
extern const struct frames_cfg frames_cfg_default;

/* What a campaign of frames is about: one of a path, two ports, a model. */
struct sut_ask {
	char path[256], ports[64], addr[96], gateway[96];
	char sut[256];
};

/* rfc2544.c */
struct rfc2544_ask {
	bool json, csv, quiet;
	char gnuplot[256];
};

/* density.c */
struct density_ask {
	bool json, quiet;
};

/* penalty.c */
struct penalty_ask {
	bool json, csv, quiet, verbose;
};

/* charge.c */
struct charge_ask {
	uint64_t interval_ns, duration_ns;
	uint32_t sort, top;
	char container[2048]; /* who is shown, parted by commas; "": all */
	char listen[64];      /* as http_addr() reads it; "": nowhere */
	bool once, active, lines, json, json_stream, csv, quiet;
};

/* guard.c */
struct guard_ask {
	bool restore, calibrate, json_stream, quiet;
	struct charge_words find;
	struct guard_cfg cfg;
};

/* Configuration of all commands; each shows the groups it reads. */
struct cmd_cfg {
	const struct command *command; /* whose configuration this is */
	struct ask_cfg ask;
	struct doc *lab; /* the file of --file; NULL: none */
	struct remote_cfg remote;
	struct bench_cfg bench;
	struct path_cfg path;
	struct serve_cfg serve;
	struct guest_run_cfg guest;
	struct dns_cfg dns;
	struct search_ask search;
	struct tester_cfg tester;
	struct resources_cfg resources;
	struct frames_cfg frames;
	struct sut_ask subject;
	struct rfc2544_ask rfc_ask;
	struct rfc_cfg rfc;
	struct density_ask density_ask;
	struct density_cfg density;
	struct penalty_ask penalty_ask;
	struct penalty_cfg penalty;
	struct charge_ask charge_ask;
	struct charge_words charge;
	struct guard_ask guard;
	struct load_cfg load[CMD_MAX_LOADS]; /* row = load_table */
};

struct command {
	const char *name;
	const char *summary;     /* one line, lower case */
	const char *args;        /* what follows the options, "" if nothing */
	const char *description; /* paragraphs of the man page */
	const char *examples[6]; /* "command line\nwhat it does"; NULL: no more */

	const char *load; /* name of the load that the command is for; NULL: of none, or of any */

	/* Changes cmd_cfg_init()'s defaults to the command's own. NULL: they are the same. */
	void (*defaults)(struct cmd_cfg *cfg);
	/* Fills the option tables, bound to @cfg, the last with opts = NULL. */
	void (*groups)(struct opt_group *ret, struct cmd_cfg *cfg);
	/* @args: [n_args] positional arguments. Return: enum exit_code. */
	int (*run)(struct cmd_cfg *cfg, int argc, char **argv, char **args, int n_args);
};

extern const struct command *const command_table[]; /* NULL-terminated */
const struct command *command_find(const char *name);

/* The defaults of @c, and its option tables bound to @cfg. @groups: [CMD_MAX_GROUPS], zeroed */
void cmd_cfg_init(struct cmd_cfg *cfg, const struct command *c, struct opt_group *groups);

/* Row of load_table with this name; there is one. */
uint32_t cmd_load_row(const char *name);

/* "tare: <text>" on stderr. Return: @code. */
int cmd_fail(enum exit_code code, const char *fmt, ...) printf_(2, 3);

/* Flushes stdout. Return: EXIT_DONE, or EXIT_ENVIRONMENT after saying why it could not. */
int cmd_finish(void);

/* agent.c: "agent", which no help shows. Return: enum exit_code. */
int agent_command(int argc, char **argv);

/* help.c: the same option tables as text, man page source and shell completion. */
void help_overview(FILE *out);
void help_options(const struct opt *opts, const void *cfg, FILE *out);
void help_command(const struct command *c, FILE *out);
void help_man(const struct command *c, FILE *out); /* NULL: tare(1) */
void help_completion(FILE *out);

/* measure.c: plan, measure and report, for compare and run. */
extern const struct opt ask_compare_opts[], ask_run_opts[];
void measure_groups(struct opt_group *ret, const struct opt *ask_opts, struct cmd_cfg *cfg);
int measure(struct cmd_cfg *cfg, int argc, char **argv);
/* Is a network that is there to be measured, by --near and --far? */
bool measure_finds(const struct cmd_cfg *cfg);

/*
 * subject.c: what is between the tester's ports. The check needs nothing of the machine; the other
 * opens it. Return: 0, or negative errno, of the check always wrong usage; positive: can't be here
 */
extern const struct opt subject_opts[];
extern const struct opt *const subject_port_opts; /* of them, those without a model */
int subject_ask_check(const struct cmd_cfg *cfg, bool *ret_ipv6, struct err *e);
/* Names of senders and receivers. Return: 0 or -EINVAL. */
int subject_check_tester(const struct tester_cfg *t, struct err *e);
/* Checks the words about resources, and gives the path its part of them. */
int subject_resources_check(struct cmd_cfg *cfg, struct err *e);
/* With the resources that were asked for. */
int subject_ask_open(struct subject **ret, const struct cmd_cfg *cfg, int cancel_fd, struct err *e);
/* Option groups of the tester and of paths. Return: behind the last. */
struct opt_group *subject_groups(struct opt_group *ret, struct cmd_cfg *cfg);

/* far.c: the same with far on another machine; both do nothing when it is not. */
struct opt_group *far_groups(struct opt_group *ret, struct cmd_cfg *cfg);
int far_plan(struct run *run, const struct cmd_cfg *cfg, struct err *e);
/* Looks whether the wire is as it must be, before anything is measured. */
int far_find(struct run *run, struct err *e);

/* Writes down the command line. */
void measure_note_command(struct run *run, int argc, char **argv);
/* What the run's trials and paths make of the exit status. */
enum exit_code measure_verdict(const struct run *run, const struct ask_cfg *ask);
