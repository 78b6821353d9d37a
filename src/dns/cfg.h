/* What a DNS test asks, how, and how much of it. */
#pragma once

#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

#define DNS_MAX_CLIENTS 4096
#define DNS_MAX_THREADS 64

enum dns_protocol {
	DNS_UDP,
	DNS_TCP,
	DNS_PROTOCOL_N,
};
extern const char *const dns_protocol_name[DNS_PROTOCOL_N];

enum dns_search {
	DNS_SEARCH_MLR,
	DNS_SEARCH_BINARY,
	DNS_SEARCH_BINARY_LV,
	DNS_SEARCH_N,
};
extern const char *const dns_search_name[DNS_SEARCH_N];

struct dns_cfg {
	/* The server, and who asks it. */
	uint32_t port;
	uint32_t protocol;
	uint32_t clients; /* sockets, each with a port of its own */
	uint32_t threads;
	uint32_t client_port; /* of the first client, the others' follow; 0: the kernel's choice */

	/* Queries. */
	char query_file[256];
	char names[256];
	char type[16];
	uint32_t edns_bytes; /* 0: no EDNS */
	bool dnssec, no_recursion;

	/* How much: rate, or outstanding, or neither, which is a search. */
	uint64_t rate_qps;
	uint32_t outstanding;
	uint64_t time_ns;
	uint64_t interval_ns;
	uint64_t timeout_ns;  /* no answer so long after a query was due: lost */
	uint64_t slip_max_ns; /* what could not be sent so long after it was due is not sent */

	/* The search. */
	uint32_t search;
	uint32_t loss_ratio_ppm, width_ppm, exceed_ratio_ppm;
	uint64_t trial_ns, sum_ns;
	uint64_t min_rate_qps, max_rate_qps;
	uint32_t repeat;
	uint64_t max_loss;
	uint64_t search_max_ns;
};
extern const struct dns_cfg dns_cfg_default;
extern const struct opt dns_server_opts[], dns_query_opts[], dns_load_opts[], dns_search_opts[];

/* What no single option can see. Return: 0, or -EINVAL. */
int dns_cfg_check(const struct dns_cfg *cfg, struct err *e) must_check_;
