/*
 * JSON Schema of json.c's document. What the document takes from a field or option table, the
 * schema takes from the same table; the rest is spelled out here in the order json.c writes it.
 */
#include "report/schema.h"

#include "base/str.h"
#include "base/version.h"
#include "bench/fields.h"
#include "report/report.h"

struct schema_object schema_object_new(void)
{
	return (struct schema_object){doc_object(), doc_object(), doc_array()};
}

struct schema_object schema_document_new(const char *name, uint32_t version, const char *title)
{
	struct schema_object o = schema_object_new();
	char id[64];

	snprintf(id, sizeof(id), "%s-%u", name, version);
	doc_put_str(o.schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
	doc_put_str(o.schema, "$id", id);
	doc_put_str(o.schema, "title", title);
	schema_object_add(&o, "schema", schema_constant(name));
	schema_object_add(&o, "schema_version", schema_constant_u64(version));
	schema_object_add(&o, "method_version", schema_constant_u64(METHOD_VERSION));
	schema_object_add(&o, "version", schema_type("string"));
	return o;
}

void schema_put_head(struct doc *d, const char *name, uint32_t version)
{
	doc_put_str(d, "schema", name);
	doc_put_u64(d, "schema_version", version);
	doc_put_u64(d, "method_version", METHOD_VERSION);
	doc_put_str(d, "version", TARE_VERSION);
}

void schema_object_add(struct schema_object *o, const char *key, struct doc *schema)
{
	doc_put(o->properties, key, schema);
	doc_append_str(o->required, key);
}

struct doc *schema_object_end(struct schema_object *o)
{
	doc_put_str(o->schema, "type", "object");
	doc_put(o->schema, "properties", o->properties);
	doc_put(o->schema, "required", o->required);
	doc_put_bool(o->schema, "additionalProperties", false);
	return o->schema;
}

struct doc *schema_type(const char *name)
{
	struct doc *d = doc_object();

	doc_put_str(d, "type", name);
	return d;
}

struct doc *schema_count(void)
{
	struct doc *d = schema_type("integer");

	doc_put_u64(d, "minimum", 0);
	return d;
}

struct doc *schema_array_of(struct doc *items)
{
	struct doc *d = schema_type("array");

	doc_put(d, "items", items);
	return d;
}

struct doc *schema_number_or_null(void)
{
	struct doc *d = doc_object();
	struct doc *types = doc_array();

	doc_append_str(types, "number");
	doc_append_str(types, "null");
	doc_put(d, "type", types);
	return d;
}

struct doc *schema_or_null(struct doc *schema)
{
	struct doc *d = doc_object();
	struct doc *any = doc_array();

	doc_append(any, schema);
	doc_append(any, schema_type("null"));
	doc_put(d, "anyOf", any);
	return d;
}

struct doc *schema_one_of(const char *const *names, uint32_t n)
{
	struct doc *d = schema_type("string");
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < n; i++)
		doc_append_str(list, names[i]);
	doc_put(d, "enum", list);
	return d;
}

struct doc *schema_constant(const char *v)
{
	struct doc *d = doc_object();

	doc_put_str(d, "const", v);
	return d;
}

struct doc *schema_constant_u64(uint64_t v)
{
	struct doc *d = doc_object();

	doc_put_u64(d, "const", v);
	return d;
}

static struct doc *field_type(const struct field *f)
{
	switch (f->type) {
	case FIELD_T_BOOL:
		return schema_type("boolean");
	case FIELD_T_U32:
	case FIELD_T_U64:
		return schema_count();
	case FIELD_T_I64:
		return schema_type("integer");
	case FIELD_T_DOUBLE:
		return schema_number_or_null();
	case FIELD_T_STR:
		return schema_type("string");
	case FIELD_T_U64S:
		return schema_array_of(schema_count());
	case FIELD_TYPE_N:
		break;
	}
	assert(false);
	return NULL;
}

void schema_describe(struct doc *schema, const char *text, const char *unit)
{
	char all[512] = "";

	str_addf(all, sizeof(all), "%s%s%s%s", text, *unit ? " (" : "", unit, *unit ? ")" : "");
	doc_put_str(schema, "description", all);
}

static void add_field(struct schema_object *o, const struct field *f, struct doc *type)
{
	schema_describe(type, f->doc, f->unit);
	schema_object_add(o, f->name, type);
}

