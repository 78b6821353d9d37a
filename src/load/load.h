/*
 * Load generators. A load runs at both ends of a path at once; one end is "near", the other "far".
 * It consists of legs: flows that one end opened and drives (it is the leg's active end) and the
 * other answers. stream has one leg per direction, whose active end sends; rr has one, whose
 * active end, near, asks.
 *
 *	open -> listen -> connect -> start -> [count at begin, count at end] -> stop -> close
 *
 * Between start and stop the worker threads allocate, open, lock and log nothing. Each counter
 * has one writer; load_count() may read them at any time.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/opt.h"
#include "stat/hist.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define LOAD_MAX_FLOWS   1024 /* per leg; also the number of published ports of a path */
#define LOAD_MAX_THREADS 64   /* per leg */
#define LOAD_MAX_LEGS    2

enum load_dir {
	LOAD_DIR_EACH, /* tx and rx, as two loads; not a configuration that can run */
	LOAD_DIR_TX,
	LOAD_DIR_RX,
	LOAD_DIR_BOTH,
	LOAD_DIR_N,
};
extern const char *const load_dir_name[LOAD_DIR_N];

enum load_proto {
	LOAD_PROTO_EACH, /* tcp and udp, as two loads */
	LOAD_PROTO_TCP,
	LOAD_PROTO_UDP,
	LOAD_PROTO_N,
};
extern const char *const load_proto_name[LOAD_PROTO_N];

/* Members of all loads; each load's option table shows the ones it reads. */
struct load_cfg {
	uint32_t dir;   /* enum load_dir */
	uint32_t proto; /* enum load_proto */
	uint32_t flows;
	uint32_t threads; /* 0: one per flow, up to the CPUs of that end */
	uint32_t block_bytes;
	uint32_t req_bytes, rsp_bytes;
	uint32_t sndbuf_bytes, rcvbuf_bytes; /* 0: left to the kernel's auto-tuning */
	char congestion[16];                 /* "": the kernel's default */
};

struct load_count {
	uint64_t bytes_tx, bytes_rx; /* payload, all flows of this end */
	uint64_t transactions;       /* completed here */
	uint64_t lost;               /* requests without an answer in time */
};

struct flow;

struct load_ops {
	const char *name;
	const char *summary;
	const struct opt *opts; /* on struct load_cfg */
	const struct load_cfg *defaults;
	const char *each; /* the option whose value "each" stands for several loads */

	int (*check)(const struct load_cfg *cfg, struct err *e);
	/* Does the near (or far) end drive a leg? */
	bool (*drives)(const struct load_cfg *cfg, bool near);
	/* Sets sizes and the first thing to do of a connected flow. */
	void (*flow_init)(struct flow *f, const struct load_cfg *cfg);
	/* See load/flow.h. */
	int (*flow_step)(struct flow *f, int flags);
};

extern const struct load_ops *const load_table[]; /* NULL-terminated */
const struct load_ops *load_find(const char *name);

struct load;

struct load_args {
	const struct load_ops *ops;
	const struct load_cfg *cfg;
	bool near;
	const uint32_t *cpus; /* [n_cpus], thread i is pinned to cpus[i % n_cpus] */
	uint32_t n_cpus;      /* 0: not pinned */
};

int load_open(struct load **ret, const struct load_args *args, struct err *e) must_check_;
void load_close(struct load *l);
DEFINE_CLEANUP(struct load *, load_close, load_closep)

/* Binds what the other end will connect to. @any: "0.0.0.0" or "::". UDP flow i takes port + i. */
int load_listen(struct load *l, const char *any, uint16_t port, struct err *e) must_check_;

/* Connects this end's active leg to @addr:@port, then takes the other end's connections. */
int load_connect(struct load *l, const char *addr, uint16_t port, uint64_t deadline_ns,
	struct err *e) must_check_;

/*
 * load_start() - start the threads. Latencies are kept of transactions that begin and end within
 * [@begin_ns, @end_ns); before and after is warm-up and run-out.
 */
int load_start(struct load *l, uint64_t begin_ns, uint64_t end_ns, struct err *e) must_check_;

/* Totals since start. */
void load_count(const struct load *l, struct load_count *ret);

/* CPU-time clocks of the running threads. @ret: [@max]. Return: how many. */
uint32_t load_thread_clocks(const struct load *l, clockid_t *ret, uint32_t max);

/* TCP sockets on which this end sends payload. @ret: [@max]. Return: how many. */
uint32_t load_sending_fds(const struct load *l, int *ret, uint32_t max);

/* Stops and joins the threads. Return: 0, or the first error a flow met before the end. */
int load_stop(struct load *l, struct err *e) must_check_;

/* Adds the latencies of this end's transactions; after load_stop(). */
void load_latency(const struct load *l, struct hist *into);
