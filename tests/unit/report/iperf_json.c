/*
 * Documents that iperf3 3.21 wrote of tests over loopback are read back into the structs they tell
 * of; what is rendered from these must be the same document again: keys, order, types, and numbers
 * as far as the document's own rounding of times allows.
 */
#include "report/iperf_output.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/doc.h"

/*
 * Times are written in us, and the shortest span in the fixtures has 3 ms. iperf3 divides the
 * second direction's bytes by the time of the first one's stream, which is as near.
 */
#define TOLERANCE 5e-3

static double num(const struct doc *d, const char *key)
{
	const struct field f[] = {{.name = key, .type = FIELD_T_DOUBLE, .size = sizeof(double)},
		FIELD_END};
	double v = 0;

	return d && doc_get_fields(d, f, &v, NULL) == 0 ? v : 0;
}

static bool is(const struct doc *d, const char *key)
{
	bool v = false;

	return doc_get_bool(d, key, &v, NULL) == 0 && v;
}

#define COPY_STR(dst, d, key) ((void)(doc_get_str(d, key, dst, sizeof(dst), NULL) == 0))

static struct doc *load(const char *name)
{
	_cleanup_(freep) char *path = xasprintf("%s/iperf/%s.json", getenv("FIXTURES"), name);
	_cleanup_(fclosep) FILE *f = fopen(path, "r");
	static char text[1 << 16];
	struct doc *d = NULL;
	size_t len;

	assert_non_null(f);
	len = fread(text, 1, sizeof(text), f);
	assert_true(len < sizeof(text));
	assert_int_equal(doc_parse(&d, text, len, NULL), 0);
	return d;
}

static void read_start(const struct doc *d, struct iperf_test *t)
{
	const struct doc *from = doc_get(d, "accepted_connection");
	const struct doc *to = doc_get(d, "connecting_to");
	const struct doc *test = doc_get(d, "test_start");
	struct iperf_params *p = &t->cfg.params;

	t->is_server = from != NULL;
	t->started_ms = (int64_t)num(doc_get(d, "timestamp"), "timemillisecs");
	COPY_STR(t->cookie, d, "cookie");
	if (from) {
		COPY_STR(t->peer_host, from, "host");
		t->peer_port = (uint16_t)num(from, "port");
	} else {
		COPY_STR(t->cfg.host, to, "host");
		t->cfg.port = (uint16_t)num(to, "port");
	}
	t->tcp_mss_default = (uint32_t)num(d, "tcp_mss_default");
	p->window = (uint32_t)num(d, "sock_bufsize");
	t->sndbuf_actual = (uint32_t)num(d, "sndbuf_actual");
	t->rcvbuf_actual = (uint32_t)num(d, "rcvbuf_actual");
	p->proto = doc_is_str(doc_get(test, "protocol"), "UDP") ? IPERF_UDP : IPERF_TCP;
	p->parallel = (uint32_t)num(test, "num_streams");
	p->len = (uint32_t)num(test, "blksize");
	p->omit = (uint32_t)num(test, "omit");
	p->time = (uint32_t)num(test, "duration");
	p->reverse = num(test, "reverse") > 0;
	p->bandwidth = (uint64_t)num(test, "target_bitrate");
	p->bidirectional = num(test, "bidir") > 0;
	t->cfg.interval_ns = (uint64_t)(num(test, "interval") * NSEC_PER_SEC);
}

static void read_connected(const struct doc *list, struct iperf_test *t)
{
	t->n_streams = (uint32_t)doc_len(list);
	for (uint32_t i = 0; i < t->n_streams; i++) {
		const struct doc *d = doc_at(list, i);
		struct iperf_stream *s = &t->stream[i];

		s->socket = (int)num(d, "socket");
		COPY_STR(s->local_host, d, "local_host");
		COPY_STR(s->remote_host, d, "remote_host");
		s->local_port = (uint16_t)num(d, "local_port");
		s->remote_port = (uint16_t)num(d, "remote_port");
	}
}

static struct iperf_stream *of_socket(struct iperf_test *t, const struct doc *d)
{
	for (uint32_t i = 0; i < t->n_streams; i++)
		if (t->stream[i].socket == (int)num(d, "socket"))
			return &t->stream[i];
	fail();
	return NULL;
}

