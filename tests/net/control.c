/*
 * Lying, silent and dying peers on the control channel, both ways:
 *
 *	test (raw bytes) ---- socketpair ---- agent_main() in a child
 *	endpoint functions ---- socketpair ---- test (canned answers)
 */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/hists.h"
#include "bench/site.h"
#include "load/table.h"
#include "path/table.h"
#include "sys/rtnl.h"
#include "sys/sock.h"
#include "wire/chan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* An agent in a child process. */
struct peer {
	struct chan chan;
	pid_t pid;
};

static struct peer peer_start(void)
{
	struct peer p = {.chan = {.cancel_fd = -1, .who = "agent"}};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		/* It must not hold the controller's end of any socket, or they never close. */
		if (dup2(fd[1], 0) < 0 || close_range(3, ~0U, 0) < 0)
			_exit(1);
		signal(SIGPIPE, SIG_IGN);
		_exit(agent_main(0));
	}
	close(fd[1]);
	p.chan.fd = fd[0];
	return p;
}

/* The agent must end by itself, with status 0: not by a signal, not by a deadline. */
static void assert_ends(struct peer *p)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, p->pid, 0), .events = POLLIN};
	int status;

	assert_true(end.fd >= 0);
	if (poll(&end, 1, clock_left_ms(net_deadline())) != 1)
		kill(p->pid, SIGKILL);
	close(end.fd);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	if (WIFSIGNALED(status))
		fail_msg("the agent was killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	chan_close(&p->chan);
}

static void peer_stop(struct peer *p)
{
	chan_close(&p->chan);
	assert_ends(p);
}

/* @head: what the length says; @n bytes of @body follow, in the same write. */
static void send_raw(int fd, uint32_t head, const char *body, size_t n)
{
	_cleanup_(freep) char *buf = xcalloc(1, sizeof(head) + n);
	uint32_t be = htonl(head);

	memcpy(buf, &be, sizeof(be));
	memcpy(buf + sizeof(be), body, n);
	assert_int_equal(send(fd, buf, sizeof(be) + n, MSG_NOSIGNAL), sizeof(be) + n);
}

static void send_text(int fd, const char *json)
{
	send_raw(fd, (uint32_t)strlen(json), json, strlen(json));
}

/* Sends a request and wants an answer of this type; returns "text" of errors. */
static const char *ask(struct peer *p, const char *json, const char *type)
{
	static char text[sizeof(((struct err *)NULL)->text)];
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct err e = {0};

	text[0] = '\0';
	send_text(p->chan.fd, json);
	if (chan_recv(&p->chan, &d, "answering", net_deadline(), &e) < 0)
		fail_msg("%s: %s", json, e.text);
	if (!doc_is_str(doc_get(d, "type"), "ok")) {
		must(doc_get_str(d, "text", text, sizeof(text), &e_));
		assert_true(*text);
	}
	if (!doc_is_str(doc_get(d, "type"), type))
		fail_msg("%s: wanted %s, got %s", json, type, *text ? text : "ok");
	return text;
}

#define HELLO "{\"type\":\"hello\",\"protocol\":1}"
#define RR                                                                                         \
	"\"proto\":\"tcp\",\"req_bytes\":1,\"rsp_bytes\":1,\"rate_tps\":0,\"pipeline\":0,"         \
	"\"under\":\"none\",\"under_dir\":\"tx\""
#define STREAM                                                                                     \
	"\"block_bytes\":1024,\"sndbuf_bytes\":0,\"rcvbuf_bytes\":0,\"congestion\":\"\","          \
	"\"bytes\":0,\"rate_bps\":0,"                                                              \
	"\"blocks\":0,\"pacing_bps\":0,\"send\":\"copy\",\"recv\":\"copy\",\"mss_bytes\":0,"       \
	"\"dscp\":0,\"mptcp\":false"
#define ONE "\"flows\":1,\"threads\":0"
#define PREPARE(load, config, rest)                                                                \
	"{\"type\":\"prepare\",\"load\":\"" load "\",\"config\":{" config "}" rest "}"
#define CPUS  ",\"cpus\":\"\""
#define PORT  ",\"port\":6000"
#define ANY   ",\"any\":\"0.0.0.0\""
#define DRIVE ",\"opener\":\"driver\""
#define NEAR  ",\"near\":true" DRIVE
#define FAR   ",\"near\":false" DRIVE
#define NOMET ",\"meters\":[]"
#define REST  FAR ANY PORT CPUS NOMET

