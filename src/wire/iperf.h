/*
 * The wire protocol of iperf3 (3.1 to 3.21): state bytes, the cookie, the parameters and results in
 * JSON, the UDP headers. Everything read is checked: whoever is at the other end may be anybody.
 */
#pragma once

#include "base/err.h"
#include "wire/doc.h"

#include <stdbool.h>
#include <stdint.h>

#define IPERF_PORT         5201
#define IPERF_COOKIE_BYTES 37   /* 36 characters and a NUL */
#define IPERF_MAX_STREAMS  128  /* each way */
#define IPERF_MAX_PARAMS   8192 /* bytes of the parameter block */
/* Results of 2 * 128 streams with the server's whole output: a longer block is refused. */
#define IPERF_MAX_RESULTS (16U << 20)
/* A client's results have no output in them: its JSON is not worth the server's memory. */
#define IPERF_MAX_CLIENT_RESULTS (256U << 10)

enum iperf_state {
	IPERF_TEST_START = 1,
	IPERF_TEST_RUNNING = 2,
	IPERF_TEST_END = 4,
	IPERF_PARAM_EXCHANGE = 9,
	IPERF_CREATE_STREAMS = 10,
	IPERF_SERVER_TERMINATE = 11,
	IPERF_CLIENT_TERMINATE = 12,
	IPERF_EXCHANGE_RESULTS = 13,
	IPERF_DISPLAY_RESULTS = 14,
	IPERF_DONE = 16,
	IPERF_ACCESS_DENIED = -1,
	IPERF_SERVER_ERROR = -2, /* followed by two int32, big endian: iperf_code, errno */
};

/* Codes that go over the wire after IPERF_SERVER_ERROR. */
enum iperf_code {
	IPERF_E_DURATION = 5,
	IPERF_E_STREAMS = 6,
	IPERF_E_BLOCK = 7,
	IPERF_E_BUFSIZE = 8,
	IPERF_E_MSS = 10,
	IPERF_E_OMIT = 12,
	IPERF_E_BURST = 15,
	IPERF_E_UDP_BLOCK = 20,
	IPERF_E_TOS = 21,
	IPERF_E_TOTAL_RATE = 27,
	IPERF_E_MAX_DURATION = 37,
	IPERF_E_PARAMS = 114,
	IPERF_E_RESULTS = 117,
	IPERF_E_CLIENT_TERM = 119,
	IPERF_E_SERVER_TERM = 120,
	IPERF_E_ACCESS_DENIED = 121,
	IPERF_E_AFFINITY = 132,
	IPERF_E_CONGESTION = 134,
	IPERF_E_AUTH = 142,
	IPERF_E_NO_DATA = 144,
	IPERF_E_EXPIRED = 160,
	IPERF_E_STREAM_CREATE = 200,
	IPERF_E_STREAM_ID = 208,
};
/* What a code means, in words; NULL if unknown. */
const char *iperf_code_text(int32_t code);

enum iperf_proto {
	IPERF_TCP,
	IPERF_UDP,
	IPERF_PROTO_N,
};

/* The parameters of a test, as the client sends them; members are named as the JSON keys. */
struct iperf_params {
	enum iperf_proto proto;
	uint32_t omit, time;      /* s; time 0: no limit */
	uint64_t num, blockcount; /* bytes, blocks to send in all; 0: not limited by it */
	uint32_t parallel;
	uint32_t len;          /* bytes of a block, or of a datagram's payload */
	uint64_t bandwidth;    /* bit/s per stream; 0: unlimited */
	uint64_t fqrate;       /* bit/s per stream, SO_MAX_PACING_RATE; 0: none */
	uint32_t pacing_timer; /* us */
	uint32_t burst;        /* blocks per burst; 0: none */
	bool reverse, bidirectional;
	uint32_t window; /* bytes of SO_SNDBUF and SO_RCVBUF; 0: left alone */
	uint32_t MSS;    /* 0: left alone */
	bool nodelay;
	uint32_t TOS, flowlabel;
	char congestion[16];
	char title[256], extra_data[1024];
	int32_t server_affinity; /* -1: none */
	bool get_server_output, udp_counters_64bit, repeating_payload, zerocopy;
	bool dont_fragment, skip_rx_copy, mptcp;
	bool gso, gro;
	uint32_t gso_dg_size, gso_bf_size, gro_bf_size;
	char authtoken[1024]; /* base64; "" none */
	char client_version[32];
};

