/* The ends of a chain: an address for each instance, and a way by its first function. */
#include "base/str.h"
#include "path/chain_priv.h"
#include "path/lab.h"
#include "sys/ethtool.h"
#include "sys/rtdev.h"

#include <string.h>

/* One end of an instance: its address, and its way to the other's by the function next to it. */
struct end_way {
	struct rt *rt;
	const char *dev, *own, *other, *via;
	const uint8_t *mac; /* of via */
};

static int end_add(const struct path *p, const struct end_way *w, struct err *e)
{
	const struct chain *c = p->state;
	/* The wire has this one since there is a wire. */
	bool there = strcmp(w->own, p->lab->addrs->peer) == 0;
	int r = there ? 0 : lab_address(w->rt, w->dev, w->own, p->lab->addrs->wire_len, e);

	if (r == 0)
		r = rt_neigh_add(w->rt, w->dev, c->ops->l2 ? w->other : w->via, w->mac, e);
	if (r < 0 || c->ops->l2)
		return r;
	return rt_route_add_from(w->rt, w->dev, w->other, w->via, w->own, e);
}

/* A bridge leaves both ends on one segment, where they know each other. */
static int ends_bridged(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	const struct lab_addrs *a = p->lab->addrs;
	const struct end_way far = {.rt = p->lab->pod[0],
		.dev = "eth0",
		.own = a->wire_addr[0],
		.other = a->peer,
		.mac = c->near.mac};
	int r = end_add(p, &far, e);

	str_set(p->instance[0].near, a->peer);
	str_set(p->instance[0].far, a->wire_addr[0]);
	return r < 0 ? r : rt_neigh_add(p->lab->peer, "wire", a->wire_addr[0], c->far.mac, e);
}

static int ends_routed(struct path *p, uint32_t i, struct err *e)
{
	const struct chain *c = p->state;
	const struct nf_side *first = &nf_at(c, i, 0)->side[NF_IN];
	const struct nf_side *last = &nf_at(c, i, c->n - 1)->side[NF_OUT];
	struct path_instance *x = &p->instance[i];
	const struct end_way near = {p->lab->peer, "wire", x->near, x->far, first->own,
		first->id.mac};
	const struct end_way far = {p->lab->pod[0], "eth0", x->far, x->near, last->own,
		last->id.mac};
	int r;

	str_set(x->near, first->end);
	str_set(x->far, last->end);
	r = end_add(p, &near, e);
	return r < 0 ? r : end_add(p, &far, e);
}

int chain_ends_add(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	int r = c->ops->l2 ? ends_bridged(p, e) : 0;

	for (uint32_t i = 0; r == 0 && !c->ops->l2 && i < c->m; i++)
		r = ends_routed(p, i, e);
	p->n_instances = c->m;
	return r;
}

int chain_ends_finish(struct path *p, struct err *e)
{
	int r = ethtool_set(p->lab->peer_fd, "wire", ETHTOOL_TX_CSUM, false, e);

	return r < 0 ? r : ethtool_set(p->lab->pod_fd[0], "eth0", ETHTOOL_TX_CSUM, false, e);
}
