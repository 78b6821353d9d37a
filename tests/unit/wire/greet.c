#include "wire/greet.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define KEY   "correct horse battery"
#define WRONG "incorrect horse batte"

static const uint8_t token[MAGIC_TOKEN_BYTES] = {9, 8, 7};

struct server {
	struct chan chan;
	const char *key;
	int r;
	struct err e;
};

static uint64_t soon(void)
{
	return clock_now_ns() + 2 * NSEC_PER_SEC;
}

static size_t length(const char *key)
{
	return key ? strlen(key) : 0;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	uint8_t magic[MAGIC_BYTES];

	if (recv(s->chan.fd, magic, sizeof(magic), MSG_WAITALL) != sizeof(magic) ||
		memcmp(magic, "TAREC", sizeof(magic)) != 0)
		return NULL;
	s->r = greet_server(&s->chan, s->key, length(s->key), token, soon(), &s->e);
	return NULL;
}

static struct chan chan_of(int fd, const char *who)
{
	struct chan c = {.fd = fd, .cancel_fd = -1};

	memcpy(c.who, who, strlen(who) + 1);
	return c;
}

/* Return: what the client got; the server's side in @s. */
static int greet(const char *client_key, struct server *s, struct err *e)
{
	uint8_t got[MAGIC_TOKEN_BYTES] = {0};
	struct chan c;
	pthread_t t;
	int fd[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	c = chan_of(fd[0], "server");
	s->chan = chan_of(fd[1], "client");
	assert_int_equal(pthread_create(&t, NULL, serve, s), 0);
	r = greet_client(&c, client_key, length(client_key), got, soon(), e);
	chan_close(&c);
	pthread_join(t, NULL);
	chan_close(&s->chan);
	if (r == 0)
		assert_memory_equal(got, token, sizeof(token));
	return r;
}

static void keys(void **state)
{
	static const struct {
		const char *client, *server;
		int client_r, server_r;
	} row[] = {
		{NULL, NULL, 0, 0},
		{KEY, KEY, 0, 0},
		{WRONG, KEY, -EREMOTEIO, -EACCES},
		{NULL, KEY, -EACCES, -EPIPE},
		{KEY, NULL, -EACCES, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct server s = {.key = row[i].server, .r = 1};
		struct err e = {0};

		assert_int_equal(greet(row[i].client, &s, &e), row[i].client_r);
		/* Who leaves without a word may be seen at once or later. */
		if (row[i].server)
			assert_int_equal(s.r, row[i].server_r);
	}
}

/* Sends what a client sends, with a mac of another greeting. */
static void answer_as_server(const char *ok, int want)
{
	static const char challenge[] =
		"{\"type\":\"challenge\",\"auth\":true,\"nonce\":"
		"\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}";
	uint8_t got[MAGIC_TOKEN_BYTES];
	struct doc *d = NULL;
	struct err e = {0};
	struct chan c, s;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	c = chan_of(fd[0], "server");
	s = chan_of(fd[1], "client");
	assert_int_equal(doc_parse(&d, challenge, strlen(challenge), &e), 0);
	assert_int_equal(chan_send(&s, d, soon(), &e), 0);
	doc_free(d);
	assert_int_equal(doc_parse(&d, ok, strlen(ok), &e), 0);
	assert_int_equal(chan_send(&s, d, soon(), &e), 0);
	doc_free(d);
	assert_int_equal(greet_client(&c, KEY, strlen(KEY), got, soon(), &e), want);
	assert_true(e.text[0]);
	chan_close(&c);
	chan_close(&s);
}

static void false_servers(void **state)
{
	(void)state;
	answer_as_server("{\"type\":\"ok\",\"token\":\"000102030405060708090a0b0c0d0e0f\"}",
		-EPROTO);
	answer_as_server("{\"type\":\"ok\",\"token\":\"000102030405060708090a0b0c0d0e0f\",\"mac\":"
			 "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}",
		-EACCES);
	answer_as_server("{\"type\":\"ok\",\"token\":\"zz\"}", -EPROTO);
	answer_as_server("{\"type\":\"error\",\"text\":\"no\"}", -EREMOTEIO);
	answer_as_server("{\"type\":\"challenge\"}", -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(keys), cmocka_unit_test(false_servers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
