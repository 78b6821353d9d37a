/*
 * A test between iperf3's ends, reported as iperf3 3.21 does: by iperf_text.c in lines, by
 * iperf_json.c as a document or a stream of events. Who runs tests sees one interface.
 */
#pragma once

#include "base/version.h"
#include "iperf/iperf.h"

#include <stdbool.h>
#include <stdio.h>

/* Scripts look at what stands first; the version is the one whose output this is. */
#define IPERF_VERSION_TEXT "iperf 3.21 (tare " TARE_VERSION ")"

struct iperf_output {
	bool json;        /* JSON instead of text */
	bool json_stream; /* one line per event */
	bool json_full;   /* the whole document also after a stream of events */
	bool verbose;
	bool forceflush;
	char format;         /* of bit rates: one of "kmgtKMGT", 'a': chosen for each */
	char timestamps[64]; /* strftime() format in front of each line; "": none */
};

/*
 * One per test at a time. A test goes: begin, iperf_client_run() or iperf_server_run() with the
 * sink, finish.
 */
struct iperf_report {
	struct iperf_sink sink; /* what the test is run with */
	/* Before a client connects, before a server waits for its @number-th client, from 1. */
	void (*begin)(struct iperf_report *r, bool server, uint16_t port, uint32_t number);
	/* After the test. Return: 0, or the negative errno of a write that failed. */
	int (*finish)(struct iperf_report *r, const struct iperf_test *t);
	void (*free)(struct iperf_report *r);
};

/*
 * @o: copied
 * @out, @err: borrowed; errors go to @err unless they are part of a document
 */
struct iperf_report *iperf_text_new(const struct iperf_output *o, FILE *out, FILE *err);
struct iperf_report *iperf_json_new(const struct iperf_output *o, FILE *out, FILE *err);

/* "Linux host 6.1.0 #1 SMP x86_64", of this machine. */
void iperf_system_info(char *ret, size_t size);

/* "Sat, 31 Jan 2026 12:00:00 GMT". Ref: RFC 1123 s.5.2.14 */
void iperf_time_text(int64_t ms_since_1970, char *ret, size_t size);

/* Words of how a test failed, with what iperf3 puts before them in text and a server's JSON. */
void iperf_error_text(const struct iperf_test *t, char *ret, size_t size);
