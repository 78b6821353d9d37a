/* The controller's view of one agent: typed requests with deadlines. */
#pragma once

#include "bench/agent.h"
#include "path/path.h"
#include "load/load.h"
#include "meter/env.h"
#include "sys/spawn.h"
#include "wire/chan.h"

struct endpoint {
	struct chan chan;
	pid_t pid; /* 0: not a process of ours */
	char machine_id[64];
	char version[32]; /* of its tare */
};
#define ENDPOINT_NONE                                                                              \
	{                                                                                          \
		.chan = {.fd = -1, .cancel_fd = -1 }                                               \
	}

/* Starts an agent and greets it. @who: "agent far of path 'nat'"; @cancel_fd: see wire/chan.h. */
int endpoint_spawn(struct endpoint *ep, const struct spawn_args *args, const char *who,
	int cancel_fd, struct err *e) must_check_;
/* The same for an agent at the other end of @fd, which is the endpoint's from now on. */
int endpoint_attach(struct endpoint *ep, int fd, const char *who, int cancel_fd, struct err *e)
	must_check_;
/* The first words on a channel that is open: versions are compared. */
int endpoint_hello(struct endpoint *ep, struct err *e) must_check_;

/* Return: why the agent did not even start, in words, or NULL. */
const char *endpoint_close(struct endpoint *ep);

/* What an agent says of its machine and of what it allows. */
struct endpoint_traits {
	struct env env;
	bool meters[METER_N];
	uint64_t max_span_ns;
	uint64_t max_flows;
};
/* @on_demand: meters, too, that are armed on demand only */
int endpoint_describe(struct endpoint *ep, bool on_demand, struct endpoint_traits *ret,
	struct err *e) must_check_;

struct endpoint_prepare {
	const struct load_ops *load;
	const struct load_cfg *cfg;
	bool near;
	bool near_opens; /* all data sockets; else the end that drives a leg opens its own */
	bool meters[METER_N];
	const char *any; /* address to listen on */
	uint16_t port;
	const char *cpus; /* "": not pinned */
};
/* *ret_port: where the load listens, 0: nowhere; of use when it was asked for port 0 */
int endpoint_prepare(struct endpoint *ep, const struct endpoint_prepare *p, uint16_t *ret_port,
	struct err *e) must_check_;

struct endpoint_connect {
	const char *addr;
	uint16_t port;
	const char *token; /* hex, or "" */
	bool under;        /* the load that the other one runs under, after that one */
};
/*
 * Requests that both ends work on at once are sent to both before either is waited for. A server
 * expects connections once endpoint_expecting() is back; *ret_connected: it needs none.
 */
int endpoint_send_connect(struct endpoint *ep, const struct endpoint_connect *c, struct err *e)
	must_check_;
int endpoint_expecting(struct endpoint *ep, bool *ret_connected, struct err *e) must_check_;
int endpoint_wait_connect(struct endpoint *ep, struct err *e) must_check_;

struct endpoint_run {
	bool relative;     /* begin_ns is a time from hearing it on, else a point of time */
	uint64_t begin_ns; /* of the counted span */
	uint64_t span_ns, interval_ns;
};
int endpoint_send_run(struct endpoint *ep, const struct endpoint_run *run, struct err *e)
	must_check_;

/* During a run: a word without members; the next word of the agent, unless that is an error. */
int endpoint_say(struct endpoint *ep, const char *type, struct err *e) must_check_;
int endpoint_hear(struct endpoint *ep, const char *state, uint64_t deadline_ns, struct doc **ret,
	struct err *e) must_check_;

/* After "finish". @hist: [LOAD_HIST_N], those to be read, initialised */
int endpoint_wait_run(struct endpoint *ep, struct end_report *ret, struct hist **hist,
	struct err *e) must_check_;
