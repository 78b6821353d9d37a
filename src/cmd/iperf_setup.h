/* What an iperf3 command line asks of the process: daemon, files, and who reports. */
#pragma once

#include "base/err.h"
#include "cmd/iperf_opts.h"
#include "report/iperf_output.h"

struct iperf_setup {
	struct iperf_report *report;
	FILE *log;         /* NULL: standard output */
	char pidfile[256]; /* written by us; "": none */
};

/*
 * iperf_setup_open() - open the log file, become a daemon, write the pid file, make the report.
 *
 * Return: 0 or negative errno; then there is nothing to close.
 */
int iperf_setup_open(struct iperf_setup *ret, const struct iperf_args *a, struct err *e)
	must_check_;
/* Closes, frees, removes the pid file. */
void iperf_setup_close(struct iperf_setup *s);