static const char *const good_far = PREPARE("rr", RR "," ONE, FAR ANY PORT CPUS NOMET);
static const char *const good_near = PREPARE("rr", RR "," ONE, NEAR ANY PORT CPUS NOMET);

static void framing_errors_end_the_agent(void **state)
{
	static const struct {
		uint32_t head;
		const char *body;
	} bad[] = {
		{0xffffffff, "x"},
		{CHAN_MAX_BYTES + 1, "x"},
		{0, ""},
		{4, "\xff\xfe{}"},
		{7, "[1,2,3]"},
		{4, "null"},
		{2, "\"\""},
		{1, "{"},
		{12, "{\"type\":\"ok\""},
		{23, "{\"type\":\"a\",\"type\":\"b\"}"},
		{14, "{\"type\":\"a\"}{}"},
		{18, "{\"type\":1e99999999}"},
		{29, "{\"type\":18446744073709551616}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct peer p = peer_start();

		ask(&p, HELLO, "ok");
		send_raw(p.chan.fd, bad[i].head, bad[i].body, strlen(bad[i].body));
		assert_ends(&p);
	}
}

static void deep_nesting_ends_the_agent(void **state)
{
	enum { DEPTH = 500000 };
	_cleanup_(freep) char *text = xcalloc(1, DEPTH);
	struct peer p = peer_start();

	(void)state;
	memset(text, '[', DEPTH);
	send_raw(p.chan.fd, DEPTH, text, DEPTH);
	assert_ends(&p);
}

static void half_a_message_ends_the_agent(void **state)
{
	struct peer p;

	(void)state;
	p = peer_start();
	send_raw(p.chan.fd, 100, "{\"type\"", 7);
	peer_stop(&p);
	p = peer_start();
	assert_int_equal(send(p.chan.fd, "\0\0", 2, 0), 2);
	peer_stop(&p);
	p = peer_start();
	peer_stop(&p);
}

static void refuses_until_greeted(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"type\":1}",
		"{\"type\":\"hello\"}",
		"{\"type\":\"hello\",\"protocol\":2}",
		"{\"type\":\"hello\",\"protocol\":0}",
		"{\"type\":\"hello\",\"protocol\":-1}",
		"{\"type\":\"hello\",\"protocol\":1.0}",
		"{\"type\":\"hello\",\"protocol\":\"1\"}",
		"{\"type\":\"hello\",\"protocol\":9223372036854775807}",
		"{\"type\":\"nosuch\"}",
		"{\"type\":\"connect\"}",
		"{\"type\":\"run\"}",
		"{\"type\":\"a type much longer than any request has ever been called\"}",
	};
	struct peer p = peer_start();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ask(&p, bad[i], "error");
	assert_non_null(strstr(ask(&p, good_far, "error"), "new"));
	ask(&p, HELLO, "ok");
	ask(&p, good_far, "ok");
	peer_stop(&p);
}

