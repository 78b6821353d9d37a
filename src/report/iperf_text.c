/*
 * Scripts read these lines by column, so each format is iperf3 3.21's to the blank, also where
 * blanks end a line or an ID's width differs between a stream and a sum.
 */
#include "report/iperf_output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "report/iperf_sum.h"

#define UNIT_SIZE 32
/* Of the copy of intervals, and again of what follows: a client chooses how many there are. */
#define COPY_MAX_BYTES (4U << 20)
#define RULE           "-----------------------------------------------------------\n"
#define SEPARATOR      "- - - - - - - - - - - - - - - - - - - - - - - - -\n"

struct text {
	struct iperf_report report; /* first */
	struct iperf_output o;
	FILE *out, *err;
	const char *title; /* of the test that runs */
	bool headed;       /* the header of its intervals is written */
	/* Copy of the lines for a client that wants to see them; NULL: none wanted. */
	FILE *copy;
	char *copy_text;
	size_t copy_len;
	size_t copied; /* bytes, of intervals or of what follows */
};

static struct text *text_of(struct iperf_sink *s)
{
	return (struct text *)s; /* the sink is first in the report, the report in struct text */
}

static void stamp(const struct text *x, char *ret, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	*ret = '\0';
	if (!*x->o.timestamps)
		return;
	localtime_r(&now, &tm);
	/* The format is the user's own. */
	_Pragma("GCC diagnostic push") _Pragma(
		"GCC diagnostic ignored \"-Wformat-nonliteral\"") if (strftime(ret, size,
									      x->o.timestamps,
									      &tm) == 0) *ret =
		'\0';
	_Pragma("GCC diagnostic pop")
}

static printf_(2, 3) void line(struct text *x, const char *fmt, ...)
{
	char now[256];
	va_list ap, again;

	stamp(x, now, sizeof(now));
	fprintf(x->out, "%s%s%s", now, x->title, *x->title ? ":  " : "");
	va_start(ap, fmt);
	va_copy(again, ap);
	vfprintf(x->out, fmt, ap);
	va_end(ap);
	if (x->copy && x->copied < COPY_MAX_BYTES) {
		int n = fprintf(x->copy, "%s", now);

		x->copied += (size_t)MAX(n, 0);
		n = vfprintf(x->copy, fmt, again);
		x->copied += (size_t)MAX(n, 0);
	}
	va_end(again);
}

/*
 * A number of bytes in @format: upper case as bytes in powers of 1024, lower case as bits in
 * powers of 1000; 'A' and 'a' choose the power. Four places, as many decimals as they leave.
 */
static void unit(char *ret, double bytes, char format)
{
	static const char *const prefix[] = {"", "K", "M", "G", "T"};
	static const char letters[] = "KMGT";
	const bool as_bytes = isupper((unsigned char)format);
	const double step = as_bytes ? 1024 : 1000;
	const char *fixed = strchr(letters, toupper((unsigned char)format));
	double v = as_bytes ? bytes : bytes * 8;
	size_t power = 0;

	if (fixed) {
		for (; power < (size_t)(fixed - letters) + 1; power++)
			v /= step;
	} else {
		for (; v >= step && power + 1 < ARRAY_SIZE(prefix); power++)
			v /= step;
	}
	snprintf(ret, UNIT_SIZE, "%4.*f %s%s",
		v < 9.995   ? 2
		: v < 99.95 ? 1
			    : 0,
		v, prefix[power], as_bytes ? "Byte" : "bit");
}

static void begin(struct iperf_report *r, bool server, uint16_t port, uint32_t number)
{
	struct text *x = (struct text *)r;
	char info[512];

	x->title = "";
	if (x->o.verbose) {
		iperf_system_info(info, sizeof(info));
		line(x, "%s\n", IPERF_VERSION_TEXT);
		line(x, "%s\n", info);
	}
	if (!server)
		return;
	line(x, RULE);
	line(x, "Server listening on %d (test #%u)\n", port, number);
	line(x, RULE);
	fflush(x->out);
}

