/* The threads under a load. */
#pragma once

#include "load/flow.h"

#include <pthread.h>

struct worker {
	const struct load_ops *ops;
	struct flow *flow; /* [n_flows], a slice of the leg's */
	uint32_t n_flows, n_done;
	uint32_t cpu; /* UINT32_MAX: not pinned */
	struct flow_span *span;
	bool blocks;  /* one flow, which blocks in its socket calls */
	bool timed;   /* some flow has had a wake_ns */
	int epoll_fd; /* -1: none */
	struct hist *hist[LOAD_HIST_N];
	pthread_t thread;
	bool running;
	uint32_t first_cpu, last_cpu;
	atomic_bool ended; /* the thread has nothing more to do */
	int error;         /* negative errno, written before the thread ends */
	uint64_t error_ns; /* when; errors past the end of the span are the other end's farewell */
};

int worker_start(struct worker *w, struct err *e) must_check_;
/* Waits for the thread, which has been told to stop. */
void worker_join(struct worker *w);
void worker_fini(struct worker *w);
