/*
 * The tests of RFC 2544 and its successors on one subject (method/subject.h), as a campaign: every
 * size goes through every test that is asked for. A test is a file with one const struct rfc_test,
 * listed in rfc2544_table.c; it works in units (one search, one stream, one burst search, ...), and
 * each finished unit is kept and, with --resume, written down at once (method/rfc2544_resume.c).
 *
 * Ref: RFC 2544 (tests, s.26), RFC 9004 (back-to-back frames), RFC 6201 (reset), RFC 9971
 * (MLRsearch), ETSI GS NFV-TST 009 (binary search).
 */
#pragma once

#include "meter/env.h"
#include "method/resources.h"
#include "method/subject.h"
#include "stat/components.h"
#include "stat/mlr.h"
#include "stat/search.h"
#include "wire/doc.h"

#define RFC_MAX_SIZES  32
#define RFC_MAX_ROWS   MLR_MAX_GOALS
#define RFC_MAX_GOALS  MLR_MAX_GOALS
#define RFC_LABEL_SIZE 512

enum rfc_profile {
	RFC_PROFILE_STANDARD, /* the times and repeats of the RFCs */
	RFC_PROFILE_QUICK,    /* seconds a test; its numbers are nobody's RFC 2544 */
	RFC_PROFILE_N,
};
extern const char *const rfc_profile_name[RFC_PROFILE_N];

enum rfc_search {
	RFC_SEARCH_BINARY,    /* RFC 2544 s.26.1, as TST 009 s.12.3.2 spells it out */
	RFC_SEARCH_BINARY_LV, /* TST 009 s.12.3.3: with loss verification */
	RFC_SEARCH_MLR,       /* RFC 9971 */
	RFC_SEARCH_N,
};
extern const char *const rfc_search_name[RFC_SEARCH_N];

/* What a profile says, and single options override. */
struct rfc_time {
	uint64_t search_ns, final_ns;
	uint64_t latency_ns, loss_ns, recovery_ns, reset_ns;
	uint64_t settle_ns;
	uint32_t latency_repeat, burst_repeat, recovery_repeat, reset_repeat;
	bool learn; /* learning frames before each trial, not only before a size's first */
};
extern const struct rfc_time rfc_time_profile[RFC_PROFILE_N];
extern const uint64_t rfc_drain_profile_ns[RFC_PROFILE_N]; /* of struct tester_cfg */
/* How throughput is searched, where nothing else is said. */
struct rfc_search_usual {
	uint32_t search; /* enum rfc_search */
	uint32_t lv_repeat;
	uint64_t lv_loss;
};
extern const struct rfc_search_usual rfc_search_profile[RFC_PROFILE_N];

struct rfc_cfg {
	uint32_t profile, search;
	char tests[128], sizes[512];
	char goals[512];
	uint64_t max_fps, line_rate_bps;
	uint32_t width_ppm; /* step of binary searches, of the highest load */
	uint32_t lv_repeat;
	uint64_t lv_loss;
	uint32_t loss_step_ppm;
	uint64_t burst_max_ns;
	uint64_t reset_after_ns;
	char reset_command[256];
	char resume[256];
	struct rfc_time time;
};
extern const struct rfc_cfg rfc_cfg_default;
extern const struct opt rfc_opts[];      /* bound to struct rfc_cfg */
extern const struct opt rfc_time_opts[]; /* bound to struct rfc_time */

enum rfc_test_id {
	RFC_THROUGHPUT,
	RFC_LATENCY,
	RFC_LOSS,
	RFC_BACK_TO_BACK,
	RFC_RECOVERY,
	RFC_RESET,
	RFC_TEST_N,
};

enum rfc_status {
	RFC_OK,
	RFC_TESTER_LIMITED, /* the number is what the tester can do: the SUT's is that or more */
	RFC_MAX_RATE,       /* the highest load that was asked for passes: that or more */
	RFC_NOT_APPLICABLE, /* nothing to measure, the verdict says why */
	RFC_FAILED,
	RFC_STATUS_N,
};
extern const char *const rfc_status_name[RFC_STATUS_N];

