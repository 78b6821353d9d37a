/*
 * Two ports, and between them a guest that forwards:
 *
 *	near == wire == s0 == tap0 == in G out == tap1 == s1 == pod0 == far
 *
 * s0 and s1 are bridges of the host, which does nothing but switch. G is a guest of QEMU with two
 * NICs, whose kernel routes or bridges between them: what a namespace is in path/chain.c, and as
 * there all neighbours and all entries of bridges are told beforehand.
 * Ref: RFC 8204 (PVP), draft-ietf-bmwg-containerized-infra.
 */
#include "base/mem.h"
#include "base/str.h"
#include "path/chain.h"
#include "path/chain_addr.h"
#include "path/lab.h"
#include "path/nf.h"
#include "path/table.h"
#include "path/vm.h"
#include "path/vm_guest.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <string.h>

struct pvp {
	struct nf nf; /* the guest: ops and sides */
	struct vm_guest *guest;
};

static int pvp_check(const struct path_spec *spec, struct err *e)
{
	const struct path_cfg *cfg = &spec->cfg;

	if (cfg->nf != NF_ROUTE && cfg->nf != NF_BRIDGE)
		return err_say(e, EINVAL,
			"path '%s': a guest forwards by --nf route or bridge, not %s",
			spec->ops->name, nf_kind_name[cfg->nf]);
	if (cfg->nfs > 1 || cfg->instances > 1)
		return err_say(e, EINVAL, "path '%s' has one guest; see chain and pipeline",
			spec->ops->name);
	return vm_check(spec, e);
}

/* The bridge of a side, with the port beyond which the end lies. */
static int bridge_add(struct path *p, enum nf_side_of side, const char *port, struct err *e)
{
	struct rt *host = p->lab->host;
	const char *name = vm_forward_bridge[side];
	int r = rt_bridge_quiet_add(host, name, p->cfg.mtu, e);

	if (r == 0)
		r = rt_set_up(host, name, e);
	return r < 0 ? r : rt_set_master(host, port, name, e);
}

static void know_side(const struct path *p, enum nf_side_of side, const struct rt_id *end)
{
	struct pvp *v = p->state;
	struct nf_side *s = &v->nf.side[side];
	const bool out = side == NF_OUT;

	vm_guest_mac((uint32_t)side, s->id.mac);
	memcpy(s->end_mac, end->mac, sizeof(s->end_mac));
	if (v->nf.ops->l2)
		return;
	str_set(s->own_len, p->lab->addrs->wire_len);
	chain_addr_set(p, out ? ADDR_FAR : ADDR_NEAR, 0, s->end);
	chain_addr_set(p, out ? ADDR_LAST : ADDR_FIRST, 0, s->own);
}

static int know(const struct path *p, struct err *e)
{
	struct rt_id near, far; /* devices of the ends */
	int r = rt_id(p->lab->peer, "wire", &near, e);

	if (r == 0)
		r = rt_id(p->lab->pod[0], "eth0", &far, e);
	if (r < 0)
		return r;
	know_side(p, NF_IN, &near);
	know_side(p, NF_OUT, &far);
	return 0;
}

/* What is behind the ports of a side's bridge: the end; and the guest, or all beyond it. */
static int tell_bridge(const struct path *p, enum nf_side_of side, const char *port,
	const char *tap, struct err *e)
{
	const struct nf *nf = &((const struct pvp *)p->state)->nf;
	const struct nf_side *s = &nf->side[side];
	int r = rt_fdb_add(p->lab->host, port, s->end_mac, e);

	return r < 0 ? r
		     : rt_fdb_add(p->lab->host, tap,
			       nf->ops->l2 ? nf->side[!side].end_mac : s->id.mac, e);
}

/* By a router the other end is reached at the guest's address, by a bridge at its own. */
static int tell_end(const struct path *p, enum nf_side_of side, struct rt *rt, const char *dev,
	const char *other, struct err *e)
{
	const struct nf *nf = &((const struct pvp *)p->state)->nf;
	const struct nf_side *s = &nf->side[side];
	int r;

	if (nf->ops->l2)
		return rt_neigh_add(rt, dev, other, nf->side[!side].end_mac, e);
	r = rt_neigh_add(rt, dev, s->own, s->id.mac, e);
	return r < 0 ? r : rt_route_add(rt, dev, other, s->own, e);
}

