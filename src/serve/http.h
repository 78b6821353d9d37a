/*
 * An HTTP server for one page that is made when it is asked for, in the caller's own loop: no
 * thread, no lock, and nothing is done that nobody asked for. It knows GET and HEAD of "/" and of
 * that page, takes no bodies, and holds few connections for a short time.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "sys/sock.h"

#include <stddef.h>
#include <stdint.h>

/* At most so many: others wait in the kernel's queue, and more of one address are closed. */
#define HTTP_MAX_CONNECTIONS 16u
#define HTTP_MAX_PER_ADDR    8u
/* A connection on which nothing moved for so long is closed. */
#define HTTP_TIMEOUT_S 10u
/*
 * From a connection's begin, or its last answer, to the end of the next one: who sends or reads a
 * byte now and then may not hold it for ever.
 */
#define HTTP_REQUEST_MS 30000u
/* All of a request's head; more is refused (431). */
#define HTTP_MAX_HEAD_BYTES 16384u
/* http_run() comes back after so long; what is left is for the next time. */
#define HTTP_TURN_NS (10 * NSEC_PER_MSEC)

struct http;

struct http_page {
	const char *type; /* Content-Type, of static storage */
	char *body;       /* of malloc; the server frees it */
	size_t n_bytes;
};

struct http_site {
	const char *index;   /* the text of "/" */
	const char *path;    /* "/metrics" */
	uint32_t request_ms; /* 0: HTTP_REQUEST_MS */
	/*
	 * Makes the page. @accept: the header, or NULL. Return: 0, or negative errno: the client is
	 * told the words with status 500.
	 */
	int (*make)(void *ctx, const char *accept, struct http_page *ret, struct err *e);
	void *ctx;
};

/*
 * http_addr() - read where to listen: "192.0.2.1:9000", "[2001:db8::1]:9000", ":9000" or "9000",
 * which is the loopback address 127.0.0.1; "[::]" is all addresses of both families.
 *
 * Return: 0, or -EINVAL.
 */
int http_addr(const char *text, char ret_ip[static SOCK_ADDR_LEN], uint16_t *ret_port,
	struct err *e) must_check_;

#define HTTP_UNAVAILABLE 1

/*
 * http_open() - listen at @listen, as http_addr() reads it; port 0 is any free one.
 * @site: stays the caller's and must live as long as the server
 *
 * Return: 0, HTTP_UNAVAILABLE (libmicrohttpd is not installed) or negative errno.
 */
int http_open(struct http **ret, const char *listen, const struct http_site *site, struct err *e)
	must_check_;
void http_close(struct http *h);
DEFINE_CLEANUP(struct http *, http_close, http_closep)

/* Poll this for reading, at most http_wait_ms() long (-1: no limit), and call http_run() then. */
int http_fd(const struct http *h);
int http_wait_ms(const struct http *h);
void http_run(struct http *h);

uint32_t http_n_connections(const struct http *h);

/* Where it listens: "127.0.0.1:9000", "[::1]:9000". */
void http_text(const struct http *h, char *ret, size_t size);
