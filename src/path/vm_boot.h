/* Waiting for a guest to boot: how long, and how it is said that it did not. */
#pragma once

#include "base/err.h"
#include "path/guest_link.h"
#include "sys/qemu.h"

enum vm_patience {
	VM_PATIENCE_PROBE, /* KVM, and there is TCG to fall back on */
	VM_PATIENCE_TCG,
	VM_PATIENCE_KVM, /* asked for, however slow: nested ones boot in 20 s */
	VM_PATIENCE_N,
};

/* An emulated boot may panic (measured: a pair of QEMU 7.2 and Linux 6.12 in 1 of 20). */
#define VM_TCG_ATTEMPTS 2

/* The kernel's command line of a guest. */
const char *vm_boot_append(bool with_kvm);

/*
 * vm_boot_wait() - wait for the first line that the guest says.
 * @cancel_fd: readable: give up; -1: none
 *
 * Return: 0; -ECANCELED; -EIO with the guest's last words; -ETIMEDOUT when its kernel never
 * started.
 */
int vm_boot_wait(struct qemu *q, struct guest_link *l, enum vm_patience p, int cancel_fd, char *ret,
	size_t size, struct err *e) must_check_;
