/* Sums and differences of accounts. */
#pragma once

#include "bpf/softirq.h"

#include <stddef.h>
#include <stdint.h>

/* Both structs are nothing but 64-bit counters. */
static inline void account_add_(void *to, const void *x, size_t size)
{
	for (size_t i = 0; i < size / sizeof(__u64); i++)
		((__u64 *)to)[i] += ((const __u64 *)x)[i];
}

/* A counter that went back has counted nothing: never a number of 2^64. */
static inline uint64_t count_since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static inline void account_since_(void *now, const void *then, size_t size)
{
	for (size_t i = 0; i < size / sizeof(__u64); i++)
		((__u64 *)now)[i] = count_since(((__u64 *)now)[i], ((const __u64 *)then)[i]);
}

static inline void account_add(struct softirq_account *to, const struct softirq_account *x)
{
	account_add_(to, x, sizeof(*to));
}

static inline struct softirq_account account_since(struct softirq_account now,
	const struct softirq_account *then)
{
	account_since_(&now, then, sizeof(now));
	return now;
}

static inline struct softirq_cpu account_cpu_since(struct softirq_cpu now,
	const struct softirq_cpu *then)
{
	account_since_(&now, then, sizeof(now));
	return now;
}
