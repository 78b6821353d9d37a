#include "meter/tcp.h"

#include "meter/table.h"
#include "sys/tcpinfo.h"

struct tcp_state {
	uint64_t retransmits, bytes_retrans, busy_ns, rwnd_limited_ns, sndbuf_limited_ns;
};

static const struct field tcp_fields[] = {
	FIELD_U32(struct tcp_reading, n_flows, "", "flows on which this end sends payload"),
	FIELD_U64(struct tcp_reading, retransmits, "", "segments sent again during the span"),
	FIELD_U64(struct tcp_reading, bytes_retrans, "bytes", "payload sent again during the span"),
	FIELD_U64(struct tcp_reading, busy_ns, "ns",
		"time with data outstanding, during the span, all flows together"),
	FIELD_U64(struct tcp_reading, rwnd_limited_ns, "ns",
		"part of busy_ns stalled by the receive window"),
	FIELD_U64(struct tcp_reading, sndbuf_limited_ns, "ns",
		"part of busy_ns stalled by the send buffer"),
	FIELD_U64(struct tcp_reading, rtt_ns, "ns",
		"smoothed round-trip time at the end, mean of flows"),
	FIELD_U64(struct tcp_reading, min_rtt_ns, "ns", "smallest round-trip time of any flow"),
	FIELD_U32(struct tcp_reading, cwnd_segs, "segments",
		"congestion window at the end, mean of flows"),
	FIELD_U32(struct tcp_reading, mss_bytes, "bytes", "segment size of the last flow"),
	FIELD_U64(struct tcp_reading, delivery_rate_bps, "bit/s",
		"the kernel's own estimate at the end, sum of flows"),
	FIELD_END,
};

static int tcp_probe(struct err *e)
{
	(void)e;
	return 0;
}

static void add_totals(struct tcp_state *s, const struct tcpinfo *i)
{
	s->retransmits += i->retransmits;
	s->bytes_retrans += i->bytes_retrans;
	s->busy_ns += i->busy_ns;
	s->rwnd_limited_ns += i->rwnd_limited_ns;
	s->sndbuf_limited_ns += i->sndbuf_limited_ns;
}

static int tcp_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct tcp_state *s = state;
	int r = 0;

	*s = (struct tcp_state){0};
	for (uint32_t k = 0; r == 0 && k < scope->n_tcp_fds; k++) {
		struct tcpinfo info;

		r = tcpinfo_read(scope->tcp_fds[k], &info, e);
		if (r == 0)
			add_totals(s, &info);
	}
	return r;
}

static void add_gauges(struct tcp_reading *x, const struct tcpinfo *i)
{
	uint64_t min_rtt_ns = i->min_rtt_us * NSEC_PER_USEC;

	x->rtt_ns += i->rtt_us * NSEC_PER_USEC;
	x->min_rtt_ns = x->n_flows ? MIN(x->min_rtt_ns, min_rtt_ns) : min_rtt_ns;
	x->cwnd_segs += i->snd_cwnd_segs;
	x->mss_bytes = i->snd_mss_bytes;
	x->delivery_rate_bps += i->delivery_rate_bps;
	x->n_flows++;
}

static int tcp_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	const struct tcp_state *b = state;
	struct tcp_reading *x = reading;
	struct tcp_state a = {0};

	*x = (struct tcp_reading){0};
	for (uint32_t k = 0; k < scope->n_tcp_fds; k++) {
		struct tcpinfo info;
		int r = tcpinfo_read(scope->tcp_fds[k], &info, e);

		if (r < 0)
			return r;
		add_totals(&a, &info);
		add_gauges(x, &info);
	}
	if (x->n_flows) {
		x->rtt_ns /= x->n_flows;
		x->cwnd_segs /= x->n_flows;
	}
	x->retransmits = a.retransmits - b->retransmits;
	x->bytes_retrans = a.bytes_retrans - b->bytes_retrans;
	x->busy_ns = a.busy_ns - b->busy_ns;
	x->rwnd_limited_ns = a.rwnd_limited_ns - b->rwnd_limited_ns;
	x->sndbuf_limited_ns = a.sndbuf_limited_ns - b->sndbuf_limited_ns;
	return 0;
}

const struct meter_ops meter_tcp = {
	.name = "tcp",
	.summary = "TCP_INFO of the sending end: retransmits, rtt, window, what limited it",
	.fields = tcp_fields,
	.reading_bytes = sizeof(struct tcp_reading),
	.state_bytes = sizeof(struct tcp_state),
	.probe = tcp_probe,
	.begin = tcp_begin,
	.end = tcp_end,
};
