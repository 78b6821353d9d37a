/*
 * Forwarding functions: routers or bridges with two devices in a namespace of their own, the
 * network functions of a chain. A kind is a row of nf_table.
 *
 *	------ in [ function ] out ------
 */
#pragma once

#include "path/path.h"
#include "sys/rtnl.h"

enum nf_side_of {
	NF_IN,  /* towards the near end */
	NF_OUT, /* towards the far end */
	NF_N_SIDES,
};
extern const char *const nf_dev[NF_N_SIDES]; /* its devices: "in", "out" */

/* One side. Only a function with addresses has own; via is end when the end is on this link. */
struct nf_side {
	struct rt_id id;
	uint8_t next_mac[6]; /* of who is next on this side */
	uint8_t end_mac[6];  /* of the end that lies on this side, the last one there */
	char own[46], own_len[8];
	char via[46]; /* address of who is next */
	char end[46]; /* of the end */
};

/*
 * Of @n functions in a row, linked to each other or by the host's switch: how often a packet
 * crosses the switch, and how many of its ports lead to them.
 * Ref: draft-mkonstan-nf-service-density-01
 */
static inline uint32_t nf_row_crossings(bool linked, uint32_t n)
{
	return linked ? 2 : n + 1;
}

static inline uint32_t nf_row_ports(bool linked, uint32_t n)
{
	return linked ? 2 : 2 * n;
}

struct nf_ops;

struct nf {
	const struct nf_ops *ops;
	int netns_fd;
	struct rt *rt;
	struct nf_side side[NF_N_SIDES];
	void *state; /* the kind's own */
};

enum nf_kind {
	NF_ROUTE,
	NF_BRIDGE,
	NF_TC,
	NF_XDP,
	NF_AFXDP,
	NF_KIND_N,
};
extern const char *const nf_kind_name[NF_KIND_N];

/* How a process of a function waits for frames. */
enum nf_poll {
	NF_POLL_EVENT, /* asleep */
	NF_POLL_BUSY,  /* never, and the kernel polls the device in its calls */
	NF_POLL_N,
};
extern const char *const nf_poll_name[NF_POLL_N];

struct nf_ops {
	bool l2;          /* is crossed without being addressed; else a router, one hop */
	bool addressed;   /* its devices have addresses, so it speaks IPv6 by itself, too */
	bool frames;      /* hands bytes on, not skbs: nothing may be left to offloads */
	uint32_t max_mtu; /* 0: none */
	const char *note; /* what a reader must know; NULL: nothing */
	/* Both devices are there, up, and all of @nf is filled in. */
	int (*start)(struct nf *nf, const struct path *p, struct err *e);
	int (*rest)(struct nf *nf, bool rest, struct err *e); /* NULL: nothing takes CPU time */
	pid_t (*pid)(const struct nf *nf);                    /* NULL: no process */
	/* Gives nf->state back; it may be NULL. NULL: it all goes with the namespace. */
	void (*stop)(struct nf *nf);
};
extern const struct nf_ops *const nf_table[NF_KIND_N];
extern const struct nf_ops nf_route, nf_bridge, nf_tc, nf_xdp, nf_afxdp;
