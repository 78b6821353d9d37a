/* A campaign as one versioned document, and its schema, from the same tables. */
#include "report/goals.h"
#include "report/report.h"
#include "report/rfc2544.h"
#include "report/schema.h"

static struct doc *subject(const struct rfc *c)
{
	struct doc *d = doc_object(), *notes = doc_array(), *tester = doc_object();
	struct doc *offloads = doc_array(), *resources = doc_object();
	const struct subject *s = c->subject;

	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		doc_append_str(offloads, s->info.offloads[i]);
	for (uint32_t i = 0; i < s->n_notes; i++)
		doc_append_str(notes, s->note[i]);
	doc_put_fields(resources, resources_info_fields, resources_info(s->resources));
	doc_put_str(d, "name", s->name);
	doc_put_bool(d, "simulated", s->simulated);
	doc_put_u64(d, "n_ports_tx", s->n_ports_tx);
	doc_put_fields(tester, tester_info_fields, &s->info);
	doc_put(d, "tester", tester);
	doc_put(d, "offloads", offloads);
	doc_put(d, "notes", notes);
	doc_put(d, "resources", resources);
	return d;
}

static struct doc *config(const struct rfc *c)
{
	struct doc *d = doc_object();

	doc_put_opts(d, rfc_opts, &c->cfg);
	doc_put_opts(d, rfc_time_opts, &c->cfg.time);
	doc_put_opts(d, tester_opts, &c->tester);
	doc_put_opts(d, resources_opts, &c->resources);
	return d;
}

static struct doc *sizes(const struct rfc *c)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct doc *d = doc_object();

		doc_put_str(d, "size", c->size[i].mix.name);
		doc_put_double(d, "mean_bytes", c->size[i].mix.mean_bytes);
		doc_put_fields(d, rfc_size_fields, &c->size[i]);
		doc_put_str(d, "limit", rfc_limit_name[c->size[i].limit]);
		doc_append(list, d);
	}
	return list;
}

/* One for each goal; none without --rebuild. */
static struct doc *spreads(const struct rfc *c, uint32_t size)
{
	const struct rfc_unit *u = rfc_unit_at(c, RFC_THROUGHPUT, size, 0);
	struct doc *list = doc_array();

	for (uint32_t i = 0; c->resources.rebuild && u && i < u->n_rows; i++) {
		struct doc *d = doc_object();
		struct components x;

		rfc_spread(c, size, i, &x);
		doc_put_str(d, "goal", u->row[i].throughput.goal);
		doc_put_fields(d, components_fields, &x);
		doc_append(list, d);
	}
	return list;
}

static struct doc *summaries(const struct rfc *c)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct rfc_latency_sum latency[RFC_MAX_LATENCY_LOADS];
		uint32_t n = rfc_latency_sum(c, i, latency);
		struct doc *d = doc_object(), *loads = doc_array(), *burst = doc_object();
		struct rfc_burst_sum bursts;

		for (uint32_t k = 0; k < n; k++) {
			struct doc *one = doc_object();

			doc_put_fields(one, rfc_latency_sum_fields, &latency[k]);
			doc_append(loads, one);
		}
		rfc_burst_sum(c, i, &bursts);
		doc_put_fields(burst, rfc_burst_sum_fields, &bursts);
		doc_put_str(d, "size", c->size[i].mix.name);
		doc_put(d, "instantiations", spreads(c, i));
		doc_put(d, "latency", loads);
		doc_put(d, "back_to_back", burst);
		doc_put_double(d, "recovery_mean_s", rfc_recovery_mean_s(c, i));
		doc_append(list, d);
	}
	return list;
}

int report_rfc2544_json(const struct rfc *c, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *env = doc_object(), *results = doc_array();

	doc_put_fields(env, env_fields, &c->env);
	for (uint32_t i = 0; i < c->n_units; i++)
		doc_append(results, rfc_unit_doc(c, c->unit[i]));
	schema_put_head(d, "tare-rfc2544", REPORT_RFC2544_SCHEMA_VERSION);
	doc_put_str(d, "started", c->started);
	doc_put_str(d, "command", c->command);
	doc_put_bool(d, "complete", c->complete);
	doc_put_str(d, "label", c->label);
	doc_put_bool(d, "is_rfc2544", c->is_rfc2544);
	doc_put_bool(d, "modified", c->modified);
	doc_put(d, "subject", subject(c));
	doc_put(d, "config", config(c));
	doc_put(d, "goals",
		report_goals(c->goal, c->cfg.search == RFC_SEARCH_MLR ? c->n_goals : 0));
	doc_put(d, "environment", env);
	doc_put(d, "sizes", sizes(c));
	doc_put(d, "summaries", summaries(c));
	doc_put(d, "results", results);
	return doc_write(d, out);
}

