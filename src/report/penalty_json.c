/* Penalties as JSON, and the schema of that, in the same order. */
#include "report/penalty.h"

#include "bench/fields.h"
#include "report/schema.h"

static void put_names(struct doc *d, const struct penalty *p, uint32_t shares, uint32_t kind,
	uint32_t guard)
{
	doc_put_str(d, "shares", p->shares[shares].name);
	doc_put_str(d, "neighbour", penalty_kind_name[kind]);
	doc_put_str(d, "guard", penalty_guard_name[guard]);
}

struct list {
	const struct penalty *p;
	struct doc *doc;
};

static void append_cell(void *ctx, const struct penalty_cell *c)
{
	const struct list *l = ctx;
	struct doc *d = doc_object(), *factor = doc_object();

	put_names(d, l->p, c->shares, c->kind, c->guard);
	doc_put_fields(factor, estimate_fields, &c->factor);
	doc_put(d, "penalty", factor);
	doc_put_fields(d, penalty_cell_fields, c);
	doc_append(l->doc, d);
}

static struct doc *trials(const struct penalty *p)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < p->n_trials; i++) {
		const struct penalty_trial *t = &p->trial[i];
		struct doc *d = doc_object();

		put_names(d, p, t->shares, t->kind, t->guard);
		doc_put_str(d, "status", penalty_status_name[t->status]);
		doc_put_fields(d, penalty_trial_fields, t);
		doc_append(list, d);
	}
	return list;
}

int report_penalty_json(const struct penalty *p, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *env = doc_object(), *cfg = doc_object(), *cells = doc_array(),
		   *irq = doc_object();
	struct list l = {p, cells};

	schema_put_head(d, "tare-penalty", REPORT_PENALTY_SCHEMA_VERSION);
	doc_put_str(d, "started", p->started);
	doc_put_str(d, "command", p->command);
	doc_put_bool(d, "complete", p->complete);
	doc_put_opts(cfg, penalty_opts, &p->cfg);
	doc_put(d, "config", cfg);
	doc_put_fields(env, env_fields, &p->env);
	doc_put(d, "environment", env);
	doc_put_u64(d, "cpu", p->cpu);
	doc_put_u64(d, "peer_cpu", p->peer_cpu);
	doc_put_bool(d, "foreign_exact", p->exact);
	doc_put_fields(irq, irq_cost_fields, &p->irq);
	doc_put(d, "interrupt", irq);
	report_penalty_cells(p, append_cell, &l);
	doc_put(d, "cells", cells);
	doc_put(d, "trials", trials(p));
	return doc_write(d, out);
}

static void add(struct schema_object *o, const char *key, struct doc *schema, const char *text)
{
	schema_describe(schema, text, "");
	schema_object_add(o, key, schema);
}

static void add_names(struct schema_object *o)
{
	add(o, "shares", schema_type("string"),
		"per cent of the CPU for victim, neighbour and bystander");
	add(o, "neighbour", schema_one_of(penalty_kind_name, PENALTY_KIND_N), "what it does");
	add(o, "guard", schema_one_of(penalty_guard_name, PENALTY_GUARD_N), "its policy");
}

static struct doc *cell_schema(void)
{
	struct schema_object o = schema_object_new();

	add_names(&o);
	add(&o, "penalty", schema_of_fields(estimate_fields),
		"the victim's time beside a neighbour that computes, by that beside this one; of "
		"pairs");
	schema_add_fields(&o, penalty_cell_fields);
	return schema_object_end(&o);
}

static struct doc *trial_schema(void)
{
	struct schema_object o = schema_object_new();

	add_names(&o);
	add(&o, "status", schema_one_of(penalty_status_name, PENALTY_STATUS_N),
		"disturbed: too much foreign time in every try");
	schema_add_fields(&o, penalty_trial_fields);
	return schema_object_end(&o);
}

int report_penalty_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-penalty", REPORT_PENALTY_SCHEMA_VERSION,
		"What tare penalty --json prints");

	add(&o, "started", schema_type("string"), "UTC");
	schema_object_add(&o, "command", schema_type("string"));
	add(&o, "complete", schema_type("boolean"), "false: it was interrupted");
	schema_object_add(&o, "config", schema_of_opts(penalty_opts));
	schema_object_add(&o, "environment", schema_of_fields(env_fields));
	add(&o, "cpu", schema_count(), "that the containers share");
	add(&o, "peer_cpu", schema_count(), "of the traffic's other end");
	add(&o, "foreign_exact", schema_type("boolean"),
		"false: foreign_share is sampled at ticks");
	schema_object_add(&o, "interrupt", schema_of_fields(irq_cost_fields));
	schema_object_add(&o, "cells", schema_array_of(cell_schema()));
	schema_object_add(&o, "trials", schema_array_of(trial_schema()));
	d = schema_object_end(&o);
	return doc_write(d, out);
}
