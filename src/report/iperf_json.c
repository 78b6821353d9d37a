/*
 * The document grows with the test and is written by finish(); the events of a stream are parts
 * of the same document. Keys stand in iperf3 3.21's order, of which there are three (client,
 * server over TCP, server over UDP): a reader should not care, but some compare texts.
 */
#include "report/iperf_output.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/iperf_sum.h"
#include "report/report.h"
#include "wire/doc.h"

/* Rows of intervals kept only for a client that asked for them: some 8 MiB of text. */
#define KEPT_MAX_ROWS 20000

struct json {
	struct iperf_report report; /* first */
	struct iperf_output o;
	FILE *out;
	bool failed; /* to write an event */
	uint32_t n_kept;
	struct doc *top;
	/* Borrowed members of top. */
	struct doc *start, *connected, *intervals, *end;
};

static struct json *json_of(struct iperf_sink *s)
{
	return (struct json *)s; /* the sink is first in the report, the report in struct json */
}

static struct doc *put_new(struct doc *d, const char *key, struct doc *child)
{
	doc_put(d, key, child);
	return child;
}

static void begin(struct iperf_report *r, bool server, uint16_t port, uint32_t number)
{
	struct json *x = (struct json *)r;
	char info[512];

	(void)server;
	(void)port;
	(void)number;
	iperf_system_info(info, sizeof(info));
	doc_free(x->top);
	x->top = doc_object();
	x->start = put_new(x->top, "start", doc_object());
	x->intervals = put_new(x->top, "intervals", doc_array());
	x->end = put_new(x->top, "end", doc_object());
	x->connected = put_new(x->start, "connected", doc_array());
	doc_put_str(x->start, "version", IPERF_VERSION_TEXT);
	doc_put_str(x->start, "system_info", info);
}

/* One line. */
static void event(struct json *x, const char *name, struct doc *data)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	doc_put_str(d, "event", name);
	doc_put(d, "data", data);
	if (report_line(d, x->out) < 0)
		x->failed = true;
}

static void event_str(struct json *x, const char *name, const char *data)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	doc_put_str(d, "event", name);
	doc_put_str(d, "data", data);
	if (report_line(d, x->out) < 0)
		x->failed = true;
}

static void put_buffers(struct doc *d, const struct iperf_test *t)
{
	doc_put_u64(d, "sock_bufsize", t->cfg.params.window);
	doc_put_u64(d, "sndbuf_actual", t->sndbuf_actual);
	doc_put_u64(d, "rcvbuf_actual", t->rcvbuf_actual);
}

static struct doc *host_port(const char *host, uint16_t port)
{
	struct doc *d = doc_object();

	doc_put_str(d, "host", host);
	doc_put_u64(d, "port", port);
	return d;
}

static struct doc *timestamp(const struct iperf_test *t)
{
	struct doc *d = doc_object();
	char text[64];

	iperf_time_text(t->started_ms, text, sizeof(text));
	doc_put_str(d, "time", text);
	doc_put_i64(d, "timesecs", t->started_ms / 1000);
	doc_put_i64(d, "timemillisecs", t->started_ms);
	return d;
}

static void connecting(struct iperf_sink *s, const struct iperf_test *t)
{
	struct json *x = json_of(s);
	const struct iperf_params *p = &t->cfg.params;
	struct doc *d = x->start;

	if (t->is_server && p->bandwidth)
		doc_put_u64(d, "target_bitrate", p->bandwidth);
	if (t->is_server && p->proto == IPERF_TCP)
		put_buffers(d, t); /* their place; start() knows the sizes */
	doc_put(d, "timestamp", timestamp(t));
	if (t->is_server)
		doc_put(d, "accepted_connection", host_port(t->peer_host, t->peer_port));
	else
		doc_put(d, "connecting_to", host_port(t->cfg.host, t->cfg.port));
	doc_put_str(d, "cookie", t->cookie);
	if (p->proto == IPERF_TCP && p->MSS)
		doc_put_u64(d, "tcp_mss", p->MSS);
	else if (p->proto == IPERF_TCP)
		doc_put_u64(d, "tcp_mss_default", t->tcp_mss_default);
	doc_put_u64(d, "target_bitrate", p->bandwidth);
	doc_put_u64(d, "fq_rate", p->fqrate);
}

static struct doc *test_start(const struct iperf_test *t)
{
	const struct iperf_params *p = &t->cfg.params;
	struct doc *d = doc_object();