static struct doc *subject_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "name", schema_type("string"));
	schema_object_add(&o, "simulated", schema_type("boolean"));
	schema_object_add(&o, "n_ports_tx", schema_count());
	schema_object_add(&o, "tester", schema_of_fields(tester_info_fields));
	schema_object_add(&o, "offloads", schema_array_of(schema_type("string")));
	schema_object_add(&o, "notes", schema_array_of(schema_type("string")));
	schema_object_add(&o, "resources", schema_of_fields(resources_info_fields));
	return schema_object_end(&o);
}

static struct doc *config_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, rfc_opts);
	schema_add_opts(&o, rfc_time_opts);
	schema_add_opts(&o, tester_opts);
	schema_add_opts(&o, resources_opts);
	return schema_object_end(&o);
}

static struct doc *size_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "size", schema_type("string"));
	schema_object_add(&o, "mean_bytes", schema_type("number"));
	schema_add_fields(&o, rfc_size_fields);
	schema_object_add(&o, "limit", schema_one_of(rfc_limit_name, RFC_LIMIT_N));
	return schema_object_end(&o);
}

static struct doc *spread_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "goal", schema_type("string"));
	schema_add_fields(&o, components_fields);
	return schema_object_end(&o);
}

static struct doc *summary_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "size", schema_type("string"));
	schema_object_add(&o, "instantiations", schema_array_of(spread_schema()));
	schema_object_add(&o, "latency", schema_array_of(schema_of_fields(rfc_latency_sum_fields)));
	schema_object_add(&o, "back_to_back", schema_of_fields(rfc_burst_sum_fields));
	schema_object_add(&o, "recovery_mean_s", schema_number_or_null());
	return schema_object_end(&o);
}

static struct doc *row_schema(const struct rfc_test *t)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "status", schema_one_of(rfc_status_name, RFC_STATUS_N));
	schema_add_fields(&o, rfc_row_fields);
	schema_add_fields(&o, t->fields);
	return schema_object_end(&o);
}

/* One variant per test, for each has numbers of its own. */
static struct doc *result_schema(void)
{
	struct doc *any = doc_array(), *d = doc_object();

	for (uint32_t i = 0; i < RFC_TEST_N; i++) {
		const struct rfc_test *t = rfc_test_table[i];
		struct schema_object o = schema_object_new();

		schema_object_add(&o, "test", schema_constant(t->name));
		schema_object_add(&o, "size", schema_type("string"));
		schema_object_add(&o, "index", schema_count());
		schema_add_fields(&o, rfc_seen_fields);
		schema_object_add(&o, "rows", schema_array_of(row_schema(t)));
		schema_object_add(&o, "trials",
			schema_array_of(schema_of_fields(rfc_trial_fields)));
		schema_object_add(&o, "latency", schema_or_null(schema_histogram()));
		doc_append(any, schema_object_end(&o));
	}
	doc_put(d, "anyOf", any);
	return d;
}

int report_rfc2544_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-rfc2544", REPORT_RFC2544_SCHEMA_VERSION,
		"What tare rfc2544 --json prints");

	schema_object_add(&o, "started", schema_type("string"));
	schema_object_add(&o, "command", schema_type("string"));
	schema_object_add(&o, "complete", schema_type("boolean"));
	schema_object_add(&o, "label", schema_type("string"));
	schema_object_add(&o, "is_rfc2544", schema_type("boolean"));
	schema_object_add(&o, "modified", schema_type("boolean"));
	schema_object_add(&o, "subject", subject_schema());
	schema_object_add(&o, "config", config_schema());
	schema_object_add(&o, "goals", report_goals_schema());
	schema_object_add(&o, "environment", schema_of_fields(env_fields));
	schema_object_add(&o, "sizes", schema_array_of(size_schema()));
	schema_object_add(&o, "summaries", schema_array_of(summary_schema()));
	schema_object_add(&o, "results", schema_array_of(result_schema()));
	d = schema_object_end(&o);
	return doc_write(d, out);
}
