#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Keeps messages one line, whatever text an outside library or peer put into them. */
static void flatten(char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ')
			s[i] = ' ';
	while (len > 0 && s[len - 1] == ' ')
		s[--len] = '\0';
}

static printf_(4, 0) int set(struct err *e, int errnum, bool with_strerror, const char *fmt,
	va_list ap)
{
	int code = errnum ? -errnum : -EINVAL;
	int n;

	if (!e)
		return code;

	e->code = code;
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	if (with_strerror && n >= 0 && (size_t)n < sizeof(e->text))
		snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(-code));
	flatten(e->text);
	return code;
}

int err_set(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set(e, errnum, true, fmt, ap);
	va_end(ap);
	return r;
}

int err_say(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = set(e, errnum, false, fmt, ap);
	va_end(ap);
	return r;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(e->text)];
	va_list ap;
	int n;

	if (!e)
		return -EINVAL;

	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->text))
		snprintf(e->text + n, sizeof(e->text) - n, ": %s", inner);
	flatten(e->text);
	return e->code ? e->code : -EINVAL;
}
