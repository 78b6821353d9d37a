/*
 * The log: one line per event in logfmt (key=value, values with spaces quoted). Lines are written
 * in one piece and never waited for: what a full disk or a stuck reader costs is counted and said
 * with the next line that gets through.
 */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define LOG_LINE_MAX 1024 /* bytes, below PIPE_BUF: a pipe takes it whole or not at all */

struct log {
	int fd;
	uint64_t n_dropped; /* lines, not yet reported */
	char line[LOG_LINE_MAX];
};

/* @path: "" for stderr */
int log_open(struct log *l, const char *path, struct err *e) must_check_;
void log_close(struct log *l);

/* A line: begin, add, end. */
void log_begin(struct log *l);
void log_add(struct log *l, const char *key, const char *fmt, ...) printf_(3, 4);
/* Any text, from a peer too: quoted and escaped. */
void log_add_text(struct log *l, const char *key, const char *text);
void log_end(struct log *l);
