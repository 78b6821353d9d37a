/* Which protocol speaks, by the first bytes: pure functions of what has come so far. */
#pragma once

#include "wire/iperf.h"
#include "wire/magic.h"

#define SNIFF_MAX_BYTES IPERF_COOKIE_BYTES

enum sniff_kind {
	SNIFF_MORE,  /* can't tell yet */
	SNIFF_IPERF, /* a cookie: control or data, as it is known or not */
	SNIFF_CONTROL,
	SNIFF_DATA,
	SNIFF_HELLO,       /* UDP, tare */
	SNIFF_IPERF_HELLO, /* UDP, iperf3 */
	SNIFF_BAD,
	SNIFF_N,
};

struct sniff {
	enum sniff_kind kind;
	/*
	 * SNIFF_MORE: how many bytes to have before asking again. Never more than the opening
	 * has: the bytes that follow belong to the session.
	 */
	size_t want;
	/* SNIFF_DATA, SNIFF_HELLO */
	uint8_t token[MAGIC_TOKEN_BYTES];
	uint32_t flow;
};

/* The first @len bytes of a connection. */
struct sniff sniff_stream(const uint8_t *data, size_t len);

/* A whole datagram of @len bytes. Never SNIFF_MORE. */
struct sniff sniff_datagram(const uint8_t *data, size_t len);
