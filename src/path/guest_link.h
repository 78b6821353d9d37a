/*
 * What the host's side of a guest (path/vm_guest.c) and its first process (guest/init.c) agree on.
 * Words on the control port, one a line:
 *
 *	guest: ready                   or  error TEXT, lacks TEXT (the kernel or the NIC can't)
 *	host:  agent TOKEN         ->  dead  once the old agent is; then the token, see below
 *	                           ->  ok  once a fresh agent runs
 *	host:  ping ADDRESS        ->  ok  or error TEXT
 *	host:  quit                    and the guest powers off, as it does when the port closes
 *
 * The agent port carries the control channel of the agent (wire/chan.h). What an earlier agent or
 * controller left in it ends with the token, which the host writes after "dead" and the guest
 * writes back before "ok".
 */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "path/nf.h"
#include "sys/mac.h"

#include <stdbool.h>
#include <stdint.h>

#define GUEST_PORT_CTL   "tare.ctl"
#define GUEST_PORT_AGENT "tare.agent"
#define GUEST_CFG        "tare.cfg" /* pairs of guest_opts */
#define GUEST_MODULES    "modules"  /* folder; loaded in the order of their names */

/* One side of a guest that forwards, as struct nf_side has it. */
struct guest_side {
	char mac[MAC_TEXT_LEN]; /* of the guest's NIC there */
	char own[46], own_len[8], end[46], end_mac[MAC_TEXT_LEN];
};

struct guest_cfg {
	char addr[64]; /* "198.18.1.2/24" */
	char gateway[46];
	bool ipv6;
	bool pod; /* the agent is in a container on a bridge of the guest */
	bool no_offloads;
	uint32_t mtu;
	bool forwards; /* nf (enum nf_kind) between two NICs; there is no agent, and no addr */
	uint32_t nf;
	struct guest_side side[NF_N_SIDES];
};
extern const struct opt guest_opts[];

/* The text of GUEST_CFG, which fits into so many bytes. */
#define GUEST_CFG_LEN 1024
void guest_cfg_text(const struct guest_cfg *cfg, char *ret, size_t size);

struct guest_link {
	int fd; /* of the control port; owned, non-blocking or a socket */
	size_t n;
	char buf[600]; /* [n] heard, not yet a line */
};

/* Return: 0, -ETIMEDOUT, -EPIPE (the other side is gone) or other negative errno. */
int guest_say(struct guest_link *l, const char *line, uint64_t deadline_ns) must_check_;
int guest_hear(struct guest_link *l, char *ret, size_t size, uint64_t deadline_ns) must_check_;

#define GUEST_TOKEN_LEN 32
/* Writes the token; reads and drops all up to the token. @fd: of the agent port */
int guest_token_write(int fd, const char *token, uint64_t deadline_ns) must_check_;
int guest_token_await(int fd, const char *token, uint64_t deadline_ns) must_check_;
