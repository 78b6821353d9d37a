#include "sys/procirq.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* CPUs of the first line: words that begin with "CPU". */
static uint32_t columns(const char *text, uint32_t max)
{
	const char *end = text + strcspn(text, "\n");
	uint32_t n = 0;

	for (const char *p = strstr(text, "CPU"); p && p < end && n < max; p = strstr(p + 1, "CPU"))
		n++;
	return n;
}

/* Adds the numbers after the colon; a row may have fewer than there are CPUs ("ERR:"). */
static void add_row(const char *p, uint64_t *ret, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		char *end;
		uint64_t v;

		p += strspn(p, " \t");
		if (!isdigit((unsigned char)*p))
			return;
		v = strtoull(p, &end, 10);
		ret[i] += v;
		p = end;
	}
}

static const char *next_line(const char *p)
{
	p = strchr(p, '\n');
	return p ? p + 1 : NULL;
}

static bool is_number(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)name[i]))
			return false;
	return len > 0;
}

/* @name: NULL: all rows with a number for a name. */
static uint32_t sum_rows(const char *text, const char *name, uint64_t *ret, uint32_t max)
{
	uint32_t n = columns(text, max);
	bool any = false;

	memset(ret, 0, n * sizeof(*ret));
	for (const char *p = next_line(text); p && *p; p = next_line(p)) {
		const char *word = p + strspn(p, " \t");
		size_t len = strcspn(word, ":\n");

		if (word[len] != ':')
			continue;
		if (name ? strncmp(word, name, len) != 0 || name[len] : !is_number(word, len))
			continue;
		add_row(word + len + 1, ret, n);
		any = true;
	}
	return any ? n : 0;
}

uint32_t procirq_row(const char *text, const char *name, uint64_t *ret, uint32_t max)
{
	return sum_rows(text, name, ret, max);
}

uint32_t procirq_devices(const char *text, uint64_t *ret, uint32_t max)
{
	return sum_rows(text, NULL, ret, max);
}
