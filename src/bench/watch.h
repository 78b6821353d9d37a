/*
 * What the controller reads around the counted span, because no agent can: the counters of the
 * namespaces between the ends, and the CPU time of this machine when an end is a guest on it.
 */
#pragma once

#include "meter/cpu.h"
#include "meter/drops.h"
#include "path/path.h"

struct watch_report {
	bool has_cpu, has_drops;
	struct cpu_reading cpu; /* this machine, guests and all that serves them included */
	/* Sum over the namespaces between; softnet's counters are the machine's. */
	struct drops_reading drops;
};

struct watch;

int watch_open(struct watch **ret, const struct path *path, struct err *e) must_check_;
void watch_close(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_close, watch_closep)

int watch_begin(struct watch *w, struct err *e) must_check_;
int watch_end(struct watch *w, struct watch_report *ret, struct err *e) must_check_;
