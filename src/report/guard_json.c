/* The guard's lines as JSON, and their schema: the same members in each event. */
#include "base/mem.h"
#include "report/guard.h"
#include "report/report.h"
#include "report/schema.h"

static const char *const event_name[GUARD_EVENT_N] = {
	[GUARD_START] = "start",
	[GUARD_INTERVAL] = "interval",
	[GUARD_END] = "end",
};
static_assert(ARRAY_SIZE(event_name) == GUARD_EVENT_N, "a name for each event");

static struct doc *container(const struct guard_row *x)
{
	struct doc *d = doc_object();

	doc_put_str(d, "kind", container_kind_name[x->who.kind]);
	doc_put_str(d, "name", x->who.name);
	doc_put_str(d, "id", x->who.id);
	doc_put_str(d, "namespace", x->who.k8s_ns);
	doc_put_str(d, "cgroup", x->who.cgroup);
	doc_put_str(d, "policy", guard_policy_name[x->policy]);
	doc_put_fields(d, guard_row_fields, x);
	return d;
}

int guard_line(uint32_t event, const struct guard_cfg *cfg, const struct irq_cost *irq,
	const struct guard_report *r, FILE *out)
{
	static const struct guard_report none;
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *config = doc_object(), *rows = doc_array(), *cost = doc_object();

	r = r ? r : &none;
	schema_put_head(d, "tare-guard", REPORT_GUARD_SCHEMA_VERSION);
	doc_put_str(d, "event", event_name[event]);
	doc_put_opts(config, guard_opts, cfg);
	doc_put(d, "config", config);
	doc_put_fields(cost, irq_cost_fields, irq);
	doc_put(d, "interrupt", cost);
	doc_put_u64(d, "from_ns", r->from_ns);
	doc_put_u64(d, "to_ns", r->to_ns);
	for (uint32_t i = 0; i < r->n; i++)
		doc_append(rows, container(&r->row[i]));
	doc_put(d, "containers", rows);
	return report_line(d, out);
}

static struct doc *container_schema(void)
{
	static const char *const words[] = {"name", "id", "namespace", "cgroup"};
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "kind", schema_one_of(container_kind_name, CONTAINER_KIND_N));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		schema_object_add(&o, words[i], schema_type("string"));
	schema_object_add(&o, "policy", schema_one_of(guard_policy_name, GUARD_POLICY_N));
	schema_add_fields(&o, guard_row_fields);
	return schema_object_end(&o);
}

int report_guard_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *schema = NULL;
	struct schema_object o = schema_document_new("tare-guard", REPORT_GUARD_SCHEMA_VERSION,
		"A line of tare guard --json-stream");

	schema_object_add(&o, "event", schema_one_of(event_name, GUARD_EVENT_N));
	schema_object_add(&o, "config", schema_of_opts(guard_opts));
	schema_object_add(&o, "interrupt", schema_of_fields(irq_cost_fields));
	schema_object_add(&o, "from_ns", schema_count());
	schema_object_add(&o, "to_ns", schema_count());
	schema_object_add(&o, "containers", schema_array_of(container_schema()));
	schema = schema_object_end(&o);
	return doc_write(schema, out);
}
