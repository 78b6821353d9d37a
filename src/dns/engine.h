/* Clients of one DNS server, which stay the same from trial to trial. */
#pragma once

#include "base/cleanup.h"
#include "dns/cfg.h"
#include "dns/query.h"
#include "dns/trial.h"

struct dns_engine;

/* What came about in an interval of a trial. */
struct dns_interval {
	uint64_t begin_ns, end_ns; /* after the trial's begin */
	uint64_t sent, answered, lost;
};

struct dns_ask {
	double rate_qps;      /* 0: closed loop */
	uint32_t outstanding; /* closed loop: of all clients */
	uint64_t duration_ns;
	int cancel_fd;
	struct hist *hist; /* latencies are added to it; NULL: not wanted */
	uint64_t interval_ns;
	void (*told)(void *ctx, const struct dns_interval *x); /* NULL: nobody wants to know */
	void *ctx;
};

/*
 * dns_engine_open() - opens the clients' sockets; TCP connects them.
 * @cfg, @queries: borrowed until dns_engine_close()
 *
 * Return: 0 or negative errno: -EHOSTUNREACH (no such host), -ECONNREFUSED, ...
 */
int dns_engine_open(struct dns_engine **ret, const struct dns_cfg *cfg, const char *host,
	const struct dns_queries *queries, struct err *e) must_check_;
void dns_engine_close(struct dns_engine *x);
DEFINE_CLEANUP(struct dns_engine *, dns_engine_close, dns_engine_closep)

/* Address of the server. */
const char *dns_engine_ip(const struct dns_engine *x);

/*
 * dns_engine_trial() - sends for the duration, and waits for the answers.
 *
 * Return: 0, also when interrupted, which @ret says; or negative errno when it could not go on.
 */
int dns_engine_trial(struct dns_engine *x, const struct dns_ask *ask, struct dns_trial *ret,
	struct err *e) must_check_;
