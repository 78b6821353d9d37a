/*
 * Where the receiving work of a device is done, in threads of its own (threaded NAPI) or on CPUs
 * that packets are steered to (RPS), and how often: by interrupts, or a timer. Files of sysfs,
 * which shows the devices of the namespace that it is mounted in: here of one that is mounted
 * nowhere, and goes with its descriptor.
 * Ref: Documentation/networking/napi.rst, scaling.rst.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAPI_MAX_THREADS 64

/* napi_open() - a descriptor of the devices of @netns_fd, the caller's; or negative errno. */
int napi_open(int netns_fd, struct err *e) must_check_;

/* Has @dev threads of its own for its receiving work? Return: 0, 1, or negative errno. */
int napi_threaded(int napi_fd, const char *dev, struct err *e) must_check_;

/* -EOPNOTSUPP: the device has no NAPI now, as a veth without an XDP program or GRO. */
int napi_set_threaded(int napi_fd, const char *dev, bool on, struct err *e);

/*
 * napi_threads() - kernel threads of devices of this name, of all namespaces.
 * @ret: [NAPI_MAX_THREADS] pids. Return: how many; 0 also where the kernel's threads do not show.
 */
uint32_t napi_threads(const char *dev, int *ret);

/* RPS of queue 0: text of a CPU mask, as the kernel writes it. */
int napi_rps(int napi_fd, const char *dev, char *ret, size_t size, struct err *e) must_check_;
int napi_set_rps(int napi_fd, const char *dev, const char *mask, struct err *e);
/* The mask of one CPU: "1", "100000000" is "1,00000000". @ret: [size], 400 suffice */
void napi_mask(uint32_t cpu, char *ret, size_t size);

/*
 * Moderation: once polled, the device is polled again by a timer of flush_ns instead of its
 * interrupts, until it had nothing in defer polls one after the other. Either 0: there is none.
 * Ref: Documentation/networking/napi.rst "Software IRQ coalescing"; Linux 5.8
 */
struct napi_moderation {
	uint64_t flush_ns;
	uint32_t defer;
};
int napi_moderation(int napi_fd, const char *dev, struct napi_moderation *ret, struct err *e)
	must_check_;
/* Of all NAPIs of the device, whatever they had of their own. */
int napi_set_moderation(int napi_fd, const char *dev, const struct napi_moderation *to,
	struct err *e) must_check_;
