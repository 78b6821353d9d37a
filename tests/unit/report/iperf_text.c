/*
 * The expected lines are what iperf3 3.21 printed of tests over loopback, to the blank; the
 * numbers are such that they round to the printed ones.
 */
#include "report/iperf_output.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

#define BLOCK    131072ULL /* bytes of a TCP block */
#define DATAGRAM 32768ULL
#define CWND     1178694 /* 1.12 MBytes */
#define KBYTE    1024ULL
#define GBYTE(x) ((uint64_t)((x)*1073741824))

#define RULE      "-----------------------------------------------------------\n"
#define SEPARATOR "- - - - - - - - - - - - - - - - - - - - - - - - -\n"

/* A test that is told to a report; what it wrote. */
struct world {
	struct iperf_test t;
	struct iperf_report *r;
	char *out, *err;
	size_t out_len, err_len;
	FILE *out_file, *err_file;
};

static struct world *world_new(const struct iperf_output *o, bool server)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->out_file = open_memstream(&w->out, &w->out_len);
	w->err_file = open_memstream(&w->err, &w->err_len);
	w->r = iperf_text_new(o, w->out_file, w->err_file);
	w->t.is_server = server;
	w->t.started_ms = 1795643425000; /* Wed, 25 Nov 2026 21:50:25 GMT */
	w->t.tcp_mss_default = server ? 0 : 32768;
	w->t.peer_port = 47910;
	str_set(w->t.cfg.host, "127.0.0.1");
	str_set(w->t.peer_host, "127.0.0.1");
	str_set(w->t.cookie, "efqinh3f5xioq4p6adaxsdjsmrcx4y3uis6u");
	w->t.cfg.port = 5391;
	w->t.cfg.interval_ns = NSEC_PER_SEC;
	w->t.cfg.params = (struct iperf_params){.parallel = 1, .time = 2, .len = BLOCK};
	return w;
}

static void add_stream(struct world *w, int socket, bool sender, uint16_t port)
{
	struct iperf_stream *s = &w->t.stream[w->t.n_streams++];
	const bool server = w->t.is_server;

	*s = (struct iperf_stream){
		.socket = socket,
		.sender = sender,
		.local_port = server ? w->t.cfg.port : port,
		.remote_port = server ? port : w->t.cfg.port,
	};
	str_set(s->local_host, "127.0.0.1");
	str_set(s->remote_host, "127.0.0.1");
}

/* The same span for all streams; what only one direction has is ignored in the other. */
static void tell_interval(struct world *w, const struct iperf_span *v)
{
	for (uint32_t i = 0; i < w->t.n_streams; i++) {
		struct iperf_stream *s = &w->t.stream[i];

		s->interval = *v;
		s->interval.has_tcp_info = s->sender && w->t.cfg.params.proto == IPERF_TCP;
	}
	w->r->sink.interval(&w->r->sink, &w->t);
}

static void set_total(struct world *w, const struct iperf_span *v, double remote_end)
{
	for (uint32_t i = 0; i < w->t.n_streams; i++) {
		struct iperf_stream *s = &w->t.stream[i];

		s->total = *v;
		s->total.has_tcp_info = s->sender && w->t.cfg.params.proto == IPERF_TCP;
		s->has_remote = !w->t.is_server;
		s->remote = (struct iperf_stream_result){
			.bytes = v->bytes,
			.retransmits = s->sender ? -1 : 0,
			.packets = (int64_t)v->packets,
			.jitter = v->jitter_ms / 1000,
			.end_time = remote_end,
		};
	}
}

static void tell_begin(struct world *w)
{
	w->r->begin(w->r, w->t.is_server, w->t.cfg.port, 1);
	w->r->sink.connecting(&w->r->sink, &w->t);
	w->r->sink.start(&w->r->sink, &w->t);
}

static void tell_end(struct world *w)
{
	w->r->sink.end(&w->r->sink, &w->t);
	assert_int_equal(w->r->finish(w->r, &w->t), 0);
}

