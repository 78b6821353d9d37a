/* Trials of a penalty in lines, header first; empty where there is no number. RFC 4180. */
#include "report/csv_value.h"
#include "report/penalty.h"
#include "report/report.h"

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
			csv_value(f, t, out);
		}
		fputc('\n', out);
	}
	return report_flush(out);
}
