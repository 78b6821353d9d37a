/*
 * Pods on veth pairs, joined to the wire by tc programs (src/bpf/route_tc.bpf.c), as Cilium does
 * with BPF host routing. The host does not forward at all: what arrives went through a program.
 *
 *	wire (from_wire) --bpf_redirect_peer--> eth0 of the pod
 *	pod<i> (from_pod) --bpf_redirect_neigh--> wire, or --bpf_redirect_peer--> the other pod
 *
 * ARP and neighbour discovery pass the programs: the host's side of the pair holds the gateway's
 * address and answers. The pod's hardware address is in the map, so the host asks for none.
 */
#include "path/ebpf.h"
#include "path/table.h"
#include "sys/ebpf.h"

#include <route_tc.skel.h>
static const struct opt ebpf_tc_opts[] = {
	OPT_ENUM(struct path_cfg, ebpf_redirect, "ebpf-redirect", 0, ebpf_redirect_name,
		"how a packet enters a pod: straight into its namespace, or by the veth pair"),
	OPT_END,
};

static int load(struct path *p, struct route_tc *skel, struct err *e)
{
	struct rt_id wire;
	int r = rt_id(p->lab->host, "wire", &wire, e);

	if (r < 0)
		return r;
	skel->rodata->wire_ifindex = (uint32_t)wire.ifindex;
	skel->rodata->use_peer = p->cfg.ebpf_redirect == EBPF_REDIRECT_PEER;
	r = route_tc__load(skel);
	if (r < 0)
		return ebpf_refused(r, e);
	r = ebpf_routes(p->lab, bpf_map__fd(skel->maps.routes), e);
	if (r < 0)
		return r;
	return ebpf_tc_attach(p->lab->host_fd, wire.ifindex, bpf_program__fd(skel->progs.from_wire),
		e);
}

static int attach_pods(struct lab *lab, struct route_tc *skel, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++) {
		struct rt_id id;

		r = rt_id(lab->host, lab_outer[i], &id, e);
		if (r == 0)
			r = ebpf_tc_attach(lab->host_fd, id.ifindex,
				bpf_program__fd(skel->progs.from_pod), e);
	}
	return r;
}

DEFINE_CLEANUP(struct route_tc *, route_tc__destroy, route_tc_destroyp)

/* Once attached, the devices hold the programs, and the programs their maps. */
static int ebpf_tc_build(struct path *p, struct err *e)
{
	_cleanup_(route_tc_destroyp) struct route_tc *skel = NULL;
	int r = ebpf_pods(p, e);

	if (r < 0)
		return r;
	ebpf_quiet();
	skel = route_tc__open();
	if (!skel)
		return err_set(e, errno, "cannot open the tc programs");
	r = load(p, skel, e);
	return r < 0 ? r : attach_pods(p->lab, skel, e);
}

const struct path_ops path_ebpf_tc = {
	.name = "ebpf-tc",
	.summary =
		"container on a veth pair, routed by tc programs past the host's IP layer (Cilium)",
	.hops = "peer, wire, tc program of the host, veth pair, container",
	.crosses =
		"cls_bpf_classify, bpf_redirect_peer (in), bpf_redirect_neigh (out); no ip_forward",
	.needs =
		"Linux 5.10 (CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF, CONFIG_NET_SCH_INGRESS), root",
	.set = PATH_SET_EBPF,
	.pods_ok = true,
	.opts = ebpf_tc_opts,
	.opts_title = "Path ebpf-tc",
	.build = ebpf_tc_build,
};
