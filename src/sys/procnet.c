#include "sys/procnet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NO_COLUMN UINT32_MAX

static const char *next_line(const char *s)
{
	s = strchr(s, '\n');
	return s ? s + 1 : "";
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

static const char *skip_word(const char *s)
{
	return s + strcspn(s, " \t\n");
}

static bool word_is(const char *s, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(skip_word(s) - s) == len && strncmp(s, word, len) == 0;
}

/* Which word of this line is @name. */
static uint32_t find_word(const char *line, const char *name)
{
	uint32_t i = 0;

	for (const char *s = skip_blanks(line); *s && *s != '\n';
		s = skip_blanks(skip_word(s)), i++)
		if (word_is(s, name))
			return i;
	return NO_COLUMN;
}

/* Word @i of this line as a number; 0: there is none. */
static uint64_t number_at(const char *line, uint32_t i, int base)
{
	const char *s = skip_blanks(line);

	for (; i > 0 && *s && *s != '\n'; i--)
		s = skip_blanks(skip_word(s));
	return *s && *s != '\n' ? strtoull(s, NULL, base) : 0;
}

static bool line_of(const char *line, const char *proto)
{
	size_t len = strlen(proto);

	return strncmp(line, proto, len) == 0 && line[len] == ':';
}

uint64_t procnet_snmp(const char *text, const char *proto, const char *name)
{
	while (*text && !line_of(text, proto))
		text = next_line(text);
	if (*text) {
		uint32_t i = find_word(text, name);
		const char *values = next_line(text);

		return i == NO_COLUMN || !line_of(values, proto) ? 0 : number_at(values, i, 10);
	}
	return 0;
}

uint64_t procnet_snmp6(const char *text, const char *name)
{
	for (; *text; text = next_line(text))
		if (word_is(text, name))
			return number_at(text, 1, 10);
	return 0;
}

uint64_t procnet_column(const char *text, uint32_t i)
{
	uint64_t sum = 0;

	for (; *text; text = next_line(text))
		sum += number_at(text, i, 16);
	return sum;
}

uint64_t procnet_named_column(const char *text, const char *name)
{
	uint32_t i = find_word(text, name);

	return i == NO_COLUMN ? 0 : procnet_column(next_line(text), i);
}
