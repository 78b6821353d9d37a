/* What tester.c (ports), tester_choose.c (senders) and tester_trial.c share; of no other file. */
#pragma once

#include "frame/place.h"
#include "frame/tester.h"
#include "sys/ethtool.h"

struct tester_port {
	struct tester_end end;
	bool sends, receives;
	uint32_t tx_cpu, rx_cpu;
	struct ethtool_merge merge; /* what was on */
	bool merge_off;
	struct frame_rx *rx; /* NULL: no frames are counted here */
	struct place *place;
	struct frame_stream *stream; /* of the mix of the last trial; before tx, which uses it */
	struct frame_tx *tx;
	int watch_fd; /* a socket in the port's namespace, to ask for the device */
};

struct tester {
	struct tester_cfg cfg;
	bool ipv6;
	uint16_t key;
	uint8_t n_trial; /* modulo 256: the mark has room for that */
	const struct frame_tx_ops *tx_ops;
	const struct frame_rx_ops *rx_ops;
	struct tester_port port[TESTER_N_PORTS];
	struct frame_mix mix; /* of the streams */
	char note[256];
	char refused[400]; /* what can't be had, and why */
};

/* Frames that show whether any come through. */
#define TESTER_TRY_FRAMES 16

/* Opens receivers, and finds a sender of which frames come through. Returns as tester_open(). */
int tester_choose(struct tester *t, struct err *e) must_check_;
/* Makes streams and senders for @mix, at the ports that send; at both when they shall @learn. */
int tester_mix(struct tester *t, const struct frame_mix *mix, bool learn, struct err *e)
	must_check_;
/* One thing more that the reader of the numbers must know. */
void tester_note(struct tester *t, const char *text);
/* The device is still there, and is the same. */
int tester_alive(const struct tester_port *p, struct err *e) must_check_;
