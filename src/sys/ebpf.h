/* Loading BPF programs and hanging them on devices; none outlives its descriptor or its device. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* libbpf prints on its own unless told not to; before the first use of a skeleton. */
void ebpf_quiet(void);

/*
 * ebpf_refused() - why the kernel did not take an object, in words.
 * @r: what the skeleton's load said
 *
 * Return: negative errno; -EOPNOTSUPP and -EPERM for what this kernel or user can't do.
 */
int ebpf_refused(int r, struct err *e) must_check_;

/*
 * ebpf_tc_attach() - run a program (BPF_PROG_TYPE_SCHED_CLS) on what comes in by a device, as
 *                    filter 1 of priority 1. It goes with the device.
 */
int ebpf_tc_attach(int netns_fd, int ifindex, int prog_fd, struct err *e) must_check_;

enum ebpf_xdp_mode {
	EBPF_XDP_NATIVE,
	EBPF_XDP_GENERIC,
	EBPF_XDP_MODE_N,
};
extern const char *const ebpf_xdp_mode_name[EBPF_XDP_MODE_N];

/*
 * ebpf_xdp_attach() - run an XDP program on a device for as long as the link *ret_fd is open.
 * @mode: enum ebpf_xdp_mode
 */
int ebpf_xdp_attach(int *ret_fd, int netns_fd, int ifindex, int prog_fd, uint32_t mode,
	struct err *e) must_check_;

/* Sets one entry; devices in maps are looked up in @netns_fd. */
int ebpf_map_set(int netns_fd, int map_fd, const void *key, const void *value, struct err *e)
	must_check_;
