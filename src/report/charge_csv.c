/*
 * A line a row and, where CPUs are told apart, a line a row and CPU, whose processes' time is not
 * known: empty. RFC 4180.
 */
#include "charge/bill_sum.h"
#include "report/charge.h"
#include "report/csv_value.h"

const char *const charge_event_name[CHARGE_EVENT_N] = {
	[CHARGE_INTERVAL] = "interval",
	[CHARGE_TOTAL] = "total",
};
static_assert(ARRAY_SIZE(charge_event_name) == CHARGE_EVENT_N, "a name for each");

static void head_fields(const struct field *f, FILE *out)
{
	for (; f->name; f++)
		fprintf(out, ",%s", f->name);
}

void report_charge_csv_head(FILE *out)
{
	fputs("event,from_ns,to_ns,cpu,kind", out);
	head_fields(bill_who_fields, out);
	head_fields(bill_process_fields, out);
	head_fields(bill_row_fields, out);
	fputc('\n', out);
}

static void fields(const struct field *f, const void *strct, bool known, FILE *out)
{
	for (; f->name; f++) {
		fputc(',', out);
		if (known)
			csv_value(f, strct, out);
	}
}

/* @cpu: "" for all of them together */
static void line(const struct bill *b, uint32_t event, const char *cpu, const struct bill_row *r,
	FILE *out)
{
	fprintf(out, "%s,%llu,%llu,%s,%s", charge_event_name[event], (unsigned long long)b->from_ns,
		(unsigned long long)b->to_ns, cpu, bill_kind(r));
	fields(bill_who_fields, r, true, out);
	fields(bill_process_fields, r, r->process_known, out);
	fields(bill_row_fields, r, true, out);
	fputc('\n', out);
}

static void cpu_lines(const struct bill *b, uint32_t event, uint32_t row, FILE *out)
{
	char cpu[16];

	for (uint32_t i = 0; b->cpu_row && i < b->n_cpus; i++) {
		struct bill_row r = b->row[row];

		r.soft = b->cpu_row[i * b->n_rows + row];
		bill_row_sum(&r, false);
		r.process_known = false;
		snprintf(cpu, sizeof(cpu), "%u", i);
		line(b, event, cpu, &r, out);
	}
}

void report_charge_csv(const struct bill *b, uint32_t event, FILE *out)
{
	for (uint32_t i = 0; i < b->n_rows; i++) {
		line(b, event, "", &b->row[i], out);
		cpu_lines(b, event, i, out);
	}
	fflush(out);
}
