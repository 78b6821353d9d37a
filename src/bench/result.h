/*
 * Everything one command measured: the run, its paths and loads, every trial, and per cell (one
 * load on one path) what the trials say together. Filled by bench/, read by report/.
 */
#pragma once

#include "bench/agent.h"
#include "bench/interval.h"
#include "bench/metric.h"
#include "bench/remote.h"
#include "bench/watch.h"
#include "load/load.h"
#include "meter/env.h"
#include "path/path.h"
#include "stat/estimate.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Where the load's threads run. Two ends that take turns (one transaction at a time) never compete
 * for a CPU; on one they are measured without the cost of waking an idle CPU, which is large,
 * noisy and no property of the path. Ends that work at once get CPUs of their own, as two machines
 * have.
 */
enum bench_pin {
	BENCH_PIN_AUTO,     /* together for one transaction at a time, apart for the rest */
	BENCH_PIN_APART,    /* near on the first half of the CPUs, far on the second */
	BENCH_PIN_TOGETHER, /* both on the last CPU */
	BENCH_PIN_NONE,     /* wherever the scheduler likes */
	BENCH_PIN_N,
};
extern const char *const bench_pin_name[BENCH_PIN_N];

/* When meter softirq is armed, which costs each packet CPU time. */
enum bench_softirq {
	BENCH_SOFTIRQ_OFF,
	BENCH_SOFTIRQ_EXTRA, /* in one more trial of each cell, which is in no other number */
	BENCH_SOFTIRQ_ALL,   /* in every trial: its cost is in all numbers */
	BENCH_SOFTIRQ_N,
};
extern const char *const bench_softirq_name[BENCH_SOFTIRQ_N];

struct bench_cfg {
	uint64_t time_ns;   /* counted span of a trial */
	uint64_t warmup_ns; /* load before it */
	uint32_t width_ppm; /* of the 95 % interval of the ratio, to stop at */
	uint32_t repeat_min, repeat_max;
	uint64_t time_max_ns; /* no new round after that; 0: none */
	uint32_t pin;         /* enum bench_pin */
	uint32_t softirq;     /* enum bench_softirq */
};
extern const struct bench_cfg bench_cfg_default, bench_cfg_quick;
extern const struct opt bench_opts[];
#define BENCH_SOFTIRQ_OPT                                                                          \
	OPT_ENUM(struct bench_cfg, softirq, "softirq", 0, bench_softirq_name,                      \
		"split softirq time by owner, which costs each packet CPU time: extra, in one "    \
		"more trial of each cell, which is in no other number; all, in every trial; off")

enum status {
	STATUS_OK,
	STATUS_SKIPPED, /* can't exist here; reason says what is missing */
	STATUS_FAILED,
	STATUS_N,
};
extern const char *const status_name[STATUS_N];

enum stop_reason {
	STOP_NONE,       /* nothing was measured */
	STOP_WIDTH,      /* the interval is as narrow as asked */
	STOP_REPEAT_MAX, /* it is not, but --repeat-max trials are done */
	STOP_TIME_MAX,   /* --time-max was over first */
	STOP_BASELINE,   /* native: goes on for as long as any other path needs it */
	STOP_INTERRUPTED,
	STOP_FAILED, /* a trial failed */
	STOP_N,
};
extern const char *const stop_reason_name[STOP_N];

#define RESULT_REASON_BYTES sizeof(((struct err *)0)->text)

struct path_result {
	struct path_spec spec;
	enum status status; /* of the path itself */
	char reason[RESULT_REASON_BYTES];
	char near_dev[16], far_dev[16];
	char near_offloads[128], far_offloads[128];
	double ceiling_bps;         /* 0: none */
	uint64_t open_ns, close_ns; /* what building and removing it took; 0: was not built */
	bool has_guest_env;         /* an end is a guest; of two, far's */
	struct env guest_env;
	char mark[PATH_MARK_BYTES]; /* of struct path */
	uint32_t n_notes;
	char note[PATH_MAX_NOTES][256]; /* what to know of its numbers */
};

struct load_spec {
	char id[32]; /* "stream-tx", "rr-tcp" */
	const struct load_ops *ops;
	struct load_cfg cfg;
};

struct trial {
	uint32_t path, load; /* indices */
	uint32_t round;      /* from 0 */
	uint32_t order;      /* place among all trials of the run, from 0 */
	uint32_t attempts;   /* 1, or 2 when the first one failed */
	enum status status;
	char reason[RESULT_REASON_BYTES]; /* why the last failed attempt failed */
	uint64_t span_ns; /* planned; of an exact amount, and if interrupted, real */
	bool metered;     /* meter softirq was armed */
	bool extra;       /* for that meter only: in no other number of its cell */
	bool interrupted; /* ended early by the user; what is here is whole */
	char near_cpus[256], far_cpus[256]; /* where threads were pinned; "": nowhere */
	bool same_machine;          /* both ends' cpu and cycles readings are one, taken at near */
	bool near_guest, far_guest; /* a guest of this machine, whose CPU time watch has */
	struct end_report near, far;
	struct watch_report watch;
	struct interval_list intervals; /* empty unless they were asked for */
	struct hist *hist[LOAD_HIST_N]; /* NULL: not filled by this load */
};

/* One number of a cell. */
struct metric_value {
	struct estimate value; /* n = 0: not measured */
	struct estimate ratio; /* to native, paired by round; n = 0 for native itself */
	double ceiling;        /* NAN: none */
};

struct cell {
	uint32_t path, load;
	uint32_t n_failed;
	enum stop_reason stop;
	struct metric_value metric[METRIC_N];
	struct hist *hist[LOAD_HIST_N]; /* of all trials; NULL: not filled by this load */
};

#define RUN_MAX_PATHS  64
#define RUN_MAX_LOADS  16
#define RUN_MAX_LIMITS 16

struct run {
	char started[24]; /* UTC */
	char command[1024];
	bool complete; /* false: interrupted, what is here is partial */
	bool rootless;
	double background_cpus; /* busy before the first trial: what else this machine does */
	struct bench_cfg bench;
	struct path_cfg path_cfg;
	struct remote_cfg remote_cfg; /* host "": this run is about paths */
	struct remote_info remote;
	struct env env; /* of this machine */
	uint32_t n_limits;
	char limit[RUN_MAX_LIMITS][512]; /* what this machine or user can't measure */

	uint32_t n_paths, n_loads, n_trials;
	struct path_result path[RUN_MAX_PATHS]; /* path[0] is native, or the only one: remote */
	struct load_spec load[RUN_MAX_LOADS];
	struct trial *trial; /* [n_trials] in the order they were run */
	struct cell *cell;   /* [n_loads][n_paths] */
};

void run_free(struct run *run);
DEFINE_CLEANUP(struct run *, run_free, run_freep)

/* Is this run between two machines? */
bool run_is_remote(const struct run *run);
/* Of such a run: are its paths, besides native, built on a real wire? */
bool run_is_on_wire(const struct run *run);

/* Are there paths to compare with the first one, by ratios? */
bool run_is_compared(const struct run *run);

struct cell *run_cell(const struct run *run, uint32_t load, uint32_t path);

/* The load that @load under another one is compared with; n_loads: none. */
uint32_t run_idle_of(const struct run *run, uint32_t load);

/* Adds a sentence to the limits, once. */
void run_add_limit(struct run *run, const char *text);

/* Computes all cells from the trials, anew. A pure function of the trials. */
void run_summarise(struct run *run);