static void read_final_tcp(const struct doc *d, struct iperf_test *t)
{
	const struct doc *sent = doc_get(d, "sender"), *received = doc_get(d, "receiver");
	struct iperf_stream *s = of_socket(t, sent);
	const struct doc *own, *other;

	s->sender = is(sent, "sender");
	own = s->sender ? sent : received;
	other = s->sender ? received : sent;
	s->total.end = num(received, "seconds");
	s->total.bytes = (uint64_t)num(own, "bytes");
	s->total.has_tcp_info = s->sender;
	s->total.retransmits = (int64_t)num(sent, "retransmits");
	s->total.reorder = (uint32_t)num(sent, "reorder");
	s->max_snd_cwnd = (uint64_t)num(sent, "max_snd_cwnd");
	s->max_snd_wnd = (uint64_t)num(sent, "max_snd_wnd");
	s->max_rtt = (uint32_t)num(sent, "max_rtt");
	s->min_rtt = (uint32_t)num(sent, "min_rtt");
	s->mean_rtt = (uint32_t)num(sent, "mean_rtt");
	s->has_remote = !t->is_server;
	s->remote.bytes = (uint64_t)num(other, "bytes");
	s->remote.end_time = num(other, "end");
	s->remote.retransmits = s->sender ? -1 : (int64_t)num(sent, "retransmits");
}

/* Nothing was lost; the receiver's share is only in the sum. */
static void read_final_udp(const struct doc *d, const struct doc *end, struct iperf_test *t)
{
	struct iperf_stream *s = of_socket(t, d);
	const bool second = t->cfg.params.bidirectional && t->is_server == is(d, "sender");
	const struct doc *sum =
		doc_get(end, second ? "sum_received_bidir_reverse" : "sum_received");
	const uint64_t received = (uint64_t)num(sum, "bytes") / t->cfg.params.parallel;
	const int64_t packets = (int64_t)num(d, "packets");

	s->sender = is(d, "sender");
	s->total.end = num(s->sender ? d : sum, "seconds");
	s->total.bytes = s->sender ? (uint64_t)num(d, "bytes") : received;
	s->total.packets = (uint64_t)packets;
	s->total.jitter_ms = num(d, "jitter_ms");
	s->has_remote = !t->is_server;
	s->remote.bytes = s->sender ? received : (uint64_t)num(d, "bytes");
	s->remote.packets = packets;
	s->remote.jitter = num(d, "jitter_ms") / 1000;
	s->remote.end_time = num(s->sender ? sum : d, "seconds");
}

static void read_end(const struct doc *d, struct iperf_test *t)
{
	const struct doc *streams = doc_get(d, "streams");
	const struct doc *cpu = doc_get(d, "cpu_utilization_percent");

	for (size_t i = 0; i < doc_len(streams); i++) {
		const struct doc *udp = doc_get(doc_at(streams, i), "udp");

		if (udp)
			read_final_udp(udp, d, t);
		else
			read_final_tcp(doc_at(streams, i), t);
	}
	t->cpu = (struct iperf_cpu){
		num(cpu, "host_total"),
		num(cpu, "host_user"),
		num(cpu, "host_system"),
		num(cpu, "remote_total"),
		num(cpu, "remote_user"),
		num(cpu, "remote_system"),
	};
	COPY_STR(t->sender_congestion, d, "sender_tcp_congestion");
	COPY_STR(t->receiver_congestion, d, "receiver_tcp_congestion");
}

static void read_interval(const struct doc *d, struct iperf_test *t)
{
	const struct doc *streams = doc_get(d, "streams");

	for (size_t i = 0; i < doc_len(streams); i++) {
		const struct doc *v = doc_at(streams, i);

		of_socket(t, v)->interval = (struct iperf_span){
			.start = num(v, "start"),
			.end = num(v, "end"),
			.bytes = (uint64_t)num(v, "bytes"),
			.omitted = is(v, "omitted"),
			.has_tcp_info = doc_get(v, "retransmits") != NULL,
			.retransmits = (int64_t)num(v, "retransmits"),
			.snd_cwnd = (uint64_t)num(v, "snd_cwnd"),
			.snd_wnd = (uint64_t)num(v, "snd_wnd"),
			.rtt = (uint32_t)num(v, "rtt"),
			.rttvar = (uint32_t)num(v, "rttvar"),
			.pmtu = (uint32_t)num(v, "pmtu"),
			.reorder = (uint32_t)num(v, "reorder"),
			.packets = (uint64_t)num(v, "packets"),
			.lost_packets = (int64_t)num(v, "lost_packets"),
			.jitter_ms = num(v, "jitter_ms"),
		};
	}
}

