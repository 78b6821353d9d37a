/* What a session does, in its process: one test of iperf3's, or an agent for a tare controller. */
#pragma once

#include "load/gate.h"
#include "report/iperf_output.h"
#include "serve/serve.h"
#include "wire/rsa.h"

/* What all sessions share; made before the server forks, and constant but for gate and auth. */
struct sessions {
	struct rsa_auth *auth;       /* who may run iperf3's tests; NULL: anybody */
	struct gate *gate;           /* total rate, in memory that all share; NULL: no limit */
	struct iperf_report *report; /* of iperf3's tests */
	bool announce;               /* report again that the server listens, after each test */
	uint64_t interval_ns, rcv_timeout_ms; /* of iperf3's tests */
	uint16_t port;
};

/*
 * sessions_init() - read the logins' files and make what is shared, before privileges are dropped.
 * @report: borrowed
 */
int sessions_init(struct sessions *ret, const struct serve_cfg *cfg, struct iperf_report *report,
	struct err *e) must_check_;
void sessions_fini(struct sessions *s);

/* As struct serve_ops wants them; @ctx: struct sessions. */
int sessions_tare(struct serve_session *s, const void *ctx, struct err *e);
int sessions_iperf(struct serve_session *s, const void *ctx, struct err *e);
