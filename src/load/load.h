/*
 * Load generators. A load runs at both ends of a path at once; one end is "near", the other "far".
 * It consists of legs: flows that one end drives (it is the leg's active end) and the other
 * answers. stream has one leg per direction, whose active end sends; rr has one, whose active
 * end, near, asks.
 *
 *	open -> listen -> connect -> start -> [count at begin, count at end] -> stop -> close
 *	open -> adopt each flow's socket -> start ...
 *
 * Between start and stop the worker threads allocate, open, lock and log nothing. Each counter
 * has one writer; load_count() may read them at any time.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/opt.h"
#include "load/feed.h"
#include "load/gate.h"
#include "stat/hist.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define LOAD_MAX_FLOWS   1024 /* per leg; also the number of published ports of a path */
#define LOAD_MAX_THREADS 64   /* per leg */
#define LOAD_MAX_LEGS    2
#define LOAD_TOKEN_BYTES 64 /* room for what is said first on a data socket */

enum load_dir {
	LOAD_DIR_EACH, /* tx and rx, as two loads; not a configuration that can run */
	LOAD_DIR_TX,
	LOAD_DIR_RX,
	LOAD_DIR_BOTH,
	LOAD_DIR_N,
};
extern const char *const load_dir_name[LOAD_DIR_N];

enum load_proto {
	LOAD_PROTO_EACH, /* tcp and udp, as two loads */
	LOAD_PROTO_TCP,
	LOAD_PROTO_UDP,
	LOAD_PROTO_N,
};
extern const char *const load_proto_name[LOAD_PROTO_N];

enum load_send {
	LOAD_SEND_COPY,     /* send() */
	LOAD_SEND_ZEROCOPY, /* send(MSG_ZEROCOPY) */
	LOAD_SEND_SENDFILE, /* sendfile() from a memory file */
	LOAD_SEND_N,
};
extern const char *const load_send_name[LOAD_SEND_N];

enum load_recv {
	LOAD_RECV_COPY,  /* recv() */
	LOAD_RECV_TRUNC, /* recv(MSG_TRUNC): dropped in the kernel, not copied */
	LOAD_RECV_N,
};
extern const char *const load_recv_name[LOAD_RECV_N];

/* Of what may be on, off, or decided by the load. OFF and ON are false and true. */
enum load_switch {
	LOAD_SWITCH_OFF,
	LOAD_SWITCH_ON,
	LOAD_SWITCH_AUTO,
	LOAD_SWITCH_N,
};
extern const char *const load_switch_name[LOAD_SWITCH_N];

/* Who keeps the schedule of a paced UDP sender. */
enum load_pace {
	LOAD_PACE_AUTO,   /* TXTIME where the route's device has sch_fq, else OWN */
	LOAD_PACE_OWN,    /* the sending thread: it sleeps, and spins for the rest */
	LOAD_PACE_FQ,     /* sch_fq, by SO_MAX_PACING_RATE */
	LOAD_PACE_TXTIME, /* sch_fq, by a time with each packet (SO_TXTIME) */
	LOAD_PACE_N,
};
extern const char *const load_pace_name[LOAD_PACE_N];

/* What a load's numbers are about. */
enum load_kind {
	LOAD_KIND_BULK,         /* bytes */
	LOAD_KIND_TRANSACTIONS, /* questions and answers */
	LOAD_KIND_PACKETS,      /* datagrams, which get lost */
	LOAD_KIND_N,
};
/* What else fills the path while a load that asks and answers is timed. */
enum load_under {
	LOAD_UNDER_NONE,
	LOAD_UNDER_IDLE,   /* nothing: what LOAD_UNDER_STREAM is compared with, placed as that is */
	LOAD_UNDER_STREAM, /* a stream; as a wish, both, as two loads */
	LOAD_UNDER_N,
};
extern const char *const load_under_name[LOAD_UNDER_N];

