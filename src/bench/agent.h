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
 *	hello    {protocol}                         -> {protocol, version, machine_id}
 *	describe {on_demand}                        -> {env, meters, max_span_ns, max_flows}
 *	prepare  {load, near, config, opener, any, port, cpus, meters} -> {port}
 *	connect  {addr, port, token, timeout_ns}    -> {}
 *	connect_under {the same}                    -> {}, for the load that the first runs under
 *	run      {begin_ns, end_ns, interval_ns}    -> {report, meters, hist}
 *	run      {in_ns, span_ns, interval_ns}      the same, from when it is received on
 *
 * on_demand: are meters to be told that are armed on demand only? They are dear to look for.
 * opener says who opens the data sockets: the end that drives a leg ("driver") or always near
 * ("near"). token is 16 bytes in hex that make the opener's connections known to a server, or "".
 * port, answered, is the one that a load listens on, or 0. A server's agent says {"type":
 * "expecting"} before it answers connect: near may connect from then on.
 * Between run and its answer further words go both ways: see bench/observe.h.
 */
#pragma once

#include "bench/observe.h"

#include <stdint.h>

/* What a server allows a controller it does not know. Members that are 0 do not limit. */
struct agent_limits {
	uint64_t max_span_ns;      /* warm-up and counted span, each */
	uint64_t max_bytes;        /* sent and received by this end in all */
	uint64_t max_buffer_bytes; /* blocks or messages of all flows of this end together */
	uint64_t idle_ns;          /* how long the controller may be silent between requests */
	uint32_t max_flows;
	bool confined;            /* no meter that loads programs into the kernel */
	struct gate *shared_gate; /* the rate of all sessions together, see load/gate.h; borrowed */
};

/* What was done, for a log; kept up to date while the agent runs. */
struct agent_tally {
	char load[32]; /* the last one */
	uint32_t n_trials;
	uint64_t bytes_tx, bytes_rx;                 /* in counted spans */
	char error[sizeof(((struct err *)0)->text)]; /* the last one told to the controller */
};

struct agent_args {
	int ctl_fd;             /* stream socket; the agent's from now on */
	int cancel_fd;          /* readable: tell the controller, and end; -1: none. Borrowed. */
	struct load_feed *feed; /* where data sockets come from; NULL: it listens itself */
	struct agent_limits limits;
	const char *peer;          /* who the controller is, for messages; NULL: "controller" */
	struct agent_tally *tally; /* NULL: not wanted */
};

/*
 * agent_serve() - serve one controller until it closes the control socket. With a feed the agent
 * is a server's: it can only be the far end, and opens no connection of its own.
 */
void agent_serve(const struct agent_args *args);

/* The same for an agent of our own, in a process of its own. Return: exit status. */
int agent_main(int ctl_fd);
