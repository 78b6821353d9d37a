#include "report/openmetrics_rows.h"

#define OF(scope, name_, unit_, type_, help_, n, ...)                                              \
	{                                                                                          \
		name_, unit_, type_, scope, n, {__VA_ARGS__}, help_                                \
	}
#define CONTAINER_COUNTER(name, unit, help, value)                                                 \
	OF(METRIC_OF_CONTAINER, "tare_container_" name, unit, METRIC_COUNTER, help, 1,             \
		{NULL, value})

const struct metric_family metric_families[] = {
	OF(METRIC_OF_CONTAINER, "tare_container_softirq_seconds", "seconds", METRIC_COUNTER,
		"Softirq time for the container's packets: receiving, sending, and of timers and "
		"tasklets that sent.",
		3, {"direction=\"rx\"", METRIC_RX}, {"direction=\"tx\"", METRIC_TX},
		{"direction=\"other\"", METRIC_OTHER}),
	CONTAINER_COUNTER("own_seconds", "seconds",
		"Of its softirq time: spent while the container's own processes were interrupted.",
		METRIC_OWN),
	CONTAINER_COUNTER("gained_seconds", "seconds",
		"Others' softirq time spent while the container's processes were interrupted: what "
		"they owe it.",
		METRIC_GAINED),
	CONTAINER_COUNTER("ksoftirqd_seconds", "seconds",
		"Of its time in rx and tx: spent in ksoftirqd.", METRIC_KSOFT),
	CONTAINER_COUNTER("napi_thread_seconds", "seconds",
		"Time for the container's packets in threads of NAPI, which are no softirqs.",
		METRIC_THREAD),
	CONTAINER_COUNTER("process_cpu_seconds", "seconds",
		"CPU time of the container's processes, as the scheduler counts it.",
		METRIC_PROCESS),
	CONTAINER_COUNTER("cpu_seconds", "seconds",
		"CPU time the container answers for: its processes' without what was done for "
		"others, and all softirqs for it.",
		METRIC_TOTAL),
	OF(METRIC_OF_CONTAINER, "tare_container_packets", "packets", METRIC_COUNTER,
		"Packets received and sent, at each device in the container's namespace.", 2,
		{"direction=\"rx\"", METRIC_RX_PKTS}, {"direction=\"tx\"", METRIC_TX_PKTS}),
	CONTAINER_COUNTER("dropped_packets", "packets",
		"Packets dropped because the container was over its budget.", METRIC_DROP_PKTS),
	CONTAINER_COUNTER("raised_softirqs", "softirqs",
		"Softirqs raised by an interrupt whose first packet was the container's.",
		METRIC_IRQS),
	OF(METRIC_OF_CPU, "tare_cpu_softirq_seconds", "seconds", METRIC_COUNTER,
		"Time of network softirqs on the CPU, whoever it was for.", 2,
		{"vector=\"net_rx\"", METRIC_CPU_RX}, {"vector=\"net_tx\"", METRIC_CPU_TX}),
	OF(METRIC_OF_CPU, "tare_cpu_softirqs", "softirqs", METRIC_COUNTER,
		"Network softirqs on the CPU.", 2, {"vector=\"net_rx\"", METRIC_CPU_RX_N},
		{"vector=\"net_tx\"", METRIC_CPU_TX_N}),
	OF(METRIC_OF_CPU, "tare_cpu_ksoftirqd_seconds", "seconds", METRIC_COUNTER,
		"Of the CPU's network softirq time: in ksoftirqd.", 1, {NULL, METRIC_CPU_KSOFT}),
	OF(METRIC_OF_CPU, "tare_cpu_idle_softirq_seconds", "seconds", METRIC_COUNTER,
		"Of the CPU's network softirq time: spent while it idled otherwise.", 1,
		{NULL, METRIC_CPU_IDLE}),
	OF(METRIC_OF_ALL, "tare_charge_seconds", "seconds", METRIC_COUNTER,
		"Time that the counters cover.", 1, {NULL, METRIC_ELAPSED}),
	OF(METRIC_OF_ALL, "tare_charge_conservation_ratio", "ratio", METRIC_GAUGE,
		"Network softirq time billed to owners, by that of all CPUs: 1, or some is lost.",
		1, {NULL, METRIC_CONSERVATION}),
	OF(METRIC_OF_ALL, "tare_charge_containers", "containers", METRIC_GAUGE,
		"Containers there are now.", 1, {NULL, METRIC_CONTAINERS}),
	OF(METRIC_OF_ALL, "tare_charge_left_out_containers", "containers", METRIC_GAUGE,
		"Containers there was no room for: their share is in that of kind host.", 1,
		{NULL, METRIC_LEFT_OUT}),
	OF(METRIC_OF_ALL, "tare_build", "", METRIC_INFO,
		"Version of tare, and of the method by which it counts.", 1, {NULL, METRIC_BUILD}),
	{.name = NULL},
};
