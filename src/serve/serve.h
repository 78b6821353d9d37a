/*
 * The server: one listener process on one port for TCP and UDP, one forked process per session.
 *
 * The listener alone accepts. It reads a connection's first bytes, finds out whose it is and hands
 * it on; it never waits for anybody. A session runs one test in a process of its own and gets its
 * data sockets by a struct load_feed, so whatever happens in one session stays there.
 */
#pragma once

#include "base/cleanup.h"
#include "base/opt.h"
#include "load/feed.h"
#include "sys/sock.h"
#include "wire/iperf.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVE_MAX_FLOWS 256 /* per session; --max-flows can only lower it */
#define SERVE_KEEP_FDS  4

struct serve_cfg {
	char bind[64]; /* "": all addresses */
	uint32_t port;
	char allow[1024];
	char key_file[256];
	char user[32];
	char log_file[256]; /* "": stderr */
	uint32_t max_sessions, max_sessions_per_addr;
	uint32_t max_flows;
	uint64_t max_duration_ns;
	uint64_t max_bytes;      /* 0: no limit */
	uint64_t total_rate_bps; /* 0: no limit */
	uint64_t handshake_ns;
	char rsa_private_key_file[256],
		rsa_users_file[256]; /* of iperf3's clients; "": no logins */
	uint32_t rsa_skew_s;
	bool rsa_pkcs1;
	bool one_off, no_sandbox;
};
extern const struct serve_cfg serve_cfg_default;
extern const struct opt serve_opts[];

/* What a session has to keep to; 0: no limit. */
struct serve_limits {
	uint64_t total_rate_bps; /* of all sessions: shapes, does not refuse */
	uint64_t max_duration_ns;
	uint64_t max_bytes;
	uint32_t max_flows;
	uint64_t handshake_ns;
	bool confined; /* seccomp ends what calls more than was foreseen */
};

enum serve_proto {
	SERVE_TARE,
	SERVE_IPERF,
	SERVE_PROTO_N,
};

/* One session, in its own process. */
struct serve_session {
	int ctl_fd;    /* blocking; the session's to close. Cookie or greeting are read. */
	int cancel_fd; /* readable: the server ends; say so to the client and return */
	struct load_feed *feed;
	const struct serve_limits *limits;
	uint32_t number; /* from 1 */
	char peer_host[SOCK_ADDR_LEN];
	uint16_t peer_port;
	char cookie[IPERF_COOKIE_BYTES]; /* iperf3 */
	/* To be filled for the log. */
	char load[32];
	uint64_t bytes_tx, bytes_rx;
};

/* A session that ended because of a limit. */
#define SERVE_LIMIT 1

/*
 * What serves a session, for each protocol; NULL: its clients are refused. Runs in the session's
 * process and may do there what it likes.
 *
 * Return: 0, SERVE_LIMIT (words in @e), or negative errno.
 */
struct serve_ops {
	int (*tare)(struct serve_session *s, const void *ctx, struct err *e);
	int (*iperf)(struct serve_session *s, const void *ctx, struct err *e);
	const void *ctx;
	bool iperf_auth; /* iperf3's clients have to authenticate; else a key refuses them */
	/* Descriptors that sessions need besides; -1: none. Borrowed. */
	int keep_fd[SERVE_KEEP_FDS];
};

struct server;

/* Opens sockets, key and log; drops privileges. @cfg and @ops must live as long as the server. */
int serve_open(struct server **ret, const struct serve_cfg *cfg, const struct serve_ops *ops,
	struct err *e) must_check_;

/* "[::]:5201 (TCP, UDP), everybody, no key" */
void serve_describe(const struct server *s, char *ret, size_t size);

/*
 * serve_run() - serve until SIGTERM, SIGINT or SIGHUP, or with --one-off for one session.
 * Return: 0, SERVE_SESSION_FAILED (the one session did), or negative errno.
 */
#define SERVE_SESSION_FAILED 1
int serve_run(struct server *s, struct err *e) must_check_;

void serve_close(struct server *s);
DEFINE_CLEANUP(struct server *, serve_close, serve_closep)
