/*
 * The tester of RFC 2544: ports, a stream out of each, a receiver at each, and trials. Both ports
 * are of this machine, in namespaces of their own or one; between them is the SUT, of which the
 * tester knows nothing. One tester sends and receives, so one clock stamps and reads.
 */
#pragma once

#include "base/cleanup.h"
#include "base/opt.h"
#include "frame/io.h"

#define TESTER_N_PORTS 2

/* Where the receiving work of the ports' devices is done. */
enum tester_place {
	TESTER_PLACE_INLINE,   /* wherever the kernel does it: of a veth, on the sender's CPU */
	TESTER_PLACE_THREADED, /* NAPI threads of the receiving device on the receiver's CPU */
	TESTER_PLACE_RPS,      /* receive packet steering to the receiver's CPU */
	TESTER_PLACE_N,
};
extern const char *const tester_place_name[TESTER_PLACE_N];

enum tester_dir {
	TESTER_DIR_TX,   /* from port 0 to port 1 */
	TESTER_DIR_RX,   /* the other way */
	TESTER_DIR_BOTH, /* each at the same rate. Ref: RFC 2544 s.14 */
	TESTER_DIR_N,
};
extern const char *const tester_dir_name[TESTER_DIR_N];

struct tester_cfg {
	char tx[16], rx[16]; /* rows of the tables of frame/io.h; "auto" */
	uint32_t dir;        /* enum tester_dir */
	uint32_t place;      /* enum tester_place */
	uint32_t flows, networks, macs;
	uint32_t broadcast_ppm; /* RFC 2544 s.11.1: 1 % */
	uint32_t vlan;
	uint32_t burst; /* frames sent together; 0: chosen by the rate */
	bool verify, busy_poll;
	char tx_cpu[16], rx_cpu[16]; /* a CPU each; "": the first and the last allowed */
	uint64_t drain_ns;           /* after the last frame. RFC 2544 s.23 d: 2 s */
	uint64_t max_frames;         /* of one trial: what receivers have memory for */
	uint32_t max_bytes;          /* of a frame with FCS: what the sender must do; 0: any size */
};
extern const struct tester_cfg tester_cfg_default;
extern const struct opt tester_opts[];

/* How frames from one end to the other are addressed. */
struct tester_way {
	uint8_t ip[16];      /* its own; IPv4: the first four bytes */
	uint8_t next_mac[6]; /* of the next hop towards the other end */
	uint8_t next_ip[16]; /* by which the other end is reached; behind NAT, not its own */
	uint16_t next_port;  /* UDP port there; 0: echo */
};

/*
 * One end, with all ways to the other: a SUT that consists of instances beside each other has one
 * through each. Frames take them by turns, so all get the same load.
 */
#define TESTER_MAX_WAYS FRAME_MAX_ADDRS
struct tester_end {
	struct frame_port port;
	uint8_t ttl;     /* of its frames; 0: FRAME_TTL, too few for more routers than that */
	uint32_t n_ways; /* at least 1, the same at both ends */
	struct tester_way way[TESTER_MAX_WAYS];
};

struct tester;

/* What the reader of the numbers must know: which sender and receiver, where what was done. */
struct tester_info {
	char tx[16], rx[16];
	char place[64]; /* of the receiving port: "inline", "threaded, on CPU 1" */
	char tx_cpu[16], rx_cpu[16];
	char offloads[TESTER_N_PORTS][128]; /* as they are during trials */
	char note[256];                     /* "": nothing */
};
extern const struct field tester_info_fields[];

/*
 * tester_open() - take the ports: offloads that merge frames go off, receivers on. What was changed
 *                 of a device is put back by tester_close(); what stays open goes with the process.
 *
 * Return: 0; FRAME_UNAVAILABLE with the reason; or negative errno. -EBUSY names the XDP program
 * that somebody else has on a device.
 */
int tester_open(struct tester **ret, const struct tester_end *end /* [TESTER_N_PORTS] */, bool ipv6,
	const struct tester_cfg *cfg, struct err *e) must_check_;
void tester_close(struct tester *t);
DEFINE_CLEANUP(struct tester *, tester_close, tester_closep)

void tester_info(const struct tester *t, struct tester_info *ret);

/* What a trial shall send, out of each port that sends. */
#define TESTER_UNTIL_END UINT64_MAX
struct tester_trial_args {
	const struct frame_mix *mix;
	uint32_t n_phases;
	/*
	 * n_frames of the last one may be TESTER_UNTIL_END, as many as go before the time is over;
	 * then no more is intended than is sent.
	 */
	struct frame_phase phase[FRAME_MAX_PHASES];
	bool latency;     /* fill hist */
	bool learn;       /* send learning frames first. Ref: RFC 2544 s.23 b */
	uint64_t time_ns; /* phases are over after that: the shortfall is unsent */
};

/* Of one direction; [0] is out of port 0 and into port 1. */
struct tester_flow {
	bool used;
	uint64_t intended; /* test frames of all phases: modifiers take the place of some */
	struct frame_sent sent;
	struct frame_count got;
	uint64_t lost;       /* intended - got.received: what was not sent counts. Ref: RFC 9971 */
	uint64_t overflowed; /* of lost: by the tester's own receiver, not by the SUT */
	/* Of each way, [n_ways] of the sending end. Without modifiers and shortfall they add up. */
	uint64_t intended_of[TESTER_MAX_WAYS], received_of[TESTER_MAX_WAYS];
};
struct tester_trial {
	struct tester_flow flow[TESTER_N_PORTS];
	uint32_t burst;        /* frames that were sent together */
	uint64_t begin_ns;     /* of the schedule */
	uint64_t effective_ns; /* what the trial took in all */
	struct hist *hist;     /* of both directions; NULL: none asked for. The caller's */
};

/*
 * tester_trial() - one trial. ret->hist is the caller's and may be NULL.
 * @cancel_fd: readable: -ECANCELED; -1: none
 *
 * Return: 0, also when all was lost; or negative errno (a device that vanished, a program that was
 * taken off it): then nothing of it counts.
 */
int tester_trial(struct tester *t, const struct tester_trial_args *args, int cancel_fd,
	struct tester_trial *ret, struct err *e) must_check_;
