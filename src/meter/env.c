#include "meter/env.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/affinity.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/kconfig.h"
#include "sys/nics.h"
#include "sys/ns.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

const struct field env_fields[] = {
	FIELD_STR(struct env, kernel, "release and version of the kernel"),
	FIELD_STR(struct env, cpu_model, "CPU model"),
	FIELD_U32(struct env, n_cpus, "", "CPUs tare may use"),
	FIELD_STR(struct env, hypervisor, "yes or no: the CPU says it is virtual"),
	FIELD_BOOL(struct env, emulated,
		"the CPU is emulated (QEMU TCG) or the kernel a process (user-mode Linux): numbers "
		"compare with each other only"),
	FIELD_STR(struct env, mitigations, "CPU vulnerabilities mitigated at a cost, and how"),
	FIELD_STR(struct env, governor, "frequency governor of CPU 0"),
	FIELD_STR(struct env, clock_source, "clock source"),
	FIELD_STR(struct env, irq_time_accounting,
		"on, off or unknown: whether softirq time is measured or sampled at ticks"),
	FIELD_STR(struct env, cgroup_limits, "CPU and memory limits on tare itself"),
	FIELD_STR(struct env, tester, "where the load generator runs"),
	FIELD_STR(struct env, tcp_congestion_control, "net.ipv4.tcp_congestion_control"),
	FIELD_STR(struct env, tcp_rmem, "net.ipv4.tcp_rmem"),
	FIELD_STR(struct env, tcp_wmem, "net.ipv4.tcp_wmem"),
	FIELD_STR(struct env, rmem_max, "net.core.rmem_max"),
	FIELD_STR(struct env, wmem_max, "net.core.wmem_max"),
	FIELD_STR(struct env, netdev_max_backlog, "net.core.netdev_max_backlog"),
	FIELD_STR(struct env, default_qdisc, "net.core.default_qdisc"),
	FIELD_STR(struct env, nics, "network adapters of this machine and their drivers"),
	FIELD_STR(struct env, guest_nics,
		"adapters that QEMU processes on this machine give to their guests"),
	FIELD_END,
};

#define UNKNOWN "unknown"

/* Finishes a value that was read with result @r: one line, or "unknown". */
static void or_unknown(int r, char *ret, size_t size)
{
	if (r < 0)
		(void)str_copy(ret, size, UNKNOWN);
	for (char *s = ret; *s; s++)
		if (*s == '\t')
			*s = ' ';
}

static void read_or_unknown(const char *path, char *ret, size_t size)
{
	or_unknown(file_read(path, ret, size, NULL), ret, size);
}

static void read_kernel(struct env *x)
{
	struct utsname u;

	if (uname(&u) == 0)
		snprintf(x->kernel, sizeof(x->kernel), "%.40s %.80s", u.release, u.version);
}

/* Value of a "key : value" line of /proc/cpuinfo. */
static bool cpuinfo(const char *key, char *ret, size_t size)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/cpuinfo", "re");
	char line[4096];

	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (!colon || strncmp(line, key, strlen(key)) != 0)
			continue;
		colon[strcspn(colon, "\n")] = '\0';
		(void)str_copy(ret, size, colon + (colon[1] == ' ' ? 2 : 1));
		return true;
	}
	return false;
}

/* Ref: QEMU target/i386/cpu.c, "max"; Linux arch/um/kernel/um_arch.c */
static bool is_emulated(const char *cpu_model)
{
	return strstr(cpu_model, "QEMU TCG CPU") || strcmp(cpu_model, "UML") == 0;
}

static void read_cpu(struct env *x)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];
	char flags[4096];

	x->n_cpus = affinity_allowed(cpus);
	if (!cpuinfo("model name", x->cpu_model, sizeof(x->cpu_model)))
		str_set(x->cpu_model, UNKNOWN);
	x->emulated = is_emulated(x->cpu_model);
	if (cpuinfo("flags", flags, sizeof(flags)))
		str_set(x->hypervisor, strstr(flags, " hypervisor") ? "yes" : "no");
	else
		str_set(x->hypervisor, UNKNOWN);
}

/* "retbleed: Mitigation: ...; ..." for each vulnerability the kernel does something about. */
static void read_mitigations(struct env *x)
{
	static const char dir[] = "/sys/devices/system/cpu/vulnerabilities";
	DIR *d = opendir(dir);
	char path[512], text[256];

	for (struct dirent *v; d && (v = readdir(d));) {
		snprintf(path, sizeof(path), "%s/%s", dir, v->d_name);
		if (v->d_name[0] == '.' || file_read(path, text, sizeof(text), NULL) < 0)
			continue;
		if (strncmp(text, "Mitigation: ", 12) == 0)
			str_addf(x->mitigations, sizeof(x->mitigations), "%s%s: %.40s",
				*x->mitigations ? "; " : "", v->d_name, text + 12);
	}
	if (d)
		closedir(d);
	if (!*x->mitigations)
		str_set(x->mitigations, d ? "none" : UNKNOWN);
}

/* The kernel says only in its configuration whether it measures interrupt time. */
static void read_irq_time(struct env *x)
{
	int set = kconfig_is_set("IRQ_TIME_ACCOUNTING");

	str_set(x->irq_time_accounting, set < 0 ? UNKNOWN : set ? "on" : "off");
}

bool env_counts_ticks(const struct env *x)
{
	return strcmp(x->irq_time_accounting, "on") != 0;
}

static void read_sysctls(struct env *x, int netns_fd)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct {
		const char *name;
		char *to;
		size_t size;
	} sysctl[] = {
		{"net/ipv4/tcp_congestion_control", x->tcp_congestion_control,
			sizeof(x->tcp_congestion_control)},
		{"net/ipv4/tcp_rmem", x->tcp_rmem, sizeof(x->tcp_rmem)},
		{"net/ipv4/tcp_wmem", x->tcp_wmem, sizeof(x->tcp_wmem)},
		{"net/core/rmem_max", x->rmem_max, sizeof(x->rmem_max)},
		{"net/core/wmem_max", x->wmem_max, sizeof(x->wmem_max)},
		{"net/core/netdev_max_backlog", x->netdev_max_backlog,
			sizeof(x->netdev_max_backlog)},
		{"net/core/default_qdisc", x->default_qdisc, sizeof(x->default_qdisc)},
	};
	int r = netns_fd < 0 ? 0 : ns_scope_enter(&scope, netns_fd, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(sysctl); i++)
		or_unknown(r < 0 ? r
				 : file_sysctl_read(sysctl[i].name, sysctl[i].to, sysctl[i].size,
					   NULL),
			sysctl[i].to, sysctl[i].size);
}

void env_read(struct env *ret, int netns_fd)
{
	*ret = (struct env){0};
	read_kernel(ret);
	read_cpu(ret);
	read_mitigations(ret);
	read_or_unknown("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", ret->governor,
		sizeof(ret->governor));
	read_or_unknown("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		ret->clock_source, sizeof(ret->clock_source));
	read_irq_time(ret);
	cgroup_limits(ret->cgroup_limits, sizeof(ret->cgroup_limits));
	str_set(ret->tester, "co-resident: load and path share this machine's CPUs");
	read_sysctls(ret, netns_fd);
	nics_drivers(ret->nics, sizeof(ret->nics));
	nics_of_guests(ret->guest_nics, sizeof(ret->guest_nics));
}
