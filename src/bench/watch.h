/*
 * What the controller reads around the counted span, because no agent can: the counters of the
 * namespaces between the ends, the CPU time of this machine when an end is a guest on it, and in
 * trials that are for it the softirq time of this machine, which takes both ends' namespaces to
 * tell apart.
 */
#pragma once

#include "meter/cpu.h"
#include "meter/drops.h"
#include "meter/softirq.h"
#include "path/path.h"

struct watch_report {
	bool has_cpu, has_drops;
	struct cpu_reading cpu; /* this machine, guests and all that serves them included */
	/* Sum over the namespaces between; softnet's counters are the machine's. */
	struct drops_reading drops;
};

struct watch;

/* @path: NULL: there is none, only meter softirq can be armed */
int watch_open(struct watch **ret, const struct path *path, struct err *e) must_check_;
void watch_close(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_close, watch_closep)

/*
 * watch_arm() - meter softirq as well, until watch_disarm().
 * @state: of that meter, open; borrowed until then, as is @ends
 */
void watch_arm(struct watch *w, void *state, const struct softirq_ends *ends);
/* NULL: it was not armed, or its span has not ended. */
const struct softirq_reading *watch_softirq(const struct watch *w);
void watch_disarm(struct watch *w);

int watch_begin(struct watch *w, struct err *e) must_check_;
int watch_end(struct watch *w, struct watch_report *ret, struct err *e) must_check_;
