/*
 * What a report must say about where it was measured. Ref: draft-ietf-bmwg-containerized-infra-08,
 * RFC 8204: the parameters without which a result can't be compared.
 */
#pragma once

#include "base/field.h"

#include <stdbool.h>

struct env {
	char kernel[128];
	char cpu_model[128];
	uint32_t n_cpus;
	char hypervisor[16];
	bool emulated;
	char mitigations[512];
	char governor[32];
	char clock_source[32];
	char irq_time_accounting[16];
	char cgroup_limits[256];
	char tester[64];
	char tcp_congestion_control[32];
	char tcp_rmem[64], tcp_wmem[64];
	char rmem_max[24], wmem_max[24];
	char netdev_max_backlog[24];
	char default_qdisc[32];
	char nics[128];
	char guest_nics[256];
};
extern const struct field env_fields[];

/*
 * env_read() - fill all of it. What can't be read is "unknown".
 * @netns_fd: namespace whose TCP settings are recorded; -1: the caller's own
 */
void env_read(struct env *ret, int netns_fd);

/*
 * Is CPU time split into user, system and softirq by what a timer tick meets?
 * Ref: kernel/sched/cputime.c account_process_tick, irqtime_account_process_tick.
 */
bool env_counts_ticks(const struct env *x);
