/* tare-result(5) as scdoc source: every key of the JSON document, from the same tables. */
#include "base/str.h"
#include "bench/fields.h"
#include "finding/finding.h"
#include "report/report.h"

static void key(FILE *out, const char *name, const char *unit, const char *doc)
{
	fputc('*', out);
	report_scdoc(out, name);
	fputc('*', out);
	if (*unit)
		fprintf(out, " (%s)", unit);
	fputs("\n\t", out);
	report_scdoc(out, doc);
	fputs(".\n\n", out);
}

static void section(FILE *out, const char *title, const char *text)
{
	fprintf(out, "# %s\n\n", title);
	report_scdoc(out, text);
	fputs("\n\n", out);
}

static void fields(FILE *out, const struct field *f)
{
	for (; f->name; f++)
		key(out, f->name, f->unit, f->doc);
}

static void opts(FILE *out, const struct opt *o)
{
	for (; o->name; o++)
		key(out, o->field, num_unit_base(o->unit), o->help);
}

static void run_page(FILE *out)
{
	section(out, "DOCUMENT", "One object. null stands for a number that was not measured.");
	key(out, "schema", "", "always tare-run");
	key(out, "schema_version", "", "raised when a key changes its meaning or goes");
	key(out, "method_version", "",
		"raised when a number means something else; METHOD.md has the history");
	key(out, "version", "", "version of tare");
	fields(out, run_fields);
	key(out, "remote", "", "the other machine: REMOTE; null: all ends are here");
	key(out, "limits", "", "sentences: what this machine or user can't measure");
	key(out, "config", "", "how it was measured: CONFIG");
	key(out, "environment", "", "where: ENVIRONMENT");
	key(out, "paths", "", "one object per path, native first: PATHS");
	key(out, "loads", "", "one object per load: LOADS");
	key(out, "cells", "", "one object per load and path, all its trials together: CELLS");
	key(out, "findings", "", "what the numbers say is wrong, and what to change: FINDINGS");
	key(out, "trials", "", "every trial in the order it was run: TRIALS");
	section(out, "CONFIG", "Options in the units they are stored in.");
	opts(out, bench_opts);
	opts(out, path_opts);
	section(out, "ENVIRONMENT", "What a result can't be compared without.");
	fields(out, env_fields);
	section(out, "REMOTE",
		"The server of a run between two machines, with its own environment, and the "
		"options of that run under config.");
	fields(out, remote_fields);
	opts(out, remote_opts);
}

static void plan_page(FILE *out)
{
	section(out, "PATHS",
		"What was built. Its config has the options of all paths, see CONFIG, and those of "
		"its kind.");
	key(out, "name", "", "the path as it was asked for; of a load, its name");
	key(out, "kind", "", "the path without argument and options");
	key(out, "guest", "",
		"environment of the guest that is an end of the path, see ENVIRONMENT; null: none");
	key(out, "notes", "", "sentences: what to know of the numbers of this path");
	key(out, "summary", "", "what it is");
	key(out, "hops", "", "what a packet crosses, in order");
	key(out, "status", "", "ok, skipped or failed; of a trial too");
	fields(out, path_result_fields);
	for (size_t i = 0; path_table[i]; i++)
		if (path_brings_opts(i))
			opts(out, path_table[i]->opts);
	section(out, "LOADS", "What was offered, with its options under config.");
	key(out, "id", "", "what cells and trials call it");
	for (size_t i = 0; load_table[i]; i++) {
		fprintf(out, "## %s\n\n", load_table[i]->name);
		opts(out, load_table[i]->opts);
	}
}

static void stop_key(FILE *out)
{
	char text[256] = "why it was repeated no more:";

	for (uint32_t i = 0; i < STOP_N; i++)
		str_addf(text, sizeof(text), "%s %s", i ? "," : "", stop_reason_name[i]);
	key(out, "stop", "", text);
}

