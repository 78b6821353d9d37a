#include "load/openloop.h"

void openloop_start(const struct flow *f, struct schedule *s)
{
	*s = (struct schedule){.begin_ns = f->span->begin_ns,
		.end_ns = f->span->end_ns,
		.rate_tps = f->cfg->rate_tps,
		.n_flows = f->cfg->flows};
	schedule_start(s, f->index, f->span->start_ns);
}

void openloop_sent(struct flow *f, const struct schedule *s, uint64_t due_ns, uint64_t sent_ns)
{
	if (!schedule_counts(s, due_ns))
		return;
	hist_add(f->hist[LOAD_HIST_SLIP], sent_ns - due_ns);
	if (schedule_late(s, due_ns, sent_ns))
		flow_add(&f->count.late, 1);
}

void openloop_end(struct flow *f, struct schedule *s, uint64_t n_timed)
{
	uint64_t n_begun = s->n_due;

	schedule_pass(s, MIN(clock_now_ns(), f->span->end_ns));
	flow_add(&f->count.late, s->n_due - n_begun);
	flow_add(&f->count.unanswered, s->n_due - n_timed);
}
