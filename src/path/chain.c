/*
 * Network functions between two ports, N in a row, M such rows beside each other:
 *
 *	pcp, chain    near == wire == S == F1 == S == F2 ... FN == S == pod0 == far
 *	pipeline      near == wire == S == F1 == F2 ... == FN ==== S == pod0 == far
 *	shared-nf     the same as chain, and FN is that of all instances
 *	pcscp         near == wire ======= F1 == S == F2 ... FN ======== pod0 == far
 *
 * S is the host, which switches: a Linux bridge for each segment. The first and the last segment
 * are shared by all instances, those between are an instance's own; where ports are functions' own
 * devices there is no first and no last, and one instance. Each F (path/nf.h) is a
 * namespace with the devices "in" and "out". Ref: draft-mkonstan-nf-service-density-01.
 *
 * Both ends have an address for each instance, and a route by its first function, seen from there.
 * All neighbours and all entries of bridges are told beforehand: a stream in one direction alone
 * is not flooded into other instances, no address is asked for, and the host sends nothing. That
 * all links are up is found by path_verify(), which sends packets by each instance.
 */
#include "path/chain.h"

#include "base/mem.h"
#include "base/str.h"
#include "path/chain_addr.h"
#include "path/chain_priv.h"
#include "path/lab.h"
#include "path/nf.h"
#include "path/table.h"
#include "sys/ethtool.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Descriptors of a function: namespace, netlink; of an XDP program 2 links, 1 program, 3 maps. */
#define CHAIN_FDS_OF_NF 8

const struct opt chain_opts[] = {
	OPT_U32(struct path_cfg, nfs, "nfs", 0, "<n>",
		"functions that a packet crosses; 0: one for pcp and pvp, two for the others",
		.min = 1, .max = PATH_MAX_NFS, .zero_ok = true),
	OPT_U32(struct path_cfg, instances, "instances", 0, "<n>",
		"so many of it beside each other between the same two ports", .min = 1,
		.max = PATH_MAX_INSTANCES),
	OPT_ENUM(struct path_cfg, nf, "nf", 0, nf_kind_name,
		"the forwarding function: kernel routing, a Linux bridge, a program of tc or XDP, "
		"a process on AF_XDP sockets"),
	OPT_ENUM(struct path_cfg, nf_poll, "nf-poll", 0, nf_poll_name,
		"afxdp: how its process waits for frames"),
	OPT_END,
};

static uint32_t nfs_of(const struct path_spec *spec)
{
	const struct chain_model *model = spec->ops->model;

	return spec->cfg.nfs ?: model->nfs;
}

static bool is_outer(const struct chain *c, uint32_t k)
{
	return k == 0 || k == c->n;
}

/* Segment @k, on the left of function k, is a link without the host between. */
static bool is_linked(const struct chain *c, uint32_t k)
{
	return is_outer(c, k) ? c->model->owned : c->model->linked;
}

/* Is function @k of instance @i the one that instance 0 has? */
static bool is_again(const struct chain *c, uint32_t i, uint32_t k)
{
	return c->model->shared && i > 0 && k == c->n - 1;
}

/* Segments at the ports, and at a function that is shared, are everybody's. */
static bool is_common(const struct chain *c, uint32_t k)
{
	return is_outer(c, k) || (c->model->shared && k == c->n - 1);
}

/* The bridge of a segment. */
static void bridge_name(const struct chain *c, uint32_t i, uint32_t k, char ret[static 16])
{
	if (is_common(c, k))
		snprintf(ret, 16, "s%u", k);
	else
		snprintf(ret, 16, "s%ui%u", k % 100, i % 100);
}

/* The host's half of a function's link to a bridge. */
static void port_name(uint32_t i, uint32_t k, enum nf_side_of side, char ret[static 16])
{
	snprintf(ret, 16, "i%uf%u%s", i % 100, k % 100, nf_dev[side]);
}

static int bridge_new(struct path *p, uint32_t i, uint32_t k, struct err *e)
{
	char name[16];
	int r;

	bridge_name(p->state, i, k, name);
	r = rt_bridge_quiet_add(p->lab->host, name, p->cfg.mtu, e);
	return r < 0 ? r : rt_set_up(p->lab->host, name, e);
}

static int port_join(struct path *p, const char *port, uint32_t i, uint32_t k, struct err *e)
{
	char bridge[16];

	bridge_name(p->state, i, k, bridge);
	return rt_set_master(p->lab->host, port, bridge, e);
}