/* What each test finds. Rates are of one port. NAN: there is none. */
struct rfc_throughput {
	char goal[16];          /* "throughput", or the goal's name of an MLRsearch */
	char end[16];           /* search_end_name */
	double fps;             /* the answer: lower bound */
	double upper_fps;       /* the lowest load above it that did not pass */
	double conditional_fps; /* RFC 9971's conditional throughput */
	double total_fps;       /* of all ports that send */
	double l1_bps, l2_bps;
	double loss_ratio; /* goal */
	uint64_t final_ns; /* length of the trial that decides */
};
struct rfc_latency {
	double load; /* of the rate that it is relative to: 1, 0.9, ... */
	double fps;
	uint64_t samples, lost;
	double min_ns, mean_ns, max_ns;
	double p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns;
	double pdv_ns; /* 99th percentile less minimum */
};
extern const struct field rfc_latency_fields[];
struct rfc_loss {
	double load; /* of the highest rate */
	double fps;
	uint64_t tried, lost;
	double loss_ratio;
};
struct rfc_burst {
	double burst_frames; /* longest that lost nothing */
	double upper_frames;
	double step_frames;
	double max_fps;       /* at which bursts were sent */
	double implied_s;     /* RFC 9004 s.6: burst / max rate */
	double corrected_s;   /* less what was forwarded meanwhile */
	double buffer_frames; /* corrected time x max rate */
};
struct rfc_recovery {
	double overload_fps, relief_fps;
	uint64_t lost;
	double recovery_s; /* from the change of rate to the last lost frame */
};
struct rfc_reset {
	char by[16]; /* "links", "command", "model" */
	double fps;
	uint64_t tried, lost;
	double reset_s; /* lost / rate */
};

struct rfc_row {
	uint32_t status;   /* enum rfc_status */
	char verdict[256]; /* "": nothing to say */
	union {
		struct rfc_throughput throughput;
		struct rfc_latency latency;
		struct rfc_loss loss;
		struct rfc_burst burst;
		struct rfc_recovery recovery;
		struct rfc_reset reset;
	};
};
extern const struct field rfc_row_fields[]; /* without the test's own */

/* A trial of a unit, in the order they were made. */
struct rfc_trial {
	double fps;
	uint64_t duration_ns, effective_ns;
	uint64_t tried, lost;
	uint64_t own_lost; /* of lost: by the tester, which did not send or could not take them */
};
extern const struct field rfc_trial_fields[];

/* What came besides, of all trials of a unit. */
struct rfc_seen {
	uint64_t duplicated, reordered, corrupt, late, alien;
};
extern const struct field rfc_seen_fields[];

/* A finished piece of work. */
struct rfc_unit {
	uint32_t test, size; /* enum rfc_test_id; row of struct rfc's size */
	uint32_t index;      /* repeat, or step */
	struct rfc_seen seen;
	uint32_t n_rows;
	struct rfc_row row[RFC_MAX_ROWS];
	uint32_t n_trials;
	struct rfc_trial *trial;
	struct hist *hist; /* latencies; NULL: none */
};

enum rfc_limit {
	RFC_LIMIT_SELF, /* what the tester does without a SUT */
	RFC_LIMIT_LINE, /* --line-rate */
	RFC_LIMIT_MAX,  /* --max-rate */
	RFC_LIMIT_N,
};
extern const char *const rfc_limit_name[RFC_LIMIT_N];

struct rfc_size {
	struct frame_mix mix;
	double self_fps; /* self-test; NAN: not made, or no frame passed */
	double line_fps; /* theoretical maximum of --line-rate; NAN: none was given */
	double max_fps;  /* highest load: the least of what is known */
	uint32_t limit;  /* enum rfc_limit: which that is */
};
extern const struct field rfc_size_fields[];

struct rfc_progress {
	const struct rfc_size *size; /* what begins now; NULL: all is done */
	const char *test;
	uint32_t done, expected;
	uint64_t left_ns; /* an estimate */
};

struct rfc_hooks {
	void (*progress)(void *ctx, const struct rfc_progress *p); /* NULL: none */
	void *ctx;
	int cancel_fd;
};

