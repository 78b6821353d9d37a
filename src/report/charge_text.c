#include "base/mem.h"
#include "base/str.h"
#include "charge/account.h"
#include "report/charge.h"
#include "report/grid.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMNS  20
#define PLACE_COLUMNS 16

const char *const charge_sort_name[CHARGE_SORT_N] = {
	[CHARGE_SORT_TOTAL] = "total",
	[CHARGE_SORT_SOFTIRQ] = "softirq",
	[CHARGE_SORT_PACKETS] = "packets",
	[CHARGE_SORT_GAINED] = "gained",
	[CHARGE_SORT_NAME] = "name",
};
static_assert(ARRAY_SIZE(charge_sort_name) == CHARGE_SORT_N, "a name for each");

/* A row and what it is sorted by. */
struct ranked {
	uint32_t row;
	double key;
	const char *name;
};

static double key_of(const struct bill_row *r, uint32_t sort)
{
	const double key[CHARGE_SORT_N] = {
		[CHARGE_SORT_TOTAL] =
			r->process_known ? (double)r->total_ns : (double)r->softirq_ns,
		[CHARGE_SORT_SOFTIRQ] = (double)r->softirq_ns,
		[CHARGE_SORT_PACKETS] = (double)(r->soft.rx_pkts + r->soft.tx_pkts),
		[CHARGE_SORT_GAINED] = (double)r->soft.gained_ns,
	};

	assert(sort < CHARGE_SORT_N);
	return key[sort];
}

/* Rows that are alike stay in the order in which they were found. */
static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	if (names)
		return names;
	return x->row < y->row ? -1 : 1;
}

static bool had_nothing(const struct bill_row *r)
{
	const struct softirq_account *a = &r->soft;

	return !r->softirq_ns && !a->thread_ns && !a->gained_ns && !a->rx_pkts && !a->tx_pkts &&
	       !(r->process_known && r->process_ns);
}

/* Of a container: host and overhead always are. */
static bool is_shown(const struct bill_row *r, const struct charge_view *v)
{
	return r->owner >= SOFTIRQ_FIRST && (!v->active || !had_nothing(r)) &&
	       (!v->who || guard_rules_find(v->who, &r->who));
}

uint32_t report_charge_count(const struct bill *b, const struct charge_view *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n_rows; i++)
		n += is_shown(&b->row[i], v);
	return n;
}

/* The rows to show, in @ret [b->n_rows]: host and overhead, then containers. Return: how many. */
static uint32_t charge_order(const struct bill *b, const struct charge_view *v, uint32_t *ret)
{
	_cleanup_(freep) struct ranked *ranked = xcalloc(b->n_rows + 1, sizeof(*ranked));
	uint32_t n = 0, n_ranked = 0;

	for (uint32_t i = 0; i < b->n_rows; i++) {
		const struct bill_row *r = &b->row[i];

		if (r->owner < SOFTIRQ_FIRST)
			ret[n++] = i;
		else if (is_shown(r, v))
			ranked[n_ranked++] = (struct ranked){.row = i,
				.key = key_of(r, v->sort),
				.name = v->sort == CHARGE_SORT_NAME ? r->who.name : ""};
	}
	qsort(ranked, n_ranked, sizeof(*ranked), by_rank);
	for (uint32_t i = v->skip; i < n_ranked && (!v->top || i - v->skip < v->top); i++)
		ret[n++] = ranked[i].row;
	return n;
}

static double percent(double ns, const struct bill *b)
{
	const double ret = 100.0 * ns / (double)(b->to_ns - b->from_ns);

	return fabs(ret) < 0.005 ? 0 : ret; /* not -0.00 */
}

static void add_percent(struct grid *g, const struct bill *b, double ns)
{
	if (isfinite(ns) && b->to_ns > b->from_ns)
		grid_add(g, "%.2f", percent(ns, b));
	else
		grid_add(g, "-");
}

