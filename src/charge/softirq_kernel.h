/* What the accounting needs of a kernel, and how this one is; part of charge/softirq.c. */
#pragma once

#include "charge/softirq.h"

struct btf;

/*
 * softirq_ask() - look at the kernel's BTF for what can't be done without, and for facts.
 *
 * Return: 0, SOFTIRQ_UNAVAILABLE with what is missing, or negative errno.
 */
int softirq_ask(struct softirq_kernel *ret, struct btf **ret_btf, struct err *e) must_check_;
/* Is there such a tracepoint? */
bool softirq_traces(const struct btf *btf, const char *tracepoint);
/* Why the kernel took no program: SOFTIRQ_UNAVAILABLE, or @r, negative errno, in words. */
int softirq_refused(int r, struct err *e) must_check_;
