/*
 * Both sides of a run between machines, each against a bad one:
 *
 *	pair_run() ---- two socketpairs ---- canned words of near and far
 *	test (requests) ---- socketpair ---- agent_serve() with a feed and limits, in a child
 */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/agent.h"
#include "bench/hists.h"
#include "bench/pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What udp counts. */
#define PACKETS                                                                                    \
	"\"packets_tx\":0,\"packets_rx\":0,\"packets_expected\":0,\"reordered\":0,"                \
	"\"duplicated\":0,\"packets_alien\":0,\"packets_unsent\":0,\"packets_gso\":0,"             \
	"\"packets_gro\":0,\"aggregates_gro\":0,\"sends_refused\":0,"                              \
	"\"socket_drops\":0,\"jitter_ns\":0,"                                                      \
	"\"zerocopy_sends\":0,\"zerocopy_copied\":0,"
#define COUNTS                                                                                     \
	"\"bytes_tx\":1,\"bytes_rx\":2,\"packets_tx\":0,\"packets_rx\":0,\"transactions\":0,"      \
	"\"lost\":0,\"busy_ns\":0,\"user_ns\":0,\"system_ns\":0,\"softirq_ns\":0,"                 \
	"\"threads_ns\":0,\"retransmits\":0,\"rtt_ns\":0,\"delivery_rate_bps\":0,"                 \
	"\"cwnd_segs\":0,\"n_tcp_flows\":0"
#define INTERVAL(n, begin, end)                                                                    \
	"{\"type\":\"interval\",\"n\":" n ",\"begin_ns\":" begin ",\"end_ns\":" end "," COUNTS "}"
#define DONE "{\"type\":\"done\"}"
#define SENT "{\"type\":\"sent\"}"
#define OK                                                                                         \
	"{\"type\":\"ok\",\"report\":{\"begin_ns\":1,\"end_ns\":3,\"bytes_tx\":1,"                 \
	"\"bytes_rx\":2," PACKETS                                                                  \
	"\"transactions\":0,\"lost\":0,\"under_bytes_rx\":0,\"late\":0,\"unanswered\":0,"          \
	"\"flow_cpu\":[],\"first_cpu\":[0],\"last_cpu\":[1]},\"meters\":{},\"hist\":{}}"
#define MAX_WORDS 8

static void send_text(int fd, const char *json)
{
	uint32_t be = htonl((uint32_t)strlen(json));

	assert_int_equal(send(fd, &be, sizeof(be), MSG_NOSIGNAL), sizeof(be));
	assert_int_equal(send(fd, json, strlen(json), MSG_NOSIGNAL), strlen(json));
}

/*
 * What one end says, in order; then it closes, unless it is to stay silent, or to hear "finish" and
 * say one thing more.
 */
struct script {
	const char *words[MAX_WORDS];
	const char *at_finish;
	bool stays;
};

static void *answer_finish(void *arg)
{
	char text[4096] = "";
	size_t n = 0;
	int fd = *(int *)arg;

	while (n < sizeof(text) && !memmem(text, n, "finish", 6)) {
		ssize_t r = recv(fd, text + n, sizeof(text) - n, 0);

		if (r <= 0)
			return NULL;
		n += (size_t)r;
	}
	send_text(fd, OK);
	return NULL;
}

static struct endpoint scripted(const struct script *s, const char *who, int *ret_fd)
{
	struct endpoint ep = ENDPOINT_NONE;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ep.chan.fd = fd[0];
	(void)str_copy(ep.chan.who, sizeof(ep.chan.who), who);
	for (int i = 0; i < MAX_WORDS && s->words[i]; i++)
		send_text(fd[1], s->words[i]);
	if (!s->stays && !s->at_finish)
		shutdown(fd[1], SHUT_WR);
	*ret_fd = fd[1];
	return ep;
}

struct heard {
	uint32_t n;
	uint64_t bytes;
};

static void listen_in(void *ctx, const struct interval_list *list, const struct interval *x)
{
	struct heard *h = ctx;

	(void)list;
	h->n++;
	h->bytes += x->end[0].bytes_rx + x->end[1].bytes_rx;
}

struct outcome {
	struct end_report report[2];
	struct interval_list intervals;
	struct heard heard;
	bool stopped;
	struct err err;
};