	doc_put_str(d, "protocol", p->proto == IPERF_UDP ? "UDP" : "TCP");
	doc_put_u64(d, "num_streams", p->parallel);
	doc_put_u64(d, "blksize", p->len);
	doc_put_u64(d, "omit", p->omit);
	doc_put_u64(d, "duration", p->time);
	doc_put_u64(d, "bytes", p->num);
	doc_put_u64(d, "blocks", p->blockcount);
	doc_put_u64(d, "reverse", p->reverse);
	doc_put_u64(d, "tos", p->TOS);
	doc_put_u64(d, "target_bitrate", p->bandwidth);
	doc_put_u64(d, "bidir", p->bidirectional);
	doc_put_u64(d, "fqrate", p->fqrate);
	doc_put_number(d, "interval", (double)t->cfg.interval_ns / (double)NSEC_PER_SEC);
	doc_put_u64(d, "gso", p->gso);
	doc_put_u64(d, "gro", p->gro);
	return d;
}

static void start(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct json *x = json_of(sink);

	for (uint32_t i = 0; i < t->n_streams; i++) {
		const struct iperf_stream *s = &t->stream[i];
		struct doc *d = doc_object();

		doc_put_i64(d, "socket", s->socket);
		doc_put_str(d, "local_host", s->local_host);
		doc_put_u64(d, "local_port", s->local_port);
		doc_put_str(d, "remote_host", s->remote_host);
		doc_put_u64(d, "remote_port", s->remote_port);
		doc_append(x->connected, d);
	}
	put_buffers(x->start, t);
	doc_put(x->start, "test_start", test_start(t));
	if (x->o.json_stream)
		event(x, "start", doc_ref(x->start));
}

/* What all rows begin with. */
struct row {
	const struct iperf_stream *s; /* NULL: a sum */
	double start, end, seconds;
	uint64_t bytes;
	double bytes_per_second;
};

static struct doc *row(const struct row *r)
{
	struct doc *d = doc_object();

	if (r->s)
		doc_put_i64(d, "socket", r->s->socket);
	doc_put_number(d, "start", r->start);
	doc_put_number(d, "end", r->end);
	doc_put_number(d, "seconds", r->seconds);
	doc_put_u64(d, "bytes", r->bytes);
	doc_put_number(d, "bits_per_second", r->bytes_per_second * 8);
	return d;
}

static void put_loss(struct doc *d, double jitter_ms, int64_t lost, int64_t packets,
	double lost_percent)
{
	doc_put_number(d, "jitter_ms", jitter_ms);
	doc_put_i64(d, "lost_packets", lost);
	doc_put_i64(d, "packets", packets);
	doc_put_number(d, "lost_percent", lost_percent);
}

static void put_tcp_info(struct doc *d, const struct iperf_span *s)
{
	doc_put_u64(d, "snd_cwnd", s->snd_cwnd);
	doc_put_u64(d, "snd_wnd", s->snd_wnd);
	doc_put_u64(d, "rtt", s->rtt);
	doc_put_u64(d, "rttvar", s->rttvar);
	doc_put_u64(d, "pmtu", s->pmtu);
	doc_put_u64(d, "reorder", s->reorder);
}

/* @s: NULL for a sum */
static struct doc *interval_row(const struct iperf_test *t, const struct iperf_dir *dir,
	const struct iperf_stream *s, const struct iperf_interval *v)
{
	struct doc *d =
		row(&(struct row){s, v->start, v->end, v->seconds, v->bytes, v->bytes_per_second});

	if (t->cfg.params.proto == IPERF_UDP && dir->sends) {
		doc_put_i64(d, "packets", v->packets);
	} else if (t->cfg.params.proto == IPERF_UDP) {
		put_loss(d, v->jitter_ms, v->lost_packets, v->packets, v->lost_percent);
	} else if (dir->sends && v->has_retransmits) {
		doc_put_i64(d, "retransmits", v->retransmits);
		if (s)
			put_tcp_info(d, &s->interval);
	}
	doc_put_bool(d, "omitted", v->omitted);
	doc_put_bool(d, "sender", dir->sends);
	return d;
}

