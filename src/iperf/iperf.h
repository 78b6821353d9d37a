/*
 * One iperf3 test, as client or as server: configuration, what is known while it runs, and what
 * both sides say at its end. Filled by iperf/client.c and iperf/server.c, read by
 * report/iperf_text.c and report/iperf_json.c, which print what iperf3 3.21 prints.
 */
#pragma once

#include "load/feed.h"
#include "sys/sock.h"
#include "wire/iperf.h"

#include <math.h>

#define IPERF_MAX_ALL (2 * IPERF_MAX_STREAMS) /* streams of a test with --bidir */

struct iperf_cfg {
	struct iperf_params params;
	/* Not sent to the server. */
	char host[256]; /* client: server's name or address */
	uint16_t port;
	uint16_t cport;              /* client port of the first stream; 0: any */
	char bind[64], bind_dev[16]; /* -B addr%dev */
	int family;                  /* AF_UNSPEC, AF_INET, AF_INET6 */
	uint64_t interval_ns;        /* 0: no interval reports */
	uint64_t connect_timeout_ms, rcv_timeout_ms, snd_timeout_ms;
	int32_t affinity;                                       /* of this process; -1: none */
	char username[64], password[128], public_key_file[256]; /* client's authentication */
	bool pkcs1;     /* RSA padding: PKCS#1 v1.5 instead of OAEP */
	bool keepalive; /* of the control connection; what is 0 below: the system's setting */
	uint32_t keepalive_idle_s, keepalive_interval_s, keepalive_count;
};

/*
 * Counts of one stream over a span, from this side. Times in s since TEST_START, after --omit since
 * its end.
 */
struct iperf_span {
	double start, end; /* s */
	uint64_t bytes;
	bool omitted; /* inside --omit */
	/* TCP sender; valid when has_tcp_info */
	bool has_tcp_info;
	int64_t retransmits;
	uint64_t snd_cwnd, snd_wnd; /* bytes */
	uint32_t rtt, rttvar;       /* us */
	uint32_t pmtu, reorder;
	/* UDP; sender fills packets only */
	uint64_t packets;
	int64_t lost_packets, out_of_order;
	double jitter_ms;
};

struct iperf_stream {
	uint32_t id;
	int socket;  /* descriptor, as iperf3 prints in [ 5] */
	bool sender; /* this side sends */
	char local_host[SOCK_ADDR_LEN], remote_host[SOCK_ADDR_LEN];
	uint16_t local_port, remote_port;
	struct iperf_span interval; /* the last one */
	struct iperf_span total;    /* this side's, omitted time excluded */
	/* TCP sender, over the whole test */
	uint64_t max_snd_cwnd, max_snd_wnd;
	uint32_t min_rtt, max_rtt, mean_rtt; /* us */
	/* The other side's word for this stream, once results were exchanged. */
	bool has_remote;
	struct iperf_stream_result remote;
};

/* CPU of this process and what the other side said of its own, percent of one CPU. */
struct iperf_cpu {
	double host_total, host_user, host_system;
	double remote_total, remote_user, remote_system;
};

struct iperf_test {
	struct iperf_cfg cfg;
	bool is_server;
	char cookie[IPERF_COOKIE_BYTES];
	int64_t started_ms; /* wall clock, ms since 1970, when the control connection was made */
	/* Client: address connected to; server: the client's. */
	char peer_host[SOCK_ADDR_LEN];
	uint16_t peer_port;
	uint32_t tcp_mss_default; /* of the control connection */
	uint32_t sndbuf_actual, rcvbuf_actual;
	uint32_t n_streams;
	struct iperf_stream stream[IPERF_MAX_ALL];
	struct iperf_cpu cpu;
	char sender_congestion[16], receiver_congestion[16]; /* "" unknown */
	bool has_results;                                    /* both sides' results are in */
	char *server_output_text;                            /* of the server, when asked for */
	struct doc *server_output_json;
	struct err error; /* error.code != 0: how the test ended */
};
void iperf_test_fini(struct iperf_test *t);

/*
 * Who is told while a test runs, in this order: start, interval..., end; error at any time, last.
 * Borrowed pointers; called from the thread that runs the test, never while it measures.
 */
struct iperf_sink {
	/* Client: once it is connected; server: once it knows what its client wants. */
	void (*connecting)(struct iperf_sink *s, const struct iperf_test *t);
	void (*start)(struct iperf_sink *s, const struct iperf_test *t);
	void (*interval)(struct iperf_sink *s, const struct iperf_test *t);
	void (*end)(struct iperf_sink *s, const struct iperf_test *t);
	void (*error)(struct iperf_sink *s, const struct iperf_test *t);
	/*
	 * What was reported of this test so far, for a client that asked for the server's output:
	 * called after end, before the results are sent. One of the two is set, both the caller's.
	 */
	void (*output)(struct iperf_sink *s, char **ret_text, struct doc **ret_json);
};

/*
 * iperf_client_run() - one test as client, from connecting to goodbye.
 * @t: zeroed but for cfg; filled also when the test fails, as far as it came
 * @cancel_fd: readable: end the test (CLIENT_TERMINATE), report what there is
 *
 * Return: 0 or negative errno, then t->error has the words.
 */
int iperf_client_run(struct iperf_test *t, struct iperf_sink *sink, int cancel_fd) must_check_;

/* What a server allows; 0: no limit. */
struct iperf_limits {
	uint64_t total_rate_bps; /* shapes, does not refuse */
	uint64_t max_duration_ns;
	uint64_t max_bytes;
	uint32_t max_streams;
	/* Authentication; key file "": none asked for. */
	char private_key_file[256], users_file[256];
	uint32_t skew_s;
	bool pkcs1;
};

struct iperf_session {
	int ctl_fd; /* the cookie has been read from it */
	int cancel_fd;
	struct load_feed *feed;
	const struct iperf_limits *limits;
	struct rsa_auth *auth;    /* who may; NULL: anybody */
	struct gate *shared_gate; /* total rate of the server; NULL: none */
};

/* One test as server. Same conventions; t->cookie and t->peer_* are set by the caller. */
int iperf_server_run(struct iperf_test *t, const struct iperf_session *s, struct iperf_sink *sink)
	must_check_;
