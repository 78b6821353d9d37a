/*
 * libmicrohttpd is loaded when a server is opened: it brings GnuTLS and what that needs, which
 * every other tare would map as it starts and every guest boot with (sys/selfexe.h).
 */
#include "serve/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "serve/server.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

/* The ABI that the header describes. */
#define LIBRARY "libmicrohttpd.so.12"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* What is called of it: struct mhd has a member for each, mhd_call[] its name and place. */
#define MHD_CALLS(X)                                                                               \
	X(MHD_start_daemon)                                                                        \
	X(MHD_stop_daemon)                                                                         \
	X(MHD_run)                                                                                 \
	X(MHD_get_timeout)                                                                         \
	X(MHD_get_daemon_info)                                                                     \
	X(MHD_get_connection_info)                                                                 \
	X(MHD_lookup_connection_value)                                                             \
	X(MHD_create_response_from_buffer)                                                         \
	X(MHD_add_response_header)                                                                 \
	X(MHD_queue_response)                                                                      \
	X(MHD_destroy_response)

#define MEMBER(name) typeof(name) *name;
#define ROW(name)    {#name, offsetof(struct mhd, name)},
struct mhd {
	MHD_CALLS(MEMBER)
};
static const struct {
	const char *name;
	size_t offset;
} mhd_call[] = {MHD_CALLS(ROW)};

/* A connection, so that it can be ended. */
struct held {
	uint64_t until_ns; /* 0: none */
	int fd;            /* the library's */
};

struct http {
	struct mhd mhd;
	struct MHD_Daemon *daemon;
	const struct http_site *site;
	char ip[SOCK_ADDR_LEN];
	int fd, listen_fd; /* of the daemon */
	struct held held[HTTP_MAX_CONNECTIONS];
};

/* Return: 0, or HTTP_UNAVAILABLE. The library stays as long as the process. */
static int load(struct mhd *m, struct err *e)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!library) {
		(void)err_say(e, ENOENT, "the HTTP server needs libmicrohttpd: %s", dlerror());
		return HTTP_UNAVAILABLE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(mhd_call); i++) {
		void *call = dlsym(library, mhd_call[i].name);

		memcpy((char *)m + mhd_call[i].offset, &call, sizeof(call));
		if (call)
			continue;
		dlclose(library);
		(void)err_say(e, ENOENT, LIBRARY " has no %s", mhd_call[i].name);
		return HTTP_UNAVAILABLE;
	}
	dlclose(library); /* RTLD_NODELETE: it is not unloaded */
	return 0;
}

static int read_port(const char *text, uint16_t *ret, struct err *e)
{
	uint64_t port;

	if (num_parse(text, NUM_COUNT, &port, NULL) < 0 || port > UINT16_MAX)
		return err_say(e, EINVAL, "'%s' is not a port", text);
	*ret = (uint16_t)port;
	return 0;
}

int http_addr(const char *text, char ret_ip[static SOCK_ADDR_LEN], uint16_t *ret_port,
	struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	struct sockaddr_storage addr;
	char host[SOCK_ADDR_LEN + 2];
	bool brackets;
	char *ip = host;

	if (n >= sizeof(host))
		return err_say(e, EINVAL, "'%s' is not ADDR:PORT", text);
	memcpy(host, text, n);
	host[n] = '\0';
	brackets = n >= 2 && host[0] == '[' && host[n - 1] == ']';
	if (brackets) {
		host[n - 1] = '\0';
		ip++;
	} else if (n == 0) {
		str_set(host, "127.0.0.1");
	}
	if (brackets != (strchr(ip, ':') != NULL) || sock_addr(&addr, ip, 0, NULL) < 0)
		return err_say(e, EINVAL,
			"'%s' is not ADDR:PORT with an IPv4 address, an IPv6 address in brackets, "
			"or no address",
			text);
	(void)str_copy(ret_ip, SOCK_ADDR_LEN, ip);
	return read_port(colon ? colon + 1 : text, ret_port, e);
}

/* Takes @page's body. Return: MHD_YES, or MHD_NO, on which the connection is closed. */
static enum MHD_Result reply(struct http *h, struct MHD_Connection *c, unsigned int status,
	const struct http_page *page)
{
	struct MHD_Response *r = h->mhd.MHD_create_response_from_buffer(page->n_bytes, page->body,
		MHD_RESPMEM_MUST_FREE);
	enum MHD_Result done;

	if (!r) {
		free(page->body);
		return MHD_NO;
	}
	(void)h->mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)h->mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	done = h->mhd.MHD_queue_response(c, status, r);
	h->mhd.MHD_destroy_response(r);
	return done;
}

static enum MHD_Result say(struct http *h, struct MHD_Connection *c, unsigned int status,
	const char *text)
{
	struct http_page page = {.type = TEXT_TYPE, .body = xasprintf("%s\n", text)};

	page.n_bytes = strlen(page.body);
	return reply(h, c, status, &page);
}

static enum MHD_Result send_page(struct http *h, struct MHD_Connection *c)
{
	const char *accept =
		h->mhd.MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct http_page page = {0};
	struct err e = {0};
	int r = h->site->make(h->site->ctx, accept, &page, &e);

	return r < 0 ? say(h, c, MHD_HTTP_INTERNAL_SERVER_ERROR, e.text)
		     : reply(h, c, MHD_HTTP_OK, &page);
}