/*
 * Parameter block: made from, and read into, a struct; -EPROTO names the key. Keys that are not
 * there get iperf3's defaults; sizes are for iperf_params_check() to judge. Strings but extra_data
 * hold no control characters.
 */
struct doc *iperf_params_pack(const struct iperf_params *p);
int iperf_params_unpack(const struct doc *d, struct iperf_params *ret, struct err *e) must_check_;

/*
 * iperf_params_check() - the server's checks of what the parameters ask for.
 * Return: 0, or the positive enum iperf_code to refuse with, the words in @e.
 */
int iperf_params_check(const struct iperf_params *p, struct err *e) must_check_;

/* What one side says of one stream. */
struct iperf_stream_result {
	uint32_t id; /* 1, 3, 4, 5, ... in order of creation */
	uint64_t bytes;
	int64_t retransmits;            /* -1: unknown */
	double jitter;                  /* s */
	int64_t errors, omitted_errors; /* lost packets */
	int64_t packets, omitted_packets;
	double start_time, end_time; /* s */
};

struct iperf_results {
	double cpu_util_total, cpu_util_user, cpu_util_system; /* percent */
	int32_t sender_has_retransmits;                        /* 1, 0; -1: receives only */
	char congestion_used[16];
	uint32_t n_streams;
	struct iperf_stream_result stream[2 * IPERF_MAX_STREAMS];
	char *server_output_text;       /* heap; NULL: none */
	struct doc *server_output_json; /* NULL: none */
};
void iperf_results_fini(struct iperf_results *r);

/* Unpacking fills @ret in any case: iperf_results_fini() it after a failure, too. */
struct doc *iperf_results_pack(const struct iperf_results *r);
int iperf_results_unpack(const struct doc *d, struct iperf_results *ret, struct err *e) must_check_;

/* Id of the @i-th stream created. */
static inline uint32_t iperf_stream_id(uint32_t i)
{
	return i == 0 ? 1 : i + 2;
}

/* A fresh cookie, NUL included. */
void iperf_cookie_make(char ret[static IPERF_COOKIE_BYTES]);
/* Are these bytes a cookie: 36 printable characters and a NUL? */
bool iperf_cookie_valid(const char cookie[static IPERF_COOKIE_BYTES]);

/*
 * The control connection. @deadline_ns: monotonic; @cancel_fd: readable means give up with
 * -ECANCELED, -1: none. States and errors are sent in spite of it, within 10 s. Errors: -EPIPE
 * (closed by the other side), -ETIMEDOUT, -ECANCELED, -EPROTO (not iperf3's) or another errno.
 */
struct iperf_ctl {
	int fd;
	int cancel_fd;
	const char *who; /* for messages: "server"; NULL: "the other side" */
};
int iperf_send_state(struct iperf_ctl *c, enum iperf_state s, struct err *e) must_check_;
/* IPERF_SERVER_ERROR and its two numbers. */
int iperf_send_error(struct iperf_ctl *c, int32_t code, int32_t errnum, struct err *e) must_check_;
/* One byte, since more may follow it at once; what is no enum iperf_state is -EPROTO. */
int iperf_recv_state(struct iperf_ctl *c, int *ret, uint64_t deadline_ns, struct err *e)
	must_check_;
/* The two numbers after IPERF_SERVER_ERROR. iperf3 3.12 leaves them out when a login fails. */
int iperf_recv_error(struct iperf_ctl *c, int32_t *ret_code, int32_t *ret_errnum,
	uint64_t deadline_ns, struct err *e) must_check_;
int iperf_send_doc(struct iperf_ctl *c, const struct doc *d, uint64_t deadline_ns, struct err *e)
	must_check_;
/* A block of more than @max_bytes is refused unread. */
int iperf_recv_doc(struct iperf_ctl *c, struct doc **ret, uint32_t max_bytes, uint64_t deadline_ns,
	struct err *e) must_check_;