void schema_add_fields(struct schema_object *o, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++)
		add_field(o, f, field_type(f));
}

void schema_add_fields_or_null(struct schema_object *o, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++)
		add_field(o, f, schema_or_null(field_type(f)));
}

void schema_add_opts(struct schema_object *o, const struct opt *opts)
{
	for (const struct opt *x = opts; x->name; x++) {
		struct doc *d = x->type == OPT_T_FLAG   ? schema_type("boolean")
				: x->type == OPT_T_STR  ? schema_type("string")
				: x->type == OPT_T_ENUM ? schema_one_of(x->names, x->n_names)
							: schema_count();

		schema_describe(d, x->help, num_unit_base(x->unit));
		schema_object_add(o, x->field, d);
	}
}

struct doc *schema_of_fields(const struct field *fields)
{
	struct schema_object o = schema_object_new();

	schema_add_fields(&o, fields);
	return schema_object_end(&o);
}

struct doc *schema_of_opts(const struct opt *opts)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, opts);
	return schema_object_end(&o);
}

static struct doc *config(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, bench_opts);
	schema_add_opts(&o, path_opts);
	return schema_object_end(&o);
}

/* Options of all paths, which every path has, and those of its kind. */
static struct doc *path_config(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, path_opts);
	doc_put_bool(o.schema, "additionalProperties", true);
	doc_put_str(o.schema, "type", "object");
	doc_put(o.schema, "properties", o.properties);
	doc_put(o.schema, "required", o.required);
	return o.schema;
}

static struct doc *path(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "name", schema_type("string"));
	schema_object_add(&o, "kind", schema_type("string"));
	schema_object_add(&o, "summary", schema_type("string"));
	schema_object_add(&o, "hops", schema_type("string"));
	schema_object_add(&o, "status", schema_one_of(status_name, STATUS_N));
	schema_object_add(&o, "config", path_config());
	schema_object_add(&o, "notes", schema_array_of(schema_type("string")));
	schema_add_fields(&o, path_result_fields);
	schema_object_add(&o, "guest", schema_or_null(schema_of_fields(env_fields)));
	return schema_object_end(&o);
}

static struct doc *load(void)
{
	struct doc *any = doc_array();
	struct doc *d = doc_object();

	for (size_t i = 0; load_table[i]; i++) {
		struct schema_object o = schema_object_new();

		schema_object_add(&o, "id", schema_type("string"));
		schema_object_add(&o, "name", schema_constant(load_table[i]->name));
		schema_object_add(&o, "config", schema_of_opts(load_table[i]->opts));
		doc_append(any, schema_object_end(&o));
	}
	doc_put(d, "anyOf", any);
	return d;
}

/* One variant per metric, so that a name and a unit that do not belong together are refused. */
static struct doc *metric(void)
{
	struct doc *any = doc_array();
	struct doc *d = doc_object();

	for (uint32_t i = 0; i < METRIC_N; i++) {
		struct schema_object o = schema_object_new();

		schema_object_add(&o, "metric", schema_constant(metric_table[i].name));
		schema_object_add(&o, "unit", schema_constant(metric_table[i].unit));
		schema_object_add(&o, "value", schema_of_fields(estimate_fields));
		schema_object_add(&o, "ratio", schema_or_null(schema_of_fields(estimate_fields)));
		schema_object_add(&o, "ceiling", schema_number_or_null());
		doc_put_str(o.schema, "description", metric_table[i].doc);
		doc_append(any, schema_object_end(&o));
	}
	doc_put(d, "anyOf", any);
	return d;
}

static struct doc *percentile(void)
{
	const char *names[32];
	struct schema_object o = schema_object_new();

	assert(metric_n_percentiles <= ARRAY_SIZE(names));
	for (uint32_t i = 0; i < metric_n_percentiles; i++)
		names[i] = metric_percentile[i].name;
	schema_object_add(&o, "metric", schema_one_of(names, metric_n_percentiles));
	schema_object_add(&o, "unit", schema_constant("ns"));
	schema_object_add(&o, "n", schema_count());
	schema_object_add(&o, "value", schema_type("number"));
	schema_object_add(&o, "ci_low", schema_type("number"));
	schema_object_add(&o, "ci_high", schema_type("number"));
	return schema_object_end(&o);
}