static void drop_copy(struct text *x)
{
	if (x->copy)
		fclose(x->copy);
	free(x->copy_text);
	x->copy = NULL;
	x->copy_text = NULL;
	x->copied = 0;
}

static void connecting_more(struct text *x, const struct iperf_test *t)
{
	const struct iperf_params *p = &t->cfg.params;

	line(x, "      Cookie: %s\n", t->cookie);
	if (p->proto == IPERF_TCP && p->MSS)
		line(x, "      TCP MSS: %u\n", p->MSS);
	else if (p->proto == IPERF_TCP)
		line(x, "      TCP MSS: %u (default)\n", t->tcp_mss_default);
	if (p->bandwidth)
		line(x, "      Target Bitrate: %" PRIu64 "\n", p->bandwidth);
}

static void connecting(struct iperf_sink *s, const struct iperf_test *t)
{
	struct text *x = text_of(s);
	char now[64];

	drop_copy(x);
	x->headed = false;
	x->title = t->is_server ? "" : t->cfg.params.title;
	if (t->is_server && t->cfg.params.get_server_output)
		x->copy = open_memstream(&x->copy_text, &x->copy_len);
	if (x->o.verbose) {
		iperf_time_text(t->started_ms, now, sizeof(now));
		if (!t->is_server)
			line(x, "Control connection MSS %u\n", t->tcp_mss_default);
		line(x, "Time: %s\n", now);
	}
	if (t->is_server)
		line(x, "Accepted connection from %s, port %d\n", t->peer_host, t->peer_port);
	else
		line(x, "Connecting to host %s, port %d\n", t->cfg.host, t->cfg.port);
	if (!t->is_server && t->cfg.params.reverse)
		line(x, "Reverse mode, remote host %s is sending\n", t->cfg.host);
	if (x->o.verbose)
		connecting_more(x, t);
}

static void starting(struct text *x, const struct iperf_test *t)
{
	const struct iperf_params *p = &t->cfg.params;
	char end[64];

	if (p->num)
		snprintf(end, sizeof(end), "%" PRIu64 " bytes to send", p->num);
	else if (p->blockcount)
		snprintf(end, sizeof(end), "%" PRIu64 " blocks to send", p->blockcount);
	else
		snprintf(end, sizeof(end), "%u second test", p->time);
	line(x,
		"Starting Test: protocol: %s, %u streams, %u byte blocks, omitting %u seconds, "
		"%s, tos %u\n",
		p->proto == IPERF_UDP ? "UDP" : "TCP", p->parallel, p->len, p->omit, end, p->TOS);
}

static void start(struct iperf_sink *s, const struct iperf_test *t)
{
	struct text *x = text_of(s);

	for (uint32_t i = 0; i < t->n_streams; i++) {
		const struct iperf_stream *m = &t->stream[i];

		line(x, "[%3d] local %s port %d connected to %s port %d\n", m->socket,
			m->local_host, m->local_port, m->remote_host, m->remote_port);
	}
	if (x->o.verbose)
		starting(x, t);
	if (x->o.forceflush)
		fflush(x->out);
}

/* What the columns after the rate are called. */
static void header(struct text *x, const struct iperf_test *t, const char *columns)
{
	line(x, "[ ID]%s Interval           Transfer     Bitrate%s\n",
		t->cfg.params.bidirectional ? "[Role]" : "", columns);
}

static void interval_header(struct text *x, const struct iperf_test *t)
{
	struct iperf_dir dir[IPERF_MAX_DIRS];

	(void)iperf_dirs(t, dir);
	if (t->cfg.params.proto == IPERF_TCP)
		header(x, t, iperf_has_retransmits(t) ? "         Retr  Cwnd" : "");
	else if (dir[0].sends && !dir[0].bidir)
		header(x, t, "         Total Datagrams");
	else
		header(x, t, "         Jitter    Lost/Total Datagrams");
}

