#include "cmd/iperf_opts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_ARGS 32

/* Splits at blanks and parses; @ret_line holds what argv points to. */
static int parse(const char *line, struct iperf_args *a, struct err *e)
{
	char text[256];
	char *argv[MAX_ARGS + 1] = {NULL};
	int argc = 0;

	str_set(text, line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < MAX_ARGS);
		argv[argc++] = word;
	}
	return iperf_opts_parse(a, argc, argv, e);
}

/* Command line, member, its value. */
#define ROW(line, m, v)                                                                            \
	{                                                                                          \
		line, offsetof(struct iperf_args, m), sizeof(((struct iperf_args *)0)->m),         \
			(uint64_t)(v)                                                              \
	}

static const struct {
	const char *line;
	size_t offset, size;
	uint64_t v;
} numbers[] = {
	/* Defaults. */
	ROW("iperf3 -c h", server, false),
	ROW("iperf3 -c h", cfg.port, 5201),
	ROW("iperf3 -c h", cfg.interval_ns, NSEC_PER_SEC),
	ROW("iperf3 -c h", cfg.rcv_timeout_ms, 120000),
	ROW("iperf3 -c h", cfg.affinity, UINT32_MAX),
	ROW("iperf3 -c h", cfg.params.server_affinity, UINT32_MAX),
	ROW("iperf3 -c h", cfg.params.time, 10),
	ROW("iperf3 -c h", cfg.params.parallel, 1),
	ROW("iperf3 -c h", cfg.params.len, 131072),
	ROW("iperf3 -c h", cfg.params.bandwidth, 0),
	ROW("iperf3 -c h", cfg.params.pacing_timer, 1000),
	ROW("iperf3 -c h", output.format, 'a'),
	ROW("iperf3 -c h -u", cfg.params.proto, IPERF_UDP),
	ROW("iperf3 -c h -u", cfg.params.len, 0),
	ROW("iperf3 -c h -u", cfg.params.bandwidth, 1048576),
	ROW("iperf3 -u -c h -b 0", cfg.params.bandwidth, 0),
	/* Forms of a value. */
	ROW("iperf3 -c h -t10", cfg.params.time, 10),
	ROW("iperf3 -c h -t 5s", cfg.params.time, 5),
	ROW("iperf3 -c h --time=7", cfg.params.time, 7),
	ROW("iperf3 -c h --omi 8", cfg.params.omit, 8),
	ROW("iperf3 -c h word -t 9", cfg.params.time, 9),
	/* Rates by 1000, sizes by 1024; one letter counts. */
	ROW("iperf3 -c h -b 10M", cfg.params.bandwidth, 10000000),
	ROW("iperf3 -c h -b 1.5G", cfg.params.bandwidth, 1500000000),
	ROW("iperf3 -c h -b 10Mbps", cfg.params.bandwidth, 10000000),
	ROW("iperf3 -c h -b 2T", cfg.params.bandwidth, 2000000000000),
	ROW("iperf3 -c h --bandwidth 3k", cfg.params.bandwidth, 3000),
	ROW("iperf3 -c h -b 10M/100", cfg.params.burst, 100),
	ROW("iperf3 -c h -b 10M/100", cfg.params.bandwidth, 10000000),
	ROW("iperf3 -c h --fq-rate 5M", cfg.params.fqrate, 5000000),
	ROW("iperf3 -c h -l 8K", cfg.params.len, 8192),
	ROW("iperf3 -c h -w 1m", cfg.params.window, 1048576),
	ROW("iperf3 -c h -n 1G", cfg.params.num, 1073741824),
	ROW("iperf3 -c h -n 1G", cfg.params.time, 0),
	ROW("iperf3 -c h -k 2K", cfg.params.blockcount, 2048),
	ROW("iperf3 -c h -k 2K", cfg.params.time, 0),
	ROW("iperf3 -c h -i 0", cfg.interval_ns, 0),
	ROW("iperf3 -c h -i 0.5", cfg.interval_ns, 500000000),
	ROW("iperf3 -c h -S 16", cfg.params.TOS, 16),
	ROW("iperf3 -c h -S 0x10", cfg.params.TOS, 16),
	ROW("iperf3 -c h -S 020", cfg.params.TOS, 16),
	ROW("iperf3 -c h --dscp EF", cfg.params.TOS, 0xb8),
	ROW("iperf3 -c h --dscp af41", cfg.params.TOS, 0x88),
	ROW("iperf3 -c h --dscp 46", cfg.params.TOS, 0xb8),
	ROW("iperf3 -c h -A 1,2", cfg.affinity, 1),
	ROW("iperf3 -c h -A 1,2", cfg.params.server_affinity, 2),
	ROW("iperf3 -c h --cntl-ka=60/5/3", cfg.keepalive_idle_s, 60),
	ROW("iperf3 -c h --cntl-ka=60/5/3", cfg.keepalive_interval_s, 5),
	ROW("iperf3 -c h --cntl-ka=//3", cfg.keepalive_count, 3),
	ROW("iperf3 -c h --cntl-ka", cfg.keepalive, true),
	ROW("iperf3 -c h -u --gsro -l 1000", cfg.params.gso, true),
	ROW("iperf3 -c h -u --gsro -l 1000", cfg.params.gso_dg_size, 1000),
	ROW("iperf3 -c h -u --gsro -l 1000", cfg.params.gso_bf_size, 65000),
	ROW("iperf3 -c h -d", debug, 4),
	ROW("iperf3 -c h --debug=2", debug, 2),
	/* The rest. */
	ROW("iperf3 -c h -p 6000", cfg.port, 6000),
	ROW("iperf3 -c h --cport 7000", cfg.cport, 7000),
	ROW("iperf3 -c h -P 4", cfg.params.parallel, 4),
	ROW("iperf3 -c h -O 3", cfg.params.omit, 3),
	ROW("iperf3 -c h -M 1400", cfg.params.MSS, 1400),
	ROW("iperf3 -c h -4", cfg.family, AF_INET),
	ROW("iperf3 -c h -6", cfg.family, AF_INET6),
	ROW("iperf3 -c h -R", cfg.params.reverse, true),
	ROW("iperf3 -c h --bidir", cfg.params.bidirectional, true),
	ROW("iperf3 -c h -N", cfg.params.nodelay, true),
	ROW("iperf3 -c h -Z", cfg.params.zerocopy, true),
	ROW("iperf3 -c h -m", cfg.params.mptcp, true),
	ROW("iperf3 -c h --skip-rx-copy", cfg.params.skip_rx_copy, true),
	ROW("iperf3 -c h --dont-fragment", cfg.params.dont_fragment, true),
	ROW("iperf3 -c h --repeating-payload", cfg.params.repeating_payload, true),
	ROW("iperf3 -c h --udp-counters-64bit", cfg.params.udp_counters_64bit, true),
	ROW("iperf3 -c h --get-server-output", cfg.params.get_server_output, true),
	ROW("iperf3 -c h --connect-timeout 300", cfg.connect_timeout_ms, 300),
	ROW("iperf3 -c h --snd-timeout 400", cfg.snd_timeout_ms, 400),
	ROW("iperf3 -c h -R --rcv-timeout 500", cfg.rcv_timeout_ms, 500),
	ROW("iperf3 -c h -f K", output.format, 'K'),
	ROW("iperf3 -c h -JV", output.json, true),
	ROW("iperf3 -c h -JV", output.verbose, true),
	ROW("iperf3 -c h --json-stream", output.json, true),
	ROW("iperf3 -c h --json-stream", output.json_stream, true),
	ROW("iperf3 -c h --json-stream-full-output", output.json_full, true),
	ROW("iperf3 -c h --forceflush", output.forceflush, true),
	ROW("iperf3 -s", server, true),
	ROW("iperf3 -s -1D", one_off, true),
	ROW("iperf3 -s -1D", daemon, true),
	ROW("iperf3 -s --rcv-timeout 500", cfg.rcv_timeout_ms, 500),
	ROW("iperf3 -s --idle-timeout 9", idle_timeout_s, 9),
	ROW("iperf3 -s --server-bitrate-limit 10M/3", limits.total_rate_bps, 10000000),
	ROW("iperf3 -s --server-max-duration 5", limits.max_duration_ns, 5 * NSEC_PER_SEC),
	ROW("iperf3 -s", limits.max_streams, 128),
	ROW("iperf3 -s", limits.skew_s, 10),
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct iperf_args a;
		struct err e = {0};
		uint64_t v = 0;

		if (parse(numbers[i].line, &a, &e) != 0)
			fail_msg("%s: %s", numbers[i].line, e.text);
		memcpy(&v, (char *)&a + numbers[i].offset, numbers[i].size); /* little endian */
		if (v != numbers[i].v)
			fail_msg("%s: row %zu has %llu", numbers[i].line, i, (unsigned long long)v);
	}
}

