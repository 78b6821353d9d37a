#include "report/csv_value.h"

#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* C0, DEL, and C1, whose U+009B is as good as ESC [ to some terminals. Ref: ECMA-48 s.5 */
static bool is_control(const char *s, size_t n)
{
	return (n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f)) ||
	       (n == 2 && memcmp(s, "\xc2\x80", 2) >= 0 && memcmp(s, "\xc2\x9f", 2) <= 0);
}

/*
 * Ref: RFC 4180 s.2, 6 and 7. Others chose these words: what would move a terminal's cursor, and
 * what is no UTF-8, becomes U+FFFD.
 */
void csv_quoted(const char *s, FILE *out)
{
	fputc('"', out);
	while (*s) {
		size_t n = str_utf8(s);

		if (*s == '"')
			fputs("\"\"", out);
		else if (n == 0 || is_control(s, n))
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(s, 1, n, out);
		s += n ? n : 1;
	}
	fputc('"', out);
}

static void csv_double(double v, FILE *out)
{
	if (isfinite(v))
		fprintf(out, "%.12g", v);
}

void csv_value(const struct field *f, const void *strct, FILE *out)
{
	const void *at = (const char *)strct + f->offset;

	switch (f->type) {
	case FIELD_T_BOOL:
		fputs(*(const bool *)at ? "true" : "false", out);
		return;
	case FIELD_T_U32:
		fprintf(out, "%u", *(const uint32_t *)at);
		return;
	case FIELD_T_U64:
		fprintf(out, "%" PRIu64, *(const uint64_t *)at);
		return;
	case FIELD_T_I64:
		fprintf(out, "%" PRId64, *(const int64_t *)at);
		return;
	case FIELD_T_DOUBLE:
		csv_double(*(const double *)at, out);
		return;
	case FIELD_T_STR:
		csv_quoted(at, out);
		return;
	case FIELD_T_U64S: /* a list is no cell */
	case FIELD_TYPE_N:
		break;
	}
	assert(false);
}
