/* The controller's view of one agent: typed requests with deadlines. */
#pragma once

#include "bench/agent.h"
#include "path/path.h"
#include "load/load.h"
#include "sys/spawn.h"
#include "wire/chan.h"

struct endpoint {
	struct chan chan;
	pid_t pid; /* 0: not a process of ours */
	char machine_id[64];
};
#define ENDPOINT_NONE                                                                              \
	{                                                                                          \
		.chan = {.fd = -1, .cancel_fd = -1 }                                               \
	}

/* Starts an agent and greets it. @who: "agent far of path 'nat'"; @cancel_fd: see wire/chan.h. */
int endpoint_spawn(struct endpoint *ep, const struct spawn_args *args, const char *who,
	int cancel_fd, struct err *e) must_check_;
/* Return: why the agent did not even start, in words, or NULL. */
const char *endpoint_close(struct endpoint *ep);

struct endpoint_prepare {
	const struct load_ops *load;
	const struct load_cfg *cfg;
	bool near;
	bool meters[METER_N];
	const char *any; /* address to listen on */
	uint16_t port;
	const char *cpus; /* "": not pinned */
};
int endpoint_prepare(struct endpoint *ep, const struct endpoint_prepare *p, struct err *e)
	must_check_;

/* Requests that both ends work on at once are sent to both before either is waited for. */
int endpoint_send_connect(struct endpoint *ep, const char *addr, uint16_t port, struct err *e)
	must_check_;
int endpoint_wait_connect(struct endpoint *ep, struct err *e) must_check_;
int endpoint_send_run(struct endpoint *ep, uint64_t begin_ns, uint64_t end_ns, struct err *e)
	must_check_;
/* @hist: [LOAD_HIST_N], those to be read, initialised */
int endpoint_wait_run(struct endpoint *ep, uint64_t end_ns, struct end_report *ret,
	struct hist **hist, struct err *e) must_check_;