/* The ports and the bridges that they are ports of. */
static int outer_add(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	int r;

	if (c->model->owned)
		return lab_pod_new(p->lab, 0, e);
	r = lab_pod_add(p->lab, 0, e);
	if (r == 0)
		r = bridge_new(p, 0, 0, e);
	if (r == 0)
		r = bridge_new(p, 0, c->n, e);
	if (r == 0)
		r = port_join(p, "wire", 0, 0, e);
	return r < 0 ? r : port_join(p, lab_outer[0], 0, c->n, e);
}

static int inner_add(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m; i++)
		for (uint32_t k = 1; r == 0 && k < c->n; k++)
			if (!is_linked(c, k) && (i == 0 || !is_common(c, k)))
				r = bridge_new(p, i, k, e);
	return r;
}

/* The host's half of the wire, which is nobody else's. */
static int own_wire(struct path *p, const struct nf *nf, struct err *e)
{
	int r = rt_dev_move(p->lab->host, "wire", nf->netns_fd, e);

	p->lab->wire_taken = r == 0;
	return r < 0 ? r : rt_rename(nf->rt, "wire", nf_dev[NF_IN], e);
}

/*
 * A side's link to the bridge of its segment. What hands frames on wants them finished, and a
 * device that takes them.
 */
static int side_to_bridge(struct path *p, uint32_t i, uint32_t k, enum nf_side_of side,
	struct err *e)
{
	const struct chain *c = p->state;
	struct lab *lab = p->lab;
	char port[16];
	int r;

	port_name(i, k, side, port);
	r = rt_veth_add(lab->host, port, nf_dev[side], nf_at(c, i, k)->netns_fd, p->cfg.mtu, e);
	if (r == 0 && c->ops->frames)
		r = ethtool_set(lab->host_fd, port, ETHTOOL_TX_CSUM, false, e);
	if (r == 0 && c->ops->frames)
		r = ethtool_set(lab->host_fd, port, ETHTOOL_GRO, true, e);
	if (r == 0)
		r = rt_set_up(lab->host, port, e);
	return r < 0 ? r : port_join(p, port, i, side == NF_IN ? k : k + 1, e);
}

/* Function @k with its links, but for that to the next one, which is still to come. */
static int nf_add(struct path *p, uint32_t i, uint32_t k, struct err *e)
{
	const struct chain *c = p->state;
	struct nf *nf = nf_at(c, i, k);
	int r;

	if (is_again(c, i, k)) {
		*nf = *nf_at(c, 0, k);
		return 0;
	}
	r = lab_machine_new(p->cfg.ipv6 && c->ops->addressed, &nf->netns_fd, &nf->rt, e);

	if (r < 0)
		return r;
	nf->ops = c->ops;
	if (!is_linked(c, k))
		r = side_to_bridge(p, i, k, NF_IN, e);
	else if (k == 0)
		r = own_wire(p, nf, e);
	else
		r = rt_veth_add(nf_at(c, i, k - 1)->rt, nf_dev[NF_OUT], nf_dev[NF_IN], nf->netns_fd,
			p->cfg.mtu, e);
	if (r < 0)
		return r;
	if (!is_linked(c, k + 1))
		return side_to_bridge(p, i, k, NF_OUT, e);
	return k + 1 < c->n ? 0
			    : rt_veth_add(nf->rt, nf_dev[NF_OUT], "eth0", p->lab->pod_fd[0],
				      p->cfg.mtu, e);
}

static int nfs_add(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < c->m; i++)
		for (uint32_t k = 0; r == 0 && k < c->n; k++)
			r = nf_add(p, i, k, e);
	return r;
}

/* Devices of functions are up and known. */
static int nf_identify(struct nf *nf, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++) {
		r = rt_set_up(nf->rt, nf_dev[i], e);
		if (r == 0)
			r = rt_id(nf->rt, nf_dev[i], &nf->side[i].id, e);
	}
	return r;
}

static int identify(struct path *p, struct err *e)
{
	struct chain *c = p->state;
	int r = rt_id(p->lab->peer, "wire", &c->near, e);

	if (r == 0)
		r = rt_id(p->lab->pod[0], "eth0", &c->far, e);
	for (uint32_t j = 0; r == 0 && j < c->n * c->m; j++)
		r = nf_identify(&c->nf[j], e);
	return r;
}

