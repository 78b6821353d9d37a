/*
 * Service density: M service instances of N functions each (path/chain.c), for each M and N of two
 * lists, as chains and as pipelines: a matrix whose cells are what comes through all instances
 * together. Every cell is a lab of its own, taken down and built anew for each measurement of it;
 * the cells take turns, so that a machine that gets slower does so to all.
 *
 * Ref: draft-mkonstan-nf-service-density-01; MRR as FD.io's CSIT takes it; RFC 9971 (MLRsearch).
 */
#pragma once

#include "meter/env.h"
#include "method/density_relation.h"
#include "method/rfc2544.h"
#include "method/subject.h"

#define DENSITY_MAX_ROWS    MLR_MAX_GOALS
#define DENSITY_MAX_LATENCY RFC_MAX_LATENCY_LOADS
#define DENSITY_MAX_CPUS    64 /* whose load is kept */
#define DENSITY_LABEL_SIZE  512

enum density_topology {
	DENSITY_CHAIN,    /* the host's switch between all functions */
	DENSITY_PIPELINE, /* functions linked to each other */
	DENSITY_TOPOLOGY_N,
};
extern const char *const density_topology_name[DENSITY_TOPOLOGY_N];

enum density_search {
	DENSITY_MRR, /* forwarding rate at the highest load. Ref: RFC 2285 s.3.6.2 */
	DENSITY_MLR, /* RFC 9971 */
	DENSITY_SEARCH_N,
};
extern const char *const density_search_name[DENSITY_SEARCH_N];

/* What a profile (enum rfc_profile) says, and single options override. */
struct density_time {
	uint64_t trial_ns, latency_ns, settle_ns;
	uint32_t trials;
};
extern const struct density_time density_time_profile[RFC_PROFILE_N];
extern const uint64_t density_drain_profile_ns[RFC_PROFILE_N]; /* of struct tester_cfg */

struct density_cfg {
	uint32_t profile, search;
	char topologies[64], instances[64], nfs[64];
	char size[280]; /* as frame_mix_parse() reads it */
	char goals[512];
	uint64_t max_fps;
	uint32_t rebuild;
	bool latency;
	char resume[256];
	struct density_time time;
};
extern const struct density_cfg density_cfg_default;
extern const struct opt density_opts[];      /* bound to struct density_cfg */
extern const struct opt density_time_opts[]; /* bound to struct density_time */
extern const struct opt density_path_opts[]; /* bound to struct path_cfg */

enum density_status {
	DENSITY_OK,
	DENSITY_MAX_LOAD,    /* the highest load passes: that or more */
	DENSITY_UNAVAILABLE, /* such a cell can't be, here */
	DENSITY_FAILED,
	DENSITY_STATUS_N,
};
extern const char *const density_status_name[DENSITY_STATUS_N];

/* What a cell's search says. Rates are of one port, all instances together. NAN: there is none. */
struct density_row {
	char goal[16]; /* "MRR", or the goal's name of an MLRsearch */
	double fps;    /* mean forwarding rate; lower bound of a goal */
	double upper_fps;
	double conditional_fps;
	double low_fps, high_fps; /* of MRR 95 % interval of the mean of its trials; else bounds */
	double loss_ratio;        /* of MRR found; else the goal's */
};
extern const struct field density_row_fields[];

/* All frames of all trials that went to one instance. */
struct density_way {
	uint64_t tried, lost;
};
extern const struct field density_way_fields[];

/* One measurement of a cell. */
struct density_unit {
	uint32_t topology; /* enum density_topology */
	uint32_t instances, nfs, rebuild;
	uint32_t status;
	char reason[256];
	uint32_t retries; /* made anew, after something went wrong */
	uint32_t n_rows;
	struct density_row row[DENSITY_MAX_ROWS];
	uint32_t n_latency;
	struct rfc_latency latency[DENSITY_MAX_LATENCY];
	uint32_t n_trials;
	struct rfc_seen seen;
	uint32_t n_ways;
	struct density_way way[PATH_MAX_INSTANCES];
	uint32_t n_cpus;
	double cpu_busy[DENSITY_MAX_CPUS]; /* share of the time, in the order of /proc/stat */
};
extern const struct field density_unit_fields[];

struct density_progress {
	const struct density_unit *next; /* NULL: all is done */
	uint32_t done, expected;
	uint64_t left_ns; /* an estimate */
};

struct density_hooks {
	void (*progress)(void *ctx, const struct density_progress *p); /* NULL: none */
	void *ctx;
	int cancel_fd;
};

struct density {
	struct density_cfg cfg;
	struct tester_cfg tester;
	struct path_cfg path; /* of all cells, but for nfs and instances */
	char label[DENSITY_LABEL_SIZE];
	bool topology[DENSITY_TOPOLOGY_N];
	uint32_t n_instances, n_nfs;
	uint32_t instances[PATH_MAX_INSTANCES], nfs[PATH_MAX_NFS];
	uint32_t n_goals;
	struct mlr_goal goal[MLR_MAX_GOALS];
	struct frame_mix mix;

	char command[1024];
	char started[24];
	bool complete;
	struct env env;
	struct tester_info info; /* of the first cell; all others have the same */
	uint32_t n_ports_tx;
	double self_fps, max_fps; /* the tester without a SUT; the highest load */
	uint32_t n_units;
	struct density_unit **unit;
};

/* What a configuration asks for. Return: 0, or -EINVAL or -ERANGE. */
int density_plan(struct density *d, struct err *e) must_check_;

/* Cells of the matrix, of all topologies; and how long they will take, about. */
uint32_t density_n_cells(const struct density *d);
double density_estimate_s(const struct density *d);

/*
 * density_run() - the self-test, then every measurement that is not there yet.
 *
 * Return: 0 (cells may have failed); -ECANCELED: interrupted, what is there is whole; -EEXIST: the
 * file of --resume is of another campaign; or another negative errno.
 */
int density_run(struct density *d, const struct density_hooks *hooks, struct err *e) must_check_;
void density_fini(struct density *d);
bool density_any_failed(const struct density *d);

/* The measurement as it is in the document and in the file of --resume; the caller's. */
struct doc *density_unit_doc(const struct density_unit *u) must_check_;

/* A cell of the matrix: what its measurements come to together. */
struct density_cell {
	uint32_t n;       /* measurements with a number */
	uint32_t status;  /* of the worst one */
	uint32_t retries; /* of all */
	const char *reason;
	double fps;               /* mean */
	double low_fps, high_fps; /* 95 % interval over rebuilds; of one measurement its own */
	double min_fps, max_fps;
};
extern const struct field density_cell_fields[];
/* @row: which goal. Return: false: nothing was measured. */
bool density_cell(const struct density *d, const struct density_unit *which, uint32_t row,
	struct density_cell *ret);

/* The relations of the draft's numbers, on these. @ret: [DENSITY_RELATION_N] */
void density_relate(const struct density *d, uint32_t row, struct density_relation *ret);

/* Ref: draft-mkonstan-nf-service-density-01: what the host's switch has to do. */
uint32_t density_crossings(uint32_t topology, uint32_t nfs);
uint32_t density_ports(uint32_t topology, uint32_t instances, uint32_t nfs);

/* CPUs that a cell's functions have all together, and how they have them, as a sentence. */
struct density_cores {
	double cores;
	char text[512];
};
void density_cores(const struct density *d, struct density_cores *ret);
