/*
 * Tells the drop programs at the host's devices whose packets are, by destination: addresses of
 * containers, read in their namespaces, and published ports of the host's addresses. Both are
 * followed while it runs, and given to those only who may have them (guard/claim.h); what it can't
 * know is who has an address but is no container here, as a guest.
 *
 * The kernel tells of changes; namespaces that have no number at the host, as of a macvlan, are
 * read once a second. Reading takes a twentieth of a CPU at most, whatever containers do.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "charge/container.h"
#include "guard/config.h"
#include "guard/drop.h"

/* Of a container, loopback's and link-local ones, which tell nothing, included: no more is read. */
#define WHOSE_MAX_ADDRS 64U

/* Return: a descriptor of a container's network namespace, to be closed, or negative errno. */
typedef int whose_netns_fn(void *ctx, const struct container *who, struct err *e);

struct whose;

/* @d, @netns_open and @ctx are borrowed. The calling thread's namespace is the host's. */
struct whose *whose_new(struct drop *d, whose_netns_fn *netns_open, void *ctx) must_check_;
void whose_free(struct whose *w);
DEFINE_CLEANUP(struct whose *, whose_free, whose_freep)

/* Every container, so that none takes another's; NULL: it is gone. */
void whose_see(struct whose *w, uint32_t owner, const struct container *who);
/* From now on packets of one that was seen are its (@rule: its published ports), or no more. */
void whose_begin(struct whose *w, uint32_t owner, const struct guard_rule *rule);
void whose_end(struct whose *w, uint32_t owner);

/* Takes up what has changed. Never waits. */
void whose_refresh(struct whose *w);

/* Of one that was begun: what of its packets is not known as its, and why; "" */
const char *whose_why(const struct whose *w, uint32_t owner);
