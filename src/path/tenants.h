/*
 * A host with three containers, none of which chose the others:
 *
 *	peer == wire == host: bridge s0 -- victim, neighbour, bystander
 *
 * Whatever comes over the wire is received by one CPU, as by the interrupt of a NIC's queue: by
 * RPS. What the peer itself receives is another CPU's work. Neighbours and the bridge's entries are
 * static, so nothing floods and nobody asks.
 */
#pragma once

#include "base/cleanup.h"
#include "sys/rtnl.h"

enum tenant {
	TENANT_VICTIM,
	TENANT_NEIGHBOUR,
	TENANT_BYSTANDER,
	TENANT_N,
};
extern const char *const tenant_name[TENANT_N];

/* A machine and its device on the segment: "wire" of the peer, "eth0" of a tenant. */
struct tenants_end {
	int netns_fd;
	struct rt *rt;
	const char *dev;
	const char *ip;
	struct rt_id id;
};

struct tenants {
	int host_fd;
	struct rt *host;
	struct tenants_end peer, tenant[TENANT_N];
};

struct tenants_args {
	uint32_t mtu;
	uint32_t cpu, peer_cpu; /* that receive what comes to the host, and to the peer */
	bool tso;               /* senders hand on TCP segments larger than the MTU */
	bool live; /* the host's wire takes live frames: it polls for them, and joins what it can */
	bool polls; /* for all else, too; not with tso */
};

/* The name of a tenant's device in the host: that of the tenant. */
int tenants_open(struct tenants **ret, const struct tenants_args *args, struct err *e) must_check_;
void tenants_close(struct tenants *t);
DEFINE_CLEANUP(struct tenants *, tenants_close, tenants_closep)