/* Runs the test that @d tells of through @r. */
static void replay(const struct doc *d, struct iperf_report *r, struct iperf_test *t)
{
	static char output[1 << 14];
	const struct doc *intervals = doc_get(d, "intervals");

	read_start(doc_get(d, "start"), t);
	COPY_STR(t->cfg.params.title, d, "title");
	COPY_STR(t->cfg.params.extra_data, d, "extra_data");
	if (doc_get_str(d, "server_output_text", output, sizeof(output), NULL) == 0) {
		t->cfg.params.get_server_output = true;
		t->server_output_text = output;
	}
	r->begin(r, t->is_server, t->cfg.port, 1);
	r->sink.connecting(&r->sink, t);
	read_connected(doc_get(doc_get(d, "start"), "connected"), t);
	read_end(doc_get(d, "end"), t);
	r->sink.start(&r->sink, t);
	for (size_t i = 0; i < doc_len(intervals); i++) {
		read_interval(doc_at(intervals, i), t);
		r->sink.interval(&r->sink, t);
	}
	r->sink.end(&r->sink, t);
}

static const char *after_value(const char *s, const char *key)
{
	size_t len = strlen(key);

	return strncmp(s, key, len) == 0 ? strchr(s + len, '"') : s;
}

/* Equal texts but for numbers, which may be near, and for what names the program and machine. */
static void assert_same(const char *a, const char *b)
{
	while (*a && *b) {
		char *end_a, *end_b;
		double x, y;

		a = after_value(after_value(a, "\"version\":\""), "\"system_info\":\"");
		b = after_value(after_value(b, "\"version\":\""), "\"system_info\":\"");
		if (!isdigit((unsigned char)*a) || !isdigit((unsigned char)*b)) {
			if (*a != *b)
				fail_msg("wrote   ...%.60s\nexpected ...%.60s", a, b);
			a++;
			b++;
			continue;
		}
		x = strtod(a, &end_a);
		y = strtod(b, &end_b);
		if (fabs(x - y) > TOLERANCE * fmax(fabs(x), fabs(y)) + 1e-6)
			fail_msg("wrote   ...%.60s\nexpected ...%.60s", a, b);
		a = end_a;
		b = end_b;
	}
	assert_int_equal(*a, *b);
}

struct run {
	struct iperf_test t;
	char *text;
};

static void run_free(struct run *run)
{
	free(run->text);
	free(run);
}
DEFINE_CLEANUP(struct run *, run_free, run_freep)

static const char *const fixture[] = {
	"tcp_p2_client_321",
	"tcp_rev_client_321",
	"tcp_bidir_client_321",
	"tcp_omit_client_321",
	"tcp_output_client_321",
	"tcp_server_321",
	"tcp_rev_server_321",
	"tcp_bidir_server_321",
	"udp_p2_client_321",
	"udp_rev_client_321",
	"udp_bidir_client_321",
	"udp_omit_client_321",
	"udp_server_321",
	"udp_rev_server_321",
	"udp_bidir_server_321",
};

static void test_documents(void **state)
{
	const struct iperf_output o = {.json = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fixture); i++) {
		_cleanup_(doc_freep) struct doc *expected = load(fixture[i]);
		_cleanup_(doc_freep) struct doc *wrote = NULL;
		_cleanup_(freep) char *a = NULL, *b = NULL;
		_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
		size_t len;
		FILE *out = open_memstream(&run->text, &len);
		struct iperf_report *r = iperf_json_new(&o, out, NULL);

		print_message("# %s\n", fixture[i]);
		replay(expected, r, &run->t);
		assert_int_equal(r->finish(r, &run->t), 0);
		r->free(r);
		fclose(out);
		assert_int_equal(doc_parse(&wrote, run->text, len, NULL), 0);
		a = doc_text(wrote);
		b = doc_text(expected);
		assert_same(a, b);
	}
}