/* Fills in what function @k knows of its side towards near, on segment k. */
static void know_in(const struct path *p, uint32_t i, uint32_t k)
{
	const struct chain *c = p->state;
	struct nf_side *s = &nf_at(c, i, k)->side[NF_IN];
	const struct nf_side *left = k ? &nf_at(c, i, k - 1)->side[NF_OUT] : NULL;

	memcpy(s->end_mac, c->near.mac, sizeof(s->end_mac));
	memcpy(s->next_mac, left ? left->id.mac : c->near.mac, sizeof(s->next_mac));
	str_set(s->own_len, p->lab->addrs->wire_len);
	chain_addr_set(p, ADDR_NEAR, i, s->end);
	chain_addr_set(p, k ? ADDR_LEFT : ADDR_NEAR, k ? i * PATH_MAX_NFS + k : i, s->via);
	chain_addr_set(p, k ? ADDR_RIGHT : ADDR_FIRST, k ? i * PATH_MAX_NFS + k : i, s->own);
}

/* The same towards far, on segment k + 1. */
static void know_out(const struct path *p, uint32_t i, uint32_t k)
{
	const struct chain *c = p->state;
	const uint32_t segment = k + 1;
	const bool last = segment == c->n;
	struct nf_side *s = &nf_at(c, i, k)->side[NF_OUT];
	const struct nf_side *right = last ? NULL : &nf_at(c, i, segment)->side[NF_IN];

	memcpy(s->end_mac, c->far.mac, sizeof(s->end_mac));
	memcpy(s->next_mac, right ? right->id.mac : c->far.mac, sizeof(s->next_mac));
	str_set(s->own_len, p->lab->addrs->wire_len);
	chain_addr_set(p, ADDR_FAR, i, s->end);
	chain_addr_set(p, last ? ADDR_FAR : ADDR_RIGHT, last ? i : i * PATH_MAX_NFS + segment,
		s->via);
	chain_addr_set(p, last ? ADDR_LAST : ADDR_LEFT, last ? i : i * PATH_MAX_NFS + segment,
		s->own);
}

static void know_all(const struct path *p)
{
	const struct chain *c = p->state;

	for (uint32_t i = 0; i < c->m; i++)
		for (uint32_t k = 0; k < c->n; k++) {
			know_in(p, i, k);
			know_out(p, i, k);
		}
}

/* Tells bridges what is behind the host's port to a side: the device, or all behind a bridge. */
static int port_tell(struct path *p, uint32_t i, uint32_t k, enum nf_side_of side, struct err *e)
{
	const struct chain *c = p->state;
	const struct nf *nf = nf_at(c, i, k);
	char port[16];

	if (is_linked(c, side == NF_IN ? k : k + 1) || is_again(c, i, k))
		return 0;
	port_name(i, k, side, port);
	return rt_fdb_add(p->lab->host, port,
		c->ops->l2 ? nf->side[!side].end_mac : nf->side[side].id.mac, e);
}

static int tell_bridges(struct path *p, struct err *e)
{
	const struct chain *c = p->state;
	int r = c->model->owned ? 0 : rt_fdb_add(p->lab->host, "wire", c->near.mac, e);

	if (r == 0 && !c->model->owned)
		r = rt_fdb_add(p->lab->host, lab_outer[0], c->far.mac, e);
	for (uint32_t i = 0; r == 0 && i < c->m; i++)
		for (uint32_t k = 0; r == 0 && k < c->n; k++)
			for (int side = 0; r == 0 && side < NF_N_SIDES; side++)
				r = port_tell(p, i, k, side, e);
	return r;
}

static int nfs_start(struct path *p, struct err *e)
{
	struct chain *c = p->state;
	int r = 0;

	for (uint32_t j = 0; r == 0 && j < c->n * c->m; j++)
		r = c->ops->start(&c->nf[j], p, e);
	return r;
}

/* More than the 1024 that a process may have by default. */
static int raise_files(const struct chain *c, struct err *e)
{
	const rlim_t need = 256 + (rlim_t)CHAIN_FDS_OF_NF * c->n * c->m;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return err_set(e, errno, "cannot read the limit of open files");
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < need)
		return err_say(e, EMFILE, "%u functions take %llu open files, %llu are allowed",
			c->n * c->m, (unsigned long long)need, (unsigned long long)r.rlim_max);
	if (r.rlim_cur >= need)
		return 0;
	r.rlim_cur = need;
	return setrlimit(RLIMIT_NOFILE, &r) < 0 ? err_set(e, errno, "cannot raise the open files")
						: 0;
}

