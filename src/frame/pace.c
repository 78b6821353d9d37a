/*
 * The schedule is absolute: when a frame is due does not depend on when others were sent, so a
 * sender that was held up catches up, and errors do not add up. A phase begins when the one before
 * it is over by the schedule; after one without gaps, when its last frame was sent.
 *
 * Times of a phase are in 2^-16 ns. In 64 bits these are 78 hours, past which nothing is due.
 */
#include "frame/pace.h"

#include "base/clock.h"
#include "base/macro.h"

#define MAX_ELAPSED_NS ((1ULL << 48) - 2)
/* Waking up takes tens of us; the last of the wait is spun. One nap is short, for *stop. */
#define SPIN_NS (100 * NSEC_PER_USEC)
#define NAP_NS  (20 * NSEC_PER_MSEC)

void frame_pace_begin(struct frame_pace *p, const struct frame_plan *plan)
{
	assert(plan->burst > 0 && plan->n_phases <= FRAME_MAX_PHASES);
	*p = (struct frame_pace){.plan = plan, .phase_begin_ns = plan->begin_ns};
}

/* After the phase's begin, in ns: 128 bits, for a phase may be as long as it likes. */
static uint64_t offset_ns(const struct frame_phase *phase, uint64_t n)
{
	const unsigned __int128 at = (unsigned __int128)n * phase->gap_q16 >> 16;

	return at > UINT64_MAX / 2 ? UINT64_MAX / 2 : (uint64_t)at;
}

/* On to the phase that has frames left. Return: it, or NULL: the plan is done. */
static const struct frame_phase *current(struct frame_pace *p, uint64_t now_ns)
{
	for (; p->phase < p->plan->n_phases; p->phase++, p->done = 0) {
		const struct frame_phase *phase = &p->plan->phase[p->phase];

		if (p->done < phase->n_frames)
			return phase;
		if (phase->gap_q16)
			p->phase_begin_ns += offset_ns(phase, phase->n_frames);
		else
			p->phase_begin_ns = MAX(p->phase_begin_ns, now_ns);
	}
	return NULL;
}

/*
 * Frames of the phase that are due @elapsed_ns after its begin. Burst j is due in nanosecond
 * floor(j * burst * gap), so it is when j * burst * gap < elapsed + 1.
 */
static uint64_t due_by(const struct frame_phase *phase, uint64_t elapsed_ns, uint32_t burst)
{
	const unsigned __int128 burst_q16 = (unsigned __int128)phase->gap_q16 * burst;
	uint64_t time_q16, n_bursts;

	if (phase->gap_q16 == 0)
		return phase->n_frames;
	time_q16 = ((MIN(elapsed_ns, MAX_ELAPSED_NS) + 1) << 16) - 1;
	n_bursts = burst_q16 > time_q16 ? 1 : time_q16 / (uint64_t)burst_q16 + 1;
	return (uint64_t)MIN((unsigned __int128)n_bursts * burst, phase->n_frames);
}

uint32_t frame_pace_due(struct frame_pace *p, uint64_t now_ns, uint32_t max, uint64_t *ret_next_ns)
{
	const struct frame_phase *phase = current(p, now_ns);
	uint64_t next_ns, due;

	*ret_next_ns = UINT64_MAX;
	if (!phase || now_ns > p->plan->end_ns)
		return 0;
	/* When the oldest frame that is not sent is due. */
	next_ns = p->phase_begin_ns + offset_ns(phase, p->done - p->done % p->plan->burst);
	if (now_ns < next_ns) {
		if (next_ns <= p->plan->end_ns)
			*ret_next_ns = next_ns;
		return 0;
	}
	if (phase->gap_q16)
		p->slip_max_ns = MAX(p->slip_max_ns, now_ns - next_ns);
	due = due_by(phase, now_ns - p->phase_begin_ns, p->plan->burst) - p->done;
	*ret_next_ns = now_ns;
	return (uint32_t)MIN(due, max);
}

void frame_pace_sent(struct frame_pace *p, uint32_t n)
{
	p->done += n;
}

uint64_t frame_pace_wait(uint64_t until_ns, const atomic_bool *stop)
{
	uint64_t now_ns = clock_now_ns();

	while (now_ns < until_ns && !atomic_load_explicit(stop, memory_order_relaxed)) {
		if (until_ns - now_ns > SPIN_NS) {
			const uint64_t nap_ns = MIN(until_ns - now_ns - SPIN_NS, NAP_NS);
			const struct timespec ts = {.tv_nsec = (long)nap_ns};

			(void)nanosleep(&ts, NULL); /* woken early: around again */
		}
		now_ns = clock_now_ns();
	}
	return now_ns;
}

uint64_t frame_pace_left(const struct frame_pace *p)
{
	uint64_t left = 0;

	for (uint32_t i = p->phase; i < p->plan->n_phases; i++)
		left += p->plan->phase[i].n_frames;
	return left - p->done;
}
