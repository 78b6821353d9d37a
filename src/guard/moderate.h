/*
 * Interrupts of devices moderated while the guard is at work: where each packet comes with one,
 * these take the time of whom they interrupt, and dropping packets saves nothing of it. What a
 * device had is noted in the guard's state, which puts it back.
 */
#pragma once

#include "base/err.h"
#include "guard/record.h"
#include "guard/state.h"

#include <net/if.h>
#include <stdint.h>

/* Ref: DPDK doc/guides/nics/af_xdp.rst, busy_budget: 200000, with napi_defer_hard_irqs 2 */
#define MODERATE_NS (200 * NSEC_PER_USEC)
/* Below, hardly a packet more comes meanwhile; above, rings of 1024 overflow at 100k/s. */
#define MODERATE_LEAST_NS NSEC_PER_USEC
#define MODERATE_MOST_NS  (10 * NSEC_PER_MSEC)
#define MODERATE_MAX      16

struct moderate {
	uint32_t n;
	struct moderate_device {
		char dev[IFNAMSIZ];
		uint64_t flush_ns;
	} device[MODERATE_MAX];
};

/* Reads "DEV[=TIME],...", "" is none. Return: 0, or -EINVAL or -ERANGE. */
int moderate_parse(struct moderate *ret, const char *text, struct err *e) must_check_;

/*
 * moderate_begin() - set all of them, devices of the calling thread's namespace. What is set when
 *                    one can't be stays noted, and is put back by guard_state_close().
 *
 * Return: 0; -ENODEV: there is none of that name; or another negative errno.
 */
int moderate_begin(const struct moderate *m, struct guard_state *s, struct err *e) must_check_;

/*
 * moderate_put_back() - what a device had. What is not what the guard has set is somebody's, and
 * stays. Return: 0 when that is done, or device or namespace are gone.
 */
int moderate_put_back(const struct guard_device *x, struct err *e) must_check_;
