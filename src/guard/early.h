/*
 * Early drop as guard/guard.h wants it: guard/drop.h on the budgets of the accounting. Packets of a
 * container whose bucket is empty are dropped at the host's devices that it was told of, by the
 * container's addresses, and at the host's half of its veth.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "charge/softirq.h"
#include "guard/guard.h"

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
	uint64_t bucket_ns; /* of time: a bucket holds the budget of so much */
	/* A descriptor of a container's network namespace, to be closed; NULL: a process' of it */
	int (*netns_open)(void *ctx, const struct container *who, struct err *e);
	void *ctx;
};
int early_open(struct early **ret, struct softirq *soft, const struct early_cfg *cfg, struct err *e)
	must_check_;
void early_close(struct early *x);
DEFINE_CLEANUP(struct early *, early_close, early_closep)

extern const struct guard_drop_ops early_ops; /* ctx: a struct early */
