/*
 * What the files of this folder share: the listener's whole state.
 *
 * Memory is bounded by the limits and taken at the start: a pending connection is 96 bytes (512 of
 * them, 48 KiB), a session about 1.3 KiB (128 by default, 170 KiB), a datagram put aside 104 bytes
 * (256 of them, 26 KiB). What the kernel holds for pending connections is bounded by their number
 * and the socket buffers; nobody can make the listener read more than 37 bytes of one.
 */
#pragma once

#include "serve/access.h"
#include "serve/cfg.h"
#include "serve/feed.h"
#include "serve/log.h"
#include "serve/peer.h"
#include "serve/sniff.h"

#include <sys/types.h>

#define SERVE_MAX_PENDING          512
#define SERVE_MAX_PENDING_PER_ADDR 64
/* How long one session may keep others of its address from opening UDP flows. */
#define SERVE_TURN_NS (2 * NSEC_PER_SEC)
/* From SIGTERM to SIGKILL of a session. */
#define SERVE_FAREWELL_NS (2 * NSEC_PER_SEC)

/* What an epoll event is about, and of which slot. A stale event finds nothing to read. */
enum watch {
	WATCH_LISTEN,
	WATCH_UDP,
	WATCH_SIGNAL,
	WATCH_PENDING,
	WATCH_FEED,
	WATCH_PROCESS,
};

struct pending {
	int fd; /* -1: free slot */
	struct peer peer;
	uint64_t since_ns;
	bool linger; /* refused: read until the client closes, so that it gets the reason */
	uint8_t len;
	uint8_t buf[SNIFF_MAX_BYTES];
};

struct session {
	pid_t pid; /* 0: free slot */
	int pid_fd, feed_fd;
	uint64_t number; /* counts all sessions, for the log */
	enum serve_proto proto;
	struct peer peer;
	uint8_t token[MAGIC_TOKEN_BYTES];
	char cookie[IPERF_COOKIE_BYTES];
	uint64_t since_ns;
	uint64_t term_ns; /* when SIGTERM was sent; 0: not yet */
	/* Data sockets, between expect() and done(). */
	bool expects, udp;
	bool waits;                         /* for the turn to open UDP flows */
	uint64_t turn_number;               /* order of those who wait */
	uint64_t turn_until_ns;             /* has the turn until then */
	uint32_t round, n_flows, max_flows; /* max: as many as the session expects */
	uint16_t port[SERVE_MAX_FLOWS];     /* [n_flows] the peer's, UDP */
	uint32_t flow[SERVE_MAX_FLOWS];     /* [n_flows] as the opener said */
	bool reported;
	struct feed_ask report;
};

/* A datagram that came to the wrong socket, see udp.c. */
#define STRAY_MAX   256
#define STRAY_BYTES 32 /* longer ones are nobody's hello */
struct stray {
	struct peer from, to;
	size_t len; /* real length */
	uint8_t data[STRAY_BYTES];
};

struct server {
	const struct serve_cfg *cfg;
	const struct serve_ops *ops;
	struct serve_limits limits;
	struct access_list allow;
	struct key key;
	struct log log;
	int epoll_fd, listen_fd, udp_fd, signal_fd;
	int family;            /* of the sockets */
	uint64_t accept_at_ns; /* out of descriptors: not before then; 0: now */
	struct pending pending[SERVE_MAX_PENDING];
	uint32_t n_pending;
	struct session *session; /* [cfg->max_sessions] */
	uint32_t n_sessions;
	uint64_t sessions_ever, turns_ever;
	struct stray stray[STRAY_MAX]; /* [n_strays] */
	uint32_t n_strays;
	/* Since the last line about them. */
	uint64_t n_refused, n_datagrams_dropped;
	uint64_t said_ns;
	uint64_t stop_ns; /* 0: serving */
	bool one_failed;  /* the session of --one-off */
};

int server_watch(struct server *s, int fd, enum watch watch, uint32_t slot) must_check_;

/* listen.c */
int listen_open(struct server *s, struct err *e) must_check_;
/* One socket of its own, not blocking. Return: descriptor, or negative errno. */
int listen_at(int type, const char *ip, uint16_t port, struct err *e) must_check_;
/* Appends "192.0.2.1:9000" or "[2001:db8::1]:9000"; the port is that of @fd. */
void listen_where(const char *ip, int fd, char *ret, size_t size);
void listen_text(const struct server *s, char *ret, size_t size);

/* pending.c */
void pending_accept(struct server *s);
void pending_read(struct server *s, uint32_t slot);
void pending_close_all(struct server *s);
/* Closes what is overdue. Return: when the next one will be, UINT64_MAX: never. */
uint64_t pending_tick(struct server *s, uint64_t now_ns);

/* session.c */
/* Return: 0, or negative errno with the reason for the client in @e. @ctl_fd stays the caller's. */
int session_start(struct server *s, const struct session *like, int ctl_fd, struct err *e)
	must_check_;
struct session *session_by_cookie(struct server *s, const char *cookie);
struct session *session_by_token(struct server *s, const uint8_t *token);
/* Hands a data socket on; @fd stays the caller's. Return: 0 or negative errno. */
int session_give(struct session *x, int fd, uint32_t flow) must_check_;
void session_read(struct server *s, uint32_t slot);
void session_reap(struct server *s, uint32_t slot);
void session_end(struct session *x, uint64_t now_ns);
uint64_t session_tick(struct server *s, uint64_t now_ns);

/* turn.c: whose turn it is to open UDP flows, of one address */
void turn_ask(struct server *s, struct session *x, uint64_t now_ns);
void turn_return(struct server *s, struct session *x, uint64_t now_ns);
struct session *turn_holder(struct server *s, const struct peer *p);
uint64_t turn_tick(struct server *s, uint64_t now_ns);

/* child.c: the session's process */
struct child_args {
	struct server *server; /* this process's copy */
	const struct session *session;
	int ctl_fd, feed_fd;
	pid_t parent;
};
_Noreturn void child_main(const struct child_args *a);

/* udp.c */
void udp_read(struct server *s);
