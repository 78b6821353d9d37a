/*
 * What listener and session say to each other over a SOCK_SEQPACKET socket. The session asks
 * (feed_ask), the listener gives (feed_give), with a data socket attached (SCM_RIGHTS).
 */
#pragma once

#include "load/feed.h"

#include <stdbool.h>
#include <stdint.h>

enum feed_op {
	FEED_EXPECT, /* sockets are wanted: answered by FEED_TURN */
	FEED_DONE,
	FEED_REPORT, /* what the log says about this session, its last word */
};

enum feed_end {
	FEED_END_DONE,
	FEED_END_ERROR,
	FEED_END_LIMIT,
	FEED_END_KILLED, /* no report came */
	FEED_END_N,
};
extern const char *const feed_end_name[];

struct feed_ask {
	uint32_t op;
	uint32_t round; /* counts expect(); what belongs to an earlier one is out of date */
	/* FEED_EXPECT */
	uint32_t udp, n;
	/* FEED_REPORT */
	uint32_t end;
	uint64_t bytes_tx, bytes_rx;
	char load[32];
	char reason[256];
};

enum feed_kind {
	FEED_TURN,
	FEED_SOCKET,
};

struct feed_give {
	uint32_t kind;
	uint32_t round;
	uint32_t flow;
};

/* Listener's side: never waits. @fd: -1 none, else sent and still the caller's. */
int feed_give(int feed_fd, const struct feed_give *give, int fd) must_check_;

/* The session's side. */
struct feed {
	struct load_feed base; /* first: the functions get a pointer to it */
	int fd, cancel_fd;
	uint32_t round;
};
void feed_init(struct feed *f, int fd, int cancel_fd);
void feed_report(struct feed *f, const struct feed_ask *report);