static int play(const struct script *near, const struct script *far, bool exact, int stop_fd,
	struct outcome *out)
{
	struct hist *hist[LOAD_HIST_N] = {0};
	int fd[2];
	struct endpoint ep[2] = {scripted(near, "agent near", &fd[0]),
		scripted(far, "agent far", &fd[1])};
	struct pair_args args = {.end = {&ep[0], &ep[1]},
		.drives = {true, false},
		.exact = exact,
		.span_ns = 10 * NSEC_PER_MSEC,
		.interval_ns = 10 * NSEC_PER_MSEC,
		.stop_fd = stop_fd,
		.interval = listen_in,
		.ctx = &out->heard};
	pthread_t thread[2];
	struct pair_result ret = {.report = {&out->report[0], &out->report[1]},
		.hist = hist,
		.intervals = &out->intervals};
	int r;

	for (int i = 0; i < 2; i++)
		if ((i ? far : near)->at_finish)
			assert_int_equal(pthread_create(&thread[i], NULL, answer_finish, &fd[i]),
				0);
	r = pair_run(&args, &ret, &out->err);
	out->stopped = ret.stopped;
	for (int i = 0; i < 2; i++) {
		shutdown(fd[i], SHUT_RDWR);
		if ((i ? far : near)->at_finish)
			pthread_join(thread[i], NULL);
		endpoint_close(&ep[i]);
		close(fd[i]);
	}
	return r;
}

static struct outcome *outcome_new(void)
{
	return xcalloc(1, sizeof(struct outcome));
}

static void outcome_free(struct outcome *o)
{
	interval_list_fini(&o->intervals);
	free(o);
}

/* One that mostly waits is played beside the others. */
struct game {
	struct script near, far;
	bool exact;
	const char *who, *words; /* of the error */
	pthread_t thread;
	struct outcome *out;
	int r;
};

static void *game_play(void *arg)
{
	struct game *g = arg;

	g->out = outcome_new();
	g->r = play(&g->near, &g->far, g->exact, -1, g->out);
	return NULL;
}

static void game_start(struct game *g)
{
	assert_int_equal(pthread_create(&g->thread, NULL, game_play, g), 0);
}

/* Return: whether it failed as it should. */
static bool game_end(struct game *g)
{
	bool good;

	pthread_join(g->thread, NULL);
	good = g->r < 0 && g->r != -ECANCELED && strstr(g->out->err.text, g->who) &&
	       strstr(g->out->err.text, g->words);
	if (!good)
		print_message("# %d, %s; instead of: %s ... %s\n", g->r, g->out->err.text, g->who,
			g->words);
	outcome_free(g->out);
	return good;
}

static void ends_of_different_length(void **state)
{
	const struct script near = {
		.words = {INTERVAL("0", "0", "10"), INTERVAL("1", "10", "20"), DONE},
		.at_finish = OK};
	const struct script far = {.words = {INTERVAL("0", "0", "11"), DONE}, .at_finish = OK};
	struct outcome *o = outcome_new();

	(void)state;
	if (play(&near, &far, false, -1, o) != 0)
		fail_msg("%s", o->err.text);
	assert_int_equal(o->intervals.n, 2);
	assert_true(o->intervals.at[0].has[0] && o->intervals.at[0].has[1]);
	assert_true(o->intervals.at[1].has[0] && !o->intervals.at[1].has[1]);
	assert_int_equal(o->heard.n, 1);
	assert_int_equal(o->heard.bytes, 4);
	assert_int_equal(o->report[1].n_threads, 1);
	assert_int_equal(o->report[1].last_cpu[0], 1);
	assert_false(o->stopped);
	outcome_free(o);
}

/* All is sent, but something was lost: after a while the rest is no longer waited for. */
static struct game lost = {.near = {.words = {DONE}, .stays = true},
	.far = {.words = {INTERVAL("0", "0", "10")}, .stays = true},
	.exact = true,
	.who = "agent far",
	.words = ""};