struct rfc {
	struct rfc_cfg cfg;
	struct tester_cfg tester;
	struct resources_cfg resources;
	char label[RFC_LABEL_SIZE]; /* what these numbers may be called */
	bool is_rfc2544;            /* times, repeats and search are those of the RFC */
	bool modified;              /* single options override the profile */
	bool test[RFC_TEST_N];
	uint32_t n_goals;
	struct mlr_goal goal[RFC_MAX_GOALS];
	uint32_t n_sizes;
	struct rfc_size size[RFC_MAX_SIZES];

	char command[1024];
	char started[24];
	bool complete;
	struct env env;
	struct subject *subject; /* borrowed */

	uint32_t n_units;
	struct rfc_unit **unit;
};

/* One test. @i: index of the unit. */
struct rfc_test {
	const char *name;
	const char *title;   /* with its RFC, for results that may have it */
	const char *plain;   /* for all others */
	const char *summary; /* one line: what and how */
	const struct field *fields;
	size_t fields_offset; /* in struct rfc_row */
	bool needs_throughput;
	bool (*more)(const struct rfc *c, uint32_t size, uint32_t i); /* is there a unit @i? */
	/* Units of a size at most, and what one takes, by the configuration alone. */
	uint32_t (*units)(const struct rfc *c, uint32_t size);
	double (*unit_s)(const struct rfc *c, uint32_t size);
	/*
	 * Measures unit u->index. Return: 0 with u->row filled, a failing SUT included; or negative
	 * errno (-ECANCELED ends the campaign; anything else becomes a failed row).
	 */
	int (*run)(struct rfc *c, struct rfc_unit *u, struct err *e);
};
extern const struct rfc_test *const rfc_test_table[RFC_TEST_N];

/* What a configuration asks for: sizes, tests, goals, label. Return: 0, or -EINVAL or -ERANGE. */
int rfc_plan(struct rfc *c, bool ipv6, struct err *e) must_check_;

/* What it will take, in all, before it begins. ret_test_s: [RFC_TEST_N], of one size */
double rfc_estimate_s(const struct rfc *c, double *ret_test_s);

/*
 * rfc_run() - the self-test, then every unit that is not there yet.
 *
 * Return: 0 (rows may have failed); -ECANCELED: interrupted, what is there is whole; -EEXIST: the
 * file of --resume is of another configuration; or another negative errno.
 */
int rfc_run(struct rfc *c, struct subject *s, const struct rfc_hooks *hooks, struct err *e)
	must_check_;
void rfc_fini(struct rfc *c);

bool rfc_any_failed(const struct rfc *c);

/* NULL: not there */
const struct rfc_unit *rfc_unit_at(const struct rfc *c, uint32_t test, uint32_t size, uint32_t i);

/* The unit as it is in the document and in the file of --resume; the caller's. */
struct doc *rfc_unit_doc(const struct rfc *c, const struct rfc_unit *u) must_check_;

/* RFC 9004 s.6: both times of a burst. @throughput_fps: NAN: not known, then not corrected */
void rfc_burst_times(struct rfc_burst *b, double throughput_fps);

/* All repeats of a size, where a test has them. */
struct rfc_burst_sum {
	uint32_t n;
	double mean_frames, min_frames, max_frames, sd_frames;
	double implied_s, corrected_s, buffer_frames; /* of the mean */
};
extern const struct field rfc_burst_sum_fields[];
void rfc_burst_sum(const struct rfc *c, uint32_t size, struct rfc_burst_sum *ret);

struct rfc_latency_sum {
	double load, fps;
	uint32_t n; /* repeats */
	uint64_t samples;
	double mean_ns; /* of the repeats' means */
	double min_ns, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns,
		pdv_ns; /* of all frames */
};
extern const struct field rfc_latency_sum_fields[];
#define RFC_MAX_LATENCY_LOADS 3
/* @ret: [RFC_MAX_LATENCY_LOADS]. Return: how many. */
uint32_t rfc_latency_sum(const struct rfc *c, uint32_t size, struct rfc_latency_sum *ret);

/*
 * Throughput of all instantiations (--rebuild), of row @row of each search. A search that found no
 * rate has no number.
 */
void rfc_spread(const struct rfc *c, uint32_t size, uint32_t row, struct components *ret);

/* Mean of the repeats of recovery and reset times; NAN: none. */
double rfc_recovery_mean_s(const struct rfc *c, uint32_t size);
