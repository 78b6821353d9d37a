#include "path/tenants.h"

#include "base/clock.h"
#include "base/mem.h"
#include "path/lab.h"
#include "sys/ethtool.h"
#include "sys/napi.h"
#include "sys/rtbridge.h"
#include "sys/rtdev.h"

#include <stdlib.h>

#define PREFIX "/24"
/* As in lab.c: links come up within milliseconds, later on a loaded machine. */
#define UP_NS (5 * NSEC_PER_SEC)

const char *const tenant_name[] = {
	[TENANT_VICTIM] = "victim",
	[TENANT_NEIGHBOUR] = "neighbour",
	[TENANT_BYSTANDER] = "bystander",
};
static_assert(ARRAY_SIZE(tenant_name) == TENANT_N);

/* Ref: RFC 2544 appendix C.2.2: 198.18.0.0/15 is for benchmarks. */
#define PEER_IP "198.18.0.1"
static const char *const tenant_ip[] = {
	[TENANT_VICTIM] = "198.18.0.11",
	[TENANT_NEIGHBOUR] = "198.18.0.12",
	[TENANT_BYSTANDER] = "198.18.0.13",
};
static_assert(ARRAY_SIZE(tenant_ip) == TENANT_N);

void tenants_close(struct tenants *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < TENANT_N; i++) {
		rt_close(t->tenant[i].rt);
		closep(&t->tenant[i].netns_fd);
	}
	rt_close(t->host);
	closep(&t->host_fd);
	rt_close(t->peer.rt);
	closep(&t->peer.netns_fd);
	free(t);
}

/* A machine joined to the host's bridge by a pair, whose half there is @outer. */
static int end_add(struct tenants *t, struct tenants_end *end, const char *outer,
	const struct tenants_args *args, struct err *e)
{
	int r = lab_machine_new(false, &end->netns_fd, &end->rt, e);

	if (r == 0)
		r = rt_veth_add(t->host, outer, end->dev, end->netns_fd, args->mtu, e);
	if (r == 0)
		r = rt_set_master(t->host, outer, "s0", e);
	if (r == 0)
		r = rt_set_up(t->host, outer, e);
	if (r == 0)
		r = lab_address(end->rt, end->dev, end->ip, PREFIX, e);
	if (r == 0)
		r = rt_wait_up(end->rt, end->dev, clock_now_ns() + UP_NS, e);
	if (r == 0)
		r = rt_id(end->rt, end->dev, &end->id, e);
	if (r == 0 && !args->tso)
		r = ethtool_feature_off(end->netns_fd, end->dev, "tx-tcp-segmentation", e);
	return r < 0 ? r : rt_fdb_add(t->host, outer, end->id.mac, e);
}

static int acquaint(struct tenants_end *a, struct tenants_end *b, struct err *e)
{
	int r = rt_neigh_add(a->rt, a->dev, b->ip, b->id.mac, e);

	return r < 0 ? r : rt_neigh_add(b->rt, b->dev, a->ip, a->id.mac, e);
}

static int steer(int netns_fd, const char *dev, uint32_t cpu, struct err *e)
{
	_cleanup_(closep) int fd = napi_open(netns_fd, e);
	char mask[512];

	if (fd < 0)
		return fd;
	napi_mask(cpu, mask, sizeof(mask));
	return napi_set_rps(fd, dev, mask, e);
}

static int build(struct tenants *t, const struct tenants_args *args, struct err *e)
{
	int r = lab_machine_new(false, &t->host_fd, &t->host, e);

	if (r == 0)
		r = rt_bridge_quiet_add(t->host, "s0", args->mtu, e);
	if (r == 0)
		r = rt_set_up(t->host, "s0", e);
	if (r == 0)
		r = end_add(t, &t->peer, "wire", args, e);
	for (uint32_t i = 0; r == 0 && i < TENANT_N; i++) {
		r = end_add(t, &t->tenant[i], tenant_name[i], args, e);
		if (r == 0)
			r = acquaint(&t->peer, &t->tenant[i], e);
	}
	if (r == 0)
		r = steer(t->host_fd, "wire", args->cpu, e);
	if (r == 0)
		r = steer(t->peer.netns_fd, "wire", args->peer_cpu, e);
	/* A veth takes frames of XDP programs only where its other half polls. */
	if (r == 0)
		r = ethtool_set(t->host_fd, "wire", ETHTOOL_GRO, args->live || args->polls, e);
	/* Ref: drivers/net/veth.c veth_skb_is_eligible_for_gro: the rest is not polled for. */
	return r == 0 && args->polls ? ethtool_set(t->peer.netns_fd, "wire", ETHTOOL_TSO, false, e)
				     : r;
}

int tenants_open(struct tenants **ret, const struct tenants_args *args, struct err *e)
{
	_cleanup_(tenants_closep) struct tenants *t = xcalloc(1, sizeof(*t));
	int r;

	t->host_fd = -1;
	t->peer = (struct tenants_end){.netns_fd = -1, .dev = "wire", .ip = PEER_IP};
	for (uint32_t i = 0; i < TENANT_N; i++)
		t->tenant[i] =
			(struct tenants_end){.netns_fd = -1, .dev = "eth0", .ip = tenant_ip[i]};
	r = build(t, args, e);
	if (r == 0)
		*ret = take_ptr(t);
	return r;
}