static bool has_body(struct http *h, struct MHD_Connection *c)
{
	const char *length = h->mhd.MHD_lookup_connection_value(c, MHD_HEADER_KIND,
		MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) ||
	       h->mhd.MHD_lookup_connection_value(c, MHD_HEADER_KIND,
		       MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/*
 * Called when a request's head is there, and again when all of it is. What is answered the first
 * time ends the connection, and a body is never read.
 */
static enum MHD_Result answer(void *ctx, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *data_bytes, void **seen)
{
	struct http *h = ctx;

	(void)version;
	(void)data;
	(void)data_bytes;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(h, c, MHD_HTTP_METHOD_NOT_ALLOWED, "there is GET and HEAD only");
	if (has_body(h, c))
		return say(h, c, MHD_HTTP_BAD_REQUEST, "a request may have no body here");
	if (!*seen) {
		*seen = h;
		return MHD_YES;
	}
	if (strcmp(url, h->site->path) == 0)
		return send_page(h, c);
	return strcmp(url, "/") == 0 ? say(h, c, MHD_HTTP_OK, h->site->index)
				     : say(h, c, MHD_HTTP_NOT_FOUND, "there is / and no more");
}

static uint64_t deadline(const struct http *h)
{
	const uint64_t ms = h->site->request_ms ? h->site->request_ms : HTTP_REQUEST_MS;

	return clock_now_ns() + ms * NSEC_PER_MSEC;
}

static void connected(void *ctx, struct MHD_Connection *c, void **held,
	enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct http *h = ctx;
	struct held *at = *held;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (at)
			at->until_ns = 0;
		return;
	}
	info = h->mhd.MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (uint32_t i = 0; info && !*held && i < HTTP_MAX_CONNECTIONS; i++) {
		if (h->held[i].until_ns)
			continue;
		h->held[i] = (struct held){deadline(h), info->connect_fd};
		*held = &h->held[i];
	}
}

static void answered(void *ctx, struct MHD_Connection *c, void **seen,
	enum MHD_RequestTerminationCode how)
{
	struct http *h = ctx;
	const union MHD_ConnectionInfo *info =
		h->mhd.MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct held *at = info ? info->socket_context : NULL;

	(void)seen;
	(void)how;
	if (at)
		at->until_ns = deadline(h);
}

/* The library finds them closed by their other ends. */
static void end_slow(struct http *h)
{
	uint64_t now = clock_now_ns();

	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++)
		if (h->held[i].until_ns && h->held[i].until_ns <= now)
			(void)shutdown(h->held[i].fd, SHUT_RDWR); /* gone already: as wanted */
}

static int start(struct http *h, int listen_fd, struct err *e)
{
	const union MHD_DaemonInfo *info;

	h->daemon = h->mhd.MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, h,
		MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
		HTTP_MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT, HTTP_MAX_PER_ADDR,
		MHD_OPTION_NOTIFY_CONNECTION, connected, h, MHD_OPTION_NOTIFY_COMPLETED, answered,
		h, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MAX_HEAD_BYTES, MHD_OPTION_END);
	if (!h->daemon)
		return err_say(e, EIO, "cannot start the HTTP server");
	h->listen_fd = listen_fd;
	info = h->mhd.MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return err_say(e, EIO, "the HTTP server has no descriptor to wait for");
	h->fd = info->epoll_fd;
	return 0;
}

int http_open(struct http **ret, const char *listen, const struct http_site *site, struct err *e)
{
	_cleanup_(http_closep) struct http *h = xcalloc(1, sizeof(*h));
	_cleanup_(closep) int fd = -1;
	uint16_t port;
	int r;

	h->site = site;
	r = http_addr(listen, h->ip, &port, e);
	if (r < 0)
		return r;
	r = load(&h->mhd, e);
	if (r != 0)
		return r;
	fd = listen_at(SOCK_STREAM, h->ip, port, e);
	if (fd < 0)
		return fd;
	/* Closed by the library from here on, also when it does not start. */
	r = start(h, take_fd(fd), e);
	if (r < 0)
		return r;
	*ret = take_ptr(h);
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->daemon)
		h->mhd.MHD_stop_daemon(h->daemon);
	free(h);
}

int http_fd(const struct http *h)
{
	return h->fd;
}

int http_wait_ms(const struct http *h)
{
	unsigned MHD_LONG_LONG ms;
	int wait_ms = h->mhd.MHD_get_timeout(h->daemon, &ms) == MHD_YES
			      ? (int)MIN(ms, INT_MAX + 0ULL)
			      : INT_MAX;

	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++)
		if (h->held[i].until_ns)
			wait_ms = MIN(wait_ms, clock_left_ms(h->held[i].until_ns));
	return wait_ms == INT_MAX ? -1 : wait_ms;
}

void http_run(struct http *h)
{
	uint64_t end_ns = clock_now_ns() + HTTP_TURN_NS;

	end_slow(h);
	do
		(void)h->mhd.MHD_run(h->daemon); /* fails if epoll does; the loop tries again */
	while (http_wait_ms(h) == 0 && clock_now_ns() < end_ns);
}

uint32_t http_n_connections(const struct http *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < HTTP_MAX_CONNECTIONS; i++)
		n += h->held[i].until_ns != 0;
	return n;
}

void http_text(const struct http *h, char *ret, size_t size)
{
	ret[0] = '\0';
	listen_where(h->ip, h->listen_fd, ret, size);
}
