/* Which CPUs a thread may run on. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define AFFINITY_MAX_CPUS 1024

/* The CPUs this process may use, ascending. @ret: [AFFINITY_MAX_CPUS]. Return: how many. */
uint32_t affinity_allowed(uint32_t *ret);

/*
 * affinity_parse() - read a CPU list such as "0,2-5".
 * Return: how many CPUs went into @ret [AFFINITY_MAX_CPUS], or -EINVAL.
 */
int affinity_parse(const char *list, uint32_t *ret, struct err *e) must_check_;

/* Pins the calling thread to one CPU. */
int affinity_pin(uint32_t cpu, struct err *e) must_check_;

/* Pins another thread, or one of the kernel's, and lets it go before others there (nice -20). */
int affinity_pin_task(int tid, uint32_t cpu, struct err *e) must_check_;

/* Where another thread may run. @cpu: [n] */
int affinity_set_task(int tid, const uint32_t *cpu, uint32_t n, struct err *e) must_check_;

/* "0,2-5", as affinity_parse() reads it. @cpu: [n], ascending */
void affinity_text(const uint32_t *cpu, uint32_t n, char *ret, size_t size);