static void interval(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct json *x = json_of(sink);
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct iperf_dir dir[IPERF_MAX_DIRS];
	uint32_t n_dirs = iperf_dirs(t, dir);
	const struct iperf_stream *s;
	struct iperf_interval v;
	struct doc *streams;

	if (!iperf_interval_counts(t))
		return;
	d = doc_object();
	streams = put_new(d, "streams", doc_array());
	for (uint32_t k = 0; k < n_dirs; k++) {
		for (uint32_t i = 0; (s = iperf_dir_next(t, &dir[k], &i));) {
			iperf_interval_of(&s->interval, &v);
			doc_append(streams, interval_row(t, &dir[k], s, &v));
		}
		if (iperf_interval_sum(t, &dir[k], &v))
			doc_put(d, dir[k].second ? "sum_bidir_reverse" : "sum",
				interval_row(t, &dir[k], NULL, &v));
	}
	if (x->o.json_stream)
		event(x, "interval", doc_ref(d));
	/* A long stream of events must not fill the memory with what nobody will read. */
	if (!x->o.json_stream || x->o.json_full ||
		(t->is_server && t->cfg.params.get_server_output &&
			(x->n_kept += t->n_streams) <= KEPT_MAX_ROWS))
		doc_append(x->intervals, take_ptr(d));
}

static struct doc *final_sent(const struct iperf_dir *dir, const struct iperf_stream *s,
	const struct iperf_final *f)
{
	struct doc *d = row(
		&(struct row){s, 0, f->sender_s, f->sender_s, f->sent, f->sent_bytes_per_second});

	if (f->has_retransmits)
		doc_put_i64(d, "retransmits", f->retransmits);
	if (f->has_retransmits && s) {
		doc_put_u64(d, "reorder", s->total.reorder);
		doc_put_u64(d, "max_snd_cwnd", s->max_snd_cwnd);
		doc_put_u64(d, "max_snd_wnd", s->max_snd_wnd);
		doc_put_u64(d, "max_rtt", s->max_rtt);
		doc_put_u64(d, "min_rtt", s->min_rtt);
		doc_put_u64(d, "mean_rtt", s->mean_rtt);
	}
	doc_put_bool(d, "sender", dir->sends);
	return d;
}

static struct doc *final_received(const struct iperf_dir *dir, const struct iperf_stream *s,
	const struct iperf_final *f)
{
	struct doc *d = row(&(struct row){s, 0, f->receiver_s, s ? f->own_s : f->receiver_s,
		f->received, f->received_bytes_per_second});

	doc_put_bool(d, "sender", dir->sends);
	return d;
}

static struct doc *final_stream(const struct iperf_test *t, const struct iperf_dir *dir,
	const struct iperf_stream *s)
{
	struct doc *d = doc_object(), *udp;
	struct iperf_final f;

	iperf_final_of(t, s, &f);
	if (t->cfg.params.proto == IPERF_TCP) {
		doc_put(d, "sender", final_sent(dir, s, &f));
		doc_put(d, "receiver", final_received(dir, s, &f));
		return d;
	}
	udp = row(&(struct row){s, 0, f.sender_s, f.sender_s, f.sent, f.sent_bytes_per_second});
	put_loss(udp, f.jitter_ms, f.lost_packets, f.packets, f.lost_percent);
	doc_put_i64(udp, "out_of_order", f.out_of_order);
	doc_put_bool(udp, "sender", dir->sends);
	doc_put(d, "udp", udp);
	return d;
}

static void put_sums_udp(struct doc *end, const struct iperf_dir *dir, const struct iperf_final *f)
{
	/* Mixes what both sides say; older readers know only this one. */
	struct doc *sum = row(&(struct row){NULL, 0, f->receiver_s, f->receiver_s, f->sent,
		f->sent_bytes_per_second});
	struct doc *sent = row(&(
		struct row){NULL, 0, f->sender_s, f->sender_s, f->sent, f->sent_bytes_per_second});
	struct doc *received = row(&(struct row){NULL, 0, f->receiver_s, f->receiver_s, f->received,
		f->received_bytes_per_second});

	put_loss(sum, f->jitter_ms, f->lost_packets, f->packets, f->lost_percent);
	doc_put_bool(sum, "sender", dir->sends);
	put_loss(sent, 0, 0, f->sender_packets, 0);
	doc_put_bool(sent, "sender", true);
	put_loss(received, f->jitter_ms, f->lost_packets, f->receiver_packets, f->lost_percent);
	doc_put_bool(received, "sender", false);
	doc_put(end, dir->second ? "sum_bidir_reverse" : "sum", sum);
	doc_put(end, dir->second ? "sum_sent_bidir_reverse" : "sum_sent", sent);
	doc_put(end, dir->second ? "sum_received_bidir_reverse" : "sum_received", received);
}

