/* Bytes of a client that greets, and of a server that answers: a channel full of anything. */
#include "fuzz.h"
#include "wire/greet.h"

#include "base/clock.h"

#include <sys/socket.h>

#define KEY "0123456789abcdef"

static void as_server(struct chan *c)
{
	static const uint8_t token[MAGIC_TOKEN_BYTES] = {1};
	struct err e = {0};

	/* Nobody can know the mac of a fresh nonce. */
	FUZZ_CHECK(greet_server(c, KEY, strlen(KEY), token, 0, &e) < 0 && e.text[0]);
}

static void as_client(struct chan *c)
{
	uint8_t token[MAGIC_TOKEN_BYTES];
	struct err e = {0};

	FUZZ_CHECK(greet_client(c, KEY, strlen(KEY), token, 0, &e) < 0 && e.text[0]);
}

static void play(const uint8_t *data, size_t size, void (*side)(struct chan *c))
{
	struct chan c = {.cancel_fd = -1, .who = "peer"};
	int fd[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	c.fd = fd[0];
	FUZZ_CHECK(send(fd[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size);
	(void)shutdown(fd[1], SHUT_WR);
	side(&c);
	chan_close(&c);
	close(fd[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 4096)
		return 0;
	play(data, size, as_server);
	play(data, size, as_client);
	return 0;
}