static struct game bad_words[] = {
	{{.words = {INTERVAL("1", "0", "1")}}, {.stays = true}, false, "agent near",
		"instead of 0"},
	{{.stays = true}, {.words = {INTERVAL("0", "5", "5")}}, false, "agent far", "before it"},
	{{.stays = true}, {.words = {INTERVAL("-1", "0", "1")}}, false, "agent far", "'n'"},
	{{.stays = true}, {.words = {INTERVAL("0", "\"0\"", "1")}}, false, "agent far", "begin_ns"},
	{{.stays = true}, {.words = {INTERVAL("0", "0", "1e9")}}, false, "agent far", "end_ns"},
	{{.stays = true}, {.words = {"{\"type\":\"interval\"}"}}, false, "agent far", "'n'"},
	{{.stays = true}, {.words = {DONE, DONE}}, false, "agent far", "does not fit"},
	{{.stays = true}, {.words = {DONE, INTERVAL("0", "0", "1")}}, false, "agent far", "fit"},
	{{.stays = true}, {.words = {SENT}}, false, "agent far", "does not fit"},
	{{.stays = true}, {.words = {OK}}, false, "agent far", "does not fit"},
	{{.stays = true}, {.words = {"{}"}}, false, "agent far", "does not fit"},
	{{.stays = true}, {.words = {"{\"type\":\"finish\"}"}}, false, "agent far", "does not fit"},
	{{.stays = true}, {.words = {"{\"type\":\"error\",\"text\":\"no\"}"}}, false, "agent far",
		"no"},
	{{.words = {DONE}, .stays = true}, {.words = {NULL}}, false, "agent far", "closed"},
	{{.words = {DONE, OK}}, {.words = {DONE}}, false, "agent far", "closed"},
	{{.words = {DONE, DONE}}, {.words = {DONE}, .stays = true}, false, "agent near",
		"nor error"},
	/* The one that died is the cause of what the other one says. */
	{{.words = {"{\"type\":\"error\",\"text\":\"no\"}"}, .stays = true}, {.words = {NULL}},
		false, "agent far", "closed"},
};

static int start_games(void **state)
{
	(void)state;
	game_start(&lost);
	for (size_t i = 0; i < ARRAY_SIZE(bad_words); i++)
		game_start(&bad_words[i]);
	return 0;
}

static void exact_amount_that_never_arrives(void **state)
{
	(void)state;
	assert_true(game_end(&lost));
	assert_int_equal(lost.r, -ETIMEDOUT);
}

static void bad_words_are_named(void **state)
{
	uint32_t n_bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_words); i++)
		n_bad += !game_end(&bad_words[i]);
	assert_int_equal(n_bad, 0);
}

/* A descriptor that stays readable is a user who asks twice. */
static void interrupted_twice(void **state)
{
	const struct script silent = {.stays = true};
	struct outcome *o = outcome_new();
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	close(fd[1]);
	assert_int_equal(play(&silent, &silent, false, fd[0], o), -ECANCELED);
	assert_true(o->stopped);
	close(fd[0]);
	outcome_free(o);
}

/* Past the limit intervals are still counted and shown, and memory does not grow. */
static void intervals_are_bounded(void **state)
{
	struct interval_list list = {0};
	struct interval_end x = {.end_ns = 1};

	(void)state;
	for (uint32_t i = 0; i < INTERVAL_MAX + 10; i++)
		for (int far = 0; far < 2; far++) {
			_cleanup_(doc_freep) struct doc *msg = doc_object();
			const struct interval *both;

			interval_put(msg, i, &x);
			must(interval_take(&list, far, msg, &both, &e_));
			assert_true((both != NULL) == (far == 1));
		}
	assert_int_equal(list.n, INTERVAL_MAX);
	assert_int_equal(list.count[0], INTERVAL_MAX + 10);
	interval_list_fini(&list);
}

/* No data socket ever comes. */
static int no_expect(struct load_feed *f, bool udp, uint32_t n, uint64_t deadline_ns, struct err *e)
{
	(void)f;
	(void)n;
	(void)udp;
	(void)deadline_ns;
	(void)e;
	return 0;
}

static int no_next(struct load_feed *f, uint32_t *flow, uint64_t deadline_ns, struct err *e)
{
	(void)f;
	(void)flow;
	(void)deadline_ns;
	return err_say(e, ETIMEDOUT, "no socket came");
}

static void no_done(struct load_feed *f)
{
	(void)f;
}

struct peer {
	struct chan chan;
	pid_t pid;
};

