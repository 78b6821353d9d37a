/* A matrix of service densities as one versioned document, and its schema, from the same tables. */
#include "report/density.h"
#include "report/goals.h"
#include "report/report.h"
#include "report/schema.h"

#include <math.h>

/* The draft's marks. */
static const char *const mark_name[] = {"", "---", "???", "*", ">="};

static const char *mark_of(bool there, const struct density_cell *c)
{
	if (!there || (c->n == 0 && c->status != DENSITY_UNAVAILABLE))
		return "???";
	if (c->n == 0)
		return "---";
	if (c->status == DENSITY_MAX_LOAD)
		return ">=";
	return c->retries ? "*" : "";
}

static struct doc *cell(const struct density *d, const struct density_unit *which, uint32_t goal)
{
	struct doc *x = doc_object();
	struct density_cell c;
	bool there = density_cell(d, which, goal, &c);

	doc_put_u64(x, "instances", which->instances);
	doc_put_u64(x, "nfs", which->nfs);
	doc_put_u64(x, "functions", which->instances * which->nfs);
	doc_put_u64(x, "crossings", density_crossings(which->topology, which->nfs));
	doc_put_u64(x, "ports", density_ports(which->topology, which->instances, which->nfs));
	doc_put_double(x, "nf_cores", report_density_nf_cores(d, which->instances, which->nfs));
	doc_put_str(x, "mark", mark_of(there, &c));
	doc_put_str(x, "reason", c.reason);
	doc_put_fields(x, density_cell_fields, &c);
	return x;
}

static struct doc *matrix(const struct density *d, uint32_t topology, uint32_t goal)
{
	struct doc *x = doc_object(), *cells = doc_array();

	for (uint32_t i = 0; i < d->n_instances; i++)
		for (uint32_t k = 0; k < d->n_nfs; k++) {
			const struct density_unit which = {.topology = topology,
				.instances = d->instances[i],
				.nfs = d->nfs[k]};

			doc_append(cells, cell(d, &which, goal));
		}
	doc_put_str(x, "topology", density_topology_name[topology]);
	doc_put_str(x, "goal", report_density_goal(d, goal));
	doc_put(x, "cells", cells);
	return x;
}

static struct doc *matrices(const struct density *d)
{
	struct doc *list = doc_array();

	for (uint32_t g = 0; g < report_density_goals(d); g++)
		for (uint32_t t = 0; t < DENSITY_TOPOLOGY_N; t++)
			if (d->topology[t])
				doc_append(list, matrix(d, t, g));
	return list;
}

static struct doc *relations(const struct density *d)
{
	struct doc *list = doc_array();

	for (uint32_t g = 0; g < report_density_goals(d); g++) {
		struct density_relation r[DENSITY_RELATION_N];

		density_relate(d, g, r);
		for (uint32_t i = 0; i < DENSITY_RELATION_N; i++) {
			struct doc *x = doc_object();

			doc_put_str(x, "name", r[i].name);
			doc_put_str(x, "goal", report_density_goal(d, g));
			doc_put_str(x, "claim", r[i].claim);
			doc_put_str(x, "verdict", density_holds_name[r[i].holds]);
			doc_put_str(x, "text", r[i].text);
			doc_append(list, x);
		}
	}
	return list;
}

static struct doc *cores(const struct density *d)
{
	struct doc *x = doc_object();
	struct density_cores c;

	density_cores(d, &c);
	doc_put_number(x, "cores", c.cores);
	doc_put_str(x, "text", c.text);
	return x;
}

static struct doc *config(const struct density *d)
{
	struct doc *x = doc_object();

	doc_put_opts(x, density_opts, &d->cfg);
	doc_put_opts(x, density_time_opts, &d->cfg.time);
	doc_put_opts(x, path_opts, &d->path);
	doc_put_opts(x, density_path_opts, &d->path);
	doc_put_opts(x, tester_opts, &d->tester);
	return x;
}

