/* The namespaces of one path, the wire between its two machines, and pods on the host. */
#pragma once

#include "path/path.h"
#include "sys/rtnl.h"

#define LAB_N_PODS 2 /* pod 0 is the far end; pod 1 the near end when between = pods */

/* Numbers of the lab, one set per IP family. Ref: RFC 2544 (198.18/15), RFC 5180 (2001:2::/48). */
struct lab_addrs {
	const char *any;
	const char *loopback;
	const char *peer, *host; /* on the wire */
	const char *wire_len;    /* prefix length of every subnet, "/24" */
	const char *segment_len; /* of the wire's own; the same, unless it was there before */
	struct {
		const char *net;     /* of pod i when it is routed; pod 0's is also the bridge's */
		const char *gateway; /* the host's address there */
		const char *addr;
	} pod[LAB_N_PODS];
	const char *bridged_addr[LAB_N_PODS]; /* of pod i on the bridge */
	const char *service;                  /* belongs to no device: rules of the host's */
	const char *wire_addr[LAB_N_PODS];    /* of pod i on the wire's own segment */
};

struct lab {
	const struct path_cfg *cfg;
	const struct lab_addrs *addrs;
	struct lab_addrs there; /* what addrs is on a wire that was there before */
	char there_host[16], there_len[4];
	uint32_t n_pods;  /* 1, or 2 when between = pods or the path is one between two nodes */
	uint32_t pod_mtu; /* of pods' links; a path may set it before it adds pods */
	bool near_pod_at_peer;                    /* pod 1 is on the peer: see lab_two_nodes() */
	int peer_fd, host_fd, pod_fd[LAB_N_PODS]; /* peer: -1 and NULL on a real wire */
	struct rt *peer, *host, *pod[LAB_N_PODS];
	bool pod_pair[LAB_N_PODS]; /* is pod<i> - eth0 a pair, to be waited for at both ends? */
	bool wire_taken;           /* has a pod the host's half of the wire? */
};

/*
 * Creates peer and host, joined by the wire, which is up, addressed and shaped. On a real wire
 * (path/wire.h) there is the host only: its device is up there, and has no address yet.
 */
int lab_open(struct lab **ret, const struct path_cfg *cfg, struct err *e) must_check_;
void lab_close(struct lab *lab);

/*
 * lab_quiet_ipv6() - have devices yet to come send no IPv6 packets of their own.
 * @netns_fd: where; -1: the calling thread's namespace
 */
int lab_quiet_ipv6(int netns_fd, bool ipv6, struct err *e) must_check_;
/* A namespace that is quiet like that, and its netlink socket; both are the caller's. */
int lab_machine_new(bool ipv6, int *ret_fd, struct rt **ret, struct err *e) must_check_;
/* For a path between two nodes: peer is one of them, pod 1 is the near end and on it. */
void lab_two_nodes(struct lab *lab);
/* The machine that pod @i is on. */
struct rt *lab_machine_of(const struct lab *lab, uint32_t i);
/* Lets one of the machines forward. */
int lab_forward_at(const struct lab *lab, int netns_fd, struct err *e) must_check_;

/* The host routes nothing and has no address in use, so it need not know IPv6, which speaks. */
int lab_switch_only(struct lab *lab, struct err *e) must_check_;
/* Lets the host forward, and tells the peer that the pods' networks are behind it. */
int lab_forward(struct lab *lab, struct err *e) must_check_;
int lab_route_from_peer(struct lab *lab, const char *net, struct err *e) must_check_;

/* The namespace of pod @i, with nothing but loopback in it. */
int lab_pod_new(struct lab *lab, uint32_t i, struct err *e) must_check_;

/* Names of the devices on a pod's machine that lead to it. */
extern const char *const lab_outer[LAB_N_PODS];

/*
 * lab_pod_add() - create pod @i with device eth0, whose other half is lab_outer[i] on its machine.
 * Both are up; addresses and routes are the path's business.
 */
int lab_pod_add(struct lab *lab, uint32_t i, struct err *e) must_check_;

/*
 * Gives pod @i's eth0 this address and a default route; a gateway of NULL: no route, what the pod
 * talks to is on its own link.
 */
int lab_pod_address(struct lab *lab, uint32_t i, const char *addr, const char *gateway,
	struct err *e) must_check_;

/* Sets a device up, with an address of the lab; @len: "/24", one of the prefix lengths there. */
int lab_address(struct rt *rt, const char *dev, const char *addr, const char *len, struct err *e)
	must_check_;

/*
 * lab_pod_routed() - an address for eth0 and one of the same subnet, its gateway, for the other
 * half of the pair. Nobody else is told the way.
 */
int lab_pod_routed(struct lab *lab, uint32_t i, struct err *e) must_check_;

/* Gives pod @i's eth0 an address on the wire's own segment, the host being a switch. */
int lab_pod_on_wire(struct lab *lab, uint32_t i, struct err *e) must_check_;

/* Creates pod @i with a device eth0 that has no address yet: lab_pod_add(), or a path's own. */
typedef int lab_pod_fn(struct lab *lab, uint32_t i, struct err *e);

/* All pods of the lab, each routed by the host, which the peer knows; fills both ends. */
int lab_build_routed(struct path *p, lab_pod_fn *pod_add, struct err *e) must_check_;
/* All pods of the lab as machines on the wire's own segment; fills both ends. */
int lab_build_on_wire(struct path *p, lab_pod_fn *pod_add, struct err *e) must_check_;

/* Waits until every link of the lab carries packets. */
int lab_wait_up(struct lab *lab, struct err *e) must_check_;

/* Both ends of a path whose container ends are pods at @addr [LAB_N_PODS]; the host is a hop. */
void lab_ends(struct path *p, const char *const *addr);

/* Both ends of a path whose far end is in the host's own network namespace. */
void lab_host_ends(struct path *p, bool container);
