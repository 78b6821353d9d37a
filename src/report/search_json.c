/* A search as JSON, and the schema of that, in the same order. */
#include "report/search.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "bench/fields.h"

static struct doc *opts_of(const struct opt *opts, const void *cfg)
{
	struct doc *d = doc_object();

	doc_put_opts(d, opts, cfg);
	return d;
}

static struct doc *goals(const struct search_run *s)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < s->n_goals; i++) {
		const struct mlr_result *r = &s->result[i];
		struct doc *d = doc_object();

		doc_put_str(d, "goal", s->goal[i].name);
		doc_put(d, "config", opts_of(mlr_goal_opts, &s->goal[i]));
		doc_put_bool(d, "regular", r->end == SEARCH_FOUND);
		doc_put_str(d, "end", search_end_name[r->end]);
		doc_put_fields(d, mlr_result_fields, r);
		doc_append(list, d);
	}
	return list;
}

static struct doc *classes(const struct search_run *s, double load)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < s->n_goals; i++)
		doc_append_str(list, mlr_class_name[search_run_class(s, load, i)]);
	return list;
}

static struct doc *loads(const struct search_run *s)
{
	_cleanup_(freep) double *load = xcalloc(s->log.n + 1, sizeof(*load));
	const uint32_t n = search_run_loads(s, load);
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < n; i++) {
		struct doc *d = doc_object();

		doc_put_double(d, "load", load[i]);
		doc_put(d, "classes", classes(s, load[i]));
		doc_append(list, d);
	}
	return list;
}

static struct doc *trials(const struct search_run *s)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < s->log.n; i++) {
		struct doc *d = doc_object();

		doc_put_fields(d, search_trial_fields, &s->log.trial[i]);
		doc_append(list, d);
	}
	return list;
}

void json_put_search(struct doc *d, const struct search_run *s)
{
	doc_put(d, "search", opts_of(search_opts, &s->cfg));
	doc_put(d, "goals", goals(s));
	if (s->cfg.kind == SEARCH_MRR) {
		struct doc *mrr = doc_object();

		doc_put_fields(mrr, estimate_fields, &s->mrr);
		doc_put(d, "mrr", mrr);
	} else {
		doc_put_null(d, "mrr");
	}
	doc_put_u64(d, "effective_ns", s->log.effective_ns);
	doc_put(d, "loads", loads(s));
	doc_put(d, "trials", trials(s));
}

static struct doc *described(struct doc *schema, const char *text, const char *unit)
{
	schema_describe(schema, text, unit);
	return schema;
}

static struct doc *goal_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "goal", described(schema_type("string"), "its name", ""));
	schema_object_add(&o, "config", schema_of_opts(mlr_goal_opts));
	schema_object_add(&o, "regular",
		described(schema_type("boolean"), "both bounds are there, close enough", ""));
	schema_object_add(&o, "end",
		described(schema_one_of(search_end_name, SEARCH_END_N), "how it ended", ""));
	schema_add_fields(&o, mlr_result_fields);
	return schema_object_end(&o);
}

static struct doc *load_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "load",
		described(schema_type("number"), "intended load of each interface", "1/s"));
	schema_object_add(&o, "classes",
		described(schema_array_of(schema_one_of(mlr_class_name, MLR_CLASS_N)),
			"what it is a bound of, in the order of goals", ""));
	return schema_object_end(&o);
}

void schema_add_search(struct schema_object *o)
{
	schema_object_add(o, "search", schema_of_opts(search_opts));
	schema_object_add(o, "goals", schema_array_of(goal_schema()));
	schema_object_add(o, "mrr",
		described(schema_or_null(schema_of_fields(estimate_fields)),
			"forwarding rate under the highest load; null: another search", "1/s"));
	schema_object_add(o, "effective_ns",
		described(schema_count(), "what all trials took", "ns"));
	schema_object_add(o, "loads", schema_array_of(load_schema()));
	schema_object_add(o, "trials", schema_array_of(schema_of_fields(search_trial_fields)));
}

int report_search_json(const struct search_run *s, const struct sut_cfg *sut, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();

	schema_put_head(d, "tare-search", REPORT_SEARCH_SCHEMA_VERSION);
	doc_put_bool(d, "simulated", true);
	doc_put(d, "sut", opts_of(sut_opts, sut));
	json_put_search(d, s);
	return doc_write(d, out);
}

int report_search_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-search", REPORT_SEARCH_SCHEMA_VERSION,
		"What tare search prints with --json");

	schema_object_add(&o, "simulated",
		described(schema_type("boolean"), "no frame was ever sent", ""));
	schema_object_add(&o, "sut", schema_of_opts(sut_opts));
	schema_add_search(&o);
	d = schema_object_end(&o);
	return doc_write(d, out);
}
