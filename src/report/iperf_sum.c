#include "report/iperf_sum.h"

#include "base/macro.h"

uint32_t iperf_dirs(const struct iperf_test *t, struct iperf_dir ret[static IPERF_MAX_DIRS])
{
	/* [is_server][this side sends] */
	static const char *const role[2][2] = {{"[RX-C]", "[TX-C]"}, {"[RX-S]", "[TX-S]"}};
	const struct iperf_params *p = &t->cfg.params;
	bool sends = p->reverse == t->is_server; /* in the first, or only, direction */

	if (!p->bidirectional) {
		ret[0] = (struct iperf_dir){.sends = sends, .role = ""};
		return 1;
	}
	for (uint32_t i = 0; i < IPERF_MAX_DIRS; i++) {
		sends = (i == 0) != t->is_server;
		ret[i] = (struct iperf_dir){
			.sends = sends,
			.bidir = true,
			.second = i > 0,
			.role = role[t->is_server][sends],
		};
	}
	return IPERF_MAX_DIRS;
}

const struct iperf_stream *iperf_dir_next(const struct iperf_test *t, const struct iperf_dir *dir,
	uint32_t *i)
{
	while (*i < t->n_streams) {
		const struct iperf_stream *s = &t->stream[(*i)++];

		if (s->sender == dir->sends)
			return s;
	}
	return NULL;
}

static double per(double count, double of)
{
	return of > 0 ? count / of : 0;
}

static void interval_rates(struct iperf_interval *v)
{
	v->bytes_per_second = per((double)v->bytes, v->seconds);
	v->lost_percent = 100 * per((double)v->lost_packets, (double)v->packets);
}

void iperf_interval_of(const struct iperf_span *s, struct iperf_interval *ret)
{
	*ret = (struct iperf_interval){
		.start = s->start,
		.end = s->end,
		.seconds = s->end - s->start,
		.bytes = s->bytes,
		.has_retransmits = s->has_tcp_info,
		.retransmits = s->retransmits,
		.packets = (int64_t)s->packets,
		.lost_packets = s->lost_packets,
		.jitter_ms = s->jitter_ms,
		.omitted = s->omitted,
	};
	interval_rates(ret);
}

/* Times are those of the first stream; jitter is the mean. */
bool iperf_interval_sum(const struct iperf_test *t, const struct iperf_dir *dir,
	struct iperf_interval *ret)
{
	const struct iperf_stream *s;
	struct iperf_interval one;
	uint32_t n = 0;

	for (uint32_t i = 0; (s = iperf_dir_next(t, dir, &i)); n++) {
		iperf_interval_of(&s->interval, &one);
		if (n == 0) {
			*ret = one;
			continue;
		}
		ret->bytes += one.bytes;
		ret->retransmits += one.retransmits;
		ret->packets += one.packets;
		ret->lost_packets += one.lost_packets;
		ret->jitter_ms += one.jitter_ms;
	}
	if (n == 0)
		return false;
	ret->jitter_ms /= n;
	interval_rates(ret);
	return true;
}

bool iperf_interval_counts(const struct iperf_test *t)
{
	const double least_s = 0.1 * (double)t->cfg.interval_ns / (double)NSEC_PER_SEC;

	for (uint32_t i = 0; i < t->n_streams; i++) {
		const struct iperf_span *s = &t->stream[i].interval;

		if (s->bytes > 0 || s->end - s->start >= least_s)
			return true;
	}
	return false;
}

bool iperf_has_retransmits(const struct iperf_test *t)
{
	for (uint32_t i = 0; i < t->n_streams; i++)
		if (t->stream[i].sender &&
			(t->stream[i].interval.has_tcp_info || t->stream[i].total.has_tcp_info))
			return true;
	return false;
}

static void final_rates(struct iperf_final *f)
{
	f->packets = f->sender_packets ? f->sender_packets : f->receiver_packets;
	f->sent_bytes_per_second = per((double)f->sent, f->sender_s);
	f->received_bytes_per_second = per((double)f->received, f->receiver_s);
	f->lost_percent = 100 * per((double)f->lost_packets, (double)f->packets);
	f->receiver_lost_percent = 100 * per((double)f->lost_packets, (double)f->receiver_packets);
}

/* What the other side said, without what it omitted. */
static void remote_final(const struct iperf_test *t, const struct iperf_stream *s,
	struct iperf_final *f)
{
	const struct iperf_stream_result *r = &s->remote;
	const double seconds = r->end_time - r->start_time;
	const int64_t packets = r->packets - r->omitted_packets;

	if (seconds > 0)
		*(s->sender ? &f->receiver_s : &f->sender_s) = seconds;
	*(s->sender ? &f->received : &f->sent) = r->bytes;
	*(s->sender ? &f->receiver_packets : &f->sender_packets) = packets;
	if (!s->sender) {
		f->has_retransmits = r->retransmits >= 0 && t->cfg.params.proto == IPERF_TCP;
		f->retransmits = f->has_retransmits ? r->retransmits : 0;
		return;
	}
	f->lost_unknown = t->cfg.params.omit > 0 && r->omitted_errors < 0;
	f->lost_packets = r->errors - (r->omitted_errors > 0 ? r->omitted_errors : 0);
	f->jitter_ms = r->jitter * 1000;
}

void iperf_final_of(const struct iperf_test *t, const struct iperf_stream *s,
	struct iperf_final *ret)
{
	const struct iperf_span *own = &s->total;

	*ret = (struct iperf_final){.own_s = own->end - own->start};
	ret->sender_s = ret->receiver_s = ret->own_s;
	if (s->sender) {
		ret->sent = own->bytes;
		ret->sender_packets = (int64_t)own->packets;
		ret->has_retransmits = own->has_tcp_info;
		ret->retransmits = own->retransmits;
	} else {
		ret->received = own->bytes;
		ret->receiver_packets = (int64_t)own->packets;
		ret->lost_packets = own->lost_packets;
		ret->out_of_order = own->out_of_order;
		ret->jitter_ms = own->jitter_ms;
	}
	if (s->has_remote)
		remote_final(t, s, ret);
	final_rates(ret);
}

void iperf_final_sum(const struct iperf_test *t, const struct iperf_dir *dir,
	struct iperf_final *ret)
{
	const struct iperf_stream *s;
	struct iperf_final one;
	uint32_t n = 0;

	*ret = (struct iperf_final){0};
	for (uint32_t i = 0; (s = iperf_dir_next(t, dir, &i)); n++) {
		iperf_final_of(t, s, &one);
		if (n == 0) {
			*ret = one;
			continue;
		}
		ret->sent += one.sent;
		ret->received += one.received;
		ret->retransmits += one.retransmits;
		ret->sender_packets += one.sender_packets;
		ret->receiver_packets += one.receiver_packets;
		ret->lost_packets += one.lost_packets;
		ret->jitter_ms += one.jitter_ms;
	}
	if (n == 0)
		return;
	ret->jitter_ms /= n;
	final_rates(ret);
}