static void cell_page(FILE *out)
{
	section(out, "CELLS", "What the trials say together.");
	key(out, "path", "", "name of the path");
	key(out, "load", "", "id of the load");
	stop_key(out);
	fields(out, cell_fields);
	key(out, "metrics", "",
		"list of the numbers below, each with unit, value, ratio and ceiling");
	key(out, "metric", "", "name of the number");
	key(out, "unit", "", "its unit");
	key(out, "value", "", "the number as an estimate; of a percentile, the number itself");
	key(out, "ratio", "", "estimate of the ratio to native, paired by round; null for native");
	key(out, "ceiling", "", "the most there can be, in the same unit; null: not known");
	key(out, "percentiles", "",
		"list of percentiles with unit, value, interval and n, which counts "
		"samples, not trials");
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		key(out, load_hist_name[i], "ns", load_hist_doc[i]);
	section(out, "METRICS", "Numbers of a cell.");
	for (uint32_t i = 0; i < METRIC_N; i++)
		key(out, metric_table[i].name, metric_table[i].unit, metric_table[i].doc);
	for (uint32_t i = 0; i < metric_n_percentiles; i++)
		key(out, metric_percentile[i].name, "ns",
			"percentile, from the merged histogram; absent with under ten samples "
			"beyond");
	section(out, "ESTIMATE", "What repeated trials say about a number.");
	fields(out, estimate_fields);
	section(out, "HISTOGRAM", "Log-linear, 128 buckets per power of two.");
	key(out, "count", "", "samples");
	key(out, "sum_ns", "ns", "their sum, exact");
	key(out, "min_ns", "ns", "smallest, exact");
	key(out, "max_ns", "ns", "largest, exact");
	key(out, "buckets", "", "bucket, samples, bucket, samples, ...; empty ones left out");
}

static void finding_page(FILE *out)
{
	section(out, "FINDINGS", "Claims that the trials bear out, each of a path under a load.");
	key(out, "finding", "", "its name, one of those below");
	key(out, "text", "", "the claim with its numbers, and what to change");
	for (size_t i = 0; finding_table[i]; i++)
		key(out, finding_table[i]->name, "", finding_table[i]->claim);
}

static void trial_page(FILE *out)
{
	section(out, "TRIALS", "What they are made of.");
	fields(out, trial_fields);
	key(out, "near", "", "what the near end counted");
	key(out, "far", "", "what the far end counted");
	key(out, "watch", "",
		"what the controller read around the span: meter drops of the namespaces between "
		"the ends, added up; meter cpu of this machine when an end is a guest on it");
	key(out, "intervals", "",
		"list of the parts of the counted span, of runs between two machines: at most "
		"100,000 of a trial");
	section(out, "END REPORT", "Keys near and far of a trial.");
	fields(out, end_report_fields);
	key(out, "meters", "", "readings of the meters armed at this end");
	for (uint32_t i = 0; i < METER_N; i++) {
		fprintf(out, "## meter %s\n\n", meter_table[i]->name);
		key(out, meter_table[i]->name, "", meter_table[i]->summary);
		fields(out, meter_table[i]->fields);
	}
}

static void interval_page(FILE *out)
{
	section(out, "INTERVALS",
		"Each end counts on its own clock, so that an interval of near and one of far are "
		"shifted by at most the round trip of the control connection. With --json-stream "
		"each line is an object whose member event says what it is: start, interval, "
		"trial, end or error; an interval's has the trial's order too.");
	key(out, "n", "", "number of the interval in its trial, from 0");
	key(out, "near", "", "what the near end counted in it; null: it had none of that number");
	key(out, "far", "", "the same of the far end");
	fields(out, interval_fields);
}

int report_result_page(FILE *out)
{
	fputs("tare-result(5)\n\n# NAME\n\ntare-result - the JSON document of "
	      "*tare-compare*(1) and *tare-run*(1)\n\n",
		out);
	section(out, "DESCRIPTION",
		"Every number of a cell has a unit, the number of trials n and a 95 % confidence "
		"interval. The JSON Schema is docs/schema/tare-run-1.json, or tare doc schema.");
	run_page(out);
	plan_page(out);
	cell_page(out);
	finding_page(out);
	trial_page(out);
	interval_page(out);
	fputs("# SEE ALSO\n\n*tare*(1), *tare-compare*(1), *tare-run*(1)\n", out);
	return report_flush(out);
}