/* "[  5][TX-C]   0.00-1.00   sec  1.25 MBytes  10.5 Mbits/sec", where all rows begin. */
struct row {
	const char *id; /* "  5", "SUM" */
	const char *role;
	double start, end;
	double bytes, bytes_per_second;
};

static void row(char ret[static 128], const struct text *x, const struct row *r)
{
	char bytes[UNIT_SIZE], rate[UNIT_SIZE];

	unit(bytes, r->bytes, 'A');
	unit(rate, r->bytes_per_second, x->o.format);
	snprintf(ret, 128, "[%s]%s %6.2f-%-6.2f sec  %ss  %ss/sec", r->id, r->role, r->start,
		r->end, bytes, rate);
}

/* @s: NULL for a sum */
static void interval_row(struct text *x, const struct iperf_test *t, const struct iperf_dir *dir,
	const struct iperf_stream *s, const struct iperf_interval *v)
{
	const char *note = v->omitted ? "(omitted)" : "";
	char id[16] = "SUM", head[128], cwnd[UNIT_SIZE];

	if (s)
		snprintf(id, sizeof(id), "%3d", s->socket);
	row(head, x,
		&(struct row){id, dir->role, v->start, v->end, (double)v->bytes,
			v->bytes_per_second});
	if (t->cfg.params.proto == IPERF_UDP && dir->sends) {
		line(x, "%s %s %" PRId64 "  %s\n", head, dir->bidir ? "          " : "", v->packets,
			note);
	} else if (t->cfg.params.proto == IPERF_UDP) {
		line(x, "%s  %5.3f ms  %" PRId64 "/%" PRId64 " (%.2g%%)  %s\n", head, v->jitter_ms,
			v->lost_packets, v->packets, v->lost_percent, note);
	} else if (dir->sends && v->has_retransmits && s) {
		unit(cwnd, (double)s->interval.snd_cwnd, 'A');
		line(x, "%s  %3" PRId64 "   %ss       %s\n", head, v->retransmits, cwnd, note);
	} else if (dir->sends && v->has_retransmits) {
		line(x, "%s  %3" PRId64 "             %s\n", head, v->retransmits, note);
	} else {
		line(x, "%s                  %s\n", head, note);
	}
}

static void interval(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct text *x = text_of(sink);
	struct iperf_dir dir[IPERF_MAX_DIRS];
	uint32_t n_dirs = iperf_dirs(t, dir);
	const struct iperf_stream *s;
	struct iperf_interval v;

	if (!iperf_interval_counts(t))
		return;
	if (!x->headed)
		interval_header(x, t);
	else if (t->cfg.params.parallel > 1)
		line(x, SEPARATOR);
	x->headed = true;
	for (uint32_t d = 0; d < n_dirs; d++) {
		for (uint32_t i = 0; (s = iperf_dir_next(t, &dir[d], &i));) {
			iperf_interval_of(&s->interval, &v);
			interval_row(x, t, &dir[d], s, &v);
		}
		if (t->cfg.params.parallel > 1 && iperf_interval_sum(t, &dir[d], &v))
			interval_row(x, t, &dir[d], NULL, &v);
	}
	if (x->o.forceflush || x->out != stdout)
		fflush(x->out);
}

/* A server never hears the other side before it reports. */
static bool unknown(struct text *x, const struct iperf_test *t, const char *id, bool known,
	const char *side)
{
	if (!t->is_server || known)
		return false;
	if (x->o.verbose)
		line(x, "[%s] (%s statistics not available)\n", id, side);
	return true;
}