/* Members of all loads; each load's option table shows the ones it reads. */
/* Fills a frame of MTU 1500 over IPv4. */
#define LOAD_PACKET_BYTES 1472

struct load_cfg {
	uint32_t dir;   /* enum load_dir */
	uint32_t proto; /* enum load_proto */
	uint32_t flows;
	uint32_t threads; /* 0: one per flow, up to the CPUs of that end */
	uint32_t block_bytes;
	uint32_t req_bytes, rsp_bytes;
	uint32_t sndbuf_bytes, rcvbuf_bytes; /* 0: left to the kernel's auto-tuning */
	uint64_t bytes, blocks;              /* to send in each direction; 0: no end */
	uint64_t rate_bps;                   /* payload of each flow; 0: unlimited */
	uint64_t rate_tps;                   /* transactions of all flows; 0: closed loop */
	uint32_t pipeline;                   /* most transactions in flight per flow; 0: as usual */
	uint32_t under;                      /* enum load_under */
	uint32_t under_dir;                  /* of that stream, enum load_dir */
	char congestion[16];                 /* "": the kernel's default */
	uint32_t send, recv;                 /* enum load_send, enum load_recv */
	uint32_t mss_bytes;                  /* TCP_MAXSEG; 0: the path's */
	uint32_t dscp;                       /* code point, 0..63 */
	uint64_t pacing_bps;                 /* SO_MAX_PACING_RATE of each flow; 0: none */
	bool mptcp;                          /* Multipath TCP */
	uint32_t packet_bytes;               /* payload of a datagram; 0: LOAD_PACKET_BYTES */
	uint32_t batch;                      /* datagrams per system call, at most */
	uint32_t gso, gro;                   /* enum load_switch */
	uint32_t pace;                       /* enum load_pace */
	bool udp_counters_32bit;             /* as iperf3 without --udp-counters-64bit */
	bool udp_end_marker;                 /* the sender says at the end how many it sent */
};

/* What each direction is to send in all, by bytes or by blocks; 0: no end. */
static inline uint64_t load_cfg_bytes(const struct load_cfg *cfg)
{
	return cfg->bytes ? cfg->bytes : cfg->blocks * cfg->block_bytes;
}

/* Counters of one flow, or of all flows of this end. Only uint64_t members. */
struct load_count {
	uint64_t bytes_tx, bytes_rx;     /* payload */
	uint64_t packets_tx, packets_rx; /* udp: datagrams; the rest: 0 */
	uint64_t packets_expected;       /* udp: highest sequence number that came in */
	uint64_t reordered, duplicated;  /* udp: among packets_rx */
	uint64_t zerocopy_sends;         /* stream: calls done with MSG_ZEROCOPY */
	uint64_t zerocopy_copied;        /* among them: the kernel copied after all */
	uint64_t transactions;           /* completed here */
	uint64_t lost;                   /* requests without an answer in time */
	uint64_t late; /* open loop: due in the span, sent after the next one was due, or never */
	uint64_t retries; /* crr: connections tried again for want of a port; answering: broken */
	uint64_t unanswered; /* open loop: due in the span, no answer until the stop */
	/* udp only */
	uint64_t packets_alien;  /* came in, but belong to no sequence; in no other counter */
	uint64_t packets_unsent; /* due by the schedule, but the sender was too late for them */
	uint64_t packets_gso, packets_gro; /* of tx and rx: shared a system call's buffer */
	uint64_t aggregates_gro;           /* that packets_gro came in */
	uint64_t sends_refused; /* send calls that failed for want of room or of a listener */
	uint64_t socket_drops;  /* by this end's sockets: receive buffer full; see METHOD.md */
	/* Flows whose end datagram came in; packets_expected is exact in the next reading. */
	uint64_t flows_ended;
};

/* a -= b, a += b, member by member. */
void load_count_sub(struct load_count *a, const struct load_count *b);
void load_count_add(struct load_count *a, const struct load_count *b);

