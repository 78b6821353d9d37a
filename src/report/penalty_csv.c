/* Trials of a penalty in lines, header first; empty where there is no number. RFC 4180. */
#include "report/penalty.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>

/* Ref: RFC 4180 s.2, 6 and 7. */
static void quoted(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void number(double v, FILE *out)
{
	if (isfinite(v))
		fprintf(out, "%.12g", v);
}

static void value(const struct field *f, const void *own, FILE *out)
{
	const void *at = (const char *)own + f->offset;

	if (f->type == FIELD_T_DOUBLE)
		number(*(const double *)at, out);
	else if (f->type == FIELD_T_U64)
		fprintf(out, "%" PRIu64, *(const uint64_t *)at);
	else if (f->type == FIELD_T_U32)
		fprintf(out, "%" PRIu32, *(const uint32_t *)at);
	else if (f->type == FIELD_T_BOOL)
		fputs(*(const bool *)at ? "true" : "false", out);
	else
		quoted(at, out);
}

int report_penalty_csv(const struct penalty *p, FILE *out)
{
	fputs("shares,neighbour,guard,status", out);
	for (const struct field *f = penalty_trial_fields; f->name; f++)
		fprintf(out, ",%s", f->name);
	fputc('\n', out);
	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];

		fprintf(out, "%s,%s,%s,%s", p->shares[t->shares].name, penalty_kind_name[t->kind],
			penalty_guard_name[t->guard], penalty_status_name[t->status]);
		for (const struct field *f = penalty_trial_fields; f->name; f++) {
			fputc(',', out);
			value(f, t, out);
		}
		fputc('\n', out);
	}
	return report_flush(out);
}
