/*
 * Counters per CPU, as /proc/softirqs and /proc/interrupts have them: a line with the CPUs' names,
 * then rows "NAME: n n ... words". Pure functions on their text; columns are the CPUs online.
 */
#pragma once

#include <stdint.h>

/* The row @name ("NET_RX"). @ret: [@max], a CPU each. Return: how many CPUs; 0: no such row. */
uint32_t procirq_row(const char *text, const char *name, uint64_t *ret, uint32_t max);

/* The sum of all rows whose name is a number: interrupts of devices. The same otherwise. */
uint32_t procirq_devices(const char *text, uint64_t *ret, uint32_t max);
