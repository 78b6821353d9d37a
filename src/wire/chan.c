#include "wire/chan.h"

#include "base/mem.h"
#include "wire/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static int say(const struct chan *c, int r, const char *state, struct err *e)
{
	switch (-r) {
	case EPIPE:
		return err_say(e, EPIPE, "%s died or closed the control channel while %s", c->who,
			state);
	case ETIMEDOUT:
		return err_say(e, ETIMEDOUT, "%s did not answer in time while %s", c->who, state);
	case ECANCELED:
		return err_say(e, ECANCELED, "interrupted while %s was %s", c->who, state);
	default:
		return err_set(e, -r, "control channel to %s, while %s", c->who, state);
	}
}

int chan_send(struct chan *c, const struct doc *msg, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(freep) char *text = doc_text(msg);
	size_t len = strlen(text);
	uint32_t head = htonl((uint32_t)len);
	int r;

	if (len > CHAN_MAX_BYTES)
		return err_say(e, EMSGSIZE, "message of %zu bytes is too long", len);
	r = io_write(c->fd, c->cancel_fd, &head, sizeof(head), deadline_ns);
	if (r == 0)
		r = io_write(c->fd, c->cancel_fd, text, len, deadline_ns);
	return r < 0 ? say(c, r, "being told what to do", e) : 0;
}

int chan_recv(struct chan *c, struct doc **ret, const char *state, uint64_t deadline_ns,
	struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(doc_freep) struct doc *d = NULL;
	uint32_t head, len;
	int r = io_read(c->fd, c->cancel_fd, &head, sizeof(head), deadline_ns);

	if (r < 0)
		return say(c, r, state, e);
	len = ntohl(head);
	if (len == 0 || len > CHAN_MAX_BYTES)
		return err_say(e, EPROTO, "%s sent a message of %u bytes while %s", c->who, len,
			state);
	text = xcalloc(1, len);
	r = io_read(c->fd, c->cancel_fd, text, len, deadline_ns);
	if (r < 0)
		return say(c, r, state, e);
	r = doc_parse(&d, text, len, e);
	if (r < 0)
		return err_wrap(e, "%s, while %s", c->who, state);
	*ret = take_ptr(d);
	return 0;
}

void chan_close(struct chan *c)
{
	closep(&c->fd);
}
