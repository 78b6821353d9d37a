#include "bench/interval.h"

#include "base/mem.h"

#include <errno.h>

const struct field interval_fields[] = {
	FIELD_U64(struct interval_end, begin_ns, "ns",
		"begin of the interval, since the begin of the counted span"),
	FIELD_U64(struct interval_end, end_ns, "ns", "end of it"),
	FIELD_U64(struct interval_end, bytes_tx, "bytes", "payload sent in the interval"),
	FIELD_U64(struct interval_end, bytes_rx, "bytes", "payload received in the interval"),
	FIELD_U64(struct interval_end, packets_tx, "", "UDP datagrams sent"),
	FIELD_U64(struct interval_end, packets_rx, "", "UDP datagrams received"),
	FIELD_U64(struct interval_end, transactions, "", "transactions completed"),
	FIELD_U64(struct interval_end, lost, "", "UDP requests unanswered after 200 ms"),
	FIELD_U64(struct interval_end, busy_ns, "ns",
		"time this machine's CPUs were not idle, all together, in units of 10 ms per CPU"),
	FIELD_U64(struct interval_end, user_ns, "ns", "user part of it, sampled at ticks"),
	FIELD_U64(struct interval_end, system_ns, "ns", "system part of it, sampled at ticks"),
	FIELD_U64(struct interval_end, softirq_ns, "ns", "softirq part of it, sampled at ticks"),
	FIELD_U64(struct interval_end, threads_ns, "ns", "CPU time of the load's threads"),
	FIELD_U64(struct interval_end, retransmits, "", "TCP segments this end sent again"),
	FIELD_U64(struct interval_end, rtt_ns, "ns",
		"smoothed round-trip time at the end of the interval, mean of the flows this end "
		"sends on"),
	FIELD_U64(struct interval_end, delivery_rate_bps, "bit/s",
		"the kernel's own estimate at the end of the interval, sum of flows"),
	FIELD_U32(struct interval_end, cwnd_segs, "segments",
		"congestion window at the end of the interval, mean of flows"),
	FIELD_U32(struct interval_end, n_tcp_flows, "",
		"TCP flows this end sends on; 0: the four members before say nothing"),
	FIELD_END,
};

/* Row @i, made when it is the first of its number. Past the limit there is one row, reused. */
static struct interval *row(struct interval_list *list, uint32_t i)
{
	if (i >= INTERVAL_MAX) {
		if (list->extra.has[0] == list->extra.has[1])
			list->extra = (struct interval){0};
		return &list->extra;
	}
	if (i == list->n) {
		/* Grows by doubling: sizes are powers of two. */
		if ((list->n & (list->n - 1)) == 0)
			list->at = xreallocarray(list->at, list->n ? 2 * (size_t)list->n : 1,
				sizeof(*list->at));
		list->at[list->n++] = (struct interval){0};
	}
	return &list->at[i];
}

static int check(const struct interval_list *list, bool far, uint64_t n,
	const struct interval_end *x, struct err *e)
{
	if (n != list->count[far])
		return err_say(e, EPROTO, "interval %llu came instead of %u", (unsigned long long)n,
			list->count[far]);
	if (x->end_ns <= x->begin_ns)
		return err_say(e, EPROTO, "interval %u ends before it begins", list->count[far]);
	return 0;
}

int interval_take(struct interval_list *list, bool far, const struct doc *msg,
	const struct interval **ret, struct err *e)
{
	struct interval_end x;
	struct interval *to;
	uint64_t n;
	int r = doc_get_u64(msg, "n", UINT32_MAX, &n, e);

	*ret = NULL;
	if (r == 0)
		r = doc_get_fields(msg, interval_fields, &x, e);
	if (r == 0)
		r = check(list, far, n, &x, e);
	if (r < 0)
		return r;
	to = row(list, list->count[far]++);
	to->end[far] = x;
	to->has[far] = true;
	if (to->has[!far])
		*ret = to;
	return 0;
}

void interval_put(struct doc *msg, uint32_t n, const struct interval_end *x)
{
	doc_put_u64(msg, "n", n);
	doc_put_fields(msg, interval_fields, x);
}

void interval_list_fini(struct interval_list *list)
{
	free(list->at);
	*list = (struct interval_list){0};
}