static void final_tcp(struct text *x, const struct iperf_test *t, const struct iperf_dir *dir,
	const char *id, const struct iperf_final *f)
{
	const bool sum = strcmp(id, "SUM") == 0;
	char head[128];

	if (!unknown(x, t, id, dir->sends, "sender")) {
		row(head, x,
			&(struct row){id, dir->role, 0, f->sender_s, (double)f->sent,
				f->sent_bytes_per_second});
		if (f->has_retransmits)
			line(x, "%s  %3" PRId64 "            %ssender\n", head, f->retransmits,
				sum ? " " : "");
		else
			line(x, "%s                  sender\n", head);
	}
	if (!unknown(x, t, id, !dir->sends, "receiver")) {
		row(head, x,
			&(struct row){id, dir->role, 0, f->receiver_s, (double)f->received,
				f->received_bytes_per_second});
		line(x, "%s                  receiver\n", head);
	}
}

/* Loss is a share of the packets received; in a sum, of those sent. */
static void receiver_udp(struct text *x, const char *head, bool sum, const struct iperf_final *f)
{
	if (f->lost_unknown)
		line(x, "%s  %5.3f ms  Unknown/%" PRId64 "  receiver\n", head, f->jitter_ms,
			f->receiver_packets);
	else
		line(x, "%s  %5.3f ms  %" PRId64 "/%" PRId64 " (%.2g%%)  receiver\n", head,
			f->jitter_ms, f->lost_packets, f->receiver_packets,
			sum ? f->lost_percent : f->receiver_lost_percent);
}

static void final_udp(struct text *x, const struct iperf_test *t, const struct iperf_dir *dir,
	const char *id, const struct iperf_final *f)
{
	const bool sum = strcmp(id, "SUM") == 0;
	char head[128];

	if (!(sum && t->is_server && !dir->sends) && !unknown(x, t, id, dir->sends, "sender")) {
		row(head, x,
			&(struct row){id, dir->role, 0, f->sender_s, (double)f->sent,
				f->sent_bytes_per_second});
		line(x, "%s  %5.3f ms  %d/%" PRId64 " (%.2g%%)  sender\n", head, 0.0, 0,
			f->sender_packets, 0.0);
	}
	if (!sum && f->out_of_order > 0)
		line(x, "[SUM]%s %4.1f-%4.1f sec  %" PRId64 " datagrams received out-of-order\n",
			dir->role, 0.0, f->sender_s, f->out_of_order);
	if (!(sum && t->is_server && dir->sends) && !unknown(x, t, id, !dir->sends, "receiver")) {
		row(head, x,
			&(struct row){id, dir->role, 0, f->receiver_s, (double)f->received,
				f->received_bytes_per_second});
		receiver_udp(x, head, sum, f);
	}
}

static void final(struct text *x, const struct iperf_test *t, const struct iperf_dir *dir,
	const char *id, const struct iperf_final *f)
{
	if (t->cfg.params.proto == IPERF_UDP)
		final_udp(x, t, dir, id, f);
	else
		final_tcp(x, t, dir, id, f);
}

static void cpu(struct text *x, const struct iperf_test *t, const char *here, const char *there)
{
	const struct iperf_cpu *c = &t->cpu;

	line(x,
		"CPU Utilization: local/%s %.1f%% (%.1f%%u/%.1f%%s), "
		"remote/%s %.1f%% (%.1f%%u/%.1f%%s)\n",
		here, c->host_total, c->host_user, c->host_system, there, c->remote_total,
		c->remote_user, c->remote_system);
}

static void final_more(struct text *x, const struct iperf_test *t, const struct iperf_dir *dir)
{
	if (dir->sends)
		cpu(x, t, "sender", "receiver");
	if (dir->sends && dir->bidir)
		cpu(x, t, "receiver", "sender");
	if (t->cfg.params.proto != IPERF_TCP)
		return;
	if (*t->sender_congestion)
		line(x, "snd_tcp_congestion %s\n", t->sender_congestion);
	if (*t->receiver_congestion)
		line(x, "rcv_tcp_congestion %s\n", t->receiver_congestion);
}

