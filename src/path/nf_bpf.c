/*
 * Functions that are a program of ours on both devices (src/bpf/hop_step.h). Each has a copy of its
 * own, which knows its devices and who is next as constants: no table is looked up.
 *
 * What XDP sends on is taken by the next device only while that has NAPI, which GRO or an XDP
 * program brings; and it is bytes, to which no offload can be left. Ref: drivers/net/veth.c
 * veth_xdp_xmit; the path ebpf-xdp. path/chain.c sees to both at the devices around.
 */
#include "base/mem.h"
#include "bpf/hop.h"
#include "path/nf.h"
#include "sys/ebpf.h"

#include <errno.h>
#include <string.h>

#include <hop_tc.skel.h>
#include <hop_xdp.skel.h>

static_assert((int)NF_N_SIDES == (int)HOP_N_SIDES);

/* @ret: [HOP_N_SIDES], the constants of a program that is not loaded yet */
static void fill(struct hop_side *ret, const struct nf *nf)
{
	for (int i = 0; i < NF_N_SIDES; i++) {
		const struct nf_side *s = &nf->side[i];

		ret[i].ifindex = (uint32_t)s->id.ifindex;
		memcpy(ret[i].own, s->id.mac, sizeof(ret[i].own));
		memcpy(ret[i].next, s->next_mac, sizeof(ret[i].next));
	}
}

struct xdp_state {
	struct hop_xdp *skel;
	int link_fd[NF_N_SIDES]; /* what keeps the program on the devices */
};

static void xdp_stop(struct nf *nf)
{
	struct xdp_state *x = nf->state;

	if (!x)
		return;
	for (int i = 0; i < NF_N_SIDES; i++)
		closep(&x->link_fd[i]);
	hop_xdp__destroy(x->skel);
	free(x);
}

static int xdp_side(struct nf *nf, uint32_t i, struct err *e)
{
	struct xdp_state *x = nf->state;
	uint32_t ifindex = (uint32_t)nf->side[i].id.ifindex;
	int r = ebpf_map_set(nf->netns_fd, bpf_map__fd(x->skel->maps.hop_devs), &i, &ifindex, e);

	return r < 0 ? r
		     : ebpf_xdp_attach(&x->link_fd[i], nf->netns_fd, (int)ifindex,
			       bpf_program__fd(x->skel->progs.hop), EBPF_XDP_NATIVE, e);
}

static int xdp_start(struct nf *nf, const struct path *p, struct err *e)
{
	struct xdp_state *x = xcalloc(1, sizeof(*x));
	int r;

	(void)p;
	x->link_fd[NF_IN] = x->link_fd[NF_OUT] = -1;
	nf->state = x;
	ebpf_quiet();
	x->skel = hop_xdp__open();
	if (!x->skel)
		return err_set(e, errno, "cannot open the XDP program");
	fill((struct hop_side *)x->skel->rodata->hop_side, nf);
	r = hop_xdp__load(x->skel);
	if (r < 0)
		return ebpf_refused(r, e);
	for (uint32_t i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = xdp_side(nf, i, e);
	return r;
}

const struct nf_ops nf_xdp = {
	.frames = true,
	.note = "the ends and the switch's ports checksum and segment in software (tx-csum and tso "
		"off, gro on): XDP hands frames on, not skbs, so a TCP stream pays for each packet "
		"what other paths pay for each 64 KB",
	.start = xdp_start,
	.stop = xdp_stop,
};

/* The programs are the devices' once they are attached, and go with them. */
static int tc_start(struct nf *nf, const struct path *p, struct err *e)
{
	struct hop_tc *skel;
	int r;

	(void)p;
	ebpf_quiet();
	skel = hop_tc__open();
	if (!skel)
		return err_set(e, errno, "cannot open the tc program");
	fill((struct hop_side *)skel->rodata->hop_side, nf);
	r = hop_tc__load(skel);
	r = r < 0 ? ebpf_refused(r, e) : 0;
	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = ebpf_tc_attach(nf->netns_fd, nf->side[i].id.ifindex,
			bpf_program__fd(skel->progs.hop), e);
	hop_tc__destroy(skel);
	return r;
}

const struct nf_ops nf_tc = {
	.start = tc_start,
};