int report_density_json(const struct density *d, FILE *out)
{
	_cleanup_(doc_freep) struct doc *x = doc_object();
	struct doc *env = doc_object(), *tester = doc_object(), *results = doc_array();

	doc_put_fields(env, env_fields, &d->env);
	doc_put_fields(tester, tester_info_fields, &d->info);
	for (uint32_t i = 0; i < d->n_units; i++)
		doc_append(results, density_unit_doc(d->unit[i]));
	schema_put_head(x, "tare-density", REPORT_DENSITY_SCHEMA_VERSION);
	doc_put_str(x, "started", d->started);
	doc_put_str(x, "command", d->command);
	doc_put_bool(x, "complete", d->complete);
	doc_put_str(x, "label", d->label);
	doc_put(x, "config", config(d));
	doc_put(x, "goals", report_goals(d->goal, d->cfg.search == DENSITY_MLR ? d->n_goals : 0));
	doc_put(x, "environment", env);
	doc_put(x, "tester", tester);
	doc_put_u64(x, "n_ports_tx", d->n_ports_tx);
	doc_put_double(x, "self_fps", d->self_fps);
	doc_put_double(x, "max_fps", d->max_fps);
	doc_put_double(x, "mean_bytes", d->mix.mean_bytes);
	doc_put(x, "cores", cores(d));
	doc_put(x, "matrices", matrices(d));
	doc_put(x, "relations", relations(d));
	doc_put(x, "results", results);
	return doc_write(x, out);
}

static struct doc *cell_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "instances", schema_count());
	schema_object_add(&o, "nfs", schema_count());
	schema_object_add(&o, "functions", schema_count());
	schema_object_add(&o, "crossings", schema_count());
	schema_object_add(&o, "ports", schema_count());
	schema_object_add(&o, "nf_cores", schema_type("number"));
	schema_object_add(&o, "mark", schema_one_of(mark_name, ARRAY_SIZE(mark_name)));
	schema_object_add(&o, "reason", schema_type("string"));
	schema_add_fields(&o, density_cell_fields);
	return schema_object_end(&o);
}

static struct doc *matrix_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "topology", schema_one_of(density_topology_name, DENSITY_TOPOLOGY_N));
	schema_object_add(&o, "goal", schema_type("string"));
	schema_object_add(&o, "cells", schema_array_of(cell_schema()));
	return schema_object_end(&o);
}

static struct doc *relation_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "name", schema_type("string"));
	schema_object_add(&o, "goal", schema_type("string"));
	schema_object_add(&o, "claim", schema_type("string"));
	schema_object_add(&o, "verdict", schema_one_of(density_holds_name, DENSITY_HOLDS_N));
	schema_object_add(&o, "text", schema_type("string"));
	return schema_object_end(&o);
}

static struct doc *cores_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "cores", schema_type("number"));
	schema_object_add(&o, "text", schema_type("string"));
	return schema_object_end(&o);
}

static struct doc *config_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, density_opts);
	schema_add_opts(&o, density_time_opts);
	schema_add_opts(&o, path_opts);
	schema_add_opts(&o, density_path_opts);
	schema_add_opts(&o, tester_opts);
	return schema_object_end(&o);
}

static struct doc *cpu_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "busy", schema_type("number"));
	return schema_object_end(&o);
}

/* As density_unit_doc() writes it. */
static struct doc *result_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "topology", schema_one_of(density_topology_name, DENSITY_TOPOLOGY_N));
	schema_object_add(&o, "status", schema_one_of(density_status_name, DENSITY_STATUS_N));
	schema_add_fields(&o, density_unit_fields);
	schema_add_fields(&o, rfc_seen_fields);
	schema_object_add(&o, "rows", schema_array_of(schema_of_fields(density_row_fields)));
	schema_object_add(&o, "latency", schema_array_of(schema_of_fields(rfc_latency_fields)));
	schema_object_add(&o, "by_instance", schema_array_of(schema_of_fields(density_way_fields)));
	schema_object_add(&o, "cpus", schema_array_of(cpu_schema()));
	return schema_object_end(&o);
}

int report_density_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-density", REPORT_DENSITY_SCHEMA_VERSION,
		"What tare density --json prints");

	schema_object_add(&o, "started", schema_type("string"));
	schema_object_add(&o, "command", schema_type("string"));
	schema_object_add(&o, "complete", schema_type("boolean"));
	schema_object_add(&o, "label", schema_type("string"));
	schema_object_add(&o, "config", config_schema());
	schema_object_add(&o, "goals", report_goals_schema());
	schema_object_add(&o, "environment", schema_of_fields(env_fields));
	schema_object_add(&o, "tester", schema_of_fields(tester_info_fields));
	schema_object_add(&o, "n_ports_tx", schema_count());
	schema_object_add(&o, "self_fps", schema_number_or_null());
	schema_object_add(&o, "max_fps", schema_type("number"));
	schema_object_add(&o, "mean_bytes", schema_type("number"));
	schema_object_add(&o, "cores", cores_schema());
	schema_object_add(&o, "matrices", schema_array_of(matrix_schema()));
	schema_object_add(&o, "relations", schema_array_of(relation_schema()));
	schema_object_add(&o, "results", schema_array_of(result_schema()));
	d = schema_object_end(&o);
	return doc_write(d, out);
}