static void expect(struct world *w, const char *out, const char *err)
{
	fclose(w->out_file);
	fclose(w->err_file);
	assert_string_equal(w->out, out);
	assert_string_equal(w->err, err);
	w->r->free(w->r);
	free(w->out);
	free(w->err);
	free(w);
}

static const char tcp_parallel_lines[] =
	"title:  Connecting to host 127.0.0.1, port 5391\n"
	"title:  [  4] local 127.0.0.1 port 50028 connected to 127.0.0.1 port 5391\n"
	"title:  [  6] local 127.0.0.1 port 50030 connected to 127.0.0.1 port 5391\n"
	"title:  [ ID] Interval           Transfer     Bitrate         Retr  Cwnd\n"
	"title:  [  4]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec    0   1.12 MBytes       \n"
	"title:  [  6]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec    0   1.12 MBytes       \n"
	"title:  [SUM]   0.00-1.00   sec  24.0 MBytes   201 Mbits/sec    0             \n"
	"title:  " SEPARATOR
	"title:  [  4]   1.00-2.00   sec  11.9 MBytes  99.2 Mbits/sec    0   1.12 MBytes       \n"
	"title:  [  6]   1.00-2.00   sec  11.9 MBytes  99.2 Mbits/sec    0   1.12 MBytes       \n"
	"title:  [SUM]   1.00-2.00   sec  23.8 MBytes   198 Mbits/sec    0             \n"
	"title:  " SEPARATOR "title:  [ ID] Interval           Transfer     Bitrate         Retr\n"
	"title:  [  4]   0.00-2.00   sec  23.9 MBytes  99.9 Mbits/sec    0            sender\n"
	"title:  [  4]   0.00-2.01   sec  23.9 MBytes  99.9 Mbits/sec                  receiver\n"
	"title:  [  6]   0.00-2.00   sec  23.9 MBytes  99.9 Mbits/sec    0            sender\n"
	"title:  [  6]   0.00-2.01   sec  23.9 MBytes  99.9 Mbits/sec                  receiver\n"
	"title:  [SUM]   0.00-2.00   sec  47.8 MBytes   200 Mbits/sec    0             sender\n"
	"title:  [SUM]   0.00-2.01   sec  47.8 MBytes   200 Mbits/sec                  receiver\n"
	"title:  \n"
	"title:  iperf Done.\n";

static void test_tcp_parallel(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'a'}, false);

	(void)state;
	str_set(w->t.cfg.params.title, "title");
	w->t.cfg.params.parallel = 2;
	add_stream(w, 4, true, 50028);
	add_stream(w, 6, true, 50030);
	tell_begin(w);
	tell_interval(w, &(struct iperf_span){.end = 1.0, .bytes = 96 * BLOCK, .snd_cwnd = CWND});
	tell_interval(w, &(struct iperf_span){.start = 1.0,
				 .end = 2.004,
				 .bytes = 95 * BLOCK,
				 .snd_cwnd = CWND});
	set_total(w, &(struct iperf_span){.end = 2.0045, .bytes = 191 * BLOCK}, 2.0055);
	tell_end(w);
	expect(w, tcp_parallel_lines, "");
}

/* Drops the two lines that tell of this program and machine. */
static void forget_machine(struct world *w)
{
	fflush(w->out_file);
	assert_int_equal(strncmp(w->out, "iperf 3.21 ", strlen("iperf 3.21 ")), 0);
	rewind(w->out_file);
}

