#include "load/flow.h"

uint64_t flow_schedule(struct flow *f, uint64_t bytes)
{
	uint64_t now_ns, at_ns = 0;

	if (!f->gate && !f->shared_gate)
		return 0;
	now_ns = clock_now_ns();
	if (f->gate)
		at_ns = gate_take(f->gate, bytes, now_ns);
	if (f->shared_gate)
		at_ns = MAX(at_ns, gate_take(f->shared_gate, bytes, now_ns));
	return at_ns > now_ns ? at_ns : 0;
}

bool flow_must_wait(struct flow *f)
{
	if (!f->wake_ns)
		return false;
	if (clock_now_ns() < f->wake_ns)
		return true;
	f->wake_ns = 0;
	return false;
}
