/* Guests of this machine on a bridge of the host: values of their options. */
#pragma once

#include "path/path.h"

enum vm_accel {
	VM_ACCEL_AUTO, /* KVM when a guest boots with it, else TCG */
	VM_ACCEL_KVM,
	VM_ACCEL_TCG,
	VM_ACCEL_N,
};

enum vm_offloads {
	VM_OFFLOADS_ON,
	VM_OFFLOADS_OFF,
	VM_OFFLOADS_N,
};

/* What paths to a guest have in common, for struct path_ops. */
extern const struct opt vm_opts[];
#define VM_OPTS_TITLE "Guests"
int vm_check(const struct path_spec *spec, struct err *e) must_check_;
int vm_probe(const struct path_spec *spec, struct err *e) must_check_;

struct vm_guest;

/* Says how the guest's CPU is run. */
void vm_note_accel(struct path *p, const struct vm_guest *guest);
/* A packet from near to far and back: a guest opens no sockets for us, but its kernel answers. */
int vm_ping(const struct path *p, struct err *e) must_check_;