static void put_sums(struct doc *end, const struct iperf_test *t, const struct iperf_dir *dir)
{
	struct iperf_final f;

	iperf_final_sum(t, dir, &f);
	if (t->cfg.params.proto == IPERF_UDP) {
		put_sums_udp(end, dir, &f);
		return;
	}
	doc_put(end, dir->second ? "sum_sent_bidir_reverse" : "sum_sent",
		final_sent(dir, NULL, &f));
	doc_put(end, dir->second ? "sum_received_bidir_reverse" : "sum_received",
		final_received(dir, NULL, &f));
}

static struct doc *cpu(const struct iperf_cpu *c)
{
	struct doc *d = doc_object();

	doc_put_number(d, "host_total", c->host_total);
	doc_put_number(d, "host_user", c->host_user);
	doc_put_number(d, "host_system", c->host_system);
	doc_put_number(d, "remote_total", c->remote_total);
	doc_put_number(d, "remote_user", c->remote_user);
	doc_put_number(d, "remote_system", c->remote_system);
	return d;
}

static void end(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct json *x = json_of(sink);
	struct doc *streams = put_new(x->end, "streams", doc_array());
	struct iperf_dir dir[IPERF_MAX_DIRS];
	uint32_t n_dirs = iperf_dirs(t, dir);
	const struct iperf_stream *s;

	for (uint32_t k = 0; k < n_dirs; k++) {
		for (uint32_t i = 0; (s = iperf_dir_next(t, &dir[k], &i));)
			doc_append(streams, final_stream(t, &dir[k], s));
		put_sums(x->end, t, &dir[k]);
	}
	doc_put(x->end, "cpu_utilization_percent", cpu(&t->cpu));
	if (t->cfg.params.proto != IPERF_TCP)
		return;
	if (*t->sender_congestion)
		doc_put_str(x->end, "sender_tcp_congestion", t->sender_congestion);
	if (*t->receiver_congestion)
		doc_put_str(x->end, "receiver_tcp_congestion", t->receiver_congestion);
}

static void error(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct json *x = json_of(sink);
	char words[sizeof(t->error.text) + 32];

	iperf_error_text(t, words, sizeof(words));
	/* A client's document has only the reason, unless it was interrupted. */
	if (!t->is_server && t->error.code != -ECANCELED)
		doc_put_str(x->top, "error", t->error.text);
	else
		doc_put_str(x->top, "error", words);
}

static void output(struct iperf_sink *sink, char **ret_text, struct doc **ret_json)
{
	*ret_text = NULL;
	*ret_json = doc_ref(json_of(sink)->top);
}

static void last_events(struct json *x, const struct iperf_test *t)
{
	char words[sizeof(t->error.text) + 32];

	if (doc_get_str(x->top, "error", words, sizeof(words), NULL) == 0)
		event_str(x, "error", words);
	if (t->server_output_json)
		event(x, "server_output_json", doc_ref(t->server_output_json));
	if (t->server_output_text)
		event_str(x, "server_output_text", t->server_output_text);
	event(x, "end", doc_ref(x->end));
}

static int finish(struct iperf_report *r, const struct iperf_test *t)
{
	struct json *x = (struct json *)r;
	const struct iperf_params *p = &t->cfg.params;
	int status = 0;

	if (*p->title)
		doc_put_str(x->top, "title", p->title);
	if (*p->extra_data)
		doc_put_str(x->top, "extra_data", p->extra_data);
	if (t->server_output_json && !t->is_server)
		doc_put(x->top, "server_output_json", doc_ref(t->server_output_json));
	if (t->server_output_text && !t->is_server)
		doc_put_str(x->top, "server_output_text", t->server_output_text);
	if (x->o.json_stream)
		last_events(x, t);
	if (!x->o.json_stream || x->o.json_full)
		status = doc_write(x->top, x->out);
	return status < 0 ? status : x->failed ? -EIO : 0;
}

static void json_free(struct iperf_report *r)
{
	struct json *x = (struct json *)r;

	doc_free(x->top);
	free(x);
}

struct iperf_report *iperf_json_new(const struct iperf_output *o, FILE *out, FILE *err)
{
	struct json *x = xcalloc(1, sizeof(*x));

	(void)err; /* errors are part of the document */
	*x = (struct json){
		.report =
			{
				.sink = {connecting, start, interval, end, error, output},
				.begin = begin,
				.finish = finish,
				.free = json_free,
			},
		.o = *o,
		.out = out,
	};
	return &x->report;
}