/* Histograms a load may fill; each says which. */
enum load_hist {
	LOAD_HIST_LATENCY,  /* of a transaction */
	LOAD_HIST_GAP_TX,   /* from one datagram's sending to the next one's */
	LOAD_HIST_GAP_RX,   /* between arrivals */
	LOAD_HIST_PDV,      /* packet delay variation: delay over the smallest so far */
	LOAD_HIST_SLIP,     /* open loop: from when a request was due until it was sent */
	LOAD_HIST_CONNECT,  /* from asking for a socket until it is connected */
	LOAD_HIST_RESPONSE, /* from then until the whole response is there */
	LOAD_HIST_CLOSE,    /* from then until the other end's close is seen */
	LOAD_HIST_N,
};
extern const char *const load_hist_name[LOAD_HIST_N];
extern const char *const load_hist_doc[LOAD_HIST_N];

/* Who opens the sockets of a leg. */
enum load_opener {
	LOAD_OPENER_DRIVER, /* the end that drives it */
	LOAD_OPENER_NEAR,   /* always near: far is a server, behind one port */
	LOAD_OPENER_NONE,   /* neither: sockets are given by load_adopt() */
};

struct flow;

struct load_ops {
	const char *name;
	const char *summary;
	enum load_kind kind;
	const struct opt *opts; /* on struct load_cfg */
	const struct load_cfg *defaults;
	const char *each; /* the option whose value "each" stands for several loads; or NULL */
	bool one_buffer;  /* what is in the buffer does not matter: a thread's flows share one */
	bool connects;    /* its steps open and accept TCP connections; flows begin without */

	int (*check)(const struct load_cfg *cfg, struct err *e);
	/* Does the near (or far) end drive a leg? */
	bool (*drives)(const struct load_cfg *cfg, bool near);
	size_t state_bytes; /* of flow.state, this load's own */
	uint32_t hists;     /* bit per enum load_hist it fills */
	/* Sets sizes and the first thing to do of a flow; f->cfg, ->active and ->udp are set. */
	void (*flow_init)(struct flow *f);
	/*
	 * The flow's socket is there and its thread not yet: whatever may fail and was not done
	 * by flow_init. @blocks: steps will be told to block. NULL: nothing.
	 */
	int (*flow_ready)(struct flow *f, bool blocks, struct err *e);
	/* See load/flow.h. */
	int (*flow_step)(struct flow *f, int flags);
	/*
	 * Says farewell on a flow that has stopped or sent all, a few times over some ms by its
	 * thread. The sockets of flows that this end drives stay open for it. NULL: nothing to say.
	 * Return: whether it wants to say it again.
	 */
	bool (*flow_finish)(struct flow *f);
	/* Its thread is about to end: count what was left. NULL: nothing to count. */
	void (*flow_end)(struct flow *f);
	/* May a flow that is alone on its thread block in its socket call? NULL: yes. */
	bool (*blocks)(const struct load_cfg *cfg);
};

extern const struct load_ops *const load_table[]; /* NULL-terminated */
const struct load_ops *load_find(const char *name);

struct load;

struct load_args {
	const struct load_ops *ops;
	const struct load_cfg *cfg;
	bool near;
	const uint32_t *cpus; /* [n_cpus], thread i is pinned to cpus[i % n_cpus] */
	uint32_t n_cpus;      /* 0: not pinned */
	enum load_opener opener;
	struct gate *shared_gate; /* a rate limit this load shares with others; NULL: none */
};

/*
 * What an opener says first on each data socket, so that a server knows whose it is: a prefix of
 * the TCP stream; the greeting of UDP, which comes back as the answer.
 */
struct load_token {
	uint8_t bytes[LOAD_TOKEN_BYTES];
	uint32_t len;     /* 0: nothing is said; UDP then greets with 8 zero bytes */
	uint32_t flow_at; /* where the flow's number goes, 4 bytes, big endian */
};

