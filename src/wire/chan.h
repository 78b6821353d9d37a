/*
 * The control channel: messages on a stream socket, each a 4-byte big-endian length and that many
 * bytes of JSON, an object with a member "type". Every send and receive has a deadline and says
 * in its errors what it was waiting for.
 */
#pragma once

#include "base/err.h"
#include "wire/doc.h"

#include <stdint.h>

/* Version of the messages (bench/agent.h); agents of another version are refused. */
#define CHAN_PROTOCOL 1
/* Largest message: a report with a full histogram is about 100 kB. */
#define CHAN_MAX_BYTES (1U << 20)

struct chan {
	int fd;        /* stream socket, owned */
	int cancel_fd; /* readable: give up with -ECANCELED; -1: none. Borrowed. */
	char who[32];  /* the other side, for messages: "agent far" */
};

int chan_send(struct chan *c, const struct doc *msg, uint64_t deadline_ns, struct err *e)
	must_check_;

/*
 * chan_recv() - receive one message of any type.
 * @state: what the other side is expected to do, for messages: "connecting"
 *
 * Return: 0; -EPIPE (closed), -ETIMEDOUT, -ECANCELED, -EPROTO (not a message) or other errno.
 */
int chan_recv(struct chan *c, struct doc **ret, const char *state, uint64_t deadline_ns,
	struct err *e) must_check_;

void chan_close(struct chan *c);
