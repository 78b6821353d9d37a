#include "dns/cfg.h"

#include <errno.h>

const char *const dns_protocol_name[] = {
	[DNS_UDP] = "udp",
	[DNS_TCP] = "tcp",
};
static_assert(ARRAY_SIZE(dns_protocol_name) == DNS_PROTOCOL_N);

const char *const dns_search_name[] = {
	[DNS_SEARCH_MLR] = "mlr",
	[DNS_SEARCH_BINARY] = "binary",
	[DNS_SEARCH_BINARY_LV] = "binary-lv",
};
static_assert(ARRAY_SIZE(dns_search_name) == DNS_SEARCH_N);

/*
 * 1232 bytes: Ref: DNS Flag Day 2020, the EDNS buffer size that no path should fragment. Exceed
 * ratio 50 %: Ref: RFC 9971, as CSIT's goals. The sum is shorter than CSIT's 21 s, since a server
 * is steadier than a forwarder; METHOD.md.
 */
const struct dns_cfg dns_cfg_default = {
	.port = 53,
	.clients = 16,
	.threads = 1,
	.type = "A",
	.edns_bytes = 1232,
	.time_ns = 10 * NSEC_PER_SEC,
	.interval_ns = 1 * NSEC_PER_SEC,
	.timeout_ns = 1 * NSEC_PER_SEC,
	.slip_max_ns = 25 * NSEC_PER_MSEC,
	.width_ppm = 50000,
	.exceed_ratio_ppm = 500000,
	.trial_ns = 1 * NSEC_PER_SEC,
	.sum_ns = 10 * NSEC_PER_SEC,
	.repeat = 3,
	.max_loss = 1000,
	.search_max_ns = 600 * NSEC_PER_SEC,
};

const struct opt dns_server_opts[] = {
	OPT_U32(struct dns_cfg, port, "port", 'p', "<port>", "port of the server", .min = 1,
		.max = 65535),
	OPT_ENUM(struct dns_cfg, protocol, "protocol", 0, dns_protocol_name, "transport"),
	OPT_U32(struct dns_cfg, clients, "clients", 'c', "<n>",
		"clients: sockets with a port of their own each, or connections", .min = 1,
		.max = DNS_MAX_CLIENTS),
	OPT_U32(struct dns_cfg, threads, "threads", 'T', "<n>", "threads that share the clients",
		.min = 1, .max = DNS_MAX_THREADS),
	OPT_U32(struct dns_cfg, client_port, "client-port", 0, "<port>",
		"source port of the first client, the others' follow; 0: as the kernel likes",
		.min = 1, .max = 65535, .zero_ok = true),
	OPT_END,
};

const struct opt dns_query_opts[] = {
	OPT_STR(struct dns_cfg, query_file, "query-file", 'd', "<file>",
		"queries, one \"name type\" a line as dnsperf reads them, used in turn; -: stdin"),
	OPT_STR(struct dns_cfg, names, "names", 'n', "<name>",
		"names to ask for in turn; host{1-1000}.example.com stands for 1000 of them"),
	OPT_STR(struct dns_cfg, type, "type", 0, "<type>",
		"what to ask of --names: A, TXT, TYPE65"),
	OPT_U32(struct dns_cfg, edns_bytes, "edns-bytes", 0, "<n>",
		"largest answer over UDP, said by EDNS; 0: no EDNS", .min = 512, .max = 65535,
		.zero_ok = true),
	OPT_FLAG(struct dns_cfg, dnssec, "dnssec", 'D', "ask for signatures, too: the DO bit"),
	OPT_FLAG(struct dns_cfg, no_recursion, "no-recursion", 0, "do not ask for recursion"),
	OPT_END,
};

