/* The parts of a load, for the files of the engine only: load.c, join.c, read.c. */
#pragma once

#include "load/flow.h"
#include "load/worker.h"

struct leg {
	bool active; /* this end drives it */
	bool opens;  /* this end opens its sockets */
	uint32_t n_flows, n_workers;
	int *listen_fd; /* [n_flows] */
	struct flow *flow;
	struct gate *gate; /* [n_flows]; NULL: no rate */
	struct worker *worker;
	struct flow_budget budget;
};

struct load {
	const struct load_ops *ops;
	struct load_cfg cfg;
	bool near, udp;
	struct gate *shared_gate;
	struct flow_span span;
	uint32_t n_legs;
	struct leg leg[LOAD_MAX_LEGS];
};

static inline struct flow *load_flow(const struct load *l, uint32_t i)
{
	assert(i < load_n_flows(l));
	return &l->leg[i / l->cfg.flows].flow[i % l->cfg.flows];
}