/* Others chose these words; what could move the cursor of a terminal is left out. */
static void add_words(struct grid *g, const char *mark, const char *words, size_t columns)
{
	char text[160];

	str_set(text, words);
	str_one_line(text);
	if (strlen(text) > columns)
		memcpy(&text[columns - 2], "..", 3);
	grid_add(g, "%s%s", mark, text);
}

static void add_place(struct grid *g, const struct container *c)
{
	const char *last = strrchr(c->cgroup, '/');

	if (c->netns && !c->host_netns)
		grid_add(g, "net:%u", c->netns);
	else
		add_words(g, "", last ? last + 1 : "", PLACE_COLUMNS);
}

/* Columns from rx on. @process_ns, @total_ns: NaN: not known */
static void add_numbers(struct grid *g, const struct bill *b, const struct softirq_account *a,
	double process_ns, double total_ns)
{
	const uint64_t ns[] = {a->rx_ns, a->tx_ns, a->other_ns, a->own_ns, a->gained_ns,
		a->ksoft_ns};
	const double pkts = (double)(a->rx_pkts + a->tx_pkts);

	add_percent(g, b, process_ns);
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		add_percent(g, b, (double)ns[i]);
	add_percent(g, b, total_ns);
	if (b->to_ns > b->from_ns)
		grid_add(g, "%.0f", pkts * 1e9 / (double)(b->to_ns - b->from_ns));
	else
		grid_add(g, "-");
	if (pkts > 0)
		grid_add(g, "%.0f", (double)(a->rx_ns + a->tx_ns) / pkts);
	else
		grid_add(g, "-");
}

/* In the order in which rows are filled. */
enum column {
	KIND,
	NAME,
	WHERE,
	PROC,
	RX,
	TX,
	OTHER,
	OWN,
	GAINED,
	KSOFT,
	TOTAL,
	PKTS,
	NS,
	COLUMN_N
};
static const char *const head[COLUMN_N] = {
	[KIND] = "kind",
	[NAME] = "name",
	[WHERE] = "where",
	[PROC] = "proc%",
	[RX] = "rx%",
	[TX] = "tx%",
	[OTHER] = "other%",
	[OWN] = "own%",
	[GAINED] = "gained%",
	[KSOFT] = "ksoft%",
	[TOTAL] = "total%",
	[PKTS] = "pkts/s",
	[NS] = "ns/pkt",
};

static void add_head(struct grid *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		grid_add(g, "%s", head[i]);
}

/* What is left out where there is no room: least missed first. */
static const uint32_t drop[] = {WHERE, OTHER, KSOFT, OWN, TX, NS, KIND, PKTS, RX, PROC, GAINED};

static void print_left_out(uint32_t n, FILE *out)
{
	if (n)
		fputs("  too narrow for", out);
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%s %s", i ? "," : "", head[drop[i]]);
	if (n)
		fputc('\n', out);
}

static void add_cpus(struct grid *g, const struct bill *b, uint32_t row)
{
	for (uint32_t i = 0; b->cpu_row && i < b->n_cpus; i++) {
		const struct softirq_account *a = &b->cpu_row[i * b->n_rows + row];

		if (!a->rx_ns && !a->tx_ns && !a->other_ns && !a->gained_ns)
			continue;
		grid_add(g, "%s", "");
		grid_add(g, "  CPU %u", i);
		grid_add(g, "%s", "");
		add_numbers(g, b, a, NAN, NAN);
	}
}

static void add_row(struct grid *g, const struct bill *b, uint32_t row, bool per_cpu)
{
	const struct bill_row *r = &b->row[row];

	grid_add(g, "%s", bill_kind(r));
	add_words(g, r->is_gone ? "-" : r->is_new ? "+" : "", r->who.name, NAME_COLUMNS);
	add_place(g, &r->who);
	add_numbers(g, b, &r->soft, r->process_known ? (double)r->process_ns : NAN,
		r->process_known ? (double)r->total_ns : NAN);
	if (per_cpu)
		add_cpus(g, b, row);
}

