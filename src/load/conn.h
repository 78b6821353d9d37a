/* Opening a leg's sockets from both sides, TCP and UDP. */
#pragma once

#include "load/flow.h"

/* @fd: [n], filled with listening (TCP: only the first) or bound (UDP) sockets, else -1. */
int conn_listen(const struct load_cfg *cfg, bool udp, const char *any, uint16_t port, int *fd,
	uint32_t n, struct err *e) must_check_;

struct conn_args {
	const struct load_cfg *cfg;
	bool udp;
	const struct load_peer *peer;
	uint64_t deadline_ns;
};

/*
 * conn_open() - connect @n flows to the peer and say the token; UDP flows greet until answered.
 * Fills flow[i].fd. @first: number of flow[0] in the token
 */
int conn_open(const struct conn_args *args, struct flow *flow, uint32_t n, uint32_t first,
	struct err *e) must_check_;

/* Takes @n connections at @listen_fd [n]; UDP flows take the socket itself. Fills flow[i].fd. */
int conn_take(const struct conn_args *args, int *listen_fd, struct flow *flow, uint32_t n,
	struct err *e) must_check_;

/* Says to @n flows of a load that connects as it runs whom to connect to. */
int conn_aim(const struct conn_args *args, struct flow *flow, uint32_t n, struct err *e)
	must_check_;

/* Gives each of @n flows of such a load a descriptor of the listening socket. */
int conn_share(const struct conn_args *args, int listen_fd, bool blocking, struct flow *flow,
	uint32_t n, struct err *e) must_check_;

/* Answers the greeting that a feed has taken from @fd. */
int conn_answer(const struct conn_args *args, int fd, uint32_t number, struct err *e) must_check_;

/* Sets what a connected socket needs for its load. @sends: this end drives it */
int conn_finish(const struct load_cfg *cfg, bool udp, bool sends, int fd, struct err *e)
	must_check_;
