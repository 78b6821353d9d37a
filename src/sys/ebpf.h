/* Loading BPF programs and hanging them on devices; none outlives its descriptor or its device. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* libbpf prints on its own unless told not to; before the first use of a skeleton. */
void ebpf_quiet(void);

/*
 * ebpf_changed() - programs remember what they looked up in a table together with its generation:
 * they are to look again. 0 is that of what was never looked up, so it is left out.
 */
void ebpf_changed(uint32_t *generation);

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
 *
 * Return: 0, or negative errno: -EBUSY names the program that is there already.
 */
int ebpf_xdp_attach(int *ret_fd, int netns_fd, int ifindex, int prog_fd, uint32_t mode,
	struct err *e) must_check_;

/* Is the device of a link (XDP or tcx) still there? */
bool ebpf_link_is_on(int link_fd);

/*
 * The XDP program on a device of the calling thread's namespace; 0: none.
 * Return: 0 or negative errno (no words).
 */
int ebpf_xdp_id(int ifindex, uint32_t *ret) must_check_;

/* Sets one entry; devices in maps are looked up in @netns_fd. */
int ebpf_map_set(int netns_fd, int map_fd, const void *key, const void *value, struct err *e)
	must_check_;

/* One run of an XDP program on live frames. */
struct ebpf_live {
	int prog_fd;
	uint32_t ifindex;  /* whose packets these seem to be; of the calling thread's namespace */
	const void *bytes; /* [len]: what is in every page when it is new */
	uint32_t len;
	uint32_t repeat, batch;
};

/*
 * ebpf_live_run() - run a program on pages of a pool that the kernel recycles, and have done to
 *                   them what it says: BPF_F_TEST_XDP_LIVE_FRAMES. Linux 5.18.
 *
 * Return: 0; -EINTR after a signal; or negative errno.
 */
int ebpf_live_run(const struct ebpf_live *l, struct err *e) must_check_;

/*
 * ebpf_xdp_find() - the XDP program that a device has.
 * @ret: its name, or its number where the name may not be read
 *
 * Return: 0 none, 1 it has one, or negative errno.
 */
int ebpf_xdp_find(int netns_fd, int ifindex, char *ret, size_t size, struct err *e) must_check_;