static bool any_retransmits(const struct iperf_test *t)
{
	struct iperf_final f;

	for (uint32_t i = 0; i < t->n_streams; i++) {
		iperf_final_of(t, &t->stream[i], &f);
		if (f.has_retransmits)
			return true;
	}
	return false;
}

static void server_output(struct text *x, const struct iperf_test *t)
{
	_cleanup_(freep) char *text = NULL;
	size_t len;
	FILE *f;

	if (t->server_output_json) {
		f = open_memstream(&text, &len);
		if (f && doc_write(t->server_output_json, f) == 0)
			line(x, "\nServer JSON output:\n%s\n", text);
		if (f)
			fclose(f);
	}
	if (t->server_output_text)
		line(x, "\nServer output:\n%s\n", t->server_output_text);
}

static void end(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct text *x = text_of(sink);
	struct iperf_dir dir[IPERF_MAX_DIRS];
	uint32_t n_dirs = iperf_dirs(t, dir);
	const struct iperf_stream *s;
	struct iperf_final f;
	char id[16];

	if (x->copy && x->copied >= COPY_MAX_BYTES)
		fputs("(further intervals are left out)\n", x->copy);
	x->copied = 0;
	line(x, SEPARATOR);
	if (x->o.verbose)
		line(x, "Test Complete. Summary Results:\n");
	if (t->cfg.params.proto == IPERF_UDP)
		header(x, t, "         Jitter    Lost/Total Datagrams");
	else
		header(x, t, any_retransmits(t) ? "         Retr" : "");
	for (uint32_t d = 0; d < n_dirs; d++) {
		for (uint32_t i = 0; (s = iperf_dir_next(t, &dir[d], &i));) {
			snprintf(id, sizeof(id), "%3d", s->socket);
			iperf_final_of(t, s, &f);
			final(x, t, &dir[d], id, &f);
		}
		if (t->cfg.params.parallel > 1) {
			iperf_final_sum(t, &dir[d], &f);
			final(x, t, &dir[d], "SUM", &f);
		}
		if (x->o.verbose)
			final_more(x, t, &dir[d]);
	}
	if (!t->is_server && t->cfg.params.get_server_output)
		server_output(x, t);
	fflush(x->out);
}

static void error(struct iperf_sink *sink, const struct iperf_test *t)
{
	struct text *x = text_of(sink);
	char now[256], words[sizeof(t->error.text) + 32];

	fflush(x->out); /* what was before it, comes before it */
	stamp(x, now, sizeof(now));
	iperf_error_text(t, words, sizeof(words));
	fprintf(x->err, "%siperf3: %s\n", now, words);
	fflush(x->err);
}

static void output(struct iperf_sink *sink, char **ret_text, struct doc **ret_json)
{
	struct text *x = text_of(sink);

	*ret_json = NULL;
	if (x->copy)
		fclose(x->copy);
	x->copy = NULL;
	*ret_text = take_ptr(x->copy_text);
}

static int finish(struct iperf_report *r, const struct iperf_test *t)
{
	struct text *x = (struct text *)r;

	if (!t->is_server && t->error.code == 0) {
		line(x, "\n");
		line(x, "iperf Done.\n");
	}
	drop_copy(x);
	x->title = "";
	return fflush(x->out) == EOF || ferror(x->out) ? -EIO : 0;
}

static void text_free(struct iperf_report *r)
{
	drop_copy((struct text *)r);
	free(r);
}

struct iperf_report *iperf_text_new(const struct iperf_output *o, FILE *out, FILE *err)
{
	struct text *x = xcalloc(1, sizeof(*x));

	*x = (struct text){
		.report =
			{
				.sink = {connecting, start, interval, end, error, output},
				.begin = begin,
				.finish = finish,
				.free = text_free,
			},
		.o = *o,
		.out = out,
		.err = err,
		.title = "",
	};
	return &x->report;
}
