/*
 * Switches in user space: the containers are on the wire's own segment, and a program of the host
 * moves frames between the host's devices.
 */
#pragma once

#include "path/lab.h"

/* What is done about checksums that a sender leaves to a device, when the switch is none. */
enum switch_offload {
	SWITCH_OFFLOAD_FIX,  /* the ends compute them */
	SWITCH_OFFLOAD_KEEP, /* nothing: a veth pair as it is */
	SWITCH_OFFLOAD_N,
};

enum ovs_pmd {
	OVS_PMD_PMD,    /* a thread that polls */
	OVS_PMD_NONPMD, /* ports are served by the main thread */
	OVS_PMD_N,
};

enum dpdk_port {
	DPDK_PORT_AF_PACKET,
	DPDK_PORT_AF_XDP,
	DPDK_PORT_N,
};

extern const struct opt switch_opts[];
#define SWITCH_OPTS_TITLE "Switches in user space"

#define SWITCH_N_PORTS 2

/* The host's devices that the switch connects. */
const char *const *switch_ports(const struct lab *lab);

/* For a switch that neither computes checksums nor carries that they are missing. */
int switch_offload(struct path *p, struct err *e) must_check_;

/* For a switch that carries TCP's checksums and segments through, but not UDP's segments. */
int switch_no_udp_segments(struct path *p, struct err *e) must_check_;

/* A path whose frames bypass queueing disciplines can't have a shaped wire. */
int switch_check_unshaped(const struct path_spec *spec, const char *why, struct err *e) must_check_;
