/*
 * iperf3's UDP greeting does not say which test it belongs to. Of several tests of one address
 * only one at a time opens its UDP flows therefore; the others wait, first come, first served. A
 * test that takes longer than SERVE_TURN_NS while others wait loses its turn.
 */
#include "serve/server.h"

struct session *turn_holder(struct server *s, const struct peer *p)
{
	for (uint32_t i = 0; i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];

		if (x->pid && x->turn_until_ns && peer_same_host(&x->peer, p))
			return x;
	}
	return NULL;
}

static struct session *first_waiting(struct server *s, const struct peer *p)
{
	struct session *first = NULL;

	for (uint32_t i = 0; i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];

		if (x->pid && x->waits && peer_same_host(&x->peer, p) &&
			(!first || x->turn_number < first->turn_number))
			first = x;
	}
	return first;
}

static void grant(struct session *x, uint64_t now_ns)
{
	const struct feed_give turn = {.kind = FEED_TURN, .round = x->round};

	x->waits = false;
	x->expects = feed_give(x->feed_fd, &turn, -1) == 0;
	x->turn_until_ns = x->udp && x->proto == SERVE_IPERF ? now_ns + SERVE_TURN_NS : 0;
}

static void next_of(struct server *s, const struct peer *p, uint64_t now_ns)
{
	struct session *x = first_waiting(s, p);

	if (x && !turn_holder(s, p))
		grant(x, now_ns);
}

void turn_ask(struct server *s, struct session *x, uint64_t now_ns)
{
	if (!x->udp || x->proto != SERVE_IPERF) {
		grant(x, now_ns);
		return;
	}
	x->waits = true;
	x->turn_number = s->turns_ever++;
	next_of(s, &x->peer, now_ns);
}

void turn_return(struct server *s, struct session *x, uint64_t now_ns)
{
	x->turn_until_ns = 0;
	x->waits = x->expects = false;
	next_of(s, &x->peer, now_ns);
}

uint64_t turn_tick(struct server *s, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (uint32_t i = 0; s->n_sessions > 0 && i < s->cfg->max_sessions; i++) {
		struct session *x = &s->session[i];

		if (!x->pid || !x->turn_until_ns || !first_waiting(s, &x->peer))
			continue;
		if (x->turn_until_ns <= now_ns)
			turn_return(s, x, now_ns);
		else
			next_ns = MIN(next_ns, x->turn_until_ns);
	}
	return next_ns;
}