/* After each of these the agent is idle and fit for the next request. */
static void survives_bad_requests(void **state)
{
	static const char *const bad[] = {
		HELLO,
		"{\"type\":\"nosuch\"}",
		"{\"type\":\"connect\",\"addr\":\"127.0.0.1\","
		"\"port\":6000,\"timeout_ns\":1000}",
		"{\"type\":\"run\",\"begin_ns\":1,\"end_ns\":2}",
		"{\"type\":\"prepare\"}",
		PREPARE("nosuch", RR "," ONE, REST),
		PREPARE("", RR "," ONE, REST),
		PREPARE("rr", "", REST),
		PREPARE("rr", RR ",\"flows\":0,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":1000000000,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":9223372036854775807,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":1025,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":-1,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":1.5,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":\"1\",\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":null,\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":[1],\"threads\":0", REST),
		PREPARE("rr", RR ",\"flows\":1", REST),
		PREPARE("rr", RR ",\"flows\":1,\"threads\":2", REST),
		PREPARE("rr", RR ",\"flows\":1,\"threads\":1000", REST),
		PREPARE("rr", "\"proto\":\"udp\",\"req_bytes\":1,\"rsp_bytes\":1," ONE, REST),
		PREPARE("rr", "\"proto\":\"sctp\",\"req_bytes\":1,\"rsp_bytes\":1," ONE, REST),
		PREPARE("rr", "\"proto\":1,\"req_bytes\":1,\"rsp_bytes\":1," ONE, REST),
		PREPARE("rr", "\"proto\":\"tcp\",\"req_bytes\":0,\"rsp_bytes\":1," ONE, REST),
		PREPARE("rr", "\"proto\":\"tcp\",\"req_bytes\":1,\"rsp_bytes\":1048577," ONE, REST),
		PREPARE("stream", STREAM ",\"dir\":\"sideways\"," ONE, REST),
		PREPARE("stream", STREAM ",\"dir\":\"rx\",\"flows\":0,\"threads\":0", REST),
		PREPARE("rr", RR "," ONE, ANY PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, ",\"near\":0" DRIVE ANY PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, ",\"near\":false" ANY PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, ",\"near\":false,\"opener\":1" ANY PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, ",\"near\":false,\"opener\":\"far\"" ANY PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ",\"any\":\"anywhere\"" PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ",\"any\":\"192.0.2.1\"" PORT CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY ",\"port\":65535" CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY ",\"port\":-1" CPUS NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY PORT NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY PORT ",\"cpus\":\"zero\"" NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY PORT ",\"cpus\":\"0-\"" NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY PORT ",\"cpus\":\"99999\"" NOMET),
		PREPARE("rr", RR "," ONE, FAR ANY PORT ",\"cpus\":0" NOMET),
	};
	struct peer p = peer_start();

	(void)state;
	ask(&p, HELLO, "ok");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ask(&p, bad[i], "error");
		ask(&p, good_far, "ok");
		/* Out of turn: drops what was prepared, so that the port is free again. */
		ask(&p, good_far, "error");
	}
	ask(&p, good_far, "ok");
	peer_stop(&p);
}

/* Values an option table knows but no trial can have, and a list that is none. */
static void survives_odd_requests(void **state)
{
	static const char *const bad[] = {
		PREPARE("stream", STREAM ",\"dir\":\"each\"," ONE, REST),
		PREPARE("rr", "\"proto\":\"each\",\"req_bytes\":9,\"rsp_bytes\":9," ONE, REST),
		PREPARE("rr", RR "," ONE, FAR ANY PORT CPUS),
		PREPARE("rr", RR "," ONE, FAR ANY PORT CPUS ",\"meters\":\"cpu\""),
		PREPARE("rr", RR "," ONE, FAR ANY PORT CPUS ",\"meters\":[\"nosuch\"]"),
		PREPARE("rr", RR "," ONE, FAR ANY PORT CPUS ",\"meters\":[1]"),
	};
	uint32_t n_bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct peer p = peer_start();
		_cleanup_(doc_freep) struct doc *d = NULL;
		struct err e = {0};

		ask(&p, HELLO, "ok");
		send_text(p.chan.fd, bad[i]);
		if (chan_recv(&p.chan, &d, "answering", net_deadline(), &e) < 0)
			print_message("# %s: %s\n", bad[i], e.text);
		else if (!doc_is_str(doc_get(d, "type"), "error"))
			print_message("# %s: accepted\n", bad[i]);
		n_bad += !d || !doc_is_str(doc_get(d, "type"), "error");
		chan_close(&p.chan);
		spawn_reap(p.pid);
	}
	assert_int_equal(n_bad, 0);
}

static void survives_bad_connects(void **state)
{
#define CONNECT(addr, port, token, rest)                                                           \
	"{\"type\":\"connect\",\"addr\":\"" addr "\",\"port\":" port token rest "}"
#define SOON     ",\"timeout_ns\":1000000"
#define NO_TOKEN ",\"token\":\"\""
#define TOKEN    "0123456789abcdef0123456789abcdef"
	static const char *const bad[] = {
		"{\"type\":\"connect\"}",
		CONNECT("nowhere", "6000", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "66000", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "65000", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "-1", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "6000", "", SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":0", SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":\"00\"", SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":\"" TOKEN "0\"", SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":\"x123456789abcdef0123456789abcdef\"",
			SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":\"0123456789ABCDEF0123456789abcdef\"",
			SOON),
		CONNECT("127.0.0.1", "6000", NO_TOKEN, ""),
		CONNECT("127.0.0.1", "6000", NO_TOKEN, ",\"timeout_ns\":-1"),
		CONNECT("127.0.0.1", "6000", NO_TOKEN, ",\"timeout_ns\":99000000000"),
		CONNECT("192.0.2.1", "6000", NO_TOKEN, SOON),
		CONNECT("::1", "6000", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "6000", NO_TOKEN, SOON),
		CONNECT("127.0.0.1", "6000", ",\"token\":\"" TOKEN "\"", SOON),
	};
	struct peer p = peer_start();

	(void)state;
	ask(&p, HELLO, "ok");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ask(&p, good_near, "ok");
		ask(&p, bad[i], "error");
	}
	/* Nobody comes. */
	ask(&p, good_far, "ok");
	ask(&p, bad[ARRAY_SIZE(bad) - 2], "error");
	ask(&p, good_far, "ok");
	peer_stop(&p);
}