struct load_peer {
	char addr[64];
	uint16_t port;
	struct load_token token;
	struct load_feed *feed; /* where sockets that the other end opens come from; NULL: listen */
};

int load_open(struct load **ret, const struct load_args *args, struct err *e) must_check_;
void load_close(struct load *l);
DEFINE_CLEANUP(struct load *, load_close, load_closep)

/* Binds what the other end will connect to. @any: "0.0.0.0" or "::". UDP flow i takes port + i. */
int load_listen(struct load *l, const char *any, uint16_t port, struct err *e) must_check_;

/* The port that load_listen() bound, of use when it was asked for port 0; 0: none. */
uint16_t load_port(const struct load *l);

/* Opens the sockets that are this end's to open, then takes those that the other end opens. */
int load_connect(struct load *l, const struct load_peer *peer, uint64_t deadline_ns, struct err *e)
	must_check_;

/*
 * load_adopt() - give flow @i a connected socket, now the load's, with all its TCP options set.
 * Flows are numbered through all legs: the ones this end drives first.
 */
int load_adopt(struct load *l, uint32_t i, int fd, struct err *e) must_check_;

/* Flows of this end, all legs together. */
uint32_t load_n_flows(const struct load *l);

/*
 * load_start() - start the threads. Latencies are kept of transactions that begin and end within
 * [@begin_ns, @end_ns); before and after is warm-up and run-out.
 */
int load_start(struct load *l, uint64_t begin_ns, uint64_t end_ns, struct err *e) must_check_;

/* Ends the span earlier than load_start() was told: nothing after @end_ns counts any more. */
void load_end(struct load *l, uint64_t end_ns);

/* Totals since start: of all flows, and of one. */
void load_count(const struct load *l, struct load_count *ret);
void load_flow_count(const struct load *l, uint32_t i, struct load_count *ret);

/* RFC 3550 jitter of the datagrams that came in; of one flow, and the mean of all flows. */
uint64_t load_flow_jitter_ns(const struct load *l, uint32_t i);
uint64_t load_jitter_ns(const struct load *l);

/*
 * The CPU on which the kernel last took in a packet of each flow (SO_INCOMING_CPU). @ret: [@max].
 * Return: how many flows have a socket that says so.
 */
uint32_t load_flow_cpus(const struct load *l, uint64_t *ret, uint32_t max);

/* Borrowed descriptor of flow @i, and whether this end drives it. */
int load_flow_fd(const struct load *l, uint32_t i, bool *ret_active);

/* Lets each flow that this end drives finish the block it is at, and no more. */
void load_end_sending(struct load *l);

/* Has every flow that this end drives sent all that it was to send? False where there is no end. */
bool load_sent_all(const struct load *l);

/* Have all threads ended by themselves? */
bool load_ended(const struct load *l);

/* CPU-time clocks of the running threads. @ret: [@max]. Return: how many. */
uint32_t load_thread_clocks(const struct load *l, clockid_t *ret, uint32_t max);

/*
 * CPU on which each thread began and on which it was at its end; after load_stop().
 * @first, @last: [LOAD_MAX_LEGS * LOAD_MAX_THREADS]. Return: how many.
 */
uint32_t load_thread_cpus(const struct load *l, uint64_t *first, uint64_t *last);

/* TCP sockets on which this end sends payload. @ret: [@max]. Return: how many. */
uint32_t load_sending_fds(const struct load *l, int *ret, uint32_t max);

/* Stops and joins the threads. Return: 0, or the first error a flow met before the end. */
int load_stop(struct load *l, struct err *e) must_check_;

/* Bit per enum load_hist that this load fills. */
uint32_t load_hists(const struct load *l);

/* Adds what this end's threads put into histogram @id; after load_stop(). */
void load_hist(const struct load *l, enum load_hist id, struct hist *into);
