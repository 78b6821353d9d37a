#include "path/guest_link.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIDE_OPTS(side, name)                                                                      \
	OPT_STR(struct guest_cfg, side.mac, name "-mac", 0, "<mac>", "its NIC there"),             \
		OPT_STR(struct guest_cfg, side.own, name "-own", 0, "<addr>",                      \
			"its address there"),                                                      \
		OPT_STR(struct guest_cfg, side.own_len, name "-len", 0, "<len>", "prefix length"), \
		OPT_STR(struct guest_cfg, side.end, name "-end", 0, "<addr>", "the end there"),    \
		OPT_STR(struct guest_cfg, side.end_mac, name "-end-mac", 0, "<mac>", "its device")

const struct opt guest_opts[] = {
	OPT_STR(struct guest_cfg, addr, "addr", 0, "<prefix>", "address of the end"),
	OPT_STR(struct guest_cfg, gateway, "gateway", 0, "<addr>", "where all else is reached"),
	OPT_FLAG(struct guest_cfg, ipv6, "ipv6", 0, "IPv6 is measured"),
	OPT_FLAG(struct guest_cfg, pod, "pod", 0, "the end is a container in the guest"),
	OPT_FLAG(struct guest_cfg, no_offloads, "no-offloads", 0, "switch off what can be"),
	OPT_U32(struct guest_cfg, mtu, "mtu", 0, "<bytes>", "of every link", .min = 576,
		.max = 65535),
	OPT_FLAG(struct guest_cfg, forwards, "forwards", 0, "it is a function between two NICs"),
	OPT_ENUM(struct guest_cfg, nf, "nf", 0, nf_kind_name, "which one"),
	SIDE_OPTS(side[NF_IN], "in"),
	SIDE_OPTS(side[NF_OUT], "out"),
	OPT_END,
};

void guest_cfg_text(const struct guest_cfg *cfg, char *ret, size_t size)
{
	ret[0] = '\0';
	for (const struct opt *o = guest_opts; o->name; o++) {
		char value[128];

		opt_get(o, cfg, value, sizeof(value));
		if (o->type == OPT_T_STR && !*value)
			continue;
		if (o->type != OPT_T_FLAG)
			str_addf(ret, size, "%s%s=%s", *ret ? "," : "", o->name, value);
		else if (strcmp(value, "on") == 0)
			str_addf(ret, size, "%s%s", *ret ? "," : "", o->name);
	}
}

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r;

	do
		r = poll(&p, 1, clock_left_ms(deadline_ns));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int write_all(int fd, const char *text, size_t len, uint64_t deadline_ns)
{
	for (size_t done = 0; done < len;) {
		int r = wait_for(fd, POLLOUT, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = write(fd, text + done, len - done);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Return: bytes read, at least one; or negative errno. */
static ssize_t read_some(int fd, char *buf, size_t size, uint64_t deadline_ns)
{
	for (;;) {
		int r = wait_for(fd, POLLIN, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, buf, size);
		if (n > 0)
			return n;
		if (n == 0 || errno != EAGAIN)
			return n == 0 || errno == ECONNRESET ? -EPIPE : -errno;
	}
}

int guest_say(struct guest_link *l, const char *line, uint64_t deadline_ns)
{
	char text[sizeof(l->buf)];

	snprintf(text, sizeof(text), "%.*s\n", (int)sizeof(text) - 2, line);
	return write_all(l->fd, text, strlen(text), deadline_ns);
}

int guest_hear(struct guest_link *l, char *ret, size_t size, uint64_t deadline_ns)
{
	char *end;

	while (!(end = memchr(l->buf, '\n', l->n))) {
		ssize_t n;

		if (l->n == sizeof(l->buf))
			return -EPROTO;
		n = read_some(l->fd, l->buf + l->n, sizeof(l->buf) - l->n, deadline_ns);
		if (n < 0)
			return (int)n;
		l->n += (size_t)n;
	}
	*end = '\0';
	(void)str_copy(ret, size, l->buf);
	l->n -= (size_t)(end + 1 - l->buf);
	memmove(l->buf, end + 1, l->n);
	return 0;
}

/* The newline in front can't be part of a token, so a failed match never hides another. */
int guest_token_write(int fd, const char *token, uint64_t deadline_ns)
{
	char text[GUEST_TOKEN_LEN + 2];

	snprintf(text, sizeof(text), "\n%s", token);
	return write_all(fd, text, strlen(text), deadline_ns);
}

int guest_token_await(int fd, const char *token, uint64_t deadline_ns)
{
	char text[GUEST_TOKEN_LEN + 2], c;
	size_t matched = 0;

	snprintf(text, sizeof(text), "\n%s", token);
	while (text[matched]) {
		ssize_t n = read_some(fd, &c, 1, deadline_ns);

		if (n < 0)
			return (int)n;
		matched = c == text[matched] ? matched + 1 : c == '\n' ? 1 : 0;
	}
	return 0;
}
