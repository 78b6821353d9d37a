/* What loads of transactions share in open loop: the schedule of a flow, and its account. */
#pragma once

#include "load/flow.h"
#include "load/schedule.h"

static inline bool openloop_wanted(const struct flow *f)
{
	return f->cfg->rate_tps > 0;
}

/* Begins the flow's schedule with what is due from the start of the load on. */
void openloop_start(const struct flow *f, struct schedule *s);

/* Notes the slip of a request that was due at @due_ns, if it is of the counted span. */
void openloop_sent(struct flow *f, const struct schedule *s, uint64_t due_ns, uint64_t sent_ns);

/* At the end: what was due in the span and never sent, or, but for @n_timed, never answered. */
void openloop_end(struct flow *f, struct schedule *s, uint64_t n_timed);