/*
 *	near agent ---- lo ---- far agent, connected for a trial
 */
static void connect_two(struct peer *near, struct peer *far)
{
	static const char *const connect = "{\"type\":\"connect\",\"addr\":\"127.0.0.1\","
					   "\"port\":6000,\"token\":\"\","
					   "\"timeout_ns\":5000000000}";
	_cleanup_(doc_freep) struct doc *d = NULL;

	ask(near, good_near, "ok");
	ask(far, good_far, "ok");
	send_text(far->chan.fd, connect);
	ask(near, connect, "ok");
	must(chan_recv(&far->chan, &d, "connecting", net_deadline(), &e_));
	assert_true(doc_is_str(doc_get(d, "type"), "ok"));
}

#define RUN(rest)    "{\"type\":\"run\"," rest "}"
#define NO_INTERVALS ",\"interval_ns\":0"
#define HUGE_NUMBER  "9223372036854775807"

static void survives_bad_runs(void **state)
{
	static const char *const bad[] = {
		"{\"type\":\"run\"}",
		RUN("\"begin_ns\":1" NO_INTERVALS),
		RUN("\"begin_ns\":1,\"end_ns\":2"),
		RUN("\"begin_ns\":2,\"end_ns\":1" NO_INTERVALS),
		RUN("\"begin_ns\":1,\"end_ns\":1" NO_INTERVALS),
		RUN("\"begin_ns\":-5,\"end_ns\":1" NO_INTERVALS),
		RUN("\"begin_ns\":\"1\",\"end_ns\":2" NO_INTERVALS),
		RUN("\"begin_ns\":1,\"end_ns\":" HUGE_NUMBER NO_INTERVALS),
		RUN("\"begin_ns\":" HUGE_NUMBER ",\"end_ns\":" HUGE_NUMBER NO_INTERVALS),
		RUN("\"in_ns\":1" NO_INTERVALS),
		RUN("\"in_ns\":1,\"end_ns\":2" NO_INTERVALS),
		RUN("\"in_ns\":1,\"span_ns\":0" NO_INTERVALS),
		RUN("\"in_ns\":1,\"span_ns\":-1" NO_INTERVALS),
		RUN("\"in_ns\":1,\"span_ns\":1.5" NO_INTERVALS),
		RUN("\"in_ns\":1,\"span_ns\":86400000000001" NO_INTERVALS),
		RUN("\"in_ns\":86400000000001,\"span_ns\":1000" NO_INTERVALS),
		RUN("\"in_ns\":4611686018427387903,\"span_ns\":4611686018427387903" NO_INTERVALS),
		RUN("\"in_ns\":" HUGE_NUMBER ",\"span_ns\":" HUGE_NUMBER NO_INTERVALS),
		RUN("\"in_ns\":0,\"span_ns\":1000,\"interval_ns\":9999999"),
		RUN("\"in_ns\":0,\"span_ns\":1000,\"interval_ns\":-1"),
		RUN("\"in_ns\":0,\"span_ns\":1000,\"interval_ns\":true"),
		RUN("\"in_ns\":0,\"span_ns\":1000,\"interval_ns\":" HUGE_NUMBER),
	};
	struct peer near = peer_start(), far = peer_start();

	(void)state;
	ask(&near, HELLO, "ok");
	ask(&far, HELLO, "ok");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		connect_two(&near, &far);
		ask(&near, bad[i], "error");
		ask(&far, "{\"type\":\"nosuch\"}", "error");
	}
	/* A word that does not fit in the middle of a run ends it. */
	connect_two(&near, &far);
	send_text(near.chan.fd, RUN("\"begin_ns\":1,\"end_ns\":70000000000000" NO_INTERVALS));
	ask(&near, HELLO, "error");
	ask(&near, "{\"type\":\"nosuch\"}", "error");
	peer_stop(&near);
	peer_stop(&far);
}

