/*
 * The server with sessions of the test's own, on the loopback of a fresh namespace:
 *
 *	client (test) --- lo --- listener --- session (echoes what it gets by its feed)
 *
 * A session expects the sockets the first byte on its control connection asks for ('t', 'u', or
 * 'x': a call that is not allowed), says "e" when it is ready, and answers each data socket by its
 * flow number on that socket.
 */
#include "net.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "serve/serve.h"
#include "wire/greet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PORT 5201
#define LOG  "/dev/null"

static uint64_t soon(void)
{
	return clock_now_ns() + 4 * NSEC_PER_SEC;
}

/* One round: expects, answers each socket by its flow number, ends at a second control byte. */
static int round_of(struct serve_session *s, bool udp, struct err *e)
{
	int r = s->feed->expect(s->feed, udp, 2, soon(), e);

	if (r < 0)
		return r;
	if (send(s->ctl_fd, "e", 1, MSG_NOSIGNAL) != 1)
		return err_set(e, errno, "cannot say that it is ready");
	for (int n = 0; n < 2; n++) {
		_cleanup_(closep) int fd = -1;
		uint32_t flow;
		char answer;

		fd = s->feed->next(s->feed, &flow, soon(), e);
		if (fd < 0)
			return fd;
		answer = (char)('0' + flow);
		if (send(fd, &answer, 1, MSG_NOSIGNAL) != 1)
			return err_set(e, errno, "cannot answer");
		s->bytes_tx++;
	}
	s->feed->done(s->feed);
	return 0;
}

static int session(struct serve_session *s, const void *ctx, struct err *e)
{
	struct pollfd p[2] = {{.fd = s->ctl_fd, .events = POLLIN},
		{.fd = s->cancel_fd, .events = POLLIN}};
	char what = 0;

	(void)ctx;
	str_set(s->load, "echo \"test\"");
	if (poll(p, 2, 5000) <= 0)
		return err_say(e, ETIMEDOUT, "nothing asked");
	if (p[1].revents) {
		(void)send(s->ctl_fd, "c", 1, MSG_NOSIGNAL);
		return err_say(e, ECANCELED, "the server is being stopped");
	}
	if (recv(s->ctl_fd, &what, 1, 0) != 1)
		return err_say(e, EPIPE, "the client left");
	if (what == 'x')
		return mlockall(MCL_CURRENT) < 0 ? err_set(e, errno, "forbidden") : 0;
	return round_of(s, what == 'u', e);
}

static const struct serve_ops ops = {.tare = session,
	.iperf = session,
	.keep_fd = {-1, -1, -1, -1}};

/* The server's process. Its pid, once it listens. */
static pid_t start(const struct serve_cfg *cfg)
{
	int fd[2];
	char ready = 0;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		struct server *s;
		struct err e = {0};
		int r;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (serve_open(&s, cfg, &ops, &e) < 0) {
			print_message("# %s\n", e.text);
			_exit(9);
		}
		(void)!write(fd[1], "r", 1);
		r = serve_run(s, &e);
		serve_close(s);
		_exit(r < 0 ? 8 : r);
	}
	close(fd[1]);
	assert_int_equal(read(fd[0], &ready, 1), 1);
	close(fd[0]);
	return pid;
}

