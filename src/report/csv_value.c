#include "report/csv_value.h"

#include <inttypes.h>
#include <math.h>

/* Ref: RFC 4180 s.2, 6 and 7. */
void csv_quoted(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s; s++)
		fputs(*s == '"' ? "\"\"" : (char[]){*s, '\0'}, out);
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