/* An endpoint whose agent is the test; @ret_fd is the agent's end. */
static struct endpoint fake_endpoint(int *ret_fd)
{
	struct endpoint ep = ENDPOINT_NONE;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ep.chan.fd = fd[0];
	str_set(ep.chan.who, "agent far");
	*ret_fd = fd[1];
	return ep;
}

struct canned {
	uint32_t head; /* 0: the length of body */
	const char *body;
	const char *words; /* to be found in the error besides "agent far" and the state */
};

static int answer(const struct canned *c, bool run, struct err *e)
{
	_cleanup_(freep) struct end_report *report = xcalloc(1, sizeof(*report));
	struct hist *hist[LOAD_HIST_N] = {0};
	int fd;
	struct endpoint ep = fake_endpoint(&fd);
	int r;

	if (c->body)
		send_raw(fd, c->head ? c->head : (uint32_t)strlen(c->body), c->body,
			strlen(c->body));
	close(fd);
	hists_init(hist, 1U << LOAD_HIST_LATENCY);
	r = run ? endpoint_wait_run(&ep, report, hist, e) : endpoint_wait_connect(&ep, e);
	endpoint_close(&ep);
	hists_fini(hist);
	return r;
}

static void check_answers(const struct canned *c, size_t n, bool run)
{
	uint32_t n_bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct err e = {0};
		int r = answer(&c[i], run, &e);
		bool good = r < 0 && r != -ECANCELED && strstr(e.text, "agent far") &&
			    strstr(e.text, run ? "report" : "connecting") &&
			    strstr(e.text, c[i].words);

		if (!good)
			print_message("# answer '%.60s' (%u): %d, %s\n", c[i].body ? c[i].body : "",
				c[i].head, r, e.text);
		n_bad += !good;
	}
	assert_int_equal(n_bad, 0);
}

#define FIFTY     "00000000011111111112222222222333333333344444444445"
#define LONG_TEXT FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY " the end"

static void controller_names_agent_and_state(void **state)
{
	static const struct canned c[] = {
		{0, NULL, "closed"},
		{100, "{\"type\":", "closed"},
		{0xffffffff, "{}", "4294967295 bytes"},
		{CHAN_MAX_BYTES + 1, "{}", "bytes"},
		{0, "", "0 bytes"},
		{0, "no JSON", "not JSON"},
		{0, "[]", "not a JSON object"},
		{0, "{}", "neither"},
		{0, "{\"type\":7}", "neither"},
		{0, "{\"type\":\"yes\"}", "neither"},
		{0, "{\"type\":\"error\"}", "neither"},
		{0, "{\"type\":\"error\",\"text\":5}", "neither"},
		{0, "{\"type\":\"error\",\"text\":\"a\\nb\"}", "a b"},
	};

	(void)state;
	check_answers(c, ARRAY_SIZE(c), false);
}

/* An agent's own words are kept whole enough, and it can't pass for the user's Ctrl-C. */
static void controller_keeps_an_agents_words(void **state)
{
	static const struct canned c[] = {
		{0, "{\"type\":\"error\",\"code\":125,\"text\":\"I give up\"}", "give up"},
		{0, "{\"type\":\"error\",\"code\":5,\"text\":\"" LONG_TEXT "\"}", FIFTY},
	};

	(void)state;
	check_answers(c, ARRAY_SIZE(c), false);
}

/* What udp counts. */
#define PACKETS                                                                                    \
	"\"packets_tx\":0,\"packets_rx\":0,\"packets_expected\":0,\"reordered\":0,"                \
	"\"duplicated\":0,\"packets_alien\":0,\"packets_unsent\":0,\"packets_gso\":0,"             \
	"\"packets_gro\":0,\"aggregates_gro\":0,\"sends_refused\":0,"                              \
	"\"socket_drops\":0,\"jitter_ns\":0,"                                                      \
	"\"zerocopy_sends\":0,\"zerocopy_copied\":0,"
#define REPORT(begin, end)                                                                         \
	"\"report\":{\"begin_ns\":" begin ",\"end_ns\":" end                                       \
	",\"bytes_tx\":1,\"bytes_rx\":1," PACKETS                                                  \
	"\"transactions\":1,\"lost\":0,\"under_bytes_rx\":0,\"late\":0,\"unanswered\":0,"          \
	"\"flow_cpu\":[],\"first_cpu\":[],\"last_cpu\":[]}"