static const char tcp_verbose_lines[] =
	"Control connection MSS 32768\n"
	"Time: Wed, 25 Nov 2026 21:50:25 GMT\n"
	"Connecting to host 127.0.0.1, port 5391\n"
	"      Cookie: efqinh3f5xioq4p6adaxsdjsmrcx4y3uis6u\n"
	"      TCP MSS: 32768 (default)\n"
	"[  4] local 127.0.0.1 port 50006 connected to 127.0.0.1 port 5391\n"
	"Starting Test: protocol: TCP, 1 streams, 131072 byte blocks, omitting 0 seconds, "
	"2 second test, tos 0\n"
	"[ ID] Interval           Transfer     Bitrate         Retr  Cwnd\n"
	"[  4]   0.00-1.00   sec  2.80 GBytes  24.1 Gbits/sec    4    895 KBytes       \n"
	"[  4]   1.00-2.00   sec  2.79 GBytes  23.9 Gbits/sec    6   1023 KBytes       \n" SEPARATOR
	"Test Complete. Summary Results:\n"
	"[ ID] Interval           Transfer     Bitrate         Retr\n"
	"[  4]   0.00-2.00   sec  5.60 GBytes  24.0 Gbits/sec   10            sender\n"
	"[  4]   0.00-2.00   sec  5.60 GBytes  24.0 Gbits/sec                  receiver\n"
	"CPU Utilization: local/sender 99.6% (0.5%u/99.1%s), "
	"remote/receiver 39.8% (1.3%u/38.5%s)\n"
	"snd_tcp_congestion bbr\n"
	"rcv_tcp_congestion cubic\n"
	"\n"
	"iperf Done.\n";

static void test_tcp_verbose(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'a', .verbose = true}, false);

	(void)state;
	add_stream(w, 4, true, 50006);
	w->r->begin(w->r, false, 5391, 1);
	forget_machine(w);
	w->r->sink.connecting(&w->r->sink, &w->t);
	w->r->sink.start(&w->r->sink, &w->t);
	tell_interval(w, &(struct iperf_span){.end = 0.999,
				 .bytes = GBYTE(2.80),
				 .snd_cwnd = 895 * KBYTE,
				 .retransmits = 4});
	tell_interval(w, &(struct iperf_span){.start = 0.999,
				 .end = 2.0,
				 .bytes = GBYTE(2.79),
				 .snd_cwnd = 1023 * KBYTE,
				 .retransmits = 6});
	set_total(w, &(struct iperf_span){.end = 2.001, .bytes = GBYTE(5.6), .retransmits = 10},
		2.002);
	w->t.cpu = (struct iperf_cpu){99.6, 0.5, 99.1, 39.8, 1.3, 38.5};
	str_set(w->t.sender_congestion, "bbr");
	str_set(w->t.receiver_congestion, "cubic");
	tell_end(w);
	expect(w, tcp_verbose_lines, "");
}

static const char bidir_server_lines[] =
	"Time: Wed, 25 Nov 2026 21:50:25 GMT\n"
	"Accepted connection from 127.0.0.1, port 47910\n"
	"      Cookie: efqinh3f5xioq4p6adaxsdjsmrcx4y3uis6u\n"
	"      TCP MSS: 0 (default)\n"
	"      Target Bitrate: 200000000\n"
	"[  5] local 127.0.0.1 port 5391 connected to 127.0.0.1 port 47914\n"
	"[  7] local 127.0.0.1 port 5391 connected to 127.0.0.1 port 47922\n"
	"[  9] local 127.0.0.1 port 5391 connected to 127.0.0.1 port 47928\n"
	"[ 12] local 127.0.0.1 port 5391 connected to 127.0.0.1 port 47942\n"
	"Starting Test: protocol: TCP, 2 streams, 131072 byte blocks, omitting 0 seconds, "
	"2 second test, tos 0\n"
	"[ ID][Role] Interval           Transfer     Bitrate         Retr  Cwnd\n"
	"[  5][RX-S]   0.00-1.00   sec  23.9 MBytes  200278 Kbits/sec                  \n"
	"[  7][RX-S]   0.00-1.00   sec  23.9 MBytes  200278 Kbits/sec                  \n"
	"[SUM][RX-S]   0.00-1.00   sec  47.8 MBytes  400556 Kbits/sec                  \n"
	"[  9][TX-S]   0.00-1.00   sec  23.9 MBytes  200278 Kbits/sec    0   1.12 MBytes       \n"
	"[ 12][TX-S]   0.00-1.00   sec  23.9 MBytes  200278 Kbits/sec    0   1.12 MBytes       \n"
	"[SUM][TX-S]   0.00-1.00   sec  47.8 MBytes  400556 Kbits/sec    0             \n" SEPARATOR
	"Test Complete. Summary Results:\n"
	"[ ID][Role] Interval           Transfer     Bitrate         Retr\n"
	"[  5] (sender statistics not available)\n"
	"[  5][RX-S]   0.00-2.01   sec  47.8 MBytes  199579 Kbits/sec                  receiver\n"
	"[  7] (sender statistics not available)\n"
	"[  7][RX-S]   0.00-2.01   sec  47.8 MBytes  199579 Kbits/sec                  receiver\n"
	"[SUM] (sender statistics not available)\n"
	"[SUM][RX-S]   0.00-2.01   sec  95.5 MBytes  399159 Kbits/sec                  receiver\n"
	"snd_tcp_congestion bbr\n"
	"[  9][TX-S]   0.00-2.01   sec  47.8 MBytes  199579 Kbits/sec    0            sender\n"
	"[  9] (receiver statistics not available)\n"
	"[ 12][TX-S]   0.00-2.01   sec  47.8 MBytes  199579 Kbits/sec    0            sender\n"
	"[ 12] (receiver statistics not available)\n"
	"[SUM][TX-S]   0.00-2.01   sec  95.5 MBytes  399159 Kbits/sec    0             sender\n"
	"[SUM] (receiver statistics not available)\n"
	"CPU Utilization: local/sender 2.8% (0.0%u/2.8%s), remote/receiver 0.0% (0.0%u/0.0%s)\n"
	"CPU Utilization: local/receiver 2.8% (0.0%u/2.8%s), remote/sender 0.0% (0.0%u/0.0%s)\n"
	"snd_tcp_congestion bbr\n";

