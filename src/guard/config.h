/*
 * What the guard may do to whom. A rule is a line
 *
 *	WHO:POLICY[,cpus=0.2][,protect=22/6443][,publish=tcp:8080/udp:53][,irq=3us]
 *
 * WHO is a name or a pattern of it ("web-*", of a pod also "namespace/name"), "kind:pattern", an
 * id or its first 12 digits, or a cgroup's path, which begins with a slash. The first rule that
 * fits counts.
 */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "charge/container.h"

#include <stdbool.h>
#include <stdint.h>

enum guard_policy {
	GUARD_OBSERVE,     /* touched by nobody */
	GUARD_CHARGE,      /* its quota */
	GUARD_CHARGE_DROP, /* and packets once that is spent */
	GUARD_POLICY_N,
};
extern const char *const guard_policy_name[GUARD_POLICY_N];

/* Each counts for TCP and for UDP: bpf/drop.h, DROP_PORTS_PER_OWNER. */
#define GUARD_MAX_PORTS     6
#define GUARD_MAX_PUBLISHED 16
#define GUARD_IRQ_UNSAID    UINT64_MAX

/* A port of the host's addresses that rules of the host's (DNAT) turn to the container. */
struct guard_publish {
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t port;
};

struct guard_rule {
	char who[256];
	uint32_t policy;   /* enum guard_policy */
	uint64_t cpus_ppb; /* budget, CPU time per time, of 10^9; 0: its own quota */
	uint64_t irq_ns;   /* what an interrupt costs it; GUARD_IRQ_UNSAID: as the others */
	uint32_t n_ports;
	uint16_t port[GUARD_MAX_PORTS]; /* never dropped, of TCP and of UDP */
	uint32_t n_published;
	struct guard_publish published[GUARD_MAX_PUBLISHED];
};

struct guard_rules {
	uint32_t n;
	struct guard_rule *item; /* [n] */
};
void guard_rules_fini(struct guard_rules *r); /* for the attribute, too */

/* Adds one; blanks around it are no part of it. Return: 0, or -EINVAL or -ERANGE. */
int guard_rules_add(struct guard_rules *r, const char *line, struct err *e) must_check_;
/* Adds those of a list parted by ";". "" is none. */
int guard_rules_add_list(struct guard_rules *r, const char *list, struct err *e) must_check_;
/* Adds those of a file: one a line; a line that begins with "#" is a comment. */
int guard_rules_read(struct guard_rules *r, const char *path, struct err *e) must_check_;

bool guard_rule_fits(const struct guard_rule *r, const struct container *c);
/* The first that fits, or NULL. */
const struct guard_rule *guard_rules_find(const struct guard_rules *r, const struct container *c);
