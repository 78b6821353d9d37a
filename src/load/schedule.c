#include "load/schedule.h"

/* 128 bits: days of nanoseconds times millions per second are beyond 64. */
static void set_due(struct schedule *s)
{
	__int128 after_ns = (__int128)s->next * NSEC_PER_SEC / (__int128)s->rate_tps;

	s->due_ns = (uint64_t)((__int128)s->begin_ns + after_ns);
}

void schedule_start(struct schedule *s, uint32_t i, uint64_t now_ns)
{
	__int128 since_ns = (__int128)now_ns - (__int128)s->begin_ns;
	int64_t g = (int64_t)(since_ns * (__int128)s->rate_tps / NSEC_PER_SEC);
	int64_t n = s->n_flows;

	/* Division went towards 0: one before @now_ns or at it; then up to the flow's own. */
	s->next = g + ((int64_t)i - g % n + n) % n;
	s->n_due = 0;
	for (set_due(s); s->due_ns <= now_ns; set_due(s))
		s->next += n;
}

void schedule_advance(struct schedule *s)
{
	s->n_due += schedule_counts(s, s->due_ns);
	s->next += s->n_flows;
	set_due(s);
}

void schedule_pass(struct schedule *s, uint64_t until_ns)
{
	while (s->due_ns < until_ns)
		schedule_advance(s);
}