struct doc *schema_histogram(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "count", schema_count());
	schema_object_add(&o, "sum_ns", schema_count());
	schema_object_add(&o, "min_ns", schema_count());
	schema_object_add(&o, "max_ns", schema_count());
	schema_object_add(&o, "buckets", schema_array_of(schema_count()));
	return schema_object_end(&o);
}

static struct doc *cell(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "path", schema_type("string"));
	schema_object_add(&o, "load", schema_type("string"));
	schema_object_add(&o, "stop", schema_one_of(stop_reason_name, STOP_N));
	schema_add_fields(&o, cell_fields);
	schema_object_add(&o, "metrics", schema_array_of(metric()));
	schema_object_add(&o, "percentiles", schema_array_of(percentile()));
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		schema_object_add(&o, load_hist_name[i], schema_or_null(schema_histogram()));
	return schema_object_end(&o);
}

/* Only the meters that were armed at that end are there. */
static struct doc *meters(void)
{
	struct schema_object o = schema_object_new();
	struct doc *d;

	for (uint32_t i = 0; i < METER_N; i++)
		doc_put(o.properties, meter_table[i]->name,
			schema_of_fields(meter_table[i]->fields));
	d = schema_object_end(&o);
	doc_put_u64(d, "minProperties", 1);
	return d;
}

static struct doc *end_report(void)
{
	struct schema_object o = schema_object_new();

	schema_add_fields(&o, end_report_fields);
	schema_object_add(&o, "meters", meters());
	return schema_object_end(&o);
}

static struct doc *interval(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "n", schema_count());
	schema_object_add(&o, "near", schema_or_null(schema_of_fields(interval_fields)));
	schema_object_add(&o, "far", schema_or_null(schema_of_fields(interval_fields)));
	return schema_object_end(&o);
}

static struct doc *remote(void)
{
	struct schema_object o = schema_object_new();

	schema_add_fields(&o, remote_fields);
	schema_object_add(&o, "config", schema_of_opts(remote_opts));
	schema_object_add(&o, "environment", schema_of_fields(env_fields));
	return schema_object_end(&o);
}

/* What the controller read; empty when there was nothing for it to read. */
static struct doc *watch(void)
{
	static const enum meter_id by_controller[] = {METER_CPU, METER_DROPS};
	struct schema_object o = schema_object_new();

	for (size_t i = 0; i < ARRAY_SIZE(by_controller); i++)
		doc_put(o.properties, meter_table[by_controller[i]]->name,
			schema_of_fields(meter_table[by_controller[i]]->fields));
	return schema_object_end(&o);
}

/* near and far are absent from a trial that failed. */
static struct doc *trial(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "path", schema_type("string"));
	schema_object_add(&o, "load", schema_type("string"));
	schema_object_add(&o, "status", schema_one_of(status_name, STATUS_N));
	schema_add_fields(&o, trial_fields);
	schema_object_add(&o, "intervals", schema_array_of(interval()));
	schema_object_add(&o, "watch", watch());
	doc_put(o.properties, "near", end_report());
	doc_put(o.properties, "far", end_report());
	return schema_object_end(&o);
}

static struct doc *finding(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "finding", schema_type("string"));
	schema_object_add(&o, "path", schema_type("string"));
	schema_object_add(&o, "load", schema_type("string"));
	schema_object_add(&o, "text", schema_type("string"));
	return schema_object_end(&o);
}

int report_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-run", REPORT_SCHEMA_VERSION,
		"What tare compare, run and the loads print with --json");

	schema_add_fields(&o, run_fields);
	schema_object_add(&o, "config", config());
	schema_object_add(&o, "environment", schema_of_fields(env_fields));
	schema_object_add(&o, "remote", schema_or_null(remote()));
	schema_object_add(&o, "limits", schema_array_of(schema_type("string")));
	schema_object_add(&o, "paths", schema_array_of(path()));
	schema_object_add(&o, "loads", schema_array_of(load()));
	schema_object_add(&o, "cells", schema_array_of(cell()));
	schema_object_add(&o, "findings", schema_array_of(finding()));
	schema_object_add(&o, "trials", schema_array_of(trial()));
	d = schema_object_end(&o);
	return doc_write(d, out);
}
