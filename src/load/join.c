/* How a load gets its sockets: opened, taken from a port, taken from a feed, or adopted. */
#include "load/load.h"

#include "load/conn.h"
#include "load/engine.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>

/*
 * Flows that a server is told of by number: the legs that near drives come first, whichever end
 * counts. Each end has its own legs first, so far counts from the other one.
 */
static uint32_t number_of(const struct load *l, uint32_t i)
{
	uint32_t n = load_n_flows(l);

	return l->near ? i : (i + n / 2 * (l->n_legs - 1)) % n;
}

int load_listen(struct load *l, const char *any, uint16_t port, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (l->ops->connects ? !l->leg[i].active : !l->leg[i].opens)
			r = conn_listen(&l->cfg, l->udp, any, port, l->leg[i].listen_fd,
				l->leg[i].n_flows, e);
	return r;
}

static int take_next(struct load *l, const struct conn_args *args, struct err *e)
{
	struct load_feed *feed = args->peer->feed;
	_cleanup_(closep) int fd = -1;
	struct flow *f;
	uint32_t number;
	int r;

	fd = feed->next(feed, &number, args->deadline_ns, e);
	if (fd < 0)
		return fd;
	if (number >= load_n_flows(l) || load_flow(l, number_of(l, number))->fd >= 0)
		return err_say(e, EPROTO, "flow %u was opened twice, or is none of %u", number,
			load_n_flows(l));
	f = load_flow(l, number_of(l, number));
	r = l->udp ? conn_answer(args, fd, number, e)
		   : conn_finish(&l->cfg, false, f->active, fd, e);
	return r < 0 ? r : load_adopt(l, number_of(l, number), take_fd(fd), e);
}

/* From a feed, in any order: each says which flow it is, or they come in order. */
static int take_fed(struct load *l, const struct conn_args *args, struct err *e)
{
	struct load_feed *feed = args->peer->feed;
	int r = feed->expect(feed, l->udp, load_n_flows(l), args->deadline_ns, e);

	for (uint32_t i = 0; r == 0 && i < load_n_flows(l); i++) {
		r = take_next(l, args, e);
		if (r < 0)
			r = err_wrap(e, "flow %u of %u", i + 1, load_n_flows(l));
	}
	feed->done(feed);
	return r;
}

static int open_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (l->leg[i].opens)
			r = conn_open(args, l->leg[i].flow, l->leg[i].n_flows,
				number_of(l, i * l->cfg.flows), e);
	return r;
}

static int take_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++)
		if (!l->leg[i].opens)
			r = conn_take(args, l->leg[i].listen_fd, l->leg[i].flow, l->leg[i].n_flows,
				e);
	return r;
}

uint16_t load_port(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_legs; i++)
		if (l->leg[i].listen_fd[0] >= 0)
			return sock_port(l->leg[i].listen_fd[0]);
	return 0;
}

/* For a load that connects as it runs: all that can be done before. */
static int prepare_legs(struct load *l, const struct conn_args *args, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->n_legs; i++) {
		struct leg *leg = &l->leg[i];

		r = leg->active ? conn_aim(args, leg->flow, leg->n_flows, e)
				: conn_share(args, leg->listen_fd[0], leg->worker[0].blocks,
					  leg->flow, leg->n_flows, e);
	}
	return r;
}

int load_connect(struct load *l, const struct load_peer *peer, uint64_t deadline_ns, struct err *e)
{
	struct conn_args args = {.cfg = &l->cfg,
		.udp = l->udp,
		.peer = peer,
		.deadline_ns = deadline_ns};
	int r;

	if (l->ops->connects)
		return prepare_legs(l, &args, e);
	if (peer->feed)
		return take_fed(l, &args, e);
	/*
	 * Who opens UDP flows waits for their answers, so that one end must take while the other
	 * opens. TCP connects without; there each end opens before it takes.
	 */
	if (l->udp && !l->near) {
		r = take_legs(l, &args, e);
		return r < 0 ? r : open_legs(l, &args, e);
	}
	r = open_legs(l, &args, e);
	return r < 0 ? r : take_legs(l, &args, e);
}

int load_adopt(struct load *l, uint32_t i, int fd, struct err *e)
{
	struct flow *f = load_flow(l, i);
	int flags = fcntl(fd, F_GETFL);

	assert(f->fd < 0);
	f->fd = fd;
	/* A flow that is alone on its thread waits in its calls. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot set a socket blocking");
	return l->udp ? conn_finish(&l->cfg, true, f->active, fd, e) : 0;
}