/* Two streams each way, told by the server, which never knows the other side's counts. */
static void test_bidir_server(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'k', .verbose = true}, true);
	char *text;
	struct doc *json;

	(void)state;
	w->t.cfg.params.bidirectional = true;
	w->t.cfg.params.parallel = 2;
	w->t.cfg.params.bandwidth = 200000000;
	w->t.cfg.params.get_server_output = true;
	add_stream(w, 5, false, 47914);
	add_stream(w, 7, false, 47922);
	add_stream(w, 9, true, 47928);
	add_stream(w, 12, true, 47942);
	w->r->begin(w->r, true, 5391, 1);
	forget_machine(w);
	w->r->sink.connecting(&w->r->sink, &w->t);
	w->r->sink.start(&w->r->sink, &w->t);
	tell_interval(w, &(struct iperf_span){.end = 1.0, .bytes = 191 * BLOCK, .snd_cwnd = CWND});
	/* At the end, nothing came any more. */
	tell_interval(w, &(struct iperf_span){.start = 2.0, .end = 2.05});
	set_total(w, &(struct iperf_span){.end = 2.007, .bytes = 382 * BLOCK}, 0);
	w->t.cpu = (struct iperf_cpu){.host_total = 2.8, .host_system = 2.8};
	str_set(w->t.sender_congestion, "bbr");
	w->r->sink.end(&w->r->sink, &w->t);
	w->r->sink.output(&w->r->sink, &text, &json);
	assert_null(json);
	assert_int_equal(strncmp(text, "Time: Wed, 25 Nov 2026 21:50:25 GMT\n", 36), 0);
	assert_string_equal(text + strlen(text) - 8, "ion bbr\n");
	free(text);
	assert_int_equal(w->r->finish(w->r, &w->t), 0);
	expect(w, bidir_server_lines, "");
}

