/*
 * JSON Schema of json.c's document. What the document takes from a field or option table, the
 * schema takes from the same table; the rest is spelled out here in the order json.c writes it.
 */
#include "base/str.h"
#include "base/version.h"
#include "bench/fields.h"
#include "report/report.h"
#include "wire/doc.h"

/* An object schema under construction: every key added is required, no other is allowed. */
struct object {
	struct doc *schema, *properties, *required;
};

static struct object object_new(void)
{
	return (struct object){doc_object(), doc_object(), doc_array()};
}

static void object_add(struct object *o, const char *key, struct doc *schema)
{
	doc_put(o->properties, key, schema);
	doc_append_str(o->required, key);
}

static struct doc *object_end(struct object *o)
{
	doc_put_str(o->schema, "type", "object");
	doc_put(o->schema, "properties", o->properties);
	doc_put(o->schema, "required", o->required);
	doc_put_bool(o->schema, "additionalProperties", false);
	return o->schema;
}

static struct doc *type(const char *name)
{
	struct doc *d = doc_object();

	doc_put_str(d, "type", name);
	return d;
}

static struct doc *count(void)
{
	struct doc *d = type("integer");

	doc_put_u64(d, "minimum", 0);
	return d;
}

static struct doc *array_of(struct doc *items)
{
	struct doc *d = type("array");

	doc_put(d, "items", items);
	return d;
}

static struct doc *number_or_null(void)
{
	struct doc *d = doc_object();
	struct doc *types = doc_array();

	doc_append_str(types, "number");
	doc_append_str(types, "null");
	doc_put(d, "type", types);
	return d;
}

static struct doc *or_null(struct doc *schema)
{
	struct doc *d = doc_object();
	struct doc *any = doc_array();

	doc_append(any, schema);
	doc_append(any, type("null"));
	doc_put(d, "anyOf", any);
	return d;
}

static struct doc *one_of(const char *const *names, uint32_t n)
{
	struct doc *d = type("string");
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < n; i++)
		doc_append_str(list, names[i]);
	doc_put(d, "enum", list);
	return d;
}

static struct doc *constant(const char *v)
{
	struct doc *d = doc_object();

	doc_put_str(d, "const", v);
	return d;
}

static struct doc *constant_u64(uint64_t v)
{
	struct doc *d = doc_object();

	doc_put_u64(d, "const", v);
	return d;
}

static struct doc *field_type(const struct field *f)
{
	switch (f->type) {
	case FIELD_T_BOOL:
		return type("boolean");
	case FIELD_T_U32:
	case FIELD_T_U64:
		return count();
	case FIELD_T_DOUBLE:
		return number_or_null();
	case FIELD_T_STR:
		return type("string");
	case FIELD_T_U64S:
		return array_of(count());
	case FIELD_TYPE_N:
		break;
	}
	assert(false);
	return NULL;
}

static void describe(struct doc *schema, const char *text, const char *unit)
{
	char all[512] = "";

	str_addf(all, sizeof(all), "%s%s%s%s", text, *unit ? " (" : "", unit, *unit ? ")" : "");
	doc_put_str(schema, "description", all);
}

static void add_fields(struct object *o, const struct field *fields)
{
	for (const struct field *f = fields; f->name; f++) {
		struct doc *d = field_type(f);

		describe(d, f->doc, f->unit);
		object_add(o, f->name, d);
	}
}

static void add_opts(struct object *o, const struct opt *opts)
{
	for (const struct opt *x = opts; x->name; x++) {
		struct doc *d = x->type == OPT_T_FLAG   ? type("boolean")
				: x->type == OPT_T_STR  ? type("string")
				: x->type == OPT_T_ENUM ? one_of(x->names, x->n_names)
							: count();

		describe(d, x->help, num_unit_base(x->unit));
		object_add(o, x->field, d);
	}
}

static struct doc *of_fields(const struct field *fields)
{
	struct object o = object_new();

	add_fields(&o, fields);
	return object_end(&o);
}

static struct doc *of_opts(const struct opt *opts)
{
	struct object o = object_new();

	add_opts(&o, opts);
	return object_end(&o);
}

static struct doc *config(void)
{
	struct object o = object_new();

	add_opts(&o, bench_opts);
	add_opts(&o, path_opts);
	return object_end(&o);
}

/* Options of all paths, which every path has, and those of its kind. */
static struct doc *path_config(void)
{
	struct object o = object_new();

	add_opts(&o, path_opts);
	doc_put_bool(o.schema, "additionalProperties", true);
	doc_put_str(o.schema, "type", "object");
	doc_put(o.schema, "properties", o.properties);
	doc_put(o.schema, "required", o.required);
	return o.schema;
}

static struct doc *path(void)
{
	struct object o = object_new();

	object_add(&o, "name", type("string"));
	object_add(&o, "kind", type("string"));
	object_add(&o, "summary", type("string"));
	object_add(&o, "hops", type("string"));
	object_add(&o, "status", one_of(status_name, STATUS_N));
	object_add(&o, "config", path_config());
	object_add(&o, "notes", array_of(type("string")));
	add_fields(&o, path_result_fields);
	object_add(&o, "guest", or_null(of_fields(env_fields)));
	return object_end(&o);
}

static struct doc *load(void)
{
	struct doc *any = doc_array();
	struct doc *d = doc_object();

