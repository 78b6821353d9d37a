/*
 * Early drop as guard/guard.h wants it: guard/drop.h on the budgets of the accounting. Packets of a
 * container whose bucket is empty are dropped at the host's devices that it was told of, by the
 * container's addresses and published ports, and at the host's half of its veth.
 *
 * At the host's devices an address is its container's only while no other container and not the
 * host has it, as a container may be able to give itself any (guard/claim.h). A contested one is
 * nobody's there, which is said (guard_drop_ops.why): packets to it are dropped at the veths only,
 * where the device tells whose they are. Addresses and devices are followed: what changes counts
 * from the next step on, or within a second (guard/whose.h).
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "charge/softirq.h"
#include "guard/guard.h"
#include "guard/whose.h"

struct early;

/*
 * early_open() - @soft must keep budgets (softirq_cfg.enforce).
 * @cfg: nics: devices that packets for containers come in by, parted by commas; "": none; of the
 *       calling thread's namespace
 *
 * Return: 0; EARLY_UNAVAILABLE with the reason; or negative errno.
 */
#define EARLY_UNAVAILABLE 1
struct early_cfg {
	const char *nics;
	uint64_t bucket_ns;         /* of time: a bucket holds the budget of so much */
	whose_netns_fn *netns_open; /* NULL: container_netns_open() */
	void *ctx;
};
int early_open(struct early **ret, struct softirq *soft, const struct early_cfg *cfg, struct err *e)
	must_check_;
void early_close(struct early *x);
DEFINE_CLEANUP(struct early *, early_close, early_closep)

extern const struct guard_drop_ops early_ops; /* ctx: a struct early */
