/*
 * The other machine of a run: a tare server found by name and port, its agent behind a control
 * connection. Data connections all go from here to there, to the same port.
 */
#pragma once

#include "bench/endpoint.h"
#include "bench/interval.h"
#include "bench/token.h"
#include "path/path.h"
#include "sys/sock.h"

/* A CPU list of one end, as an agent takes it. */
#define REMOTE_CPUS_BYTES 256

/* How to reach it; stored with the result. */
struct remote_cfg {
	char host[256]; /* "": both ends are here */
	uint32_t port;
	bool ipv4, ipv6; /* only such an address */
	char key_file[256];
	char near_ns[128];    /* where near is (sys/nsref.h); "": here */
	char cpus[512];       /* "near/far", CPU lists of threads; either may be empty */
	uint64_t interval_ns; /* 0: no intervals */
};
extern const struct remote_cfg remote_cfg_default;
extern const struct opt remote_opts[];

/* What was found there. */
struct remote_info {
	char host[256], addr[64];
	uint32_t port;
	char version[32]; /* of its tare */
	bool same_machine;
	struct env env;
};
extern const struct field remote_fields[]; /* without env */

/* The way between two machines, which nobody built here. */
extern const struct path_ops path_remote;

struct remote {
	const struct remote_cfg *cfg;
	int near_fd; /* the namespace of near and of the control connection; -1: the caller's */
	char addr[SOCK_ADDR_LEN];
	uint8_t key[1024];
	size_t key_bytes; /* 0: none */
	char token[2 * MAGIC_TOKEN_BYTES + 1];
};

/* Checks what is given by words (the CPU lists). */
int remote_check(const struct remote_cfg *cfg, struct err *e) must_check_;

/* CPU list of one end, "" if none was given. */
void remote_cpus(const struct remote_cfg *cfg, bool far, char *ret, size_t size);

/* Reads the key, resolves the host and finds near's namespace; remote_fini() is due in any case. */
int remote_init(struct remote *r, const struct remote_cfg *cfg, struct err *e) must_check_;
/* From the namespace @netns_fd, which a path was built in, instead of the cfg's. */
int remote_begin_at(struct remote *r, int netns_fd, struct err *e) must_check_;
void remote_fini(struct remote *r);

/* Opens a control connection: a new session, a new token, a new agent. */
int remote_connect(struct remote *r, struct endpoint *ep, struct err *e) must_check_;