static int stop(pid_t pid)
{
	int status = -1;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int client(int type, const char *from)
{
	int fd = sock_bind(type, from, 0, NULL);

	assert_true(fd >= 0);
	assert_int_equal(
		sock_connect(fd, strchr(from, ':') ? "::1" : "127.0.0.1", PORT, soon(), NULL), 0);
	return fd;
}

static void say(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

/* The next byte; 0: closed; -1: none within @ms. */
static int hear(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t c;
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return -1;
	n = recv(fd, &c, 1, 0);
	return n == 1 ? c : 0;
}

static int greeted(const char *from, uint8_t token[static MAGIC_TOKEN_BYTES])
{
	struct chan c = {.fd = client(SOCK_STREAM, from), .cancel_fd = -1, .who = "server"};
	struct err e = {0};

	if (greet_client(&c, NULL, 0, token, soon(), &e) < 0)
		fail_msg("%s", e.text);
	return c.fd;
}

static void cookie_of(char ret[static IPERF_COOKIE_BYTES], char c)
{
	memset(ret, c, IPERF_COOKIE_BYTES - 1);
	ret[IPERF_COOKIE_BYTES - 1] = '\0';
}

static int iperf(const char *from, char c)
{
	char cookie[IPERF_COOKIE_BYTES];
	int fd = client(SOCK_STREAM, from);

	cookie_of(cookie, c);
	say(fd, cookie, sizeof(cookie));
	return fd;
}

static struct serve_cfg config(void)
{
	struct serve_cfg cfg = serve_cfg_default;

	str_set(cfg.log_file, LOG);
	str_set(cfg.user, "");
	return cfg;
}

static void tare_tcp(void **state)
{
	const struct serve_cfg cfg = config();
	uint8_t token[MAGIC_TOKEN_BYTES], data[MAGIC_DATA_BYTES];
	pid_t pid = start(&cfg);
	int ctl = greeted("127.0.0.1", token), a, b, c;

	(void)state;
	/* Not expected yet: refused. */
	magic_put_flow(data, MAGIC_DATA, token, 5);
	a = client(SOCK_STREAM, "127.0.0.1");
	say(a, data, sizeof(data));
	assert_int_equal(hear(a, 4000), 0);
	close(a);
	say(ctl, "t", 1);
	assert_int_equal(hear(ctl, 4000), 'e');
	/* In pieces, out of order, with a wrong token in between. */
	a = client(SOCK_STREAM, "127.0.0.1");
	b = client(SOCK_STREAM, "127.0.0.2");
	c = client(SOCK_STREAM, "127.0.0.1");
	say(a, data, 9);
	data[6] ^= 1;
	say(c, data, sizeof(data));
	assert_int_equal(hear(c, 4000), 0);
	data[6] ^= 1;
	say(a, &data[9], sizeof(data) - 9);
	magic_put_flow(data, MAGIC_DATA, token, 3);
	say(b, data, sizeof(data));
	assert_int_equal(hear(a, 4000), '5');
	assert_int_equal(hear(b, 4000), '3');
	close(a);
	close(b);
	close(c);
	close(ctl);
	assert_int_equal(stop(pid), 0);
}

/* UDP: only from the control connection's address; a repeated hello makes one flow. */
static void tare_udp_of(const char *own, const char *other)
{
	const struct serve_cfg cfg = config();
	uint8_t token[MAGIC_TOKEN_BYTES], hello[MAGIC_DATA_BYTES];
	pid_t pid = start(&cfg);
	int ctl = greeted(own, token), a = client(SOCK_DGRAM, own), b = client(SOCK_DGRAM, own);
	int stranger = client(SOCK_DGRAM, other);

	magic_put_flow(hello, MAGIC_HELLO, token, 1);
	say(a, hello, sizeof(hello)); /* too early */
	say(ctl, "u", 1);
	assert_int_equal(hear(ctl, 4000), 'e');
	say(stranger, hello, sizeof(hello));
	for (int i = 0; i < 3; i++)
		say(a, hello, sizeof(hello));
	assert_int_equal(hear(a, 4000), '1');
	assert_int_equal(hear(a, 100), -1);
	magic_put_flow(hello, MAGIC_HELLO, token, 2);
	say(b, hello, sizeof(hello));
	assert_int_equal(hear(b, 4000), '2');
	assert_int_equal(hear(stranger, 200), -1);
	close(a);
	close(b);
	close(stranger);
	close(ctl);
	assert_int_equal(stop(pid), 0);
}

static void tare_udp(void **state)
{
	(void)state;
	tare_udp_of("127.0.0.1", "127.0.0.2");
	tare_udp_of("::1", "127.0.0.1");
}

/* Two iperf3 tests of one address: the second waits for its turn; one of another does not. */
static void iperf_udp_turns(void **state)
{
	const struct serve_cfg cfg = config();
	pid_t pid = start(&cfg);
	int x = iperf("127.0.0.1", 'x'), y = iperf("127.0.0.1", 'y'), z = iperf("127.0.0.3", 'z');
	int a = client(SOCK_DGRAM, "127.0.0.1"), b = client(SOCK_DGRAM, "127.0.0.1");

	(void)state;
	say(x, "u", 1);
	assert_int_equal(hear(x, 4000), 'e');
	say(y, "u", 1);
	say(z, "u", 1);
	assert_int_equal(hear(z, 4000), 'e');
	assert_int_equal(hear(y, 100), -1);
	say(a, "9876", 4);
	assert_int_equal(hear(a, 4000), '0');
	say(b, "\x15\xcd\x5b\x07", 4);
	assert_int_equal(hear(b, 4000), '1');
	assert_int_equal(hear(y, 4000), 'e');
	close(a);
	close(b);
	/* Its ports may be the same as before: of another session's flows. */
	a = client(SOCK_DGRAM, "127.0.0.1");
	say(a, "9876", 4);
	assert_int_equal(hear(a, 4000), '0');
	close(a);
	close(x);
	close(y);
	close(z);
	assert_int_equal(stop(pid), 0);
}

/* A turn that is not given back is taken away after 2 s. */
static void iperf_udp_hog(void **state)
{
	const struct serve_cfg cfg = config();
	pid_t pid = start(&cfg);
	int x = iperf("127.0.0.1", 'x'), y = iperf("127.0.0.1", 'y');

	(void)state;
	say(x, "u", 1);
	assert_int_equal(hear(x, 4000), 'e');
	say(y, "u", 1);
	assert_int_equal(hear(y, 4000), 'e');
	close(x);
	close(y);
	assert_int_equal(stop(pid), 0);
}

static void iperf_tcp(void **state)
{
	const struct serve_cfg cfg = config();
	pid_t pid = start(&cfg);
	int ctl = iperf("127.0.0.1", 'a'), a, b;

	(void)state;
	say(ctl, "t", 1);
	assert_int_equal(hear(ctl, 4000), 'e');
	a = iperf("127.0.0.2", 'a'); /* somebody else's cookie */
	assert_int_equal(hear(a, 4000), 0xff);
	close(a);
	a = iperf("127.0.0.1", 'a');
	b = iperf("127.0.0.1", 'a');
	assert_int_equal(hear(a, 4000), '0');
	assert_int_equal(hear(b, 4000), '1');
	close(a);
	close(b);
	close(ctl);
	assert_int_equal(stop(pid), 0);
}

static void limits(void **state)
{
	struct serve_cfg cfg = config();
	struct chan c = {.cancel_fd = -1, .who = "server"};
	uint8_t token[MAGIC_TOKEN_BYTES];
	struct err e = {0};
	int x, y;
	pid_t pid;

	(void)state;
	cfg.max_sessions_per_addr = 1;
	cfg.max_sessions = 2;
	pid = start(&cfg);
	x = iperf("127.0.0.1", 'a');
	say(x, "t", 1);
	assert_int_equal(hear(x, 4000), 'e');
	y = iperf("127.0.0.1", 'b');
	assert_int_equal(hear(y, 4000), 0xff);
	c.fd = client(SOCK_STREAM, "127.0.0.1");
	assert_int_equal(greet_client(&c, NULL, 0, token, soon(), &e), -EREMOTEIO);
	assert_non_null(strstr(e.text, "of your address"));
	chan_close(&c);
	close(x);
	close(y);
	assert_int_equal(stop(pid), 0);
}

static void stop_is_told(void **state)
{
	const struct serve_cfg cfg = config();
	pid_t pid = start(&cfg);
	uint8_t token[MAGIC_TOKEN_BYTES];
	int x = greeted("127.0.0.1", token), y = iperf("127.0.0.1", 'a');

	(void)state;
	kill(pid, SIGTERM);
	assert_int_equal(hear(x, 4000), 'c');
	assert_int_equal(hear(x, 4000), 0);
	assert_int_equal(hear(y, 4000), 'c');
	close(x);
	close(y);
	assert_int_equal(stop(pid), 0);
}

static void one_off(void **state)
{
	struct serve_cfg cfg = config();
	int status, ctl;
	pid_t pid;

	(void)state;
	cfg.one_off = true;
	pid = start(&cfg);
	ctl = iperf("127.0.0.1", 'a');
	close(ctl); /* the session fails */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SERVE_SESSION_FAILED);
}

static void forbidden_call(void **state)
{
	struct serve_cfg cfg = config();
	int ctl;
	pid_t pid;

	(void)state;
	pid = start(&cfg);
	ctl = iperf("127.0.0.1", 'a');
	say(ctl, "x", 1);
	assert_int_equal(hear(ctl, 4000), 0);
	close(ctl);
	ctl = iperf("127.0.0.1", 'b'); /* the server lives */
	say(ctl, "t", 1);
	assert_int_equal(hear(ctl, 4000), 'e');
	close(ctl);
	assert_int_equal(stop(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tare_tcp),
		cmocka_unit_test(tare_udp),
		cmocka_unit_test(iperf_tcp),
		cmocka_unit_test(iperf_udp_turns),
		cmocka_unit_test(iperf_udp_hog),
		cmocka_unit_test(limits),
		cmocka_unit_test(stop_is_told),
		cmocka_unit_test(one_off),
		cmocka_unit_test(forbidden_call),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
