/* iptables' rules of one network namespace, by the program of that name. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * iptables_restore() - apply rules, all or nothing, inside the namespace @netns_fd.
 * @script: as iptables-restore takes it
 * @cancel_fd: readable: give up with -ECANCELED; -1: none
 *
 * Return: 0; -EOPNOTSUPP when there is no such program, or it refuses; or negative errno.
 */
int iptables_restore(int netns_fd, bool ipv6, const char *script, int cancel_fd, struct err *e)
	must_check_;

/* "iptables v1.8.9 (nf_tables)": the word in brackets says which part of the kernel it drives. */
int iptables_version(bool ipv6, char *ret, size_t size, struct err *e) must_check_;
