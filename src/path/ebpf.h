/* What the eBPF paths share: pods on veth pairs, and the table that programs look them up in. */
#pragma once

#include "path/lab.h"

enum ebpf_redirect {
	EBPF_REDIRECT_PEER,
	EBPF_REDIRECT_PLAIN,
	EBPF_REDIRECT_N,
};
extern const char *const ebpf_redirect_name[EBPF_REDIRECT_N];

/*
 * ebpf_pods() - a veth pair for each pod, addressed as on the path veth: the host's side holds the
 *               pod's gateway, and answers for it. Fills both ends of @p. Nothing is forwarded yet.
 */
int ebpf_pods(struct path *p, struct err *e) must_check_;

/* Puts the addresses of the host and of all pods into the map @map_fd of struct route_to. */
int ebpf_routes(struct lab *lab, int map_fd, struct err *e) must_check_;
/* The peer's, too: for a program that asks nobody else for the next hop. */
int ebpf_route_peer(struct lab *lab, int map_fd, struct err *e) must_check_;
