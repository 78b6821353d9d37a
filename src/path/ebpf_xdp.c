/*
 * Pods on veth pairs, joined to the wire by an XDP program (src/bpf/route_xdp.bpf.c) on the host's
 * devices:
 *
 *	peer's wire --veth--> wire (route) ==ndo_xdp_xmit of pod<i>==> eth0 of the pod
 *	eth0 of the pod --veth--> pod<i> (route) ==ndo_xdp_xmit of wire==> peer's wire
 *
 * A veth device takes redirected frames only while its other half has NAPI, which GRO brings.
 * Ref: drivers/net/veth.c veth_xdp_xmit, v5.13.
 *
 * An XDP frame has no skb, so neither "checksum still to be filled in" nor "to be segmented" can
 * go with it; the ends must have done both before. Ref: drivers/net/veth.c veth_xdp_set. Generic
 * mode has skbs, but with TSO on, TCP moved 12 Mbit/s through it (Linux 6.18), so the ends are the
 * same in both modes, and the modes differ in the hook only.
 *
 * ARP and neighbour discovery go up to the kernel, as on the path ebpf-tc, and the host forwards
 * nothing here, either.
 */
#include "base/mem.h"
#include "path/ebpf.h"
#include "path/table.h"
#include "sys/ebpf.h"
#include "sys/ethtool.h"

#include <route_xdp.skel.h>
static const struct opt ebpf_xdp_opts[] = {
	OPT_ENUM(struct path_cfg, ebpf_xdp_mode, "ebpf-xdp-mode", 0, ebpf_xdp_mode_name,
		"run the XDP program in the driver, or later, on an skb"),
	OPT_END,
};

/* The links are what keeps the program on its devices. */
struct xdp {
	struct route_xdp *skel;
	int link_fd[1 + LAB_N_PODS]; /* wire, pods */
};

static void ebpf_xdp_close(struct path *p)
{
	struct xdp *x = p->state;

	for (size_t i = 0; i < ARRAY_SIZE(x->link_fd); i++)
		closep(&x->link_fd[i]);
	route_xdp__destroy(x->skel);
	free(x);
}

static int prepare_end(int netns_fd, const char *dev, struct err *e)
{
	int r = ethtool_set(netns_fd, dev, ETHTOOL_TX_CSUM, false, e);

	return r < 0 ? r : ethtool_set(netns_fd, dev, ETHTOOL_GRO, true, e);
}

static int prepare_ends(struct lab *lab, struct err *e)
{
	int r = prepare_end(lab->peer_fd, "wire", e);

	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++)
		r = prepare_end(lab->pod_fd[i], "eth0", e);
	return r;
}

static int attach(struct path *p, const char *dev, int *ret_link_fd, struct err *e)
{
	struct xdp *x = p->state;
	uint32_t ifindex;
	struct rt_id id;
	int r = rt_id(p->lab->host, dev, &id, e);

	if (r < 0)
		return r;
	ifindex = (uint32_t)id.ifindex;
	r = ebpf_map_set(p->lab->host_fd, bpf_map__fd(x->skel->maps.devs), &ifindex, &ifindex, e);
	if (r == 0)
		r = ebpf_xdp_attach(ret_link_fd, p->lab->host_fd, id.ifindex,
			bpf_program__fd(x->skel->progs.route), p->cfg.ebpf_xdp_mode, e);
	return r < 0 ? err_wrap(e, "'%s'", dev) : 0;
}

static int attach_all(struct path *p, struct err *e)
{
	struct xdp *x = p->state;
	int r = attach(p, "wire", &x->link_fd[0], e);

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = attach(p, lab_outer[i], &x->link_fd[1 + i], e);
	return r;
}

static int load(struct path *p, struct err *e)
{
	struct xdp *x = p->state;
	int r;

	ebpf_quiet();
	x->skel = route_xdp__open();
	if (!x->skel)
		return err_set(e, errno, "cannot open the XDP program");
	r = route_xdp__load(x->skel);
	if (r < 0)
		return ebpf_refused(r, e);
	r = ebpf_routes(p->lab, bpf_map__fd(x->skel->maps.routes), e);
	return r < 0 ? r : ebpf_route_peer(p->lab, bpf_map__fd(x->skel->maps.routes), e);
}

static int ebpf_xdp_build(struct path *p, struct err *e)
{
	struct xdp *x = xcalloc(1, sizeof(*x));
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(x->link_fd); i++)
		x->link_fd[i] = -1;
	p->state = x;
	r = ebpf_pods(p, e);
	if (r == 0)
		r = load(p, e);
	if (r == 0)
		r = prepare_ends(p->lab, e);
	if (r == 0)
		r = attach_all(p, e);
	if (r == 0)
		path_note(p, "both ends checksum and segment in software (tx-csum and "
			     "tso off, gro on): XDP hands frames on, not skbs, so a TCP stream "
			     "pays for each packet what other paths pay for each 64 KB");
	return r;
}

static int ebpf_xdp_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes by a qdisc, which what XDP redirects does not cross");
	return 0;
}

const struct path_ops path_ebpf_xdp = {
	.name = "ebpf-xdp",
	.summary = "container on a veth pair, routed by an XDP program on the host's devices",
	.hops = "peer, wire, XDP program of the host, veth pair, container",
	.crosses = "veth_xdp_rcv, xdp_do_redirect, veth_xdp_xmit; no host skb",
	.needs = "Linux 5.13 (CONFIG_BPF_SYSCALL), root",
	.set = PATH_SET_EBPF,
	.pods_ok = true,
	.opts = ebpf_xdp_opts,
	.opts_title = "Path ebpf-xdp",
	.check = ebpf_xdp_check,
	.build = ebpf_xdp_build,
	.close = ebpf_xdp_close,
};
