#include "charge/softirq_kernel.h"

#include "base/cleanup.h"
#include "base/macro.h"
#include "sys/ebpf.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/kconfig.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <irq_time.skel.h>

DEFINE_CLEANUP(struct irq_time_bpf *, irq_time_bpf__destroy, destroyp)

#define BTF_FILE "/sys/kernel/btf/vmlinux"

static const char *const needed[] = {
	"softirq_entry",
	"softirq_exit",
	"netif_receive_skb",
	"net_dev_start_xmit",
	"napi_poll",
};

bool softirq_traces(const struct btf *btf, const char *tracepoint)
{
	char name[64];

	/* Ref: include/trace/bpf_probe.h, __BPF_DECLARE_TRACE */
	snprintf(name, sizeof(name), "btf_trace_%s", tracepoint);
	return btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
}

/* Else the cpu controller has a hierarchy of v1. */
static bool cpu_is_v2(void)
{
	char text[8192], path[sizeof(text)];

	return file_read("/proc/self/cgroup", text, sizeof(text), NULL) >= 0 &&
	       !cgroup_path_of(text, "cpu", path, sizeof(path));
}

/* Where nobody has the configuration, the kernel has the function or it has not. */
static bool can_take_irq_time(const struct btf *btf)
{
	int set = kconfig_is_set("IRQ_TIME_ACCOUNTING");

	if (set >= 0)
		return set;
	return btf__find_by_name_kind(btf, "irqtime_account_irq", BTF_KIND_FUNC) > 0;
}

/*
 * A kernel that can does not where the TSC is no clock for it (CPUs' differ, tsc=noirqtime, ...).
 * Where the kernel does not say, as without KALLSYMS_ALL, it does.
 * Ref: kernel/sched/cputime.c, arch/x86/kernel/tsc.c enable_sched_clock_irqtime.
 */
static bool takes_irq_time(const struct btf *btf)
{
	_cleanup_(destroyp) struct irq_time_bpf *skel = NULL;
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (!can_take_irq_time(btf))
		return false;
	skel = irq_time_bpf__open_and_load();
	return !skel ||
	       bpf_prog_test_run_opts(bpf_program__fd(skel->progs.irq_time_is_on), &run) < 0 ||
	       run.retval != 0;
}

/* Ref: security/lockdown/lockdown.c; programs may not call bpf_probe_read_kernel() then. */
static bool is_locked_down(void)
{
	char text[128];

	return file_read("/sys/kernel/security/lockdown", text, sizeof(text), NULL) >= 0 &&
	       strstr(text, "[confidentiality]");
}

static int unavailable(struct err *e, int errnum, const char *what)
{
	(void)err_say(e, errnum, "the accounting of softirqs needs %s", what);
	return SOFTIRQ_UNAVAILABLE;
}

int softirq_ask(struct softirq_kernel *ret, struct btf **ret_btf, struct err *e)
{
	struct btf *btf;

	if (access(BTF_FILE, R_OK) < 0)
		return unavailable(e, EOPNOTSUPP,
			"the kernel's BTF, " BTF_FILE ": CONFIG_DEBUG_INFO_BTF");
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return unavailable(e, EOPNOTSUPP, "the kernel's BTF, which " BTF_FILE " is not");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!softirq_traces(btf, needed[i])) {
			char what[64];

			snprintf(what, sizeof(what), "the tracepoint %s", needed[i]);
			btf__free(btf);
			return unavailable(e, EOPNOTSUPP, what);
		}
	*ret = (struct softirq_kernel){
		.irq_time = takes_irq_time(btf),
		.queues = softirq_traces(btf, "qdisc_enqueue"),
		.tunnels = !is_locked_down(),
		.ebpf_cgroup2 = cpu_is_v2(),
	};
	ret->sk_traces = softirq_traces(btf, "sk_data_ready") && softirq_traces(btf, "tcp_probe");
	/* A socket knows its cgroup of v2 only. Ref: kernel/cgroup/cgroup.c cgroup_sk_alloc */
	ret->sk_events = ret->sk_traces && ret->ebpf_cgroup2;
	*ret_btf = btf;
	return 0;
}

int softirq_refused(int r, struct err *e)
{
	if (r == -EPERM)
		return unavailable(e, EPERM,
			"root, or CAP_BPF and CAP_PERFMON outside a user namespace");
	return ebpf_refused(r, e);
}
