/*
 * Early drop: packets of owners that are over their budget, dropped by programs (bpf/drop.bpf.c) at
 * the cheapest hook of a device. Owners and budgets are the accounting's (charge/softirq.h).
 *
 * It fails open. Programs hang on links, which go with the process; where the kernel has none for
 * tc (before Linux 6.6), a filter stays after kill -9. All programs pass everything when
 * drop_beat() has not been called for DROP_BEAT_MAX_NS. A child that is forked later keeps the
 * links until it ends, executes another program, or closes them.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "bpf/drop.h"
#include "charge/softirq.h"

#include <stdbool.h>
#include <stdint.h>

struct drop;

extern const char *const drop_hook_name[DROP_HOOK_N];

struct drop_cfg {
	uint32_t n_owners; /* without the accounting; with it, it has as many */
	bool no_tcx;       /* as on kernels before 6.6: tc by filters */
};

#define DROP_UNAVAILABLE 1

/* Return: 0; DROP_UNAVAILABLE with the reason; or negative errno. Loads, and lets go. */
int drop_probe(struct err *e) must_check_;

/*
 * drop_open() - load the programs. There are no devices yet, and all packets are nobody's.
 * @shared: the accounting's maps (softirq_share()), whose budgets count and whom drops are billed
 *          to; they are borrowed by this call only. NULL: drop_set_budget() says what is left.
 *
 * Return: as drop_probe().
 */
int drop_open(struct drop **ret, const struct drop_cfg *cfg, const struct softirq_shared *shared,
	struct err *e) must_check_;
/* Takes all programs away. */
void drop_close(struct drop *d);
DEFINE_CLEANUP(struct drop *, drop_close, drop_closep)

/* Says that somebody looks after it, for the next DROP_BEAT_MAX_NS. */
void drop_beat(struct drop *d);

/*
 * Instead of a hook: the cheapest for what comes in by a device of the host's, as a NIC. That is
 * XDP in the driver of a real device; else tc, as generic XDP makes one piece of what was joined;
 * and generic XDP where there is no tc.
 */
#define DROP_BEST DROP_HOOK_N

struct drop_device {
	int netns_fd; /* -1: the calling thread's namespace */
	int ifindex;
	uint32_t hook; /* enum drop_hook, or DROP_BEST */
};

/* What became of it. */
struct drop_used {
	uint32_t hook;   /* enum drop_hook */
	bool outlasts;   /* the process, after kill -9; but passes everything then */
	char words[320]; /* why no better hook; "" */
};

/*
 * drop_add_device() - have packets at a device dropped.
 *
 * Programs of others stay, and see what passes. Attaching an XDP program may have a real adapter
 * start again, which takes some of them a second. DROP_TC_INSIDE is for devices of a container's
 * own namespace, which is not kept alive by it.
 *
 * Return: 0; -EBUSY: an XDP program is there, which is named; -EEXIST: it has this device at that
 * hook; -EOPNOTSUPP: no such hook here, or no Ethernet; -ENODEV; or another negative errno.
 */
int drop_add_device(struct drop *d, const struct drop_device *dev, struct drop_used *ret,
	struct err *e) must_check_;
/* Takes it off the device again; DROP_BEST: at all hooks. Fine if it or the device is not there. */
void drop_remove_device(struct drop *d, const struct drop_device *dev);

/*
 * For whom packets are: @prefix is "10.0.0.7", "10.0.0.0/24" or of IPv6; the longest one counts.
 * SOFTIRQ_HOST: an address of the host's own, where a published port leads to an owner. At
 * DROP_TC_EGRESS the device tells. Setting again replaces. -E2BIG, -ENOSPC: the table is full.
 */
int drop_set_addr(struct drop *d, uint32_t owner, const char *prefix, struct err *e) must_check_;
/* @proto: IPPROTO_TCP, IPPROTO_UDP */
int drop_set_port(struct drop *d, uint32_t owner, uint8_t proto, uint16_t port, struct err *e)
	must_check_;
int drop_set_dev(struct drop *d, uint32_t owner, int ifindex, struct err *e) must_check_;
/* Forgets it; fine if it is not there. */
void drop_unset_addr(struct drop *d, const char *prefix);
void drop_unset_port(struct drop *d, uint8_t proto, uint16_t port);
void drop_unset_dev(struct drop *d, int ifindex);

/* How an owner's packets are dropped; without: from an empty bucket on, of every class. */
struct drop_how {
	int64_t early_ns; /* tokens below which some are dropped; at most 2^40 from 0 */
	uint32_t keep;    /* DROP_KEEP_... */
};
int drop_set_how(struct drop *d, uint32_t owner, const struct drop_how *how, struct err *e)
	must_check_;

/*
 * drop_protect() - never drop packets of a port of the owner's, or of those who talk to it.
 * @side: enum drop_side
 *
 * Return: 0 or -ENOSPC: more than DROP_PORTS_PER_OWNER.
 */
int drop_protect(struct drop *d, uint32_t owner, uint8_t proto, uint16_t port, uint8_t side,
	struct err *e) must_check_;

/* Only without the accounting: what @owner has left. */
int drop_set_budget(struct drop *d, uint32_t owner, const struct softirq_budget *b, struct err *e)
	must_check_;

/* Of an owner since drop_open() or drop_clear(), and of a hook (enum drop_hook) since the first. */
void drop_read(const struct drop *d, uint32_t owner, struct drop_count *ret);
void drop_read_hook(const struct drop *d, uint32_t hook, struct drop_count *ret);
/* Forgets how an owner's packets are dropped and what was counted: its number is free again. */
void drop_clear(struct drop *d, uint32_t owner);

/* For tests: the program of a hook, to be run on a packet that is made up. */
int drop_program_fd(const struct drop *d, uint32_t hook);