#define TEXT(line, m, v)                                                                           \
	{                                                                                          \
		line, offsetof(struct iperf_args, m), v                                            \
	}

static const struct {
	const char *line;
	size_t offset;
	const char *v;
} texts[] = {
	TEXT("iperf3 -c host", cfg.host, "host"),
	TEXT("iperf3 -c host%eth0", cfg.host, "host"),
	TEXT("iperf3 -c host%eth0", cfg.bind_dev, "eth0"),
	TEXT("iperf3 -c fe80::1%eth0", cfg.host, "fe80::1%eth0"),
	TEXT("iperf3 -c fe80::1%eth0", cfg.bind_dev, ""),
	TEXT("iperf3 -c h -B 10.0.0.1%eth1", cfg.bind, "10.0.0.1"),
	TEXT("iperf3 -c h -B 10.0.0.1%eth1", cfg.bind_dev, "eth1"),
	TEXT("iperf3 -c h --bind-dev eth2", cfg.bind_dev, "eth2"),
	TEXT("iperf3 -c h -T name", cfg.params.title, "name"),
	TEXT("iperf3 -c h --extra-data x", cfg.params.extra_data, "x"),
	TEXT("iperf3 -c h -C cubic", cfg.params.congestion, "cubic"),
	TEXT("iperf3 -c h --linux-congestion reno", cfg.params.congestion, "reno"),
	TEXT("iperf3 -c h --timestamps", output.timestamps, "%c "),
	TEXT("iperf3 -c h --timestamps=%s:", output.timestamps, "%s:"),
	TEXT("iperf3 -s --logfile f -I g", logfile, "f"),
	TEXT("iperf3 -s --logfile f -I g", pidfile, "g"),
	TEXT("iperf3 -c h --username u --rsa-public-key-path k", cfg.public_key_file, "k"),
	TEXT("iperf3 -c h", cfg.params.client_version, "3.21"),
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct iperf_args a;
		struct err e = {0};

		if (parse(texts[i].line, &a, &e) != 0)
			fail_msg("%s: %s", texts[i].line, e.text);
		assert_string_equal((char *)&a + texts[i].offset, texts[i].v);
	}
}

