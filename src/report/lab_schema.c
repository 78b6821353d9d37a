/* JSON Schema of what labfile_read() takes, from the tables of options, paths and loads. */
#include "bench/labfile.h"
#include "report/report.h"
#include "report/schema.h"

#include <stdio.h>
#include <string.h>

/* A number that begins a text with its unit: "500ms", "1.5Gbps", "64k". */
static struct doc *number_text(void)
{
	struct doc *d = schema_type("string");

	doc_put_str(d, "pattern", "^[0-9]");
	return d;
}

static struct doc *whole(uint64_t min, uint64_t max)
{
	struct doc *d = schema_type("integer");

	doc_put_u64(d, "minimum", min);
	if (max)
		doc_put_u64(d, "maximum", max);
	return d;
}

static struct doc *zero(void)
{
	struct doc *d = doc_object();

	doc_put_u64(d, "const", 0);
	return d;
}

/* As text, or as a number where that needs no unit. */
static struct doc *number(const struct opt *o)
{
	struct doc *d = doc_object(), *any = doc_array();

	if (o->unit == NUM_COUNT || o->unit == NUM_BYTES)
		doc_append(any, whole(o->min, o->max));
	if (o->zero_ok)
		doc_append(any, zero());
	doc_append(any, number_text());
	doc_put(d, "anyOf", any);
	return d;
}

static struct doc *text(const struct opt *o)
{
	struct doc *d = schema_type("string");

	doc_put_u64(d, "maxLength", o->size - 1);
	return d;
}

static bool is_for_files(const char *name)
{
	for (const char *const *not = labfile_not_options; *not ; not ++)
		if (strcmp(*not, name) == 0)
			return false;
	return true;
}

/* A name that several parts have is described by the first of them. */
static void add_options(struct doc *properties, const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->name; o++) {
		struct doc *d;

		if (!is_for_files(o->name) || doc_get(properties, o->name))
			continue;
		d = o->type == OPT_T_FLAG   ? schema_type("boolean")
		    : o->type == OPT_T_ENUM ? schema_one_of(o->names, o->n_names)
		    : o->type == OPT_T_STR  ? text(o)
					    : number(o);
		schema_describe(d, o->help, "");
		doc_put(properties, o->name, d);
	}
}

static struct doc *object_of(struct doc *properties, const char *required)
{
	struct doc *d = schema_type("object");

	doc_put(d, "properties", properties);
	if (required) {
		struct doc *names = doc_array();

		doc_append_str(names, required);
		doc_put(d, "required", names);
	}
	doc_put_bool(d, "additionalProperties", false);
	return d;
}

/* One thing of a list: its name with options, or the words of the command line. */
static struct doc *by_name(const char *key, const char *name, struct doc *options)
{
	struct doc *properties = doc_object();

	doc_put(properties, key, schema_constant(name));
	doc_put(properties, "options", object_of(options, NULL));
	return properties;
}

static struct doc *list_of(struct doc *any)
{
	struct doc *d, *item = doc_object();

	doc_append(any, schema_type("string"));
	doc_put(item, "anyOf", any);
	d = schema_array_of(item);
	doc_put_u64(d, "minItems", 1);
	return d;
}

static struct doc *paths(void)
{
	struct doc *any = doc_array();

	for (size_t i = 0; path_table[i]; i++) {
		const struct path_ops *ops = path_table[i];
		struct doc *properties, *options = doc_object();

		add_options(options, ops->opts);
		add_options(options, ops->kin_opts);
		add_options(options, path_opts);
		properties = by_name("path", ops->name, options);
		if (ops->arg)
			doc_put(properties, "argument", schema_type("string"));
		doc_append(any, object_of(properties, "path"));
	}
	return list_of(any);
}

static struct doc *loads(void)
{
	struct doc *any = doc_array();

	for (size_t i = 0; load_table[i]; i++) {
		struct doc *options = doc_object();

		add_options(options, load_table[i]->opts);
		doc_append(any, object_of(by_name("load", load_table[i]->name, options), "load"));
	}
	return list_of(any);
}

int report_lab_schema(const struct opt_group *groups, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct doc *properties = doc_object(), *options = doc_object();

	for (const struct opt_group *g = groups; g->opts; g++)
		add_options(options, g->opts);
	doc_put(properties, "$schema", schema_type("string"));
	doc_put(properties, "title", schema_type("string"));
	doc_put(properties, "paths", paths());
	doc_put(properties, "loads", loads());
	doc_put(properties, "options", object_of(options, NULL));
	d = object_of(properties, NULL);
	doc_put_str(d, "$schema", "https://json-schema.org/draft/2020-12/schema");
	doc_put_str(d, "$id", "tare-lab-1");
	doc_put_str(d, "title", "What tare compare --file reads");
	return doc_write(d, out);
}
