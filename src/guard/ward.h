/* One cgroup under guard: what it had, the control law, and the writes. */
#pragma once

#include "base/err.h"
#include "guard/control.h"
#include "guard/state.h"
#include "sys/cpuquota.h"

#include <stdbool.h>
#include <stdint.h>

struct ward {
	char dir[1024];
	uint64_t id;            /* inode of @dir */
	uint64_t cpus_ppb;      /* budget asked for; 0: its own quota */
	struct cpuquota was;    /* before, or as somebody else has set it since */
	struct cpuquota now;    /* as written last */
	struct control control; /* from ward_begin() on */
	uint64_t n_throttled;   /* as the kernel counts, at the last step */
	uint32_t n_changes;     /* by somebody else, while it was under guard */
};

/*
 * ward_begin() - note what it has, and lower its period.
 * @w: dir, id and cpus_ppb are set
 *
 * Return: 0; WARD_UNAVAILABLE when there is nothing to charge against, or the kernel refuses that,
 * or that what a guard before has left is put back, with the reason: it is untouched then;
 * WARD_GONE; or negative errno.
 */
#define WARD_UNAVAILABLE 1
#define WARD_GONE        2
int ward_begin(struct ward *w, struct guard_state *s, struct err *e) must_check_;

/*
 * ward_step() - an interval is over: writes its quota if the law says so. Whether it was throttled
 * is found here.
 *
 * Return: as ward_begin(); after WARD_UNAVAILABLE it is as it was, or the reason says that it is
 * not: then it stays noted.
 */
int ward_step(struct ward *w, struct guard_state *s, const struct control_reading *x, struct err *e)
	must_check_;

/* As it was, but for what somebody else has changed meanwhile. */
int ward_end(struct ward *w, struct guard_state *s, struct err *e) must_check_;

/* The quota as it is now, CPU time per time. */
double ward_quota(const struct ward *w);