#define HIST(count, buckets)                                                                       \
	"\"hist\":{\"latency\":{\"count\":" count                                                  \
	",\"sum_ns\":1,\"min_ns\":1,\"max_ns\":1,\"buckets\":" buckets "}}"

static void controller_checks_reports(void **state)
{
	static const struct canned c[] = {
		{0, "{\"type\":\"ok\"}", "begin_ns"},
		{0, "{\"type\":\"ok\",\"report\":[]}", "begin_ns"},
		{0, "{\"type\":\"ok\"," REPORT("1", "2") "}", "count"},
		{0, "{\"type\":\"ok\"," REPORT("-1", "2") "}", "begin_ns"},
		{0, "{\"type\":\"ok\"," REPORT("\"1\"", "2") "}", "begin_ns"},
		{0,
			"{\"type\":\"ok\"," REPORT("1", "2") ",\"meters\":{\"cpu\":{}}," HIST("0",
				"[]") "}",
			"meter 'cpu'"},
		{0, "{\"type\":\"ok\"," REPORT("1", "2") "," HIST("2", "[1,1]") "}", "histogram"},
		{0, "{\"type\":\"ok\"," REPORT("1", "2") "," HIST("2", "[1,-2]") "}", "buckets"},
		{0, "{\"type\":\"ok\"," REPORT("1", "2") "," HIST("2", "[99999999,2]") "}",
			"buckets"},
		{0, "{\"type\":\"ok\"," REPORT("2", "2") "," HIST("0", "[]") "}",
			"before it begins"},
		{0, "{\"type\":\"ok\"," REPORT("2", "1") "," HIST("0", "[]") "}",
			"before it begins"},
	};
	struct canned good = {0, "{\"type\":\"ok\"," REPORT("1", "2") "," HIST("1", "[1,1]") "}",
		""};

	(void)state;
	assert_int_equal(must(answer(&good, true, &e_)), 0);
	check_answers(c, ARRAY_SIZE(c), true);
}

static void controller_does_not_wait_for_ever(void **state)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct err e = {0};
	int fd, cancel[2];
	struct endpoint ep = fake_endpoint(&fd);

	(void)state;
	assert_int_equal(chan_recv(&ep.chan, &d, "connecting", clock_now_ns() + NSEC_PER_MSEC, &e),
		-ETIMEDOUT);
	assert_non_null(strstr(e.text, "agent far"));
	assert_non_null(strstr(e.text, "connecting"));

	assert_int_equal(pipe2(cancel, O_CLOEXEC), 0);
	assert_int_equal(write(cancel[1], "", 1), 1);
	ep.chan.cancel_fd = cancel[0];
	assert_int_equal(endpoint_wait_connect(&ep, &e), -ECANCELED);
	close(cancel[0]);
	close(cancel[1]);
	endpoint_close(&ep);
	close(fd);
}

/* Agents that go wrong at the first word. */
static int mute(int fd)
{
	close(fd);
	return 0;
}

static int canned_hello(int fd, const char *text)
{
	char buf[256];

	if (recv(fd, buf, sizeof(buf), 0) > 0)
		send_text(fd, text);
	return 0;
}

static int modern(int fd)
{
	return canned_hello(fd, "{\"type\":\"ok\",\"protocol\":2,\"machine_id\":\"x\"}");
}

static int empty(int fd)
{
	return canned_hello(fd, "{\"type\":\"ok\"}");
}

static int nameless(int fd)
{
	return canned_hello(fd, "{\"type\":\"ok\",\"protocol\":1}");
}

static void controller_names_agents_that_greet_badly(void **state)
{
	int (*const mains[])(int) = {mute, modern, empty, nameless};
	int netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	uint32_t n_fds = net_count_fds(), n_bad = 0;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(mains); i++) {
		struct spawn_args args = {.netns_fd = netns_fd,
			.main = mains[i / 2],
			.container = i & 1};
		struct endpoint ep = ENDPOINT_NONE;
		struct err e = {0};
		int r = endpoint_spawn(&ep, &args, "agent far", -1, &e);

		endpoint_close(&ep);
		assert_true(r < 0);
		if (!strstr(e.text, "agent far"))
			print_message("# agent %zu: %s\n", i, e.text);
		n_bad += !strstr(e.text, "agent far");
	}
	assert_int_equal(net_count_fds(), n_fds);
	close(netns_fd);
	assert_int_equal(n_bad, 0);
}

