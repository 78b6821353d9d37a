#include "wire/iperf.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct doc *parsed(const char *text)
{
	struct doc *d = NULL;
	struct err e = {0};

	if (doc_parse_lax(&d, text, strlen(text), DOC_BIG_NUMBERS, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return d;
}

static void check_text(struct doc *d, const char *want)
{
	_cleanup_(freep) char *text = doc_text(d);

	assert_string_equal(text, want);
	doc_free(d);
}

static struct iperf_params unpacked(const char *text)
{
	_cleanup_(doc_freep) struct doc *d = parsed(text);
	struct iperf_params p;
	struct err e = {0};

	if (iperf_params_unpack(d, &p, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	return p;
}

/* As captured from iperf3 3.12. */
static const char captured[] = "{\"tcp\":true,\"omit\":0,\"time\":1,\"num\":0,\"blockcount\":0,"
			       "\"parallel\":2,\"len\":4096,\"bandwidth\":2000000,"
			       "\"pacing_timer\":1000,\"client_version\":\"3.12\"}";

static void captured_parameters_are_read_and_written(void **state)
{
	struct iperf_params p = unpacked(captured);

	(void)state;
	assert_int_equal(p.proto, IPERF_TCP);
	assert_int_equal(p.time, 1);
	assert_int_equal(p.parallel, 2);
	assert_int_equal(p.len, 4096);
	assert_int_equal(p.bandwidth, 2000000);
	assert_int_equal(p.pacing_timer, 1000);
	assert_int_equal(p.server_affinity, -1);
	assert_false(p.reverse);
	assert_string_equal(p.client_version, "3.12");
	check_text(iperf_params_pack(&p), captured);
}

/* Each text is what is sent for its one member that is not 0, false or "". */
static void every_key_round_trips(void **state)
{
	static const struct {
		const char *member;
		bool udp;
	} rows[] = {
		{"\"omit\":600"},
		{"\"time\":86400"},
		{"\"num\":9007199254740992"},
		{"\"blockcount\":9007199254740992"},
		{"\"parallel\":128"},
		{"\"len\":1048576"},
		{"\"bandwidth\":400000000000"},
		{"\"fqrate\":400000000000"},
		{"\"pacing_timer\":4294967295"},
		{"\"burst\":1000"},
		{"\"reverse\":true"},
		{"\"bidirectional\":true"},
		{"\"window\":536870912"},
		{"\"MSS\":32767"},
		{"\"nodelay\":true"},
		{"\"TOS\":255"},
		{"\"flowlabel\":1048575"},
		{"\"congestion\":\"bbr\""},
		{"\"title\":\"café \\\"1\\\"\""},
		{"\"extra_data\":\"{\\n}\""},
		{"\"server_affinity\":0"},
		{"\"server_affinity\":1024"},
		{"\"get_server_output\":1"},
		{"\"udp_counters_64bit\":1"},
		{"\"repeating_payload\":1"},
		{"\"zerocopy\":1"},
		{"\"dont_fragment\":1"},
		{"\"skip_rx_copy\":1"},
		{"\"mptcp\":true"},
		{"\"authtoken\":\"TWFu+/8=\""},
		{"\"client_version\":\"3.21\""},
		{"\"gso\":1", true},
		{"\"gso_dg_size\":1460", true},
		{"\"gso_bf_size\":65507", true},
		{"\"gro\":1", true},
		{"\"gro_bf_size\":65507", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(freep) char *text =
			xasprintf("{\"%s\":true,%s}", rows[i].udp ? "udp" : "tcp", rows[i].member);
		struct iperf_params p = unpacked(text), again;
		_cleanup_(doc_freep) struct doc *d = iperf_params_pack(&p);
		_cleanup_(freep) char *sent = doc_text(d);

		if (!strstr(sent, rows[i].member))
			fail_msg("no %s in %s", rows[i].member, sent);
		again = unpacked(sent);
		assert_memory_equal(&again, &p, sizeof(p));
		assert_int_equal(iperf_params_check(&p, NULL), 0);
	}
}

static void udp_always_sends_its_offloads(void **state)
{
	static const struct iperf_params p = {.proto = IPERF_UDP,
		.server_affinity = -1,
		.client_version = "3.21"};

	(void)state;
	check_text(iperf_params_pack(&p),
		"{\"udp\":true,\"omit\":0,\"time\":0,\"num\":0,\"blockcount\":0,\"parallel\":0,"
		"\"pacing_timer\":0,\"client_version\":\"3.21\",\"gso\":0,\"gso_dg_size\":0,"
		"\"gso_bf_size\":0,\"gro\":0,\"gro_bf_size\":0}");
}

static void habits_of_peers_are_understood(void **state)
{
	struct iperf_params p =
		unpacked("{\"udp\":true,\"tcp\":false,\"time\":20.0,\"num\":1e+15,\"news\":[1],"
			 "\"reverse\":false,\"nodelay\":1,\"zerocopy\":true,\"bandwidth\":1.5e9}");

	(void)state;
	assert_int_equal(p.proto, IPERF_UDP);
	assert_int_equal(p.time, 20);
	assert_int_equal(p.num, 1000000000000000);
	assert_false(p.reverse);
	assert_true(p.nodelay);
	assert_true(p.zerocopy);
	assert_int_equal(p.bandwidth, 1500000000);
	assert_int_equal(p.parallel, 1);
	assert_int_equal(p.len, 1460);
	assert_int_equal(unpacked("{\"tcp\":true,\"len\":0}").len, 131072);
}

static void bad_parameters_name_the_key(void **state)
{
	static const struct {
		const char *text, *key;
	} rows[] = {
		{"{}", "tcp"},
		{"{\"tcp\":false}", "tcp"},
		{"{\"tcp\":1}", "tcp"},
		{"{\"tcp\":true,\"udp\":true}", "udp"},
		{"{\"sctp\":true}", "sctp"},
		{"{\"tcp\":true,\"time\":\"10\"}", "time"},
		{"{\"tcp\":true,\"time\":true}", "time"},
		{"{\"tcp\":true,\"time\":null}", "time"},
		{"{\"tcp\":true,\"time\":[]}", "time"},
		{"{\"tcp\":true,\"time\":-1}", "time"},
		{"{\"tcp\":true,\"time\":0.5}", "time"},
		{"{\"tcp\":true,\"time\":4294967296}", "time"},
		{"{\"tcp\":true,\"time\":1e300}", "time"},
		{"{\"tcp\":true,\"num\":9007199254740993}", "num"},
		{"{\"tcp\":true,\"num\":9223372036854775808}", "num"},
		{"{\"tcp\":true,\"num\":18446744073709551615}", "num"},
		{"{\"tcp\":true,\"bandwidth\":-1e18}", "bandwidth"},
		{"{\"tcp\":true,\"reverse\":\"yes\"}", "reverse"},
		{"{\"tcp\":true,\"reverse\":256}", "reverse"},
		{"{\"tcp\":true,\"zerocopy\":-1}", "zerocopy"},
		{"{\"tcp\":true,\"server_affinity\":-2}", "server_affinity"},
		{"{\"tcp\":true,\"congestion\":\"0123456789abcdef\"}", "congestion"},
		{"{\"tcp\":true,\"congestion\":7}", "congestion"},
		{"{\"tcp\":true,\"title\":\"\\u001b[2J\"}", "title"},
		{"{\"tcp\":true,\"title\":{}}", "title"},
		{"{\"udp\":true,\"gso\":\"\"}", "gso"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(doc_freep) struct doc *d = parsed(rows[i].text);
		struct iperf_params p;
		struct err e = {0};

		if (iperf_params_unpack(d, &p, &e) != -EPROTO)
			fail_msg("taken: %s", rows[i].text);
		if (!strstr(e.text, rows[i].key))
			fail_msg("%s: %s", rows[i].text, e.text);
	}
}

static void bad_json_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{\"tcp\":true",
		"{\"tcp\":true,\"tcp\":true}",
		"{\"time\":NaN}",
		"{\"time\":1e999}",
		"{\"title\":\"\\u0000\"}",
		"{\"title\":\"\xff\"}",
	};
	enum { DEEP = 100000 };
	_cleanup_(freep) char *deep = xcalloc(1, DEEP);
	struct doc *d = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(doc_parse_lax(&d, rows[i], strlen(rows[i]), DOC_BIG_NUMBERS, NULL),
			-EPROTO);
	for (size_t i = 0; i + 5 <= DEEP; i += 5)
		memcpy(deep + i, "{\"a\":", 5);
	assert_int_equal(doc_parse_lax(&d, deep, DEEP, DOC_BIG_NUMBERS, NULL), -EPROTO);
	assert_null(d);
}

static void limits_have_their_codes(void **state)
{
	static const struct {
		const char *member;
		int code;
	} rows[] = {
		{"\"time\":86401", IPERF_E_DURATION},
		{"\"omit\":601", IPERF_E_OMIT},
		{"\"parallel\":0", IPERF_E_STREAMS},
		{"\"parallel\":129", IPERF_E_STREAMS},
		{"\"len\":1048577", IPERF_E_BLOCK},
		{"\"tcp\":false,\"udp\":true,\"len\":15", IPERF_E_UDP_BLOCK},
		{"\"tcp\":false,\"udp\":true,\"len\":16", 0},
		{"\"tcp\":false,\"udp\":true,\"len\":65507", 0},
		{"\"tcp\":false,\"udp\":true,\"len\":65508", IPERF_E_UDP_BLOCK},
		{"\"burst\":1001", IPERF_E_BURST},
		{"\"window\":536870913", IPERF_E_BUFSIZE},
		{"\"MSS\":32768", IPERF_E_MSS},
		{"\"TOS\":256", IPERF_E_TOS},
		{"\"flowlabel\":1048576", IPERF_E_PARAMS},
		{"\"server_affinity\":1025", IPERF_E_AFFINITY},
		{"\"reverse\":true,\"bidirectional\":true", IPERF_E_PARAMS},
		{"\"time\":0", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool udp = strstr(rows[i].member, "udp");
		_cleanup_(freep) char *text =
			xasprintf("{%s%s}", udp ? "" : "\"tcp\":true,", rows[i].member);
		struct iperf_params p = unpacked(text);
		struct err e = {0};

		assert_int_equal(iperf_params_check(&p, &e), rows[i].code);
		assert_int_equal(!e.text[0], !rows[i].code);
	}
}

static void results_round_trip(void **state)
{
	struct iperf_results *r = xcalloc(2, sizeof(*r));
	_cleanup_(doc_freep) struct doc *d = NULL, *again = NULL;
	_cleanup_(freep) char *text = NULL;

	(void)state;
	r->cpu_util_total = 12.5;
	r->sender_has_retransmits = 1;
	str_set(r->congestion_used, "cubic");
	r->n_streams = 2 * IPERF_MAX_STREAMS;
	for (uint32_t i = 0; i < r->n_streams; i++)
		r->stream[i] = (struct iperf_stream_result){.id = iperf_stream_id(i),
			.bytes = 1ULL << 53,
			.retransmits = -1,
			.jitter = 0.0625,
			.errors = -3,
			.omitted_errors = 2,
			.packets = 1000000,
			.omitted_packets = 4,
			.end_time = 10.5};
	r->server_output_text = xstrdup("a\nb\033\tc");
	r->server_output_json = parsed("{\"a\":[1]}");
	d = iperf_results_pack(r);
	text = doc_text(d);
	assert_true(strlen(text) < IPERF_MAX_CLIENT_RESULTS);
	again = parsed(text);
	assert_int_equal(iperf_results_unpack(again, &r[1], NULL), 0);
	assert_memory_equal(r[1].stream, r->stream, sizeof(r->stream));
	assert_string_equal(r[1].congestion_used, "cubic");
	assert_string_equal(r[1].server_output_text, "a\nb?\tc");
	assert_true(r[1].cpu_util_total == 12.5);
	check_text(doc_ref(r[1].server_output_json), "{\"a\":[1]}");
	iperf_results_fini(&r[0]);
	iperf_results_fini(&r[1]);
	free(r);
}

#define CPU    "\"cpu_util_total\":1.5,\"cpu_util_user\":1,\"cpu_util_system\":0.5,"
#define HEAD   "{" CPU "\"sender_has_retransmits\":0,"
#define STREAM "\"bytes\":1,\"retransmits\":0,\"jitter\":0,\"errors\":0,\"packets\":7"

static void old_results_are_understood(void **state)
{
	_cleanup_(doc_freep) struct doc *d =
		parsed("{\"cpu_util_total\":null,\"cpu_util_user\":1,"
		       "\"cpu_util_system\":0.5,\"sender_has_retransmits\":18446744073709551615,"
		       "\"streams\":[{\"id\":3,\"bytes\":12000000000,\"jitter\":1e-5,\"errors\":0,"
		       "\"retransmits\":18446744073709551615,\"packets\":7}]}");
	struct iperf_results *r = xcalloc(1, sizeof(*r));

	(void)state;
	assert_int_equal(iperf_results_unpack(d, r, NULL), 0);
	assert_true(r->cpu_util_total == 0);
	assert_int_equal(r->sender_has_retransmits, -1);
	assert_int_equal(r->n_streams, 1);
	assert_int_equal(r->stream[0].id, 3);
	assert_int_equal(r->stream[0].bytes, 12000000000);
	assert_int_equal(r->stream[0].retransmits, -1);
	assert_true(r->stream[0].jitter == 1e-5);
	assert_int_equal(r->stream[0].packets, 7);
	free(r);
}

static void bad_results_name_the_key(void **state)
{
	static const struct {
		const char *text, *key;
	} rows[] = {
		{"{}", "cpu_util_total"},
		{"{\"cpu_util_total\":\"1\"}", "cpu_util_total"},
		{"{\"cpu_util_total\":1e300}", "cpu_util_total"},
		{"{" CPU "\"streams\":[]}", "sender_has_retransmits"},
		{"{" CPU "\"sender_has_retransmits\":2,\"streams\":[]}", "sender_has_retransmits"},
		{HEAD "\"x\":0}", "streams"},
		{HEAD "\"streams\":{}}", "streams"},
		{HEAD "\"streams\":[[]]}", "streams"},
		{HEAD "\"streams\":[{" STREAM "}]}", "id"},
		{HEAD "\"streams\":[{\"id\":0," STREAM "}]}", "id"},
		{HEAD "\"streams\":[{\"id\":258," STREAM "}]}", "id"},
		{HEAD "\"streams\":[{\"id\":1," STREAM "},{\"id\":1," STREAM "}]}", "id"},
		{HEAD "\"streams\":[{\"id\":1}]}", "bytes"},
		{HEAD "\"streams\":[{\"id\":1," STREAM ",\"omitted_errors\":0}]}",
			"omitted_packets"},
		{HEAD "\"streams\":[{\"id\":1," STREAM ",\"end_time\":-1}]}", "end_time"},
		{HEAD "\"streams\":[{\"id\":1,\"bytes\":18446744073709551615}]}", "bytes"},
		{HEAD "\"streams\":[],\"server_output_text\":[]}", "server_output_text"},
		{HEAD "\"streams\":[],\"server_output_json\":[]}", "server_output_json"},
		{HEAD "\"streams\":[],\"congestion_used\":\"\\r\"}", "congestion_used"},
	};
	struct iperf_results *r = xcalloc(1, sizeof(*r));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(doc_freep) struct doc *d = parsed(rows[i].text);
		struct err e = {0};

		if (iperf_results_unpack(d, r, &e) != -EPROTO)
			fail_msg("taken: %s", rows[i].text);
		if (!strstr(e.text, rows[i].key))
			fail_msg("%s: %s", rows[i].text, e.text);
		iperf_results_fini(r);
	}
	free(r);
}

static void too_many_streams_are_refused(void **state)
{
	struct iperf_results *r = xcalloc(1, sizeof(*r));
	_cleanup_(doc_freep) struct doc *d = parsed(HEAD "\"x\":0}");
	struct doc *list = doc_array();
	struct err e = {0};

	(void)state;
	for (uint32_t i = 0; i <= 2 * IPERF_MAX_STREAMS; i++)
		doc_append(list, doc_object());
	doc_put(d, "streams", list);
	assert_int_equal(iperf_results_unpack(d, r, &e), -EPROTO);
	assert_non_null(strstr(e.text, "streams"));
	iperf_results_fini(r);
	free(r);
}

static void cookies_are_made_and_checked(void **state)
{
	char a[IPERF_COOKIE_BYTES], b[IPERF_COOKIE_BYTES];

	(void)state;
	iperf_cookie_make(a);
	iperf_cookie_make(b);
	assert_true(iperf_cookie_valid(a));
	assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 36);
	assert_string_not_equal(a, b);
	assert_true(iperf_cookie_valid("host.example.1700000000.123456.1f2e3"));
	a[35] = '\n';
	assert_false(iperf_cookie_valid(a));
	a[35] = '\0';
	assert_false(iperf_cookie_valid(a));
	b[36] = 'a';
	assert_false(iperf_cookie_valid(b));
}

static void codes_have_words(void **state)
{
	(void)state;
	assert_string_equal(iperf_code_text(IPERF_E_AUTH), "authorization failed");
	assert_null(iperf_code_text(0));
	assert_null(iperf_code_text(-1));
}

/* Two ends of a control connection. */
struct pair {
	struct iperf_ctl a, b;
};

static struct pair pair_open(void)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	return (struct pair){{fd[0], -1, "server"}, {fd[1], -1, "client"}};
}

static void pair_close(struct pair *p)
{
	closep(&p->a.fd);
	closep(&p->b.fd);
}

static uint64_t soon(void)
{
	return clock_now_ns() + 5 * NSEC_PER_SEC;
}

static void states_errors_and_blocks_arrive_in_order(void **state)
{
	struct pair p = pair_open();
	_cleanup_(doc_freep) struct doc *sent = parsed(captured), *got = NULL;
	int32_t code, errnum;
	int s;

	(void)state;
	assert_int_equal(iperf_send_state(&p.b, IPERF_TEST_START, NULL), 0);
	assert_int_equal(iperf_send_state(&p.b, IPERF_TEST_RUNNING, NULL), 0);
	assert_int_equal(iperf_send_doc(&p.b, sent, soon(), NULL), 0);
	assert_int_equal(iperf_send_error(&p.b, IPERF_E_TOTAL_RATE, -1, NULL), 0);
	assert_int_equal(iperf_recv_state(&p.a, &s, soon(), NULL), 0);
	assert_int_equal(s, IPERF_TEST_START);
	assert_int_equal(iperf_recv_state(&p.a, &s, soon(), NULL), 0);
	assert_int_equal(s, IPERF_TEST_RUNNING);
	assert_int_equal(iperf_recv_doc(&p.a, &got, IPERF_MAX_PARAMS, soon(), NULL), 0);
	check_text(doc_ref(got), captured);
	assert_int_equal(iperf_recv_state(&p.a, &s, soon(), NULL), 0);
	assert_int_equal(s, IPERF_SERVER_ERROR);
	assert_int_equal(iperf_recv_error(&p.a, &code, &errnum, soon(), NULL), 0);
	assert_int_equal(code, IPERF_E_TOTAL_RATE);
	assert_int_equal(errnum, -1);
	pair_close(&p);
}

/* Ref: captured from iperf3: a total rate above the server's limit. */
static void errors_are_big_endian(void **state)
{
	static const unsigned char want[] = {0xfe, 0, 0, 0, 0x1b, 0, 0, 0, 0};
	struct pair p = pair_open();
	unsigned char got[16];

	(void)state;
	assert_int_equal(iperf_send_error(&p.b, IPERF_E_TOTAL_RATE, 0, NULL), 0);
	assert_int_equal(recv(p.a.fd, got, sizeof(got), 0), sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
	pair_close(&p);
}

static void bad_streams_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int state, doc;
		const char *words; /* of the error of the block */
	} rows[] = {
		{"", 0, -EPIPE, -EPIPE, "server closed the control connection while waiting"},
		{"G", 1, -EPROTO, -EPIPE, "waiting"},
		{"\x03", 1, -EPROTO, -EPIPE, "waiting"},
		{"\0\0\0\0", 4, -EPROTO, -EPROTO, "0 bytes"},
		{"\0\0\x20\x01{", 5, -EPROTO, -EPROTO, "8193 bytes"},
		{"\xff\xff\xff\xff", 4, 0, -EPROTO, "4294967295 bytes"},
		{"\0\0\0\x08{\"a\":", 9, -EPROTO, -EPIPE, "in the middle"},
		{"\0\0\0\x02[]", 6, -EPROTO, -EPROTO, "not a JSON object"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const typeof(rows[0]) *row = &rows[i / 2];
		struct pair p = pair_open();
		struct doc *d = NULL;
		struct err e = {0};
		int s;

		if (row->len)
			assert_int_equal(send(p.b.fd, row->bytes, row->len, 0), row->len);
		closep(&p.b.fd);
		if (i % 2 == 0) {
			assert_int_equal(iperf_recv_state(&p.a, &s, soon(), &e), row->state);
		} else {
			assert_int_equal(iperf_recv_doc(&p.a, &d, IPERF_MAX_PARAMS, soon(), &e),
				row->doc);
			if (!strstr(e.text, row->words))
				fail_msg("%s", e.text);
		}
		assert_null(d);
		pair_close(&p);
	}
}

static void output_of_a_server_may_repeat_keys(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"{\"server_output_json\":{\"target_bitrate\":1,\"target_bitrate\":2}}", 0},
		{"{\"server_output_text\":{\"target_bitrate\":1,\"target_bitrate\":2}}", -EPROTO},
		{"{\"a\":{\"server_output_json\":1},\"b\":1,\"b\":2}", -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const unsigned char head[4] = {0, 0, 0, (unsigned char)strlen(rows[i].text)};
		_cleanup_(doc_freep) struct doc *d = NULL;
		struct pair p = pair_open();

		assert_int_equal(send(p.b.fd, head, 4, 0), 4);
		assert_int_equal(send(p.b.fd, rows[i].text, head[3], 0), head[3]);
		assert_int_equal(iperf_recv_doc(&p.a, &d, IPERF_MAX_RESULTS, soon(), NULL),
			rows[i].r);
		pair_close(&p);
	}
}

static void waiting_ends(void **state)
{
	struct pair p = pair_open();
	int pipefd[2], s;
	struct err e = {0};

	(void)state;
	assert_int_equal(iperf_recv_state(&p.a, &s, clock_now_ns(), &e), -ETIMEDOUT);
	assert_string_equal(e.text, "server did not answer in time while waiting for a state");
	assert_int_equal(pipe(pipefd), 0);
	close(pipefd[1]);
	p.a.cancel_fd = pipefd[0];
	assert_int_equal(iperf_recv_state(&p.a, &s, soon(), &e), -ECANCELED);
	assert_int_equal(iperf_send_state(&p.a, IPERF_CLIENT_TERMINATE, &e), 0);
	assert_int_equal(iperf_recv_state(&p.b, &s, soon(), &e), 0);
	assert_int_equal(s, IPERF_CLIENT_TERMINATE);
	close(pipefd[0]);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_parameters_are_read_and_written),
		cmocka_unit_test(every_key_round_trips),
		cmocka_unit_test(udp_always_sends_its_offloads),
		cmocka_unit_test(habits_of_peers_are_understood),
		cmocka_unit_test(bad_parameters_name_the_key),
		cmocka_unit_test(bad_json_is_refused),
		cmocka_unit_test(limits_have_their_codes),
		cmocka_unit_test(results_round_trip),
		cmocka_unit_test(old_results_are_understood),
		cmocka_unit_test(bad_results_name_the_key),
		cmocka_unit_test(too_many_streams_are_refused),
		cmocka_unit_test(cookies_are_made_and_checked),
		cmocka_unit_test(codes_have_words),
		cmocka_unit_test(states_errors_and_blocks_arrive_in_order),
		cmocka_unit_test(errors_are_big_endian),
		cmocka_unit_test(bad_streams_are_refused),
		cmocka_unit_test(output_of_a_server_may_repeat_keys),
		cmocka_unit_test(waiting_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