static void note(struct path *p)
{
	const struct chain *c = p->state;
	uint32_t outer = c->model->owned ? 2 : 0;
	uint32_t crossings = nf_row_crossings(c->model->linked, c->n) - outer;
	uint32_t again = c->model->shared ? 2 * (c->m - 1) : 0;
	uint32_t ports = c->m * nf_row_ports(c->model->linked, c->n) - outer - again;

	path_note(p,
		"%u x %u functions (nf=%s): a packet crosses the host's switch %u times, which has "
		"%u ports to functions",
		c->m, c->n, nf_kind_name[p->cfg.nf], crossings, ports);
	if (c->m > 1)
		path_note(p, "loads other than frames use the first of the %u instances", c->m);
	if (c->ops->note)
		path_note(p, "%s", c->ops->note);
}

static struct chain *chain_new(const struct path *p)
{
	struct chain *c = xcalloc(1, sizeof(*c));

	c->model = p->ops->model;
	c->ops = nf_table[p->cfg.nf];
	c->n = nfs_of(&p->spec);
	c->m = p->cfg.instances;
	c->nf = xcalloc((size_t)c->n * c->m, sizeof(*c->nf));
	for (uint32_t j = 0; j < c->n * c->m; j++)
		c->nf[j].netns_fd = -1;
	return c;
}

static void chain_close(struct path *p)
{
	struct chain *c = p->state;

	for (uint32_t j = 0; j < c->n * c->m; j++) {
		if (is_again(c, j / c->n, j % c->n))
			continue;
		if (c->nf[j].state)
			c->ops->stop(&c->nf[j]);
		rt_close(c->nf[j].rt);
		closep(&c->nf[j].netns_fd);
	}
	free(c->nf);
	free(c);
}

static void fill_ends(struct path *p)
{
	const struct chain *c = p->state;
	const char *first[LAB_N_PODS] = {p->instance[0].far};

	lab_ends(p, first);
	for (uint32_t j = 0; j < c->n * c->m; j++)
		if (!is_again(c, j / c->n, j % c->n))
			path_add_hop(p, c->nf[j].netns_fd);
}

static int chain_build(struct path *p, struct err *e)
{
	struct chain *c = chain_new(p);
	int r;

	p->state = c;
	r = raise_files(c, e);
	if (r == 0)
		r = lab_switch_only(p->lab, e);
	if (r == 0)
		r = outer_add(p, e);
	if (r == 0)
		r = inner_add(p, e);
	if (r == 0)
		r = nfs_add(p, e);
	if (r == 0)
		r = identify(p, e);
	if (r < 0)
		return r;
	know_all(p);
	r = tell_bridges(p, e);
	if (r == 0 && c->ops->frames)
		r = chain_ends_finish(p, e);
	if (r == 0)
		r = nfs_start(p, e);
	if (r == 0)
		r = chain_ends_add(p, e);
	if (r < 0)
		return r;
	fill_ends(p);
	note(p);
	return 0;
}

static int chain_rest(struct path *p, bool rest, struct err *e)
{
	struct chain *c = p->state;
	int r = 0;

	for (uint32_t j = 0; r == 0 && c->ops->rest && j < c->n * c->m; j++)
		r = c->ops->rest(&c->nf[j], rest, e);
	return r;
}

static uint32_t chain_pids(const struct path *p, pid_t *ret, uint32_t max)
{
	const struct chain *c = p->state;
	uint32_t n = c->ops->pid ? MIN(max, c->n * c->m) : 0;

	for (uint32_t j = 0; j < n; j++)
		ret[j] = c->ops->pid(&c->nf[j]);
	return n;
}

/* It tells instances from each other, which is a router's business. */
static int check_shared(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.nf != NF_ROUTE)
		return err_say(e, EINVAL, "path '%s' takes nf=route, not %s", spec->ops->name,
			nf_kind_name[spec->cfg.nf]);
	return nfs_of(spec) >= 2 ? 0
				 : err_say(e, EINVAL, "path '%s' takes two functions or more",
					   spec->ops->name);
}

