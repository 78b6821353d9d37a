#include "serve/log.h"

#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int log_open(struct log *l, const char *path, struct err *e)
{
	*l = (struct log){.fd = -1};
	l->fd = *path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640)
		      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return l->fd < 0 ? err_set(e, errno, "cannot open the log '%s'", *path ? path : "stderr")
			 : 0;
}

void log_close(struct log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void log_begin(struct log *l)
{
	char now[21];

	clock_utc(now);
	l->line[0] = '\0';
	log_add(l, "time", "%s", now);
	if (l->n_dropped)
		log_add(l, "lines_dropped", "%llu", (unsigned long long)l->n_dropped);
}

void log_add(struct log *l, const char *key, const char *fmt, ...)
{
	char value[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	str_addf(l->line, sizeof(l->line), "%s%s=%s", l->line[0] ? " " : "", key, value);
}

void log_add_text(struct log *l, const char *key, const char *text)
{
	str_addf(l->line, sizeof(l->line), " %s=\"", key);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			str_addf(l->line, sizeof(l->line), "\\%c", c);
		else if (isascii(c) && isprint(c))
			str_addf(l->line, sizeof(l->line), "%c", c);
		else
			str_addf(l->line, sizeof(l->line), "\\x%02x", c);
	}
	str_addf(l->line, sizeof(l->line), "\"");
}

void log_end(struct log *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLOUT};
	size_t len = strnlen(l->line, sizeof(l->line) - 2);

	l->line[len++] = '\n';
	if (poll(&p, 1, 0) == 1 && !(p.revents & POLLERR) &&
		write(l->fd, l->line, len) == (ssize_t)len)
		l->n_dropped = 0;
	else
		l->n_dropped++;
}