static int ends_add(struct path *p, struct err *e)
{
	const struct pvp *v = p->state;
	struct lab *lab = p->lab;
	const struct lab_addrs *a = lab->addrs;
	const char *far[LAB_N_PODS] = {v->nf.ops->l2 ? a->wire_addr[0] : a->pod[0].addr};
	int r = lab_address(lab->pod[0], "eth0", far[0], a->wire_len, e);

	if (r == 0)
		r = tell_end(p, NF_IN, lab->peer, "wire", far[0], e);
	if (r == 0)
		r = tell_end(p, NF_OUT, lab->pod[0], "eth0", a->peer, e);
	if (r == 0)
		lab_ends(p, far);
	return r;
}

static int host_add(struct path *p, struct err *e)
{
	int r = lab_switch_only(p->lab, e);

	if (r == 0)
		r = lab_pod_add(p->lab, 0, e);
	if (r == 0)
		r = bridge_add(p, NF_IN, "wire", e);
	return r < 0 ? r : bridge_add(p, NF_OUT, lab_outer[0], e);
}

static int pvp_build(struct path *p, struct err *e)
{
	struct pvp *v = xcalloc(1, sizeof(*v));
	int r;

	p->state = v;
	v->nf.ops = nf_table[p->cfg.nf];
	r = host_add(p, e);
	if (r == 0)
		r = know(p, e);
	if (r == 0)
		r = vm_guest_boot_nf(&v->guest, p, &v->nf, e);
	if (r == 0)
		r = tell_bridge(p, NF_IN, "wire", "tap0", e);
	if (r == 0)
		r = tell_bridge(p, NF_OUT, lab_outer[0], "tap1", e);
	if (r == 0)
		r = ends_add(p, e);
	if (r < 0)
		return r;
	path_note(p, "the guest forwards (nf=%s); what its kernel drops is counted by nobody",
		nf_kind_name[p->cfg.nf]);
	vm_note_accel(p, v->guest);
	return 0;
}

static int pvp_rest(struct path *p, bool rest, struct err *e)
{
	const struct pvp *v = p->state;

	(void)e;
	vm_guest_rest(v->guest, rest);
	return 0;
}

static uint32_t pvp_pids(const struct path *p, pid_t *ret, uint32_t max)
{
	const struct pvp *v = p->state;

	if (max == 0)
		return 0;
	ret[0] = vm_guest_pid(v->guest);
	return 1;
}

static void pvp_close(struct path *p)
{
	struct pvp *v = take_ptr(p->state);

	vm_guest_close(v->guest);
	free(v);
}

static const struct vm_model model_pvp = {
	.device = "virtio-net-pci",
	.module = "virtio_net",
	.virtio = true,
	.forwards = true,
};

const struct path_ops path_pvp = {
	.name = "pvp",
	.summary = "port, guest that forwards between two virtio NICs, port, on a switching host",
	.hops = "peer, wire, bridge, tap, QEMU (virtio-net), guest, QEMU (virtio-net), tap, "
		"bridge, veth pair, container",
	.crosses = "br_handle_frame, br_forward, tun, QEMU's tap backend and NIC, twice, and the "
		   "guest's virtio_net and ip_forward or br_forward",
	.needs = "QEMU, /dev/net/tun, a kernel for guests (make deps-vm)",
	.set = PATH_SET_VM,
	.pods_not = "has a port at each side of the host",
	.opts = vm_opts,
	.opts_title = VM_OPTS_TITLE,
	.kin_opts = chain_opts,
	.model = &model_pvp,
	.check = pvp_check,
	.probe = vm_probe,
	.build = pvp_build,
	.rest = pvp_rest,
	.pids = pvp_pids,
	.close = pvp_close,
};
