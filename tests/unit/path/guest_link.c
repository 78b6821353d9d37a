/* Words between a guest and its host, cut and joined as a byte stream may; and the token. */
#include "path/guest_link.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/macro.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define TOKEN "00112233445566778899aabbccddeeff"

static uint64_t soon(void)
{
	return clock_now_ns() + 2 * NSEC_PER_SEC;
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void lines_in_pieces(void **state)
{
	struct guest_link l = {0};
	char line[32];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	l.fd = fd[0];
	put(fd[1], "rea");
	assert_int_equal(guest_hear(&l, line, sizeof(line), clock_now_ns()), -ETIMEDOUT);
	put(fd[1], "dy\nok\nerr");
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), 0);
	assert_string_equal(line, "ready");
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), 0);
	assert_string_equal(line, "ok");
	close(fd[1]);
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), -EPIPE);
	close(fd[0]);
}

static void a_line_without_end(void **state)
{
	struct guest_link l = {0};
	char line[32], x[sizeof(l.buf)];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	l.fd = fd[0];
	memset(x, 'x', sizeof(x));
	assert_int_equal(write(fd[1], x, sizeof(x)), sizeof(x));
	assert_int_equal(guest_hear(&l, line, sizeof(line), soon()), -EPROTO);
	close(fd[0]);
	close(fd[1]);
}

/* What an agent that was killed left, half a token among it, is dropped; what follows is kept. */
static void a_token_after_rubbish(void **state)
{
	char c;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	put(fd[1], "{\"type\": \"ok\"}\n\n0011\n00112233445566778899aabbccddeef");
	assert_int_equal(guest_token_write(fd[1], TOKEN, soon()), 0);
	put(fd[1], "x");
	assert_int_equal(guest_token_await(fd[0], TOKEN, soon()), 0);
	assert_int_equal(read(fd[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(guest_token_await(fd[0], TOKEN, clock_now_ns()), -ETIMEDOUT);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_in_pieces),
		cmocka_unit_test(a_line_without_end),
		cmocka_unit_test(a_token_after_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
