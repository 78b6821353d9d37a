#include "frame/recv.h"

#include "base/clock.h"

#include <sched.h>

/*
 * A wake-up is made by the CPU that receives, of a veth the sender's, and costs it more than a
 * frame does. So there are none while frames come.
 */
#define SPIN_NS (50 * NSEC_PER_USEC)
#define NAP_MS  5 /* for *stop */

void frame_receive(const struct frame_receiver *r, const atomic_bool *stop)
{
	uint64_t idle_since_ns = 0;

	while (!atomic_load_explicit(stop, memory_order_relaxed)) {
		const uint64_t now_ns = clock_now_ns();

		if (r->take(r->rx) > 0) {
			idle_since_ns = now_ns;
			continue;
		}
		/* A NAPI thread may have this CPU, too. */
		if (r->busy_poll || now_ns - idle_since_ns < SPIN_NS)
			sched_yield();
		else
			(void)r->wait(r->rx, NAP_MS);
	}
	while (r->take(r->rx) > 0)
		;
}
