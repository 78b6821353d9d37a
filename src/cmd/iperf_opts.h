/*
 * The command line of iperf3 3.21: tare understands it when it is called by the name iperf3, or
 * when its first argument is an option. Numbers are read as iperf3 reads them, which is looser than
 * elsewhere in tare: what follows a number, or its suffix, is ignored ("10s", "5Mbps"), and so
 * are words that belong to no option.
 */
#pragma once

#include "base/err.h"
#include "iperf/iperf.h"
#include "report/iperf_output.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct iperf_args {
	bool server;
	struct iperf_cfg cfg;
	struct iperf_limits limits;
	struct iperf_output output;
	char logfile[256], pidfile[256]; /* "": none */
	bool one_off, daemon;
	uint32_t idle_timeout_s; /* server restarts, or with one_off ends, when idle; 0: never */
	uint32_t debug;          /* level, 0: off */
};

#define IPERF_OPTS_HELP    1
#define IPERF_OPTS_VERSION 2

/* Is it iperf3's: by the name of the program, or options first and -c or -s among them? */
bool iperf_opts_wanted(int argc, char **argv);

/*
 * iperf_opts_parse() - read the command line and check that the options go together.
 * @argv: [argc], argv[0] is skipped; getopt_long() reorders it
 * @ret:  set whole, also the defaults
 *
 * Return: 0, IPERF_OPTS_HELP, IPERF_OPTS_VERSION, or -EINVAL with the reason. iperf3 ends with
 * exit code 1 for every command line that it refuses, and prints "parameter error - " and the
 * reason; so should who calls this.
 */
int iperf_opts_parse(struct iperf_args *ret, int argc, char **argv, struct err *e) must_check_;

/*
 * iperf_opts_password() - the client's password, where one is needed: from the environment's
 * IPERF3_PASSWORD, else asked for on the terminal without showing it.
 *
 * Return: 0 or negative errno.
 */
int iperf_opts_password(struct iperf_args *a, struct err *e) must_check_;

void iperf_opts_help(FILE *out);
/* Two lines for a command line that could not be read. */
void iperf_opts_usage(FILE *out);
void iperf_opts_version(FILE *out);