/* Kills @pid once the device of @end has received a megabyte. */
struct killer {
	const struct path_end *end;
	pid_t pid;
};

static void *kill_later(void *arg)
{
	const struct killer *k = arg;
	_cleanup_(rt_closep) struct rt *rt = NULL;
	uint64_t deadline_ns = net_deadline();
	struct rt_stats s = {0}, first;

	if (rt_open(&rt, k->end->netns_fd, NULL) < 0 || rt_stats(rt, k->end->dev, &first, NULL) < 0)
		return NULL;
	while (s.rx_bytes < first.rx_bytes + 1000000 && clock_left_ms(deadline_ns) > 0)
		if (rt_stats(rt, k->end->dev, &s, NULL) < 0)
			return NULL;
	kill(k->pid, SIGKILL);
	return NULL;
}

static struct trial one_trial(struct site *s, uint64_t time_ns)
{
	struct load_spec load = {.ops = &load_stream, .cfg = *load_stream.defaults};
	const struct bench_cfg cfg = {.time_ns = time_ns, .warmup_ns = 20 * NSEC_PER_MSEC};
	const bool meters[METER_N] = {true, true, true};
	struct trial t = {0};

	load.cfg.dir = LOAD_DIR_TX;
	assert_int_equal(site_trial(s, &load, &cfg, meters, &t), 0);
	hists_fini(t.hist);
	return t;
}

/* The machine is shared: a receiver that got no CPU for the whole span proves nothing. */
#define MAX_TRIES 3

static void assert_serves(struct site *s)
{
	struct trial t = one_trial(s, 100 * NSEC_PER_MSEC);

	for (int i = 1; i < MAX_TRIES && t.status != STATUS_OK; i++) {
		print_message("# trial after restart: %s\n", t.reason);
		t = one_trial(s, 100 * NSEC_PER_MSEC);
	}
	if (t.status != STATUS_OK)
		fail_msg("trial after restart: %s", t.reason);
}

/*
 *	agent near (peer) ====== host ------ veth ------ agent far (container)
 *	                                                 killed when the data flows
 */
static void kill_mid_trial(bool far)
{
	_cleanup_(site_closep) struct site *s = NULL;
	_cleanup_(run_freep) struct run *run = xcalloc(1, sizeof(*run));
	const struct path_spec spec = path_spec_of(&path_veth, &path_cfg_default);
	const struct site_args args = {.spec = &spec, .cancel_fd = -1};
	uint32_t n_unnamed = 0;

	assert_int_equal(must(site_open(&s, &args, run, &e_)), 0);
	for (int i = 0; i < 10; i++) {
		struct killer k = {.end = &s->path->far, .pid = far ? s->far.pid : s->near.pid};
		pthread_t thread;
		struct trial t;

		assert_int_equal(pthread_create(&thread, NULL, kill_later, &k), 0);
		t = one_trial(s, 300 * NSEC_PER_MSEC);
		pthread_join(thread, NULL);
		assert_int_equal(t.status, STATUS_FAILED);
		if (!strstr(t.reason, far ? "agent far" : "agent near"))
			print_message("# %s\n", t.reason);
		n_unnamed += !strstr(t.reason, far ? "agent far" : "agent near");

		must(site_restart(s, &e_));
		assert_serves(s);
	}
	assert_int_equal(n_unnamed, 0);
}

static void far_killed_mid_trial(void **state)
{
	(void)state;
	kill_mid_trial(true);
}

static void near_killed_mid_trial(void **state)
{
	(void)state;
	kill_mid_trial(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(framing_errors_end_the_agent),
		cmocka_unit_test(deep_nesting_ends_the_agent),
		cmocka_unit_test(half_a_message_ends_the_agent),
		cmocka_unit_test(refuses_until_greeted),
		cmocka_unit_test(survives_bad_requests),
		cmocka_unit_test(survives_odd_requests),
		cmocka_unit_test(survives_bad_connects),
		cmocka_unit_test(survives_bad_runs),
		cmocka_unit_test(controller_names_agent_and_state),
		cmocka_unit_test(controller_keeps_an_agents_words),
		cmocka_unit_test(controller_checks_reports),
		cmocka_unit_test(controller_does_not_wait_for_ever),
		cmocka_unit_test(controller_names_agents_that_greet_badly),
		cmocka_unit_test(far_killed_mid_trial),
		cmocka_unit_test(near_killed_mid_trial),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
