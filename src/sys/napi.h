/*
 * Where the receiving work of a device is done: in threads of its own (threaded NAPI) or on CPUs
 * that packets are steered to (RPS). Files of sysfs, which shows the devices of the namespace that
 * it is mounted in: here of one that is mounted nowhere, and goes with its descriptor.
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
