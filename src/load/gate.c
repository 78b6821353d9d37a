#include "load/gate.h"

#include "base/macro.h"

/* Less costs more calls than it is worth, more is not needed at any rate. */
#define PIECE_MIN_BYTES (4ULL << 10)
#define PIECE_MAX_BYTES (64ULL << 10)

void gate_init(struct gate *g, uint64_t rate_bps, uint64_t slack_ns)
{
	atomic_init(&g->next_ns, 0);
	g->rate_bps = rate_bps;
	g->slack_ns = slack_ns;
}

uint64_t gate_piece(const struct gate *g)
{
	return MAX(PIECE_MIN_BYTES, MIN(g->rate_bps / 8 / 1000, PIECE_MAX_BYTES));
}

uint64_t gate_take(struct gate *g, uint64_t bytes, uint64_t now_ns)
{
	uint64_t next_ns = atomic_load_explicit(&g->next_ns, memory_order_relaxed);
	uint64_t cost_ns, at_ns;

	if (!g->rate_bps)
		return now_ns;
	/* 128 bits: a gigabyte at a bit per second is beyond 64. */
	cost_ns = (uint64_t)((unsigned __int128)bytes * 8 * NSEC_PER_SEC / g->rate_bps);
	do {
		uint64_t earliest_ns = now_ns > g->slack_ns ? now_ns - g->slack_ns : 0;

		at_ns = MAX(next_ns, earliest_ns);
	} while (!atomic_compare_exchange_weak_explicit(&g->next_ns, &next_ns, at_ns + cost_ns,
		memory_order_relaxed, memory_order_relaxed));
	return at_ns;
}
