#include "charge/bill.h"

/* Members shared with the kernel are of its own 64-bit type; the names are the members'. */
#define COUNTER_(strct, path, member, u, d)                                                        \
	{                                                                                          \
		.name = #member, .type = FIELD_T_U64, .offset = offsetof(strct, path member),      \
		.size = sizeof(uint64_t), .unit = u, .doc = d                                      \
	}
/* A row's container. */
#define WHO_STR(member, d)                                                                         \
	{                                                                                          \
		.name = #member, .type = FIELD_T_STR,                                              \
		.offset = offsetof(struct bill_row, who.member),                                   \
		.size = MEMBER_SIZE(struct container, member), .unit = "", .doc = d                \
	}

#define ACCOUNT_FIELDS(strct, path)                                                                \
	COUNTER_(strct, path, rx_ns, "ns", "receive softirqs (NET_RX) done for it"),               \
		COUNTER_(strct, path, tx_ns, "ns", "transmit softirqs (NET_TX) done for it"),      \
		COUNTER_(strct, path, other_ns, "ns",                                              \
			"timer and tasklet softirqs that transmitted for it"),                     \
		COUNTER_(strct, path, thread_ns, "ns", "NAPI threads' time for it"),               \
		COUNTER_(strct, path, ksoft_ns, "ns",                                              \
			"part of rx_ns and tx_ns that ksoftirqd spent"),                           \
		COUNTER_(strct, path, own_ns, "ns",                                                \
			"part of rx_ns, tx_ns and other_ns in a context of its own processes"),    \
		COUNTER_(strct, path, gained_ns, "ns",                                             \
			"others' softirqs in a context of its processes: what they owe it"),       \
		COUNTER_(strct, path, rx_pkts, "packets", "received, at its namespace's devices"), \
		COUNTER_(strct, path, tx_pkts, "packets", "sent, at its namespace's devices"),     \
		COUNTER_(strct, path, drop_pkts, "packets", "dropped by its budget"),              \
		COUNTER_(strct, path, irqs, "softirqs",                                            \
			"raised by an interrupt, with its packet as the first"),                   \
		COUNTER_(strct, path, irqs_own, "softirqs",                                        \
			"part of irqs in a context of its own processes"),                         \
		COUNTER_(strct, path, irqs_gained, "softirqs",                                     \
			"others' irqs in a context of its processes")

static_assert(sizeof(((struct softirq_account *)0)->rx_ns) == sizeof(uint64_t), "a counter");

const struct field softirq_account_fields[] = {
	ACCOUNT_FIELDS(struct softirq_account, ),
	FIELD_END,
};

const struct field softirq_cpu_fields[] = {
	COUNTER_(struct softirq_cpu, , rx_ns, "ns", "receive softirqs (NET_RX), whoever had them"),
	COUNTER_(struct softirq_cpu, , tx_ns, "ns", "transmit softirqs (NET_TX)"),
	COUNTER_(struct softirq_cpu, , rx_n, "softirqs", "how many received"),
	COUNTER_(struct softirq_cpu, , tx_n, "softirqs", "how many transmitted"),
	COUNTER_(struct softirq_cpu, , ksoft_ns, "ns", "part of rx_ns and tx_ns in ksoftirqd"),
	COUNTER_(struct softirq_cpu, , idle_ns, "ns",
		"part of rx_ns and tx_ns while the CPU idled"),
	FIELD_END,
};

const struct field bill_who_fields[] = {
	WHO_STR(name, "what people call it"),
	WHO_STR(id, "of the runtime, of a pod its uid; empty: none"),
	WHO_STR(k8s_ns, "Kubernetes' namespace of a pod; empty: none, or not told"),
	WHO_STR(cgroup, "below the root of the CPU's hierarchy; empty: none"),
	{.name = "netns",
		.type = FIELD_T_U32,
		.offset = offsetof(struct bill_row, who.netns),
		.size = MEMBER_SIZE(struct container, netns),
		.unit = "",
		.doc = "inode of its network namespace; 0: none of its own"},
	FIELD_END,
};

const struct field bill_row_fields[] = {
	FIELD_BOOL(struct bill_row, is_new, "it appeared in this interval"),
	FIELD_BOOL(struct bill_row, is_gone, "it disappeared in this interval, or was gone before"),
	ACCOUNT_FIELDS(struct bill_row, soft.),
	FIELD_U64(struct bill_row, softirq_ns, "ns", "rx_ns, tx_ns and other_ns"),
	FIELD_DOUBLE(struct bill_row, ns_per_pkt, "ns",
		"rx_ns and tx_ns for each packet received or sent; null: none"),
	FIELD_END,
};

const struct field bill_process_fields[] = {
	FIELD_U64(struct bill_row, process_ns, "ns",
		"CPU time of its processes; the host's is all others'; null: not known"),
	FIELD_I64(struct bill_row, total_ns, "ns",
		"what it costs: softirqs for it included, for others not; null: not known"),
	FIELD_END,
};

const struct field bill_fields[] = {
	FIELD_U64(struct bill, from_ns, "ns", "begin, by the monotonic clock"),
	FIELD_U64(struct bill, to_ns, "ns", "end, by the monotonic clock"),
	FIELD_DOUBLE(struct bill, conservation, "",
		"rx_ns and tx_ns of all rows by those of all CPUs; null: there were none"),
	FIELD_U32(struct bill, n_left_out, "containers",
		"that there was no room for, in whole or in part; that is the host's"),
	FIELD_END,
};

const char *bill_kind(const struct bill_row *r)
{
	if (r->owner == SOFTIRQ_HOST)
		return "host";
	if (r->owner == SOFTIRQ_OVERHEAD)
		return "overhead";
	assert(r->who.kind < CONTAINER_KIND_N);
	return container_kind_name[r->who.kind];
}