/* One event a line; the interval events are the document's intervals. */
static void test_stream(void **state)
{
	static const char *const name[] = {"start", "interval", "interval", "end"};
	const struct iperf_output o = {.json = true, .json_stream = true};
	_cleanup_(doc_freep) struct doc *expected = load("udp_p2_client_321");
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	size_t len, n = 0;
	FILE *out = open_memstream(&run->text, &len);
	struct iperf_report *r = iperf_json_new(&o, out, NULL);

	(void)state;
	replay(expected, r, &run->t);
	assert_int_equal(r->finish(r, &run->t), 0);
	r->free(r);
	fclose(out);
	for (char *line = strtok(run->text, "\n"); line; line = strtok(NULL, "\n"), n++) {
		_cleanup_(doc_freep) struct doc *d = NULL;
		_cleanup_(freep) char *begin = xasprintf("{\"event\":\"%s\",\"data\":{", name[n]);

		assert_true(n < ARRAY_SIZE(name));
		assert_int_equal(strncmp(line, begin, strlen(begin)), 0);
		assert_int_equal(doc_parse(&d, line, strlen(line), NULL), 0);
		if (n == 1) {
			_cleanup_(freep) char *a = doc_text(doc_get(d, "data"));
			_cleanup_(freep) char *b =
				doc_text(doc_at(doc_get(expected, "intervals"), 0));

			assert_same(a, b);
		}
	}
	assert_int_equal(n, ARRAY_SIZE(name));
}

/* A stream with the full output ends with the document; a server can show the whole of it. */
static void test_full(void **state)
{
	const struct iperf_output o = {.json = true, .json_stream = true, .json_full = true};
	_cleanup_(doc_freep) struct doc *expected = load("tcp_server_321");
	_cleanup_(doc_freep) struct doc *shown = NULL;
	_cleanup_(doc_freep) struct doc *wrote = NULL;
	_cleanup_(freep) char *a = NULL, *b = NULL, *c = NULL, *text = NULL;
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	size_t len;
	FILE *out = open_memstream(&run->text, &len);
	struct iperf_report *r = iperf_json_new(&o, out, NULL);
	const char *last;

	(void)state;
	replay(expected, r, &run->t);
	r->sink.output(&r->sink, &text, &shown);
	assert_null(text);
	assert_int_equal(r->finish(r, &run->t), 0);
	r->free(r);
	fclose(out);
	last = strstr(run->text, "{\n");
	assert_non_null(last);
	assert_int_equal(doc_parse(&wrote, last, strlen(last), NULL), 0);
	a = doc_text(wrote);
	b = doc_text(expected);
	c = doc_text(shown);
	assert_same(a, b);
	assert_same(c, b);
}

struct failure {
	bool is_server;
	int code;
	const char *error;
};

static const struct failure failures[] = {
	{false, -ECONNREFUSED, "no server"},
	{false, -ECANCELED, "interrupt - no server"},
	{true, -ECONNRESET, "error - no server"},
};

/* What is known when nothing was connected yet. */
static void test_error(void **state)
{
	const struct iperf_output o = {.json = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
		_cleanup_(doc_freep) struct doc *d = NULL;
		_cleanup_(freep) char *text = NULL, *expected = NULL;
		size_t len;
		FILE *out = open_memstream(&run->text, &len);
		struct iperf_report *r = iperf_json_new(&o, out, NULL);

		run->t.is_server = failures[i].is_server;
		run->t.error = (struct err){failures[i].code, "no server"};
		r->begin(r, failures[i].is_server, 5201, 1);
		r->sink.error(&r->sink, &run->t);
		assert_int_equal(r->finish(r, &run->t), 0);
		r->free(r);
		fclose(out);
		assert_int_equal(doc_parse(&d, run->text, len, NULL), 0);
		text = doc_text(d);
		expected = xasprintf("{\"start\":{\"connected\":[],\"version\":\"\","
				     "\"system_info\":\"\"},\"intervals\":[],\"end\":{},"
				     "\"error\":\"%s\"}",
			failures[i].error);
		assert_same(text, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
