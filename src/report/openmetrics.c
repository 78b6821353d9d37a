#include "report/openmetrics.h"

#include "base/version.h"
#include "report/openmetrics_series.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS ((uint64_t)NSEC_PER_SEC)

const char *const openmetrics_type[] = {
	[OPENMETRICS_1_0] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	[OPENMETRICS_TEXT_0_0_4] = "text/plain; version=0.0.4; charset=utf-8",
};
static_assert(ARRAY_SIZE(openmetrics_type) == OPENMETRICS_FORM_N, "a type for each form");

enum openmetrics_form openmetrics_form(const char *accept)
{
	return accept && strcasestr(accept, "application/openmetrics-text")
		       ? OPENMETRICS_1_0
		       : OPENMETRICS_TEXT_0_0_4;
}

static const struct {
	const char *suffix, *name, *plain_name; /* what the older format calls it */
} type_words[] = {
	[METRIC_COUNTER] = {"_total", "counter", "counter"},
	[METRIC_GAUGE] = {"", "gauge", "gauge"},
	[METRIC_INFO] = {"_info", "info", "gauge"},
};
static_assert(ARRAY_SIZE(type_words) == METRIC_TYPE_N, "words for each type");

/* The older format knows families by the names of their samples, and no units. */
static void put_head(FILE *f, const struct metric_family *x, enum openmetrics_form form)
{
	bool plain = form == OPENMETRICS_TEXT_0_0_4;
	const char *suffix = plain ? type_words[x->type].suffix : "";

	fprintf(f, "# HELP %s%s %s\n", x->name, suffix, x->help);
	fprintf(f, "# TYPE %s%s %s\n", x->name, suffix,
		plain ? type_words[x->type].plain_name : type_words[x->type].name);
	if (!plain && *x->unit)
		fprintf(f, "# UNIT %s %s\n", x->name, x->unit);
}

static void put_name(FILE *f, const struct metric_family *x, const char *labels, const char *label)
{
	fprintf(f, "%s%s", x->name, type_words[x->type].suffix);
	if (labels || label)
		fprintf(f, "{%s%s%s}", labels ? labels : "", labels && label ? "," : "",
			label ? label : "");
}

/* Times are ns inside, and written as seconds without rounding. */
static void put_number(FILE *f, const struct metric_family *x, uint64_t v)
{
	if (strcmp(x->unit, "seconds") == 0)
		fprintf(f, " %" PRIu64 ".%09" PRIu64 "\n", v / SECOND_NS, v % SECOND_NS);
	else
		fprintf(f, " %" PRIu64 "\n", v);
}

static bool is_known(const struct series *s, uint32_t value)
{
	return s->process_known || (value != METRIC_PROCESS && value != METRIC_TOTAL);
}

static void put_containers(FILE *f, const struct openmetrics *m, const struct metric_family *x)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct series *s = m->item[i];

		for (uint32_t p = 0; p < x->n_points && openmetrics_shows(m, s); p++) {
			if (!is_known(s, x->point[p].value))
				continue;
			put_name(f, x, s->labels, x->point[p].label);
			put_number(f, x, (uint64_t)s->said[x->point[p].value]);
		}
	}
}

static void put_cpus(FILE *f, const struct openmetrics *m, const struct metric_family *x)
{
	for (uint32_t cpu = 0; cpu < m->n_cpus; cpu++) {
		uint64_t value[METRIC_CPU_N];
		char label[32];

		memcpy(value, &m->cpu[cpu], sizeof(value));
		snprintf(label, sizeof(label), "cpu=\"%" PRIu32 "\"", cpu);
		for (uint32_t p = 0; p < x->n_points; p++) {
			put_name(f, x, label, x->point[p].label);
			put_number(f, x, value[x->point[p].value]);
		}
	}
}

static void put_conservation(FILE *f, const struct openmetrics *m, const struct metric_family *x)
{
	if (isnan(m->conservation))
		return;
	put_name(f, x, NULL, NULL);
	fprintf(f, " %.9f\n", m->conservation);
}

static void put_build(FILE *f, const struct metric_family *x)
{
	char label[64];

	snprintf(label, sizeof(label), "version=\"%s\",method=\"%d\"", TARE_VERSION,
		METHOD_VERSION);
	put_name(f, x, NULL, label);
	fputs(" 1\n", f);
}

static void put_one(FILE *f, const struct openmetrics *m, const struct metric_family *x)
{
	const uint64_t value[] = {
		[METRIC_ELAPSED] = m->elapsed_ns,
		[METRIC_CONTAINERS] = m->n_containers,
		[METRIC_LEFT_OUT] = m->n_left_out,
	};
	uint32_t which = x->point[0].value;

	if (which == METRIC_BUILD) {
		put_build(f, x);
	} else if (which == METRIC_CONSERVATION) {
		put_conservation(f, m, x);
	} else {
		put_name(f, x, NULL, NULL);
		put_number(f, x, value[which]);
	}
}

static void put_family(FILE *f, const struct openmetrics *m, const struct metric_family *x,
	enum openmetrics_form form)
{
	put_head(f, x, form);
	if (x->scope == METRIC_OF_CONTAINER)
		put_containers(f, m, x);
	else if (x->scope == METRIC_OF_CPU)
		put_cpus(f, m, x);
	else
		put_one(f, m, x);
}

char *openmetrics_text(const struct openmetrics *m, enum openmetrics_form form, size_t *ret_n_bytes)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_n_bytes);

	if (!f)
		abort();
	for (const struct metric_family *x = metric_families; x->name; x++)
		put_family(f, m, x, form);
	if (form == OPENMETRICS_1_0)
		fputs("# EOF\n", f);
	if (fclose(f) != 0)
		abort();
	return text;
}