static const char udp_parallel_lines[] =
	"Connecting to host 127.0.0.1, port 5391\n"
	"[  4] local 127.0.0.1 port 50119 connected to 127.0.0.1 port 5391\n"
	"[  6] local 127.0.0.1 port 44371 connected to 127.0.0.1 port 5391\n"
	"[ ID] Interval           Transfer     Bitrate         Total Datagrams\n"
	"[  4]   0.00-1.00   sec  1.22 MBytes  10.2 Mbits/sec  39  \n"
	"[  6]   0.00-1.00   sec  1.22 MBytes  10.2 Mbits/sec  39  \n"
	"[SUM]   0.00-1.00   sec  2.44 MBytes  20.4 Mbits/sec  78  \n" SEPARATOR
	"[  4]   1.00-2.00   sec  1.19 MBytes  9.93 Mbits/sec  38  \n"
	"[  6]   1.00-2.00   sec  1.19 MBytes  9.93 Mbits/sec  38  \n"
	"[SUM]   1.00-2.00   sec  2.38 MBytes  19.9 Mbits/sec  76  \n" SEPARATOR
	"[ ID] Interval           Transfer     Bitrate         Jitter    Lost/Total Datagrams\n"
	"[  4]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.000 ms  0/77 (0%)  sender\n"
	"[  4]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.009 ms  0/77 (0%)  receiver\n"
	"[  6]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.000 ms  0/77 (0%)  sender\n"
	"[  6]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.009 ms  0/77 (0%)  receiver\n"
	"[SUM]   0.00-2.00   sec  4.81 MBytes  20.1 Mbits/sec  0.000 ms  0/154 (0%)  sender\n"
	"[SUM]   0.00-2.00   sec  4.81 MBytes  20.1 Mbits/sec  0.009 ms  0/154 (0%)  receiver\n"
	"\n"
	"iperf Done.\n";

static void test_udp_parallel(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'a'}, false);

	(void)state;
	w->t.cfg.params.proto = IPERF_UDP;
	w->t.cfg.params.parallel = 2;
	add_stream(w, 4, true, 50119);
	add_stream(w, 6, true, 44371);
	tell_begin(w);
	tell_interval(w, &(struct iperf_span){.end = 1.001, .bytes = 39 * DATAGRAM, .packets = 39});
	tell_interval(w, &(struct iperf_span){.start = 1.001,
				 .end = 2.0045,
				 .bytes = 38 * DATAGRAM,
				 .packets = 38});
	set_total(w,
		&(struct iperf_span){.end = 2.0045,
			.bytes = 77 * DATAGRAM,
			.packets = 77,
			.jitter_ms = 0.0085},
		2.0047);
	tell_end(w);
	expect(w, udp_parallel_lines, "");
}

static const char udp_bidir_lines[] =
	"now Connecting to host 127.0.0.1, port 5391\n"
	"now [  4] local 127.0.0.1 port 54908 connected to 127.0.0.1 port 5391\n"
	"now [  6] local 127.0.0.1 port 43562 connected to 127.0.0.1 port 5391\n"
	"now [ ID][Role] Interval           Transfer     Bitrate         Jitter    "
	"Lost/Total Datagrams\n"
	"now [  4][TX-C]   0.00-1.00   sec  1.22 MBytes  10.2 Mbits/sec            39  (omitted)\n"
	"now [  6][RX-C]   0.00-1.00   sec  1.22 MBytes  10.2 Mbits/sec  0.092 ms  0/39 "
	"(0%)  (omitted)\n"
	"now [  4][TX-C]   0.00-1.00   sec  1.19 MBytes  9.93 Mbits/sec            40  \n"
	"now [  6][RX-C]   0.00-1.00   sec  1.19 MBytes  9.93 Mbits/sec  0.098 ms  2/40 (5%)  \n"
	"now " SEPARATOR
	"now [ ID][Role] Interval           Transfer     Bitrate         Jitter    "
	"Lost/Total Datagrams\n"
	"now [  4][TX-C]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.000 ms  0/77 "
	"(0%)  sender\n"
	"now [  4][TX-C]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.101 ms  "
	"Unknown/77  receiver\n"
	"now [  6][RX-C]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.000 ms  0/77 "
	"(0%)  sender\n"
	"now [SUM][RX-C]  0.0- 2.0 sec  3 datagrams received out-of-order\n"
	"now [  6][RX-C]   0.00-2.00   sec  2.41 MBytes  10.1 Mbits/sec  0.101 ms  2/77 "
	"(2.6%)  receiver\n"
	"now \n"
	"now iperf Done.\n";

