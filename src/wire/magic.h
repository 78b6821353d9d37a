/*
 * First bytes of everything that tare sends to a server's port: "TARE", one byte of kind, and for
 * data the session's token and the flow's number, big endian.
 */
#pragma once

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MAGIC_TEXT        "TARE"
#define MAGIC_BYTES       5  /* text and kind: all of a control connection's */
#define MAGIC_TOKEN_BYTES 16 /* from getrandom(): 2^128 to guess */
#define MAGIC_DATA_BYTES  (MAGIC_BYTES + MAGIC_TOKEN_BYTES + 4)

enum magic_kind {
	MAGIC_CONTROL = 'C', /* TCP; the greeting of wire/greet.h follows */
	MAGIC_DATA = 'D',    /* TCP; a data connection of a session */
	MAGIC_HELLO = 'U',   /* UDP; the first datagram of a flow, repeated until answered */
};

static inline void magic_put(uint8_t ret[static MAGIC_BYTES], enum magic_kind kind)
{
	memcpy(ret, MAGIC_TEXT, MAGIC_BYTES - 1);
	ret[MAGIC_BYTES - 1] = (uint8_t)kind;
}

/* The opening of a flow: @kind is MAGIC_DATA or MAGIC_HELLO. */
static inline void magic_put_flow(uint8_t ret[static MAGIC_DATA_BYTES], enum magic_kind kind,
	const uint8_t token[static MAGIC_TOKEN_BYTES], uint32_t flow)
{
	const uint32_t be = htonl(flow);

	magic_put(ret, kind);
	memcpy(&ret[MAGIC_BYTES], token, MAGIC_TOKEN_BYTES);
	memcpy(&ret[MAGIC_BYTES + MAGIC_TOKEN_BYTES], &be, sizeof(be));
}