static const struct {
	const char *line, *error;
} refused[] = {
	{"iperf3", "needs -c <host> to be a client or -s to be a server"},
	{"iperf3 -s -c h", "be a server (-s) or a client (-c), not both"},
	{"iperf3 -c h -s", "be a server (-s) or a client (-c), not both"},
	{"iperf3 -s -t 5", "--time is for a client only"},
	{"iperf3 -s -A 1,2", "--affinity n,m is for a client only"},
	{"iperf3 -s --gsro", "--gsro is for a client only"},
	{"iperf3 -c h -D", "--daemon is for a server only"},
	{"iperf3 -c h --idle-timeout 5", "--idle-timeout is for a server only"},
	{"iperf3 -c h -R --bidir", "--reverse and --bidir exclude each other"},
	{"iperf3 -c h -t 5 -n 1M", "only one of -t, -n and -k can end a test"},
	{"iperf3 -c h -k 5 -n 1M", "only one of -t, -n and -k can end a test"},
	{"iperf3 -c h -t 86401", "--time 86401: must be 0 to 86400"},
	{"iperf3 -c h -t -1", "--time -1: must be 0 to 86400"},
	{"iperf3 -c h -t x", "--time x: not a number"},
	{"iperf3 -c h -P 129", "--parallel 129: must be 1 to 128"},
	{"iperf3 -c h -p 0", "--port 0: must be 1 to 65535"},
	{"iperf3 -c h -i 0.01", "--interval 0.01: must be 0, or 0.1 to 60 seconds"},
	{"iperf3 -c h -f x", "--format x: a format is one of k m g t K M G T"},
	{"iperf3 -c h -b 1x", "--bitrate 1x: unknown unit, use K, M, G or T"},
	{"iperf3 -c h -b -5", "--bitrate -5: not a number"},
	{"iperf3 -c h -b 1M/0", "--bitrate 0: must be 1 to 1000"},
	{"iperf3 -c h -l 2M", "--length 2097152: a block has at most 1048576 bytes"},
	{"iperf3 -c h -u -l 15", "--length 15: a datagram has 16 to 65507 bytes"},
	{"iperf3 -c h -w 1G", "--window 1G: must be 0 to 536870912"},
	{"iperf3 -c h -M 32768", "--set-mss 32768: must be 0 to 32767"},
	{"iperf3 -c h -O 601", "--omit 601: must be 0 to 600"},
	{"iperf3 -c h -S 256", "--tos 256: must be 0 to 255"},
	{"iperf3 -c h --dscp xy", "--dscp xy: neither 0 to 63 nor the name of a code point"},
	{"iperf3 -c h --dscp 64", "--dscp 64: neither 0 to 63 nor the name of a code point"},
	{"iperf3 -c h -A 1025", "--affinity 1025: must be 0 to 1024"},
	{"iperf3 -c h -L 1", "--flowlabel: tare leaves the IPv6 flow label to the kernel"},
	{"iperf3 -c h --cntl-ka=10/5/3",
		"--cntl-ka: the idle time must be longer than all probes take"},
	{"iperf3 -c h --rcv-timeout 500", "--rcv-timeout: this client receives nothing"},
	{"iperf3 -c h --username u", "--username and --rsa-public-key-path go together"},
	{"iperf3 -s --authorized-users-path f",
		"--rsa-private-key-path and --authorized-users-path go together"},
	{"iperf3 -c h --sctp", "--sctp: tare speaks TCP and UDP"},
	{"iperf3 -c h --nstreams 2", "--nstreams: tare speaks TCP and UDP"},
	{"iperf3 -c h -X a", "--xbind: tare speaks TCP and UDP"},
	{"iperf3 -c h -F f", "--file: tare sends no files, only generated data"},
	{"iperf3 -c h --foo", "unknown or ambiguous option '--foo'"},
	{"iperf3 -c h --json-s", "unknown or ambiguous option '--json-s'"},
	{"iperf3 -c h --json=1", "option '--json' takes no argument"},
	{"iperf3 -c h --re", "unknown or ambiguous option '--re'"},
	{"iperf3 -c h -q", "unknown option '-q'"},
	{"iperf3 -c h -qJ", "unknown option '-q'"},
	{"iperf3 -c", "option '-c' needs an argument"},
	{"iperf3 -c h --time", "option '--time' needs an argument"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct iperf_args a;
		struct err e = {0};

		if (parse(refused[i].line, &a, &e) != -EINVAL ||
			strcmp(e.text, refused[i].error) != 0)
			fail_msg("%s: '%s'", refused[i].line, e.text);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *word[3];
		int n;
		bool wanted;
	} rows[] = {
		{{"tare", "run"}, 2, false},
		{{"tare", "--help"}, 2, false},
		{{"tare", "-V"}, 2, false},
		{{"tare"}, 1, false},
		{{"tare", "-s"}, 2, true},
		{{"tare", "-c", "h"}, 3, true},
		{{"/usr/bin/iperf3"}, 1, true},
		{{"iperf3", "--help"}, 2, true},
	};
	struct iperf_args a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *argv[4] = {NULL};

		for (int k = 0; k < rows[i].n; k++)
			argv[k] = xstrdup(rows[i].word[k]);
		assert_int_equal(iperf_opts_wanted(rows[i].n, argv), rows[i].wanted);
		for (int k = 0; k < rows[i].n; k++)
			free(argv[k]);
	}
	assert_int_equal(parse("iperf3 --help", &a, NULL), IPERF_OPTS_HELP);
	assert_int_equal(parse("iperf3 -v", &a, NULL), IPERF_OPTS_VERSION);
}

static void test_password(void **state)
{
	struct iperf_args a;
	struct err e = {0};

	(void)state;
	setenv("IPERF3_PASSWORD", "secret", 1);
	assert_int_equal(parse("iperf3 -c h", &a, &e), 0);
	assert_int_equal(iperf_opts_password(&a, &e), 0);
	assert_string_equal(a.cfg.password, "");
	assert_int_equal(parse("iperf3 -c h --username u --rsa-public-key-path k", &a, &e), 0);
	assert_int_equal(iperf_opts_password(&a, &e), 0);
	assert_string_equal(a.cfg.password, "secret");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