/* XDP frames are lost to a device that has no NAPI, as the other halves of ports have not. */
static int check_owned(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.instances > 1)
		return err_say(e, EINVAL, "path '%s': a port is one function's: one instance",
			spec->ops->name);
	if (spec->cfg.nf == NF_XDP)
		return err_say(e, EINVAL, "path '%s': nf=xdp needs ports of the host's switch",
			spec->ops->name);
	if (spec->cfg.wire_rate_bps)
		return err_say(e, EINVAL,
			"path '%s' can't have a --wire-rate: its queue stays on the host",
			spec->ops->name);
	return 0;
}

static int chain_check(const struct path_spec *spec, struct err *e)
{
	const struct chain_model *model = spec->ops->model;
	const struct nf_ops *ops = nf_table[spec->cfg.nf];

	if (nfs_of(spec) > model->max_nfs)
		return err_say(e, EINVAL, "path '%s' has one function; see chain and pipeline",
			spec->ops->name);
	if (ops->l2 && spec->cfg.instances > 1)
		return err_say(e, EINVAL,
			"path '%s': bridges beside each other between the same two segments are a "
			"loop; nf=bridge takes one instance",
			spec->ops->name);
	if (ops->max_mtu && spec->cfg.mtu > ops->max_mtu)
		return err_say(e, EINVAL, "path '%s': nf=%s takes an MTU of at most %u",
			spec->ops->name, nf_kind_name[spec->cfg.nf], ops->max_mtu);
	if (model->shared)
		return check_shared(spec, e);
	return model->owned ? check_owned(spec, e) : 0;
}

#define CHAIN_PATH(id, ...) CHAIN_PATH_NAMED(id, #id, __VA_ARGS__)
#define CHAIN_PATH_NAMED(id, path_name, ...)                                                       \
	const struct path_ops path_##id = {.name = path_name,                                      \
		.needs = "root with nf=tc, nf=xdp (Linux 5.13), nf=afxdp (Linux 5.11)",            \
		.set = PATH_SET_CHAIN,                                                             \
		.pods_not = "has a port at each side of the host",                                 \
		.opts = chain_opts,                                                                \
		.opts_title = CHAIN_OPTS_TITLE,                                                    \
		.check = chain_check,                                                              \
		.build = chain_build,                                                              \
		.rest = chain_rest,                                                                \
		.pids = chain_pids,                                                                \
		.close = chain_close,                                                              \
		__VA_ARGS__}

CHAIN_PATH(pcp, .summary = "port, container that forwards, port, on a switching host",
	.hops = "peer, wire, bridge, function, bridge, veth pair, container",
	.crosses = "br_handle_frame, br_forward, veth_xmit, and the function's ip_forward, "
		   "br_forward, bpf_redirect or xdp_do_redirect",
	.model = &(const struct chain_model){.nfs = 1, .max_nfs = 1});

CHAIN_PATH(chain, .summary = "functions in a row, each joined to the next by the host's switch",
	.hops = "peer, wire, bridge, (function, bridge) of each function, veth pair, container",
	.crosses = "the same as pcp, the function and a bridge once for each function",
	.model = &(const struct chain_model){.nfs = 2, .max_nfs = PATH_MAX_NFS});

CHAIN_PATH(pipeline,
	.summary = "functions in a row, joined directly; the host switches at both ends",
	.hops = "peer, wire, bridge, all functions, bridge, veth pair, container",
	.crosses = "the same as pcp, the function once for each function",
	.model = &(const struct chain_model){.nfs = 2, .max_nfs = PATH_MAX_NFS, .linked = true});

CHAIN_PATH_NAMED(shared_nf, "shared-nf",
	.summary = "instances of a chain of which the last function is all of theirs",
	.hops = "peer, wire, bridge, (function, bridge) of each function, veth pair, container",
	.crosses = "the same as chain; the last function has a route by each instance",
	.model = &(const struct chain_model){.nfs = 2, .max_nfs = PATH_MAX_NFS, .shared = true});

CHAIN_PATH(pcscp,
	.summary = "functions in a row joined by the host's switch, the outer two on the ports",
	.hops = "peer, wire, function, (bridge, function) of each other function, veth pair, "
		"container",
	.crosses = "the same as pcp, the function once for each function and a bridge between two",
	.model = &(const struct chain_model){.nfs = 2, .max_nfs = PATH_MAX_NFS, .owned = true});
