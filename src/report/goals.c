#include "report/goals.h"

#include "report/schema.h"

struct doc *report_goals(const struct mlr_goal *goal, uint32_t n)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < n; i++) {
		const struct mlr_goal *g = &goal[i];
		struct doc *d = doc_object();

		doc_put_str(d, "name", g->name);
		doc_put_u64(d, "final_ns", g->final_ns);
		doc_put_u64(d, "sum_ns", g->sum_ns);
		doc_put_u64(d, "initial_ns", g->initial_ns);
		doc_put_number(d, "loss_ratio", g->loss_ppb / 1e9);
		doc_put_number(d, "exceed_ratio", g->exceed_ppb / 1e9);
		doc_put_number(d, "width", g->width_ppb / 1e9);
		doc_append(list, d);
	}
	return list;
}

struct doc *report_goals_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "name", schema_type("string"));
	schema_object_add(&o, "final_ns", schema_count());
	schema_object_add(&o, "sum_ns", schema_count());
	schema_object_add(&o, "initial_ns", schema_count());
	schema_object_add(&o, "loss_ratio", schema_type("number"));
	schema_object_add(&o, "exceed_ratio", schema_type("number"));
	schema_object_add(&o, "width", schema_type("number"));
	return schema_array_of(schema_object_end(&o));
}
