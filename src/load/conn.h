/* Opening a leg's sockets from both sides, TCP and UDP. */
#pragma once

#include "load/flow.h"

/* @fd: [n], filled with listening (TCP: only the first) or bound (UDP) sockets, else -1. */
int conn_listen(const struct load_cfg *cfg, bool udp, const char *any, uint16_t port, int *fd,
	uint32_t n, struct err *e) must_check_;

/* Connects @n flows to @addr; UDP flows greet until they are answered. Fills flow[i].fd. */
int conn_active(const struct load_cfg *cfg, bool udp, const char *addr, uint16_t port,
	struct flow *flow, uint32_t n, uint64_t deadline_ns, struct err *e) must_check_;

/* Takes @n connections at @listen_fd [n]; UDP flows take the socket itself. Fills flow[i].fd. */
int conn_passive(const struct load_cfg *cfg, bool udp, int *listen_fd, struct flow *flow,
	uint32_t n, uint64_t deadline_ns, struct err *e) must_check_;
