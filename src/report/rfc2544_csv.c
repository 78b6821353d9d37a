/*
 * A campaign in lines: one per row and number, header first; empty where there is no number.
 * RFC 4180. The label stands in each line, for a line may be taken out of its file.
 */
#include "report/csv_value.h"
#include "report/report.h"
#include "report/rfc2544.h"

static void row_lines(const struct rfc *c, const struct rfc_unit *u, uint32_t i, FILE *out)
{
	const struct rfc_test *t = rfc_test_table[u->test];
	const char *own = (const char *)&u->row[i] + t->fields_offset;

	for (const struct field *f = t->fields; f->name; f++) {
		fprintf(out, "%s,%s,%u,%u,%s,%s,", t->name, c->size[u->size].mix.name, u->index, i,
			f->name, f->unit);
		csv_value(f, own, out);
		fprintf(out, ",%s,", rfc_status_name[u->row[i].status]);
		csv_quoted(u->row[i].verdict, out);
		fputc(',', out);
		csv_quoted(c->label, out);
		fputc('\n', out);
	}
}

int report_rfc2544_csv(const struct rfc *c, FILE *out)
{
	fputs("test,size,index,row,metric,unit,value,status,verdict,label\n", out);
	for (uint32_t i = 0; i < c->n_units; i++)
		for (uint32_t k = 0; k < c->unit[i]->n_rows; k++)
			row_lines(c, c->unit[i], k, out);
	return report_flush(out);
}
