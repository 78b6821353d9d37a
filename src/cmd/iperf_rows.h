/* The table of iperf3's options, for cmd/iperf_opts.c, which parses by it. */
#pragma once

#include "cmd/iperf_opts.h"

enum iperf_side {
	IPERF_BOTH,
	IPERF_SERVER,
	IPERF_CLIENT,
	IPERF_SIDE_N,
};

enum iperf_arg {
	IPERF_ARG_NONE,
	IPERF_ARG_NEEDED,
	IPERF_ARG_OPTIONAL,
};

struct iperf_row {
	const char *name, *alias;
	char letter; /* 0: none */
	enum iperf_side side;
	enum iperf_arg arg;
	const char *arg_name;
	/* Stores what @text says; NULL: the option is accepted and does nothing. */
	int (*set)(struct iperf_args *a, const struct iperf_row *o, const char *text,
		struct err *e);
	size_t offset, size; /* of the member of struct iperf_args */
	uint64_t min, max;   /* of a number; where there is one value, it is min */
	const char *help;    /* NULL: not shown */
	const char *refused; /* why tare can't do it; NULL: it can */
	int stop;            /* what iperf_opts_parse() returns at once; 0: it goes on */
};

extern const struct iperf_row iperf_rows[];
extern const size_t iperf_n_rows;
#define IPERF_MAX_ROWS 96

/* Does @o's member hold a plain number, so that its default can be shown? */
bool iperf_row_is_number(const struct iperf_row *o);
