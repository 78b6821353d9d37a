/*
 * The control law of one cgroup's quota; pure. What softirqs did for it in others' time is taken
 * off its budget, what it lost to others in its own time is given back:
 *
 *	due    = budget - charged + credited       (means that forget exponentially)
 *	wanted = due - debt / 1 s                   debt = sum of what it used beyond its due
 *
 * The debt is the integral term. Every write of a quota hands out a fresh one (sys/cpuquota.h), so
 * a quota that is written often is worth more than it says: that is taken back. And a quota is of
 * one period: who could not have its due in one, as others' bursts had the CPU, is throttled in the
 * next, when the CPU is free. So in an interval in which it was throttled it may fall short, and
 * has that later; who left time unused does not. Ref: NSDI'18 "Iron", s.3.2.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct control_cfg {
	double budget;      /* CPU time per time */
	double ceiling;     /* never more than this, whatever is given back; INFINITY: no such */
	uint64_t period_us; /* of the quota */
	uint64_t floor_us;  /* never a lower quota; at most the budget's */
};

/* What an interval brought. */
struct control_reading {
	uint64_t at_ns; /* its end, CLOCK_MONOTONIC */
	uint64_t dt_ns;
	uint64_t process_ns; /* as the scheduler counts against the quota */
	uint64_t
		charged_ns; /* done for it where the scheduler counted it to others, or to nobody */
	uint64_t credited_ns; /* done for others and counted to it */
	bool throttled;       /* it wanted more than its quota, in some period at least */
};

struct control {
	struct control_cfg cfg;
	double charged, credited; /* CPU time per time */
	double due;               /* CPU time per time, of the interval that runs */
	double debt_ns;      /* below 0: jitter, at most one quota, and beyond it time owed to it */
	uint64_t quota_us;   /* as written last */
	uint64_t written_ns; /* when; 0: never */
	uint64_t n_writes;
};

/* A rate's quota in whole microseconds. */
uint64_t control_quota(const struct control_cfg *cfg, double rate);

/* With the budget's whole quota as the one in force. */
void control_init(struct control *c, const struct control_cfg *cfg);

/* Return: true if *ret_quota_us is to be written; say so by control_wrote() once it is. */
bool control_step(struct control *c, const struct control_reading *x, uint64_t *ret_quota_us);
void control_wrote(struct control *c, uint64_t quota_us, uint64_t at_ns);
