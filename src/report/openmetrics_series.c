#include "report/openmetrics_series.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct openmetrics *openmetrics_new(void)
{
	struct openmetrics *m = xcalloc(1, sizeof(*m));

	m->conservation = NAN;
	return m;
}

static void series_free(struct series *s)
{
	free(s->labels);
	free(s);
}

void openmetrics_free(struct openmetrics *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->n; i++)
		series_free(m->item[i]);
	free(m->item);
	free(m->cpu);
	free(m);
}

/*
 * A name may be any bytes (a cgroup's is a directory's), and one that is no UTF-8 would cost the
 * scraper the whole text: what is none becomes U+FFFD.
 */
static void put_escaped(FILE *f, const char *text)
{
	for (const char *s = text; *s;) {
		size_t n = str_utf8(s);

		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '\\' || *s == '"')
			fprintf(f, "\\%c", *s);
		else if (n)
			fwrite(s, 1, n, f);
		else
			fputs("\xef\xbf\xbd", f);
		s += n ? n : 1;
	}
}

/* An empty label is the same as none, for those who read this. */
static void put_label(FILE *f, const char *name, const char *value)
{
	if (!*value)
		return;
	fprintf(f, ",%s=\"", name);
	put_escaped(f, value);
	fputc('"', f);
}

/*
 * Does the name outlive the process? Not the inode that a namespace is called by when nobody named
 * it (charge/container_name.c), nor the pid of --netns pid:N: such namespaces are one series.
 */
static bool is_name_stable(const struct container *c)
{
	char inode[24];

	snprintf(inode, sizeof(inode), "netns-%" PRIu32, c->netns);
	return c->kind != CONTAINER_NETNS ||
	       (strcmp(c->name, inode) != 0 && strncmp(c->name, "pid:", 4) != 0);
}

/* Also the key of a series: rows that are written alike are one. */
static char *labels_of(const struct bill_row *row)
{
	const struct container *c = &row->who;
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	fprintf(f, "kind=\"%s\"", bill_kind(row));
	put_label(f, "id", c->id);
	put_label(f, "name", is_name_stable(c) ? c->name : "");
	put_label(f, "namespace", c->k8s_ns);
	if (fclose(f) != 0)
		abort();
	return text;
}

/* Where the series with these labels is, or would be. */
static uint32_t place_of(const struct openmetrics *m, const char *labels)
{
	uint32_t low = 0, high = m->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(labels, m->item[middle]->labels) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct series *series_of(struct openmetrics *m, const struct bill_row *row)
{
	_cleanup_(freep) char *labels = labels_of(row);
	uint32_t at = place_of(m, labels);
	struct series *s;

	if (at < m->n && strcmp(labels, m->item[at]->labels) == 0)
		return m->item[at];
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		m->item = xreallocarray(m->item, m->room, sizeof(struct series *));
	}
	memmove(&m->item[at + 1], &m->item[at], (m->n - at) * sizeof(struct series *));
	s = m->item[at] = xcalloc(1, sizeof(*s));
	s->labels = take_ptr(labels);
	m->n++;
	return s;
}

static void add_row(struct openmetrics *m, const struct bill_row *row)
{
	struct series *s = series_of(m, row);
	uint64_t account[METRIC_ACCOUNT_N];

	memcpy(account, &row->soft, sizeof(account));
	for (uint32_t i = 0; i < METRIC_ACCOUNT_N; i++)
		s->now[i] += (int64_t)account[i];
	s->now[METRIC_PROCESS] += (int64_t)row->process_ns;
	s->now[METRIC_TOTAL] += row->total_ns;
	s->n_rows++;
	s->process_known |= row->process_known;
	s->alive |= !row->is_gone;
}

static void begin(struct series *s)
{
	memcpy(s->was, s->now, sizeof(s->was));
	memset(s->now, 0, sizeof(s->now));
	s->n_rows_was = s->n_rows;
	s->n_rows = 0;
	s->alive = false;
}

/* Did the bill let go of rows? Those of the accounting never fall otherwise. */
static bool has_lost(const struct series *s)
{
	if (s->n_rows < s->n_rows_was)
		return true;
	for (uint32_t i = 0; i < METRIC_ACCOUNT_N; i++)
		if (s->now[i] < s->was[i])
			return true;
	return false;
}

/*
 * What was said stays said. Of a row that is forgotten the last values are kept, at most one
 * interval of another row's is missed by that. The host's processes are a difference of two
 * readings and the total is a sum with signs: they may fall by a little, and wait until they rise.
 */
static void settle(struct series *s, uint64_t now_ns)
{
	bool lost = has_lost(s);

	for (uint32_t i = 0; i < METRIC_VALUE_N; i++) {
		if (lost)
			s->lost[i] += MAX(s->was[i] - s->now[i], (int64_t)0);
		s->said[i] = MAX(s->said[i], s->lost[i] + s->now[i]);
	}
	s->gone_ns = s->alive ? 0 : s->gone_ns ? s->gone_ns : now_ns;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The time since which those that are gone are shown. */
static uint64_t shown_from(const struct openmetrics *m)
{
	_cleanup_(freep) uint64_t *gone = xcalloc(m->n + 1, sizeof(*gone));
	uint64_t from_ns = m->now_ns > OPENMETRICS_GONE_NS ? m->now_ns - OPENMETRICS_GONE_NS : 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++)
		if (m->item[i]->gone_ns)
			gone[n++] = m->item[i]->gone_ns;
	if (n <= OPENMETRICS_MAX_GONE)
		return from_ns;
	qsort(gone, n, sizeof(*gone), newest_first);
	/* All of one moment, or none: so the limit holds. */
	return MAX(from_ns, gone[OPENMETRICS_MAX_GONE] + 1);
}

bool openmetrics_shows(const struct openmetrics *m, const struct series *s)
{
	return !s->gone_ns || s->gone_ns >= m->shown_from_ns;
}

/* What is not shown is kept as long as the bill has it: it is not to come back as a new one. */
static void sweep(struct openmetrics *m)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->n; i++) {
		struct series *s = m->item[i];

		if (openmetrics_shows(m, s) || s->n_rows)
			m->item[n++] = s;
		else
			series_free(s);
	}
	m->n = n;
}

/* What many had that are gone: each has been said under its own labels. */
static bool is_earlier(const struct bill_row *row)
{
	return row->is_gone && strcmp(row->who.name, BILL_EARLIER) == 0;
}

static void take_cpus(struct openmetrics *m, const struct bill *total)
{
	m->cpu = xreallocarray(m->cpu, total->n_cpus + 1, sizeof(*m->cpu));
	if (total->n_cpus)
		memcpy(m->cpu, total->cpu, total->n_cpus * sizeof(*m->cpu));
	m->n_cpus = total->n_cpus;
}

void openmetrics_update(struct openmetrics *m, const struct bill *total)
{
	m->now_ns = total->to_ns;
	m->elapsed_ns = total->to_ns - total->from_ns;
	m->conservation = total->conservation;
	m->n_left_out = total->n_left_out;
	m->n_containers = 0;
	take_cpus(m, total);
	for (uint32_t i = 0; i < m->n; i++)
		begin(m->item[i]);
	for (uint32_t i = 0; i < total->n_rows; i++) {
		const struct bill_row *row = &total->row[i];

		if (!is_earlier(row))
			add_row(m, row);
		m->n_containers += row->owner >= SOFTIRQ_FIRST && !row->is_gone;
	}
	for (uint32_t i = 0; i < m->n; i++)
		settle(m->item[i], m->now_ns);
	m->shown_from_ns = shown_from(m);
	sweep(m);
}
