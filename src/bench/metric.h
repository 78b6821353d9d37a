/* The numbers a cell has, one row each; names and units are those of JSON, CSV and man page. */
#pragma once

#include "load/load.h"

#include <stdbool.h>
#include <stdint.h>

struct trial;

enum metric_id {
	METRIC_GOODPUT_BPS,
	METRIC_TRANSACTIONS_PER_S,
	METRIC_LATENCY_MEAN_NS,
	METRIC_CPU_NS_PER_BYTE,
	METRIC_CPU_NS_PER_TRANSACTION,
	METRIC_PROC_NS_PER_BYTE,
	METRIC_PROC_NS_PER_TRANSACTION,
	METRIC_CYCLES_PER_BYTE,
	METRIC_CYCLES_PER_TRANSACTION,
	METRIC_BUSY_CPUS,
	METRIC_RETRANSMITS_PER_S,
	METRIC_PACKETS_PER_S,
	METRIC_PACKETS_OFFERED_PER_S,
	METRIC_LOSS_RATIO,
	METRIC_LOSS_SOCKET_RATIO,
	METRIC_LOSS_UDP_RATIO,
	METRIC_LOSS_IP_RATIO,
	METRIC_LOSS_SOFTNET_RATIO,
	METRIC_LOSS_QDISC_RATIO,
	METRIC_LOSS_DEVICE_RATIO,
	METRIC_LOSS_ELSEWHERE_RATIO,
	METRIC_REORDERED_RATIO,
	METRIC_DUPLICATED_RATIO,
	METRIC_UNSENT_RATIO,
	METRIC_JITTER_NS,
	METRIC_CPU_NS_PER_PACKET,
	METRIC_PROC_NS_PER_PACKET,
	METRIC_CYCLES_PER_PACKET,
	METRIC_UNDER_BPS,
	METRIC_LATE_RATIO,
	METRIC_UNANSWERED_RATIO,
	/* Of trials with meter softirq; of each unit in this order. */
	METRIC_SOFTIRQ_NEAR_NS_PER_BYTE,
	METRIC_SOFTIRQ_FAR_NS_PER_BYTE,
	METRIC_SOFTIRQ_HOST_NS_PER_BYTE,
	METRIC_SOFTIRQ_OVERHEAD_NS_PER_BYTE,
	METRIC_PROCESS_NS_PER_BYTE,
	METRIC_SOFTIRQ_NEAR_NS_PER_TRANSACTION,
	METRIC_SOFTIRQ_FAR_NS_PER_TRANSACTION,
	METRIC_SOFTIRQ_HOST_NS_PER_TRANSACTION,
	METRIC_SOFTIRQ_OVERHEAD_NS_PER_TRANSACTION,
	METRIC_PROCESS_NS_PER_TRANSACTION,
	METRIC_SOFTIRQ_NEAR_NS_PER_PACKET,
	METRIC_SOFTIRQ_FAR_NS_PER_PACKET,
	METRIC_SOFTIRQ_HOST_NS_PER_PACKET,
	METRIC_SOFTIRQ_OVERHEAD_NS_PER_PACKET,
	METRIC_PROCESS_NS_PER_PACKET,
	METRIC_N,
};

struct metric {
	const char *name;
	const char *unit;
	const char *doc;
	uint32_t kinds;                         /* bit per enum load_kind it is a number of */
	bool decides;                           /* its ratio must be as narrow as --width */
	bool metered;                           /* made from meter softirq: extra trials count */
	double (*value)(const struct trial *t); /* NAN: not measured */
};
extern const struct metric metric_table[METRIC_N];

/* Does this number apply to loads of that kind? */
bool metric_applies(const struct metric *m, enum load_kind kind);

/* What a load's work is counted in: "byte", "transaction", "packet". */
extern const char *const metric_work_name[LOAD_KIND_N];

/* The parts of CPU time that meter softirq tells apart: near, far, host, overhead, process. */
#define METRIC_N_PARTS 5
extern const char *const metric_part_name[METRIC_N_PARTS];
/* The number of a part that loads of that kind have. */
enum metric_id metric_part(enum load_kind kind, uint32_t part);

/* Percentiles reported of what a load has timed, from merged histograms. */
struct metric_percentile {
	const char *name; /* "latency_p50_ns" */
	enum load_hist hist;
	double q;
};
extern const struct metric_percentile metric_percentile[];
extern const uint32_t metric_n_percentiles;
