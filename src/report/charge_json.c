/* The document of a run, the lines of a stream, and their schemas: the same rows in each. */
#include "report/charge.h"
#include "report/report.h"
#include "report/schema.h"

static const struct field charge_run_fields[] = {
	FIELD_U64(struct charge_run, interval_ns, "ns", "asked for"),
	FIELD_U64(struct charge_run, duration_ns, "ns", "asked for; 0: until it is stopped"),
	FIELD_END,
};

static const struct field run_end_fields[] = {
	FIELD_BOOL(struct charge_run, complete, "it was not stopped before its time"),
	FIELD_END,
};

static const struct field kernel_fields[] = {
	FIELD_BOOL(struct softirq_kernel, irq_time, "softirqs are left out of processes' CPU time"),
	FIELD_BOOL(struct softirq_kernel, sk_events,
		"packets of the host's own namespace are told by the socket's cgroup"),
	FIELD_BOOL(struct softirq_kernel, queues,
		"packets that a qdisc held are told by who put them in"),
	FIELD_BOOL(struct softirq_kernel, tunnels,
		"what a packet takes before it comes out of a tunnel goes with it; else the "
		"host's"),
	FIELD_BOOL(struct softirq_kernel, ebpf_cgroup2,
		"processes are told by their cgroups of v2, not of v1's cpu hierarchy"),
	FIELD_END,
};

static struct doc *row_cpus(const struct bill *b, uint32_t row)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < b->n_cpus; i++) {
		struct doc *d = doc_object();

		doc_put_u64(d, "cpu", i);
		doc_put_fields(d, softirq_account_fields, &b->cpu_row[i * b->n_rows + row]);
		doc_append(list, d);
	}
	return list;
}

static struct doc *row(const struct bill *b, uint32_t i)
{
	const struct bill_row *r = &b->row[i];
	struct doc *d = doc_object();

	doc_put_str(d, "kind", bill_kind(r));
	doc_put_fields(d, bill_who_fields, r);
	if (r->process_known)
		doc_put_fields(d, bill_process_fields, r);
	for (const struct field *f = bill_process_fields; !r->process_known && f->name; f++)
		doc_put_null(d, f->name);
	doc_put_fields(d, bill_row_fields, r);
	if (b->cpu_row)
		doc_put(d, "cpus", row_cpus(b, i));
	else
		doc_put_null(d, "cpus");
	return d;
}

static void put_bill(struct doc *d, const struct bill *b)
{
	struct doc *cpus = doc_array(), *rows = doc_array();

	doc_put_fields(d, bill_fields, b);
	for (uint32_t i = 0; i < b->n_cpus; i++) {
		struct doc *cpu = doc_object();

		doc_put_u64(cpu, "cpu", i);
		doc_put_fields(cpu, softirq_cpu_fields, &b->cpu[i]);
		doc_append(cpus, cpu);
	}
	for (uint32_t i = 0; i < b->n_rows; i++)
		doc_append(rows, row(b, i));
	doc_put(d, "cpus", cpus);
	doc_put(d, "rows", rows);
}

int report_charge_line(const struct bill *b, uint32_t event, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	schema_put_head(d, "tare-charge-line", CHARGE_STREAM_SCHEMA_VERSION);
	doc_put_str(d, "event", charge_event_name[event]);
	put_bill(d, b);
	return report_line(d, out);
}

int report_charge_json_begin(struct doc_growing *ret, const struct charge_run *run, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *config = doc_object(), *kernel = doc_object();

	doc_put_opts(config, charge_opts, &run->words);
	doc_put_fields(kernel, kernel_fields, &run->kernel);
	schema_put_head(d, "tare-charge", CHARGE_SCHEMA_VERSION);
	doc_put_fields(d, charge_run_fields, run);
	doc_put(d, "config", config);
	doc_put(d, "kernel", kernel);
	return doc_begin(ret, d, "intervals", out);
}

int report_charge_json_interval(struct doc_growing *g, const struct bill *b)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	put_bill(d, b);
	return doc_item(g, d);
}

int report_charge_json_end(struct doc_growing *g, const struct charge_run *run)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *total = doc_object();

	put_bill(total, &run->total);
	doc_put(d, "total", total);
	doc_put_fields(d, run_end_fields, run);
	return doc_end(g, d);
}

static struct doc *kind_schema(void)
{
	const char *names[SOFTIRQ_FIRST + CONTAINER_KIND_N] = {"host", "overhead"};

	for (uint32_t i = 0; i < CONTAINER_KIND_N; i++)
		names[SOFTIRQ_FIRST + i] = container_kind_name[i];
	return schema_one_of(names, ARRAY_SIZE(names));
}

static struct doc *of_cpu_schema(const struct field *fields)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "cpu", schema_count());
	schema_add_fields(&o, fields);
	return schema_object_end(&o);
}

static struct doc *row_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "kind", kind_schema());
	schema_add_fields(&o, bill_who_fields);
	schema_add_fields_or_null(&o, bill_process_fields);
	schema_add_fields(&o, bill_row_fields);
	schema_object_add(&o, "cpus",
		schema_or_null(schema_array_of(of_cpu_schema(softirq_account_fields))));
	return schema_object_end(&o);
}

static void add_bill(struct schema_object *o)
{
	schema_add_fields(o, bill_fields);
	schema_object_add(o, "cpus", schema_array_of(of_cpu_schema(softirq_cpu_fields)));
	schema_object_add(o, "rows", schema_array_of(row_schema()));
}

static struct doc *bill_schema(void)
{
	struct schema_object o = schema_object_new();

	add_bill(&o);
	return schema_object_end(&o);
}

int report_charge_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-charge", CHARGE_SCHEMA_VERSION,
		"What tare charge prints with --json");

	schema_add_fields(&o, charge_run_fields);
	schema_object_add(&o, "config", schema_of_opts(charge_opts));
	schema_object_add(&o, "kernel", schema_of_fields(kernel_fields));
	schema_object_add(&o, "intervals", schema_array_of(bill_schema()));
	schema_object_add(&o, "total", bill_schema());
	schema_add_fields(&o, run_end_fields);
	d = schema_object_end(&o);
	return doc_write(d, out);
}

int report_charge_stream_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o =
		schema_document_new("tare-charge-line", CHARGE_STREAM_SCHEMA_VERSION,
			"Each line that tare charge prints with --json-stream");

	schema_object_add(&o, "event", schema_one_of(charge_event_name, CHARGE_EVENT_N));
	add_bill(&o);
	d = schema_object_end(&o);
	return doc_write(d, out);
}
