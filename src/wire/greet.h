/*
 * The greeting on a control connection, before any other message: protocol versions, who knows the
 * pre-shared key, and the token by which the client's data sockets are recognised.
 *
 *	client                                          server
 *	"TARE" 'C', open {protocol, nonce}         ->
 *	                                           <-   challenge {nonce, auth}
 *	auth {mac}, only if asked for              ->
 *	                                           <-   ok {token, mac} or error {text}
 *
 * mac = HMAC-SHA256 (Ref: RFC 2104, FIPS 180-4) by the key over a label and both nonces; the
 * server's covers the token too. The labels differ, so neither side's mac serves as the other's,
 * and the nonces are fresh, so a recorded greeting opens nothing. The channel is not encrypted.
 */
#pragma once

#include "wire/chan.h"
#include "wire/magic.h"

#include <stddef.h>
#include <stdint.h>

#define GREET_NONCE_BYTES 32
#define GREET_MAC_BYTES   32
#define GREET_KEY_MIN     16 /* bytes */
#define GREET_KEY_MAX     1024

/*
 * greet_client() - sends the magic and opens a session.
 * @key: [key_len], NULL: none. With a key the server must prove that it knows it too.
 *
 * Return: 0; -EACCES (no key where one is asked for, or the server does not know it), -EREMOTEIO
 * (refused, in the server's words), or what chan_recv() returns.
 */
int greet_client(struct chan *c, const void *key, size_t key_len,
	uint8_t ret_token[static MAGIC_TOKEN_BYTES], uint64_t deadline_ns, struct err *e)
	must_check_;

/*
 * greet_server() - the other side; the magic has been read. A refusal has been sent when this
 * returns.
 * @key: [key_len], NULL: everybody is let in
 *
 * Return: 0; -EACCES (wrong key), -EPROTO, -EPROTONOSUPPORT, or what chan_recv() returns.
 */
int greet_server(struct chan *c, const void *key, size_t key_len,
	const uint8_t token[static MAGIC_TOKEN_BYTES], uint64_t deadline_ns, struct err *e)
	must_check_;

/* Sends an error message to a client that is not served, without ever waiting. */
void greet_refuse(int fd, const char *text);
