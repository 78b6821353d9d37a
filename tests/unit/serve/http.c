#include "serve/http.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static const struct {
	const char *text, *ip; /* NULL: refused */
	uint16_t port;
} row[] = {
	{"9000", "127.0.0.1", 9000},
	{":9000", "127.0.0.1", 9000},
	{"0", "127.0.0.1", 0},
	{"65535", "127.0.0.1", 65535},
	{"192.0.2.1:80", "192.0.2.1", 80},
	{"0.0.0.0:80", "0.0.0.0", 80},
	{"[::]:80", "::", 80},
	{"[2001:db8::1]:80", "2001:db8::1", 80},
	{"[::ffff:255.255.255.255]:1", "::ffff:255.255.255.255", 1},
	{"", NULL, 0},
	{":", NULL, 0},
	{"65536", NULL, 0},
	{"-1", NULL, 0},
	{"9000 ", NULL, 0},
	{"192.0.2.1", NULL, 0},
	{"192.0.2.1:", NULL, 0},
	{"192.0.2:80", NULL, 0},
	{"[192.0.2.1]:80", NULL, 0},
	{"::1:80", NULL, 0},
	{"[::1]", NULL, 0},
	{"[::1]80", NULL, 0},
	{"[::1:80", NULL, 0},
	{"[]:80", NULL, 0},
	{"localhost:80", NULL, 0},
	{"[1234:1234:1234:1234:1234:1234:1234:1234:1234:1234]:80", NULL, 0},
};

static void addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		char ip[SOCK_ADDR_LEN];
		struct err e = {0};
		uint16_t port;
		int r = http_addr(row[i].text, ip, &port, &e);

		if ((r == 0) != (row[i].ip != NULL))
			fail_msg("'%s': %d %s", row[i].text, r, e.text);
		if (r < 0) {
			assert_int_equal(r, -EINVAL);
			assert_true(*e.text);
			continue;
		}
		assert_string_equal(ip, row[i].ip);
		assert_int_equal(port, row[i].port);
	}
}

static int make(void *ctx, const char *accept, struct http_page *ret, struct err *e)
{
	(void)accept;
	(void)e;
	*ret = (struct http_page){"text/plain", calloc(1, 1 << 22), 1 << 22};
	++*(int *)ctx;
	return 0;
}

static int connect_to(const struct http *h)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	char where[64];
	uint16_t port = 0;

	http_text(h, where, sizeof(where));
	assert_int_equal(sscanf(where, "127.0.0.1:%hu", &port), 1);
	addr.sin_port = htons(port);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The server's turn; a byte each way is a sign of life, and keeps the connection from idling. */
static bool trickle(struct http *h, int fd, bool send_it)
{
	struct pollfd p = {.fd = http_fd(h), .events = POLLIN};
	int wait_ms = http_wait_ms(h);
	char byte = 'x';
	ssize_t n;

	poll(&p, 1, wait_ms < 0 ? 1 : MIN(wait_ms, 1));
	http_run(h);
	n = send_it ? send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT)
		    : recv(fd, &byte, 1, MSG_DONTWAIT);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* A byte now and then, of a request or of its answer, does not hold a connection for ever. */
static void slow_clients_are_closed(void **state)
{
	static const char *const text[] = {"GET /page HTTP/1.1\r\nHost: ",
		"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"};
	int n_made = 0;
	const struct http_site site = {.index = "",
		.path = "/page",
		.make = make,
		.ctx = &n_made,
		.request_ms = 100};
	_cleanup_(http_closep) struct http *h = NULL;
	struct err e = {0};
	int r = http_open(&h, "0", &site, &e);

	(void)state;
	if (r == HTTP_UNAVAILABLE) {
		print_message("%s\n", e.text);
		skip();
	}
	assert_int_equal(r, 0);
	for (int i = 0; i < 2; i++) {
		uint64_t end_ns = clock_now_ns() + 2 * NSEC_PER_SEC;
		int fd = connect_to(h);

		assert_int_equal(send(fd, text[i], strlen(text[i]), 0), strlen(text[i]));
		while (http_n_connections(h) == 0 && clock_left_ms(end_ns) > 0)
			trickle(h, fd, i == 0);
		while (http_n_connections(h) > 0 && clock_left_ms(end_ns) > 0)
			trickle(h, fd, i == 0);
		assert_int_equal(http_n_connections(h), 0);
		close(fd);
	}
	assert_int_equal(n_made, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(slow_clients_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