/* Both directions; after what was omitted time starts afresh; each line with the time. */
static void test_udp_bidir(void **state)
{
	struct world *w =
		world_new(&(struct iperf_output){.format = 'a', .timestamps = "now "}, false);

	(void)state;
	w->t.cfg.params.proto = IPERF_UDP;
	w->t.cfg.params.bidirectional = true;
	w->t.cfg.params.omit = 1;
	add_stream(w, 4, true, 54908);
	add_stream(w, 6, false, 43562);
	tell_begin(w);
	tell_interval(w, &(struct iperf_span){.end = 1.001,
				 .bytes = 39 * DATAGRAM,
				 .packets = 39,
				 .jitter_ms = 0.092,
				 .omitted = true});
	tell_interval(w, &(struct iperf_span){.start = 0,
				 .end = 1.0035,
				 .bytes = 38 * DATAGRAM,
				 .packets = 40,
				 .lost_packets = 2,
				 .jitter_ms = 0.098});
	set_total(w,
		&(struct iperf_span){.end = 2.0045,
			.bytes = 77 * DATAGRAM,
			.packets = 77,
			.jitter_ms = 0.101},
		2.0045);
	w->t.stream[0].remote.omitted_errors = -1;
	w->t.stream[1].total.lost_packets = 2;
	w->t.stream[1].total.out_of_order = 3;
	tell_end(w);
	expect(w, udp_bidir_lines, "");
}

static const char reverse_lines[] =
	"Connecting to host 127.0.0.1, port 5391\n"
	"Reverse mode, remote host 127.0.0.1 is sending\n"
	"[  4] local 127.0.0.1 port 47882 connected to 127.0.0.1 port 5391\n"
	"[ ID] Interval           Transfer     Bitrate\n"
	"[  4]   0.00-1.00   sec  23.9 MBytes  23.9 MBytes/sec                  \n" SEPARATOR
	"[ ID] Interval           Transfer     Bitrate         Retr\n"
	"[  4]   0.00-1.00   sec  23.9 MBytes  23.9 MBytes/sec    0            sender\n"
	"[  4]   0.00-1.00   sec  23.9 MBytes  23.9 MBytes/sec                  receiver\n"
	"\n"
	"Server output:\n"
	"what the server wrote\n"
	"\n"
	"\n"
	"iperf Done.\n";

static void test_reverse(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'M'}, false);

	(void)state;
	w->t.cfg.params.reverse = true;
	w->t.cfg.params.get_server_output = true;
	w->t.server_output_text = xstrdup("what the server wrote\n");
	add_stream(w, 4, false, 47882);
	tell_begin(w);
	tell_interval(w, &(struct iperf_span){.end = 1.0, .bytes = 191 * BLOCK});
	set_total(w, &(struct iperf_span){.end = 1.0, .bytes = 191 * BLOCK}, 1.0);
	tell_end(w);
	free(w->t.server_output_text);
	expect(w, reverse_lines, "");
}

static void test_error(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'a'}, false);

	(void)state;
	w->r->begin(w->r, false, 5391, 1);
	w->t.error = (struct err){-ECONNREFUSED, "unable to connect to server: Connection refused"};
	w->r->sink.error(&w->r->sink, &w->t);
	assert_int_equal(w->r->finish(w->r, &w->t), 0);
	expect(w, "", "iperf3: error - unable to connect to server: Connection refused\n");
}

static void test_server_waits(void **state)
{
	struct world *w = world_new(&(struct iperf_output){.format = 'a'}, true);

	(void)state;
	w->r->begin(w->r, true, 5201, 2);
	expect(w, RULE "Server listening on 5201 (test #2)\n" RULE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_parallel),
		cmocka_unit_test(test_tcp_verbose),
		cmocka_unit_test(test_bidir_server),
		cmocka_unit_test(test_udp_parallel),
		cmocka_unit_test(test_udp_bidir),
		cmocka_unit_test(test_reverse),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_server_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
