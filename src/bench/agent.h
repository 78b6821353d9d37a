/*
 * The agent: what runs at each end of a path, driven over a control channel (wire/chan.h).
 *
 *	NEW --hello--> IDLE --prepare--> READY --connect--> CONNECTED --run--> IDLE
 *
 * A load whose config says so runs under another one, which uses the ports one higher.
 *
 * Each request is answered by {"type": "ok", ...} or {"type": "error", "text"}. Whatever
 * was prepared is dropped on an error, which leads back to IDLE; a request that does not fit the
 * state is an error. End-of-file at any moment ends the agent.
 *
 *	hello   {protocol}                                -> {protocol, version, machine_id}
 *	prepare {load, near, config, any, port, cpus, meters} -> {}
 *	connect {addr, port, timeout_ns}                  -> {}
 *	run     {begin_ns, end_ns}                        -> {report, meters, hist}
 */
#pragma once

#include "bench/readings.h"
#include "stat/hist.h"

/* Serves one controller on the stream socket @ctl_fd. Return: exit status. */
int agent_main(int ctl_fd);

/* What one end says about one trial. */
struct end_report {
	uint64_t begin_ns, end_ns; /* when the counters were really read, that machine's clock */
	uint64_t bytes_tx, bytes_rx;
	uint64_t transactions, lost;
	uint64_t packets_tx, packets_rx, packets_expected;
	uint64_t reordered, duplicated, packets_alien, packets_unsent;
	uint64_t packets_gso, packets_gro, sends_refused, socket_drops;
	uint64_t jitter_ns;
	uint64_t under_bytes_rx;   /* payload of the load beside, in the span */
	uint64_t late, unanswered; /* of the requests due in the span, until the stop */
	struct readings readings;
};
extern const struct field end_report_fields[];