/*
 * Of all rows, shown or not. What processes had is in the host's where their own row has it not, so
 * the sum has it.
 */
static void add_sum(struct grid *g, const struct bill *b)
{
	struct softirq_account sum = {0};
	double process_ns = 0, total_ns = 0;
	bool known = false;

	for (uint32_t i = 0; i < b->n_rows; i++) {
		const struct bill_row *r = &b->row[i];

		account_add(&sum, &r->soft);
		known |= r->owner == SOFTIRQ_HOST && r->process_known;
		process_ns += (double)r->process_ns;
		total_ns += (double)r->total_ns;
	}
	grid_add(g, "sum");
	grid_add(g, "%u", b->n_rows);
	grid_add(g, "%s", "");
	add_numbers(g, b, &sum, known ? process_ns : NAN, known ? total_ns : NAN);
}

static void print_check(const struct bill *b, FILE *out)
{
	double rx_ns = 0, tx_ns = 0, idle_ns = 0;

	for (uint32_t i = 0; i < b->n_cpus; i++) {
		rx_ns += (double)b->cpu[i].rx_ns;
		tx_ns += (double)b->cpu[i].tx_ns;
		idle_ns += (double)b->cpu[i].idle_ns;
	}
	if (b->to_ns <= b->from_ns)
		return;
	fprintf(out, "  CPUs' softirqs: %.2f %% (rx %.2f, tx %.2f, idle %.2f)",
		percent(rx_ns + tx_ns, b), percent(rx_ns, b), percent(tx_ns, b),
		percent(idle_ns, b));
	if (isfinite(b->conservation))
		fprintf(out, "; rows %.4f of it", b->conservation);
	if (b->n_left_out)
		fprintf(out, "; no room for %u containers, whose part is the host's",
			b->n_left_out);
	fputc('\n', out);
}

void report_charge_table(const struct bill *b, const struct charge_view *v, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(COLUMN_N);
	_cleanup_(freep) uint32_t *order = xcalloc(b->n_rows + 1, sizeof(*order));
	uint32_t n = charge_order(b, v, order), n_out;

	grid_left(g, NAME);
	grid_left(g, WHERE);
	add_head(g);
	for (uint32_t i = 0; i < n; i++)
		add_row(g, b, order[i], v->per_cpu);
	add_sum(g, b);
	n_out = v->columns ? grid_fit(g, v->columns, drop, ARRAY_SIZE(drop)) : 0;
	grid_print(g, out);
	print_left_out(n_out, out);
	if (n < b->n_rows)
		fprintf(out, "  %u more container%s in the sum\n", b->n_rows - n,
			b->n_rows - n == 1 ? " is" : "s are");
	print_check(b, out);
}

static double seconds(uint64_t ns)
{
	return (double)ns * 1e-9;
}

void report_charge_head(const struct bill *b, uint64_t begin_ns, uint64_t duration_ns, FILE *out)
{
	fprintf(out, "%.2f-%.2f", seconds(b->from_ns - begin_ns), seconds(b->to_ns - begin_ns));
	if (duration_ns)
		fprintf(out, " of %.2f", seconds(duration_ns));
	fputs(" s, in % of one CPU\n", out);
}

void report_charge_kernel(const struct softirq_kernel *k, FILE *out)
{
	if (k->irq_time)
		fputs("This kernel keeps softirqs out of processes' CPU time: total is process "
		      "and softirqs, own and gained are in no process's time.\n",
			out);
	if (!k->sk_events)
		fputs("This kernel does not tell whose a packet of the host's own namespace is: "
		      "those of services and of containers without a network are the host's. "
		      "It takes Linux 6.3, and cgroup v2 for the cpu controller.\n",
			out);
	if (!k->tunnels)
		fputs("This kernel is locked down: what packets take before they come out of a "
		      "tunnel is the host's.\n",
			out);
}
