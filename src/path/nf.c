#include "path/nf.h"

#include "path/lab.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"

#include <string.h>

const char *const nf_dev[] = {
	[NF_IN] = "in",
	[NF_OUT] = "out",
};
static_assert(ARRAY_SIZE(nf_dev) == NF_N_SIDES);

const char *const nf_kind_name[] = {
	[NF_ROUTE] = "route",
	[NF_BRIDGE] = "bridge",
	[NF_TC] = "tc",
	[NF_XDP] = "xdp",
	[NF_AFXDP] = "afxdp",
};
static_assert(ARRAY_SIZE(nf_kind_name) == NF_KIND_N);

const struct nf_ops *const nf_table[] = {
	[NF_ROUTE] = &nf_route,
	[NF_BRIDGE] = &nf_bridge,
	[NF_TC] = &nf_tc,
	[NF_XDP] = &nf_xdp,
	[NF_AFXDP] = &nf_afxdp,
};
static_assert(ARRAY_SIZE(nf_table) == NF_KIND_N);

/* Nobody is asked for an address here: who is next, and who is at the end, is known. */
static int route_side(struct nf *nf, enum nf_side_of i, struct err *e)
{
	const struct nf_side *s = &nf->side[i];
	int r = lab_address(nf->rt, nf_dev[i], s->own, s->own_len, e);

	if (r == 0)
		r = rt_neigh_add(nf->rt, nf_dev[i], s->via, s->next_mac, e);
	if (r < 0 || strcmp(s->via, s->end) == 0)
		return r;
	return rt_route_add(nf->rt, nf_dev[i], s->end, s->via, e);
}

static int route_start(struct nf *nf, const struct path *p, struct err *e)
{
	int r = lab_forward_at(p->lab, nf->netns_fd, e);

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = route_side(nf, i, e);
	return r;
}

const struct nf_ops nf_route = {
	.addressed = true,
	.start = route_start,
};

static int bridge_start(struct nf *nf, const struct path *p, struct err *e)
{
	int r = rt_bridge_quiet_add(nf->rt, "br", p->cfg.mtu, e);

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++) {
		r = rt_set_master(nf->rt, nf_dev[i], "br", e);
		if (r == 0)
			r = rt_fdb_add(nf->rt, nf_dev[i], nf->side[i].end_mac, e);
	}
	return r < 0 ? r : rt_set_up(nf->rt, "br", e);
}

const struct nf_ops nf_bridge = {
	.l2 = true,
	.start = bridge_start,
};