const struct opt dns_load_opts[] = {
	OPT_U64(struct dns_cfg, rate_qps, "rate", 'r', "<rate>",
		"queries a second, on a schedule, whatever is answered; 0: search for the rate",
		.unit = NUM_PER_S, .min = 1, .max = 100000000, .zero_ok = true),
	OPT_U32(struct dns_cfg, outstanding, "outstanding", 'q', "<n>",
		"closed loop instead: so many unanswered queries at any time; 0: none", .min = 1,
		.max = 1 << 20, .zero_ok = true),
	OPT_U64(struct dns_cfg, time_ns, "time", 't', "<time>",
		"how long; after a search, of each trial for the latencies", .unit = NUM_DURATION,
		.min = 50 * NSEC_PER_MSEC, .max = 24 * 3600 * NSEC_PER_SEC),
	OPT_U64(struct dns_cfg, interval_ns, "interval", 'i', "<time>",
		"a line so often, with --rate and --outstanding; 0: none", .unit = NUM_DURATION,
		.min = 50 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_U64(struct dns_cfg, timeout_ns, "timeout", 0, "<time>",
		"a query without an answer so long after it was due is lost", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 60 * NSEC_PER_SEC),
	OPT_U64(struct dns_cfg, slip_max_ns, "slip-max", 0, "<time>",
		"a query that could not be sent so long after it was due is not sent, and lost",
		.unit = NUM_DURATION, .min = 100 * NSEC_PER_USEC, .max = 10 * NSEC_PER_SEC),
	OPT_END,
};

const struct opt dns_search_opts[] = {
	OPT_ENUM(struct dns_cfg, search, "search", 0, dns_search_name,
		"method: RFC 9971, or TST 009's binary search, or that with loss verification"),
	OPT_U32(struct dns_cfg, loss_ratio_ppm, "loss-ratio", 0, "<percent>",
		"goal: no more of the queries is lost", .unit = NUM_PERCENT, .min = 0,
		.max = 999999),
	OPT_U32(struct dns_cfg, width_ppm, "width", 0, "<percent>",
		"search until the bounds are so close", .unit = NUM_PERCENT, .min = 1000,
		.max = 500000),
	OPT_U64(struct dns_cfg, trial_ns, "trial-time", 0, "<time>", "length of a full trial",
		.unit = NUM_DURATION, .min = 50 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct dns_cfg, sum_ns, "sum-time", 0, "<time>",
		"mlr: full trials of a load add up to so much before it is judged",
		.unit = NUM_DURATION, .min = 50 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U32(struct dns_cfg, exceed_ratio_ppm, "exceed-ratio", 0, "<percent>",
		"mlr: so much of that time may have trials over the goal", .unit = NUM_PERCENT,
		.min = 0, .max = 999999),
	OPT_U32(struct dns_cfg, repeat, "repeat", 0, "<n>",
		"binary-lv: trials of a load, at most, until one is within the goal", .min = 1,
		.max = 100),
	OPT_U64(struct dns_cfg, max_loss, "max-loss", 0, "<n>",
		"binary-lv: a trial that lost more queries is not repeated", .min = 0,
		.max = 1000000000),
	OPT_U64(struct dns_cfg, min_rate_qps, "min-rate", 0, "<rate>",
		"lowest rate; 0: a hundredth of --max-rate", .unit = NUM_PER_S, .min = 1,
		.max = 100000000, .zero_ok = true),
	OPT_U64(struct dns_cfg, max_rate_qps, "max-rate", 0, "<rate>",
		"highest rate; 0: twice what the server answers in closed loop", .unit = NUM_PER_S,
		.min = 1, .max = 100000000, .zero_ok = true),
	OPT_U64(struct dns_cfg, search_max_ns, "search-max", 0, "<time>",
		"end the search then; 0: no limit", .unit = NUM_DURATION, .min = NSEC_PER_SEC,
		.max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_END,
};

int dns_cfg_check(const struct dns_cfg *cfg, struct err *e)
{
	if (!*cfg->query_file == !*cfg->names)
		return err_say(e, EINVAL, "%s --names and --query-file says what to ask",
			*cfg->names ? "only one of" : "one of");
	if (cfg->rate_qps && cfg->outstanding)
		return err_say(e, EINVAL, "--rate is an open loop, --outstanding a closed one");
	if (cfg->threads > cfg->clients)
		return err_say(e, EINVAL, "%u threads can't share %u clients", cfg->threads,
			cfg->clients);
	if (cfg->client_port && cfg->client_port + cfg->clients > 65536)
		return err_say(e, EINVAL, "there are no %u ports from %u on", cfg->clients,
			cfg->client_port);
	if (cfg->max_rate_qps && cfg->min_rate_qps >= cfg->max_rate_qps)
		return err_say(e, EINVAL, "--min-rate is not below --max-rate");
	if (cfg->sum_ns < cfg->trial_ns)
		return err_say(e, EINVAL, "--sum-time is shorter than --trial-time");
	if (cfg->dnssec && !cfg->edns_bytes)
		return err_say(e, EINVAL, "--dnssec needs EDNS, which --edns-bytes 0 turns off");
	return 0;
}
