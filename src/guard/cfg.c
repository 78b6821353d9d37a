/* What the guard is told on a command line, and what it tells. */
#include "base/macro.h"
#include "guard/guard.h"

const struct guard_cfg guard_cfg_default = {
	.policy = GUARD_OBSERVE,
	.step_ns = 100 * NSEC_PER_MSEC,
	.interval_ns = NSEC_PER_SEC,
	.irq = "auto",
	/*
	 * A burst of that is no flood. TCP at such a limit waits for its timer (200 ms) now and
	 * then, and would lose what its bucket can't hold meanwhile: 16 flows had 0.69 of a budget
	 * of 0.2 CPU with 100 ms, 0.85 with this, and all of it with 200, the victim 2 % less.
	 */
	.bucket_ns = 150 * NSEC_PER_MSEC,
};

const struct opt guard_opts[] = {
	OPT_ENUM(struct guard_cfg, policy, "policy", 0, guard_policy_name,
		"what is done to containers that no rule names"),
	OPT_STR(struct guard_cfg, container, "container", 0, "<rules>",
		"WHO:POLICY[,cpus=0.2][,protect=22/443][,irq=3us] or with "
		",publish=tcp:8080/udp:53; "
		"more after a semicolon; they come before those of --config"),
	OPT_STR(struct guard_cfg, config, "config", 0, "<file>", "rules, one a line"),
	OPT_U64(struct guard_cfg, step_ns, "step", 0, "<time>", "how often quotas are looked at",
		.unit = NUM_DURATION, .min = 10 * NSEC_PER_MSEC, .max = NSEC_PER_SEC),
	OPT_U64(struct guard_cfg, interval_ns, "interval", 'i', "<time>", "how often to report",
		.unit = NUM_DURATION, .min = 100 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct guard_cfg, duration_ns, "duration", 't', "<time>",
		"how long; 0: until a signal", .unit = NUM_DURATION, .min = 100 * NSEC_PER_MSEC,
		.max = 365 * 86400 * NSEC_PER_SEC, .zero_ok = true),
	OPT_STR(struct guard_cfg, irq, "irq", 0, "<time>",
		"what an interrupt costs beside the softirq that it raises; auto: measured at the "
		"start; 0: left out"),
	OPT_U64(struct guard_cfg, bucket_ns, "bucket", 0, "<time>",
		"charge+drop: how long a budget may be saved, and overdrawn, until all packets are "
		"dropped",
		.unit = NUM_DURATION, .min = 5 * NSEC_PER_MSEC, .max = 10 * NSEC_PER_SEC),
	OPT_STR(struct guard_cfg, nics, "nic", 0, "<list>",
		"devices by which packets come in: charge+drop drops there, where it costs least"),
	OPT_STR(struct guard_cfg, moderate, "moderate", 0, "<list>",
		"devices, each DEV or DEV=TIME: polled by a timer of that time (200us) instead of "
		"by interrupts while packets come"),
	OPT_STR(struct guard_cfg, state_dir, "state-dir", 0, "<dir>",
		"where it is noted what was before; else /run/tare/guard, or below "
		"$XDG_RUNTIME_DIR"),
	OPT_END,
};

const struct field guard_row_fields[] = {
	FIELD_BOOL(struct guard_row, guarded, "the guard sets its quota"),
	FIELD_BOOL(struct guard_row, gone, "it ended in this interval"),
	FIELD_DOUBLE(struct guard_row, budget_cpus, "CPU", "what it may use, network included"),
	FIELD_DOUBLE(struct guard_row, quota_cpus, "CPU", "its quota at the end of the interval"),
	FIELD_DOUBLE(struct guard_row, debt_ns, "ns",
		"used beyond what was due to it, to be taken back; below 0: owed to it"),
	FIELD_U64(struct guard_row, process_ns, "ns",
		"CPU time of its processes, as the scheduler counts"),
	FIELD_U64(struct guard_row, softirq_ns, "ns", "softirq time for its packets"),
	FIELD_U64(struct guard_row, charged_ns, "ns",
		"taken off its budget: what was done for it outside its own time"),
	FIELD_U64(struct guard_row, credited_ns, "ns",
		"given back to it: what was done for others in its time"),
	FIELD_U64(struct guard_row, dropped_pkts, "packets", "dropped as its budget was spent"),
	FIELD_U64(struct guard_row, irqs, "", "interrupts that its packets came with"),
	FIELD_U64(struct guard_row, writes, "", "how often its quota was written"),
	FIELD_U64(struct guard_row, changes, "", "how often somebody else changed its quota"),
	FIELD_STR(struct guard_row, why, "why it is not guarded as asked for"),
	FIELD_END,
};