static struct peer server_start(void)
{
	struct peer p = {.chan = {.cancel_fd = -1, .who = "agent"}};
	struct load_feed feed = {no_expect, no_next, no_done};
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p.pid = fork();
	assert_true(p.pid >= 0);
	if (p.pid == 0) {
		close(fd[0]);
		agent_serve(&(struct agent_args){.ctl_fd = fd[1],
			.cancel_fd = -1,
			.feed = &feed,
			.limits = {.max_span_ns = 2 * NSEC_PER_SEC,
				.max_bytes = 1000000,
				.max_buffer_bytes = 1 << 20,
				.max_flows = 4}});
		_exit(0);
	}
	close(fd[1]);
	p.chan.fd = fd[0];
	return p;
}

static void server_stop(struct peer *p)
{
	int status;

	chan_close(&p->chan);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The answer's type and, of an error, its words. */
static void ask(struct peer *p, const char *json, char *type, char *text, size_t size)
{
	_cleanup_(doc_freep) struct doc *d = NULL;

	send_text(p->chan.fd, json);
	must(chan_recv(&p->chan, &d, "answering", net_deadline(), &e_));
	must(doc_get_str(d, "type", type, 32, &e_));
	text[0] = '\0';
	(void)!doc_get_str(d, "text", text, size, NULL);
}

#define STREAM(flows, block, bytes)                                                                \
	"\"dir\":\"tx\",\"flows\":" flows ",\"threads\":0,\"block_bytes\":" block                  \
	",\"sndbuf_bytes\":0,\"rcvbuf_bytes\":0,\"bytes\":" bytes ",\"rate_bps\":0,"               \
	"\"congestion\":\"\","                                                                     \
	"\"blocks\":0,\"pacing_bps\":0,\"send\":\"copy\",\"recv\":\"copy\",\"mss_bytes\":0,"       \
	"\"dscp\":0,\"mptcp\":false"
#define PREPARE(config, near, opener)                                                              \
	"{\"type\":\"prepare\",\"load\":\"stream\",\"config\":{" config "},\"near\":" near         \
	",\"opener\":\"" opener "\",\"any\":\"::\",\"port\":0,\"cpus\":\"\",\"meters\":[]}"

static void a_server_keeps_to_its_limits(void **state)
{
	static const struct {
		const char *json, *words;
	} bad[] = {
		{PREPARE(STREAM("1", "1024", "0"), "true", "near"), "far end only"},
		{PREPARE(STREAM("1", "1024", "0"), "true", "driver"), "far end only"},
		{PREPARE(STREAM("1", "1024", "0"), "false", "driver"), "far end only"},
		{PREPARE(STREAM("5", "1024", "0"), "false", "near"), "more than the 4"},
		{PREPARE(STREAM("1", "1024", "1000001"), "false", "near"), "more than the 1000000"},
		{PREPARE(STREAM("4", "262144", "0"), "false", "near"), "1048576 allowed"},
	};
	struct peer p = server_start();
	char type[32], text[500];

	(void)state;
	ask(&p, "{\"type\":\"hello\",\"protocol\":1}", type, text, sizeof(text));
	assert_string_equal(type, "ok");
	ask(&p, "{\"type\":\"describe\"}", type, text, sizeof(text));
	assert_string_equal(type, "ok");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ask(&p, bad[i].json, type, text, sizeof(text));
		if (strcmp(type, "error") != 0 || !strstr(text, bad[i].words))
			fail_msg("%s: %s", bad[i].json, text);
	}
	ask(&p, PREPARE(STREAM("4", "1024", "1000000"), "false", "near"), type, text, sizeof(text));
	assert_string_equal(type, "ok");
	/* It says that it expects connections; none comes. */
	ask(&p,
		"{\"type\":\"connect\",\"addr\":\"::1\",\"port\":1,\"timeout_ns\":1000,"
		"\"token\":\"00000000000000000000000000000000\"}",
		type, text, sizeof(text));
	assert_string_equal(type, "expecting");
	server_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_of_different_length),
		cmocka_unit_test(interrupted_twice),
		cmocka_unit_test(intervals_are_bounded),
		cmocka_unit_test(bad_words_are_named),
		cmocka_unit_test(exact_amount_that_never_arrives),
		/* Forks, so when no game is left. */
		cmocka_unit_test(a_server_keeps_to_its_limits),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_games, NULL);
}