	for (size_t i = 0; load_table[i]; i++) {
		struct object o = object_new();

		object_add(&o, "id", type("string"));
		object_add(&o, "name", constant(load_table[i]->name));
		object_add(&o, "config", of_opts(load_table[i]->opts));
		doc_append(any, object_end(&o));
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
		struct object o = object_new();

		object_add(&o, "metric", constant(metric_table[i].name));
		object_add(&o, "unit", constant(metric_table[i].unit));
		object_add(&o, "value", of_fields(estimate_fields));
		object_add(&o, "ratio", or_null(of_fields(estimate_fields)));
		object_add(&o, "ceiling", number_or_null());
		doc_put_str(o.schema, "description", metric_table[i].doc);
		doc_append(any, object_end(&o));
	}
	doc_put(d, "anyOf", any);
	return d;
}

static struct doc *percentile(void)
{
	const char *names[32];
	struct object o = object_new();

	assert(metric_n_percentiles <= ARRAY_SIZE(names));
	for (uint32_t i = 0; i < metric_n_percentiles; i++)
		names[i] = metric_percentile[i].name;
	object_add(&o, "metric", one_of(names, metric_n_percentiles));
	object_add(&o, "unit", constant("ns"));
	object_add(&o, "n", count());
	object_add(&o, "value", type("number"));
	object_add(&o, "ci_low", type("number"));
	object_add(&o, "ci_high", type("number"));
	return object_end(&o);
}

static struct doc *histogram(void)
{
	struct object o = object_new();

	object_add(&o, "count", count());
	object_add(&o, "sum_ns", count());
	object_add(&o, "min_ns", count());
	object_add(&o, "max_ns", count());
	object_add(&o, "buckets", array_of(count()));
	return object_end(&o);
}

static struct doc *cell(void)
{
	struct object o = object_new();

	object_add(&o, "path", type("string"));
	object_add(&o, "load", type("string"));
	object_add(&o, "stop", one_of(stop_reason_name, STOP_N));
	add_fields(&o, cell_fields);
	object_add(&o, "metrics", array_of(metric()));
	object_add(&o, "percentiles", array_of(percentile()));
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		object_add(&o, load_hist_name[i], or_null(histogram()));
	return object_end(&o);
}

/* Only the meters that were armed at that end are there. */
static struct doc *meters(void)
{
	struct object o = object_new();
	struct doc *d;

	for (uint32_t i = 0; i < METER_N; i++)
		doc_put(o.properties, meter_table[i]->name, of_fields(meter_table[i]->fields));
	d = object_end(&o);
	doc_put_u64(d, "minProperties", 1);
	return d;
}

static struct doc *end_report(void)
{
	struct object o = object_new();

	add_fields(&o, end_report_fields);
	object_add(&o, "meters", meters());
	return object_end(&o);
}

static struct doc *interval(void)
{
	struct object o = object_new();

	object_add(&o, "n", count());
	object_add(&o, "near", or_null(of_fields(interval_fields)));
	object_add(&o, "far", or_null(of_fields(interval_fields)));
	return object_end(&o);
}

static struct doc *remote(void)
{
	struct object o = object_new();

	add_fields(&o, remote_fields);
	object_add(&o, "config", of_opts(remote_opts));
	object_add(&o, "environment", of_fields(env_fields));
	return object_end(&o);
}

/* What the controller read; empty when there was nothing for it to read. */
static struct doc *watch(void)
{
	static const enum meter_id by_controller[] = {METER_CPU, METER_DROPS};
	struct object o = object_new();

	for (size_t i = 0; i < ARRAY_SIZE(by_controller); i++)
		doc_put(o.properties, meter_table[by_controller[i]]->name,
			of_fields(meter_table[by_controller[i]]->fields));
	return object_end(&o);
}

/* near and far are absent from a trial that failed. */
static struct doc *trial(void)
{
	struct object o = object_new();

	object_add(&o, "path", type("string"));
	object_add(&o, "load", type("string"));
	object_add(&o, "status", one_of(status_name, STATUS_N));
	add_fields(&o, trial_fields);
	object_add(&o, "intervals", array_of(interval()));
	object_add(&o, "watch", watch());
	doc_put(o.properties, "near", end_report());
	doc_put(o.properties, "far", end_report());
	return object_end(&o);
}

static struct doc *finding(void)
{
	struct object o = object_new();

	object_add(&o, "finding", type("string"));
	object_add(&o, "path", type("string"));
	object_add(&o, "load", type("string"));
	object_add(&o, "text", type("string"));
	return object_end(&o);
}

int report_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct object o = object_new();

	doc_put_str(o.schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
	doc_put_str(o.schema, "$id", "tare-run-1");
	doc_put_str(o.schema, "title", "What tare compare, run and the loads print with --json");
	object_add(&o, "schema", constant("tare-run"));
	object_add(&o, "schema_version", constant_u64(REPORT_SCHEMA_VERSION));
	object_add(&o, "method_version", constant_u64(METHOD_VERSION));
	object_add(&o, "version", type("string"));
	add_fields(&o, run_fields);
	object_add(&o, "config", config());
	object_add(&o, "environment", of_fields(env_fields));
	object_add(&o, "remote", or_null(remote()));
	object_add(&o, "limits", array_of(type("string")));
	object_add(&o, "paths", array_of(path()));
	object_add(&o, "loads", array_of(load()));
	object_add(&o, "cells", array_of(cell()));
	object_add(&o, "findings", array_of(finding()));
	object_add(&o, "trials", array_of(trial()));
	d = object_end(&o);
	return doc_write(d, out);
}
