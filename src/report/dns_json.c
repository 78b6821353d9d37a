/* The document of a DNS test, and its schema: the same rows in the same order. */
#include "report/dns.h"
#include "report/json.h"
#include "report/schema.h"
#include "wire/doc.h"

#include <math.h>

/* A latency in the document, and what its row is called there. */
static struct doc *percentiles(const struct hist *h)
{
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < dns_n_percentiles; i++) {
		struct doc *d = json_percentile(dns_percentile[i].name, h, dns_percentile[i].q);

		if (d)
			doc_append(list, d);
	}
	return list;
}

static struct doc *rcodes(const struct dns_count *c)
{
	struct doc *list = doc_array();
	char name[32];

	for (uint32_t i = 0; i < DNS_N_RCODES; i++) {
		struct doc *d;

		if (!c->rcode[i])
			continue;
		d = doc_object();
		dns_rcode_text(i, name, sizeof(name));
		doc_put_u64(d, "rcode", i);
		doc_put_str(d, "name", name);
		doc_put_u64(d, "n", c->rcode[i]);
		doc_append(list, d);
	}
	return list;
}

static struct doc *trial(const struct dns_trial *t)
{
	struct doc *d = doc_object(), *count = doc_object();

	doc_put_fields(d, dns_trial_fields, t);
	doc_put_fields(count, dns_count_fields, &t->count);
	doc_put(d, "count", count);
	doc_put(d, "rcodes", rcodes(&t->count));
	return d;
}

static void put_timed(struct doc *d, const char *key, const struct dns_timed *t)
{
	struct doc *one;

	if (!t->made) {
		doc_put_null(d, key);
		return;
	}
	one = trial(&t->trial);
	doc_put(one, "percentiles", percentiles(&t->hist));
	if (t->hist.count)
		doc_put_hist(one, "latency", &t->hist);
	else
		doc_put_null(one, "latency");
	doc_put(d, key, one);
}

static struct doc *found(const struct dns_run *run)
{
	struct doc *d = doc_object(), *trials = doc_array();

	for (uint32_t i = 0; i < run->n_trials; i++)
		doc_append(trials, trial(&run->trial[i]));
	doc_put_str(d, "end", search_end_name[run->end]);
	doc_put_double(d, "lower_qps", run->lower_qps);
	doc_put_double(d, "upper_qps", run->upper_qps);
	doc_put_double(d, "conditional_qps", run->conditional_qps);
	doc_put_double(d, "min_qps", run->bounds.min_load);
	doc_put_double(d, "max_qps", run->bounds.max_load);
	doc_put_bool(d, "client_limited", run->client_limited);
	doc_put(d, "trials", trials);
	return d;
}

int report_dns_json(const struct dns_run *run, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *cfg = doc_object();

	doc_put_opts(cfg, dns_server_opts, &run->cfg);
	doc_put_opts(cfg, dns_query_opts, &run->cfg);
	doc_put_opts(cfg, dns_load_opts, &run->cfg);
	doc_put_opts(cfg, dns_search_opts, &run->cfg);
	schema_put_head(d, "tare-dns", DNS_SCHEMA_VERSION);
	doc_put_str(d, "mode", dns_mode_name[run->mode]);
	doc_put_fields(d, dns_run_fields, run);
	doc_put(d, "config", cfg);
	put_timed(d, "main", &run->main);
	if (run->mode == DNS_MODE_SEARCH)
		doc_put(d, "search", found(run));
	else
		doc_put_null(d, "search");
	put_timed(d, "found", &run->found);
	put_timed(d, "half", &run->half);
	return doc_write(d, out);
}

static struct doc *percentile_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "metric", schema_type("string"));
	schema_object_add(&o, "unit", schema_constant("ns"));
	schema_object_add(&o, "n", schema_count());
	schema_object_add(&o, "value", schema_type("number"));
	schema_object_add(&o, "ci_low", schema_type("number"));
	schema_object_add(&o, "ci_high", schema_type("number"));
	return schema_object_end(&o);
}

static struct doc *rcode_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "rcode", schema_count());
	schema_object_add(&o, "name", schema_type("string"));
	schema_object_add(&o, "n", schema_count());
	return schema_object_end(&o);
}

static struct doc *trial_schema(bool timed)
{
	struct schema_object o = schema_object_new(), count = schema_object_new();

	schema_add_fields(&o, dns_trial_fields);
	schema_add_fields(&count, dns_count_fields);
	schema_object_add(&o, "count", schema_object_end(&count));
	schema_object_add(&o, "rcodes", schema_array_of(rcode_schema()));
	if (timed) {
		schema_object_add(&o, "percentiles", schema_array_of(percentile_schema()));
		schema_object_add(&o, "latency", schema_or_null(schema_histogram()));
	}
	return schema_object_end(&o);
}

static void add_number(struct schema_object *o, const char *key, const char *text)
{
	struct doc *d = schema_or_null(schema_type("number"));

	schema_describe(d, text, "queries/s");
	schema_object_add(o, key, d);
}

static struct doc *found_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_object_add(&o, "end", schema_one_of(search_end_name, SEARCH_END_N));
	add_number(&o, "lower_qps", "highest rate within the goal; null: none");
	add_number(&o, "upper_qps", "lowest rate above it that was not; null: none");
	add_number(&o, "conditional_qps", "conditional throughput of RFC 9971; null: none");
	add_number(&o, "min_qps", "lowest rate that was thought of");
	add_number(&o, "max_qps", "highest rate that was thought of");
	schema_object_add(&o, "client_limited", schema_type("boolean"));
	schema_object_add(&o, "trials", schema_array_of(trial_schema(false)));
	return schema_object_end(&o);
}

static struct doc *config_schema(void)
{
	struct schema_object o = schema_object_new();

	schema_add_opts(&o, dns_server_opts);
	schema_add_opts(&o, dns_query_opts);
	schema_add_opts(&o, dns_load_opts);
	schema_add_opts(&o, dns_search_opts);
	return schema_object_end(&o);
}

int report_dns_schema(FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	struct schema_object o = schema_document_new("tare-dns", DNS_SCHEMA_VERSION,
		"What tare dns prints with --json");

	schema_object_add(&o, "mode", schema_one_of(dns_mode_name, DNS_MODE_N));
	schema_add_fields(&o, dns_run_fields);
	schema_object_add(&o, "config", config_schema());
	schema_object_add(&o, "main", schema_or_null(trial_schema(true)));
	schema_object_add(&o, "search", schema_or_null(found_schema()));
	schema_object_add(&o, "found", schema_or_null(trial_schema(true)));
	schema_object_add(&o, "half", schema_or_null(trial_schema(true)));
	d = schema_object_end(&o);
	return doc_write(d, out);
}
