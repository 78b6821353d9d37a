/*
 * A campaign as the tables that RFC 2544 s.26 asks for: per test, a row for each frame size. What
 * the numbers may be called is said first, what is strange about them under each table.
 */
#include "report/duration.h"
#include "report/grid.h"
#include "report/progress.h"
#include "report/report.h"
#include "report/resources.h"
#include "report/rfc2544.h"

#include "base/clock.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

const char *report_rfc2544_title(const struct rfc *c, uint32_t test)
{
	const struct rfc_test *t = rfc_test_table[test];
	/* Of the tests, only throughput is another one with another search. */
	bool named = c->cfg.profile == RFC_PROFILE_STANDARD && !c->modified &&
		     (test != RFC_THROUGHPUT || c->cfg.search == RFC_SEARCH_BINARY);

	return named ? t->title : t->plain;
}

/* "-" where there is no number. */
static void add(struct grid *g, double v, int decimals)
{
	if (isfinite(v))
		grid_add(g, "%.*f", decimals, v);
	else
		grid_add(g, "-");
}

static void add_us(struct grid *g, double ns)
{
	add(g, ns / 1e3, 1);
}

static void add_heads(struct grid *g, const char *const *head, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		grid_add(g, "%s", head[i]);
}

/* Units of a test and size, in order. */
static const struct rfc_unit *next_unit(const struct rfc *c, uint32_t test, uint32_t *at)
{
	while (*at < c->n_units) {
		const struct rfc_unit *u = c->unit[(*at)++];

		if (u->test == test)
			return u;
	}
	return NULL;
}

static const char *size_name(const struct rfc *c, const struct rfc_unit *u)
{
	return c->size[u->size].mix.name;
}

static void throughput(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "goal", "fps", "upper", "conditional",
		"theoretical", "L1 Mbit/s", "L2 Mbit/s", "status"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	const struct rfc_unit *u;
	uint32_t at = 0;

	grid_left(g, 1);
	grid_left(g, 8);
	add_heads(g, head, ARRAY_SIZE(head));
	while ((u = next_unit(c, RFC_THROUGHPUT, &at)))
		for (uint32_t i = 0; i < u->n_rows; i++) {
			const struct rfc_throughput *x = &u->row[i].throughput;
			bool least = u->row[i].status == RFC_TESTER_LIMITED ||
				     u->row[i].status == RFC_MAX_RATE;

			grid_add(g, "%s", size_name(c, u));
			grid_add(g, "%s", x->goal);
			if (isfinite(x->fps))
				grid_add(g, "%s%.0f", least ? ">= " : "", x->fps);
			else
				grid_add(g, "-");
			add(g, x->upper_fps, 0);
			add(g, x->conditional_fps, 0);
			add(g, c->size[u->size].line_fps, 0);
			add(g, x->l1_bps / 1e6, 2);
			add(g, x->l2_bps / 1e6, 2);
			grid_add(g, "%s", rfc_status_name[u->row[i].status]);
		}
	grid_print(g, out);
	if (c->subject->n_ports_tx > 1)
		fprintf(out, "  Rates are of one port; %u send at once.\n", c->subject->n_ports_tx);
	if (!c->cfg.line_rate_bps)
		fputs("  theoretical: no line rate: a veth has none (--line-rate gives one)\n",
			out);
}

static void instantiations(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "goal", "instantiations", "mean fps", "95% from",
		"to", "sd within", "sd between"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));

	grid_left(g, 1);
	add_heads(g, head, ARRAY_SIZE(head));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_THROUGHPUT, i, 0);

		for (uint32_t k = 0; u && k < u->n_rows; k++) {
			struct components x;

			rfc_spread(c, i, k, &x);
			grid_add(g, "%s", c->size[i].mix.name);
			grid_add(g, "%s", u->row[k].throughput.goal);
			grid_add(g, "%u x %u", x.n_groups, resources_repeats(&c->resources));
			add(g, x.mean, 0);
			add(g, x.ci_low, 0);
			add(g, x.ci_high, 0);
			add(g, x.sd_within, 0);
			add(g, x.sd_between, 0);
		}
	}
	fputs("\nThroughput of instantiations: the SUT built anew for each\n", out);
	grid_print(g, out);
}

static void latency(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "load", "fps", "n", "mean", "min", "p50", "p90",
		"p99", "p99.9", "p99.99", "max", "PDV"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	uint32_t n_rows = 0;

	add_heads(g, head, ARRAY_SIZE(head));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct rfc_latency_sum sum[RFC_MAX_LATENCY_LOADS];
		uint32_t n = rfc_latency_sum(c, i, sum);

		n_rows += n;

		for (uint32_t k = 0; k < n; k++) {
			const struct rfc_latency_sum *x = &sum[k];

			grid_add(g, "%s", c->size[i].mix.name);
			grid_add(g, "%.0f%%", x->load * 100);
			add(g, x->fps, 0);
			grid_add(g, "%u", x->n);
			add_us(g, x->mean_ns);
			add_us(g, x->min_ns);
			add_us(g, x->p50_ns);
			add_us(g, x->p90_ns);
			add_us(g, x->p99_ns);
			add_us(g, x->p999_ns);
			add_us(g, x->p9999_ns);
			add_us(g, x->max_ns);
			add_us(g, x->pdv_ns);
		}
	}
	if (n_rows == 0)
		return;
	grid_print(g, out);
	fprintf(out,
		"  In us, from when a frame is sent to when it is taken in; mean of n streams. "
		"load: of the %s\n",
		c->cfg.search == RFC_SEARCH_MLR ? "last goal's rate" : "highest rate without loss");
}

/* A column per size, a row per load: the lines of s.26.3's graph. */
static void loss(const struct rfc *c, FILE *out)
{
	_cleanup_(grid_freep) struct grid *g = grid_new(c->n_sizes + 1);
	uint32_t n = 1000000 / c->cfg.loss_step_ppm;
	bool any_marked = false;

	grid_add(g, "load");
	for (uint32_t i = 0; i < c->n_sizes; i++)
		grid_add(g, "%s", c->size[i].mix.name);
	for (uint32_t k = 0; k < n; k++) {
		bool any = false;

		for (uint32_t i = 0; i < c->n_sizes; i++)
			any |= rfc_unit_at(c, RFC_LOSS, i, k) != NULL;
		if (!any)
			break;
		grid_add(g, "%.0f%%", 100 - k * (c->cfg.loss_step_ppm / 1e4));
		for (uint32_t i = 0; i < c->n_sizes; i++) {
			const struct rfc_unit *u = rfc_unit_at(c, RFC_LOSS, i, k);
			bool marked = u && u->row[0].status == RFC_TESTER_LIMITED;

			any_marked |= marked;
			if (u && u->n_trials)
				grid_add(g, "%.4f%%%s", u->row[0].loss.loss_ratio * 100,
					marked ? "*" : "");
			else
				grid_add(g, "-");
		}
	}
	grid_print(g, out);
	fputs("  Share of frames lost, by frame size. load: of the highest rate. -: not tried "
	      "after two loads without loss\n",
		out);
	if (any_marked)
		fputs("  *: the tester itself lost some: it did not send them in time, or had no "
		      "room for them\n",
			out);
}

static void back_to_back(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "n", "mean", "min", "max", "sd", "implied ms",
		"corrected ms", "buffer", "status"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));

	grid_left(g, 9);
	add_heads(g, head, ARRAY_SIZE(head));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_BACK_TO_BACK, i, 0);
		struct rfc_burst_sum x;

		if (!u)
			continue;
		rfc_burst_sum(c, i, &x);
		grid_add(g, "%s", c->size[i].mix.name);
		grid_add(g, "%u", x.n);
		add(g, x.mean_frames, 1);
		add(g, x.min_frames, 0);
		add(g, x.max_frames, 0);
		add(g, x.sd_frames, 1);
		add(g, x.implied_s * 1e3, 4);
		add(g, x.corrected_s * 1e3, 4);
		add(g, x.buffer_frames, 0);
		grid_add(g, "%s", rfc_status_name[u->row[0].status]);
	}
	grid_print(g, out);
	fputs("  Frames in a burst, of n searches\n", out);
}

static void recovery(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "overload fps", "then fps", "trials", "lost",
		"recovery ms", "status"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));

	grid_left(g, 6);
	add_heads(g, head, ARRAY_SIZE(head));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_RECOVERY, i, 0);
		uint32_t n = 0;

		if (!u)
			continue;
		while (rfc_unit_at(c, RFC_RECOVERY, i, n))
			n++;
		grid_add(g, "%s", c->size[i].mix.name);
		add(g, u->row[0].recovery.overload_fps, 0);
		add(g, u->row[0].recovery.relief_fps, 0);
		grid_add(g, "%u", n);
		grid_add(g, "%llu", (unsigned long long)u->row[0].recovery.lost);
		add(g, rfc_recovery_mean_s(c, i) * 1e3, 3);
		grid_add(g, "%s", rfc_status_name[u->row[0].status]);
	}
	grid_print(g, out);
}

static void reset(const struct rfc *c, FILE *out)
{
	static const char *const head[] = {"size", "by", "fps", "lost", "reset ms", "status"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(head));
	const struct rfc_unit *u;
	uint32_t at = 0;

	grid_left(g, 1);
	grid_left(g, 5);
	add_heads(g, head, ARRAY_SIZE(head));
	while ((u = next_unit(c, RFC_RESET, &at))) {
		const struct rfc_reset *x = &u->row[0].reset;

		grid_add(g, "%s", size_name(c, u));
		grid_add(g, "%s", *x->by ? x->by : "-");
		add(g, x->fps, 0);
		grid_add(g, "%llu", (unsigned long long)x->lost);
		add(g, x->reset_s * 1e3, 3);
		grid_add(g, "%s", rfc_status_name[u->row[0].status]);
	}
	grid_print(g, out);
}

/* What the rows of a test have to say; not again what the row before has said. */
/* What is said of every size in the same words; NULL: there is no such thing, or one size only. */
static const char *said_of_all(const struct rfc *c, uint32_t test)
{
	const struct rfc_unit *u, *first = NULL;
	uint32_t at = 0, n = 0;

	for (; (u = next_unit(c, test, &at)); n++) {
		first = first ? first : u;
		if (u->n_rows != 1 || !*u->row[0].verdict ||
			strcmp(u->row[0].verdict, first->row[0].verdict) != 0)
			return NULL;
	}
	return n > 1 && c->n_sizes > 1 ? first->row[0].verdict : NULL;
}

static void verdicts(const struct rfc *c, uint32_t test, FILE *out)
{
	const struct rfc_unit *u, *before = NULL;
	const char *all = said_of_all(c, test);
	uint32_t at = 0;

	if (all) {
		fprintf(out, "  all: %s\n", all);
		return;
	}
	for (; (u = next_unit(c, test, &at)); before = u)
		for (uint32_t i = 0; i < u->n_rows; i++) {
			const struct rfc_row *row = &u->row[i];
			bool goal = test == RFC_THROUGHPUT && u->n_rows > 1;
			bool again = before && before->size == u->size &&
				     strcmp(before->row[i].verdict, row->verdict) == 0;

			bool marked = test == RFC_LOSS && row->status == RFC_TESTER_LIMITED;

			if (!*row->verdict || again || marked)
				continue;
			fprintf(out, "  %s", size_name(c, u));
			if (goal)
				fprintf(out, " %s", row->throughput.goal);
			if (u->index)
				fprintf(out, " #%u", u->index + 1);
			fprintf(out, ": %s\n", row->verdict);
		}
}

static void head(const struct rfc *c, FILE *out)
{
	const struct subject *s = c->subject;

	fprintf(out, "%s\n%s\n", s->name, c->label);
	fprintf(out, "tester: sends by %s, receives by %s%s%s%s%s\n", s->info.tx, s->info.rx,
		*s->info.place ? ", place " : "", s->info.place, *s->info.note ? "; " : "",
		s->info.note);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (*s->info.offloads[i])
			fprintf(out, "port %u offloads: %s\n", i + 1, s->info.offloads[i]);
	for (uint32_t i = 0; i < s->n_notes; i++)
		fprintf(out, "note: %s\n", s->note[i]);
	report_resources(&c->resources, resources_info(s->resources), out);
	if (!c->complete)
		fputs("interrupted: what follows is not all\n", out);
}

static void limits(const struct rfc *c, FILE *out)
{
	static const char *const title[] = {"size", "self-test fps", "theoretical", "highest load",
		"by"};
	_cleanup_(grid_freep) struct grid *g = grid_new(ARRAY_SIZE(title));

	fprintf(out, "\nHighest load of a port%s\n",
		c->subject->simulated ? "" : "; self-test: the tester without a SUT");
	grid_left(g, 4);
	add_heads(g, title, ARRAY_SIZE(title));
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		grid_add(g, "%s", c->size[i].mix.name);
		add(g, c->size[i].self_fps, 0);
		add(g, c->size[i].line_fps, 0);
		add(g, c->size[i].max_fps, 0);
		grid_add(g, "%s", rfc_limit_name[c->size[i].limit]);
	}
	grid_print(g, out);
}

int report_rfc2544_text(const struct rfc *c, FILE *out)
{
	static void (*const table[])(const struct rfc *, FILE *) = {
		[RFC_THROUGHPUT] = throughput,
		[RFC_LATENCY] = latency,
		[RFC_LOSS] = loss,
		[RFC_BACK_TO_BACK] = back_to_back,
		[RFC_RECOVERY] = recovery,
		[RFC_RESET] = reset,
	};

	static_assert(ARRAY_SIZE(table) == RFC_TEST_N);
	head(c, out);
	limits(c, out);
	for (uint32_t i = 0; i < RFC_TEST_N; i++) {
		uint32_t at = 0;

		if (!next_unit(c, i, &at))
			continue;
		fprintf(out, "\n%s\n", report_rfc2544_title(c, i));
		table[i](c, out);
		verdicts(c, i, out);
		if (i == RFC_THROUGHPUT && c->resources.rebuild)
			instantiations(c, out);
	}
	return report_flush(out);
}

void report_rfc2544_estimate(const struct rfc *c, FILE *out)
{
	double by_test[RFC_TEST_N], all_s = rfc_estimate_s(c, by_test);
	char text[32];

	report_duration(all_s, text, sizeof(text));
	fprintf(out, "tare: %u sizes will take about %s:", c->n_sizes, text);
	for (uint32_t i = 0; i < RFC_TEST_N; i++) {
		if (!c->test[i])
			continue;
		report_duration(by_test[i], text, sizeof(text));
		fprintf(out, " %s %s%s,", rfc_test_table[i]->name, text,
			i == RFC_RESET ? " once" : "");
	}
	fputs(" a size\n", out);
}

/* A line for each of a thousand steps would bury all else. */
#define LINE_NS (2 * NSEC_PER_SEC)

void report_rfc2544_progress(void *ctx, const struct rfc_progress *p)
{
	struct progress *pr = ctx;
	uint64_t now_ns = clock_now_ns();
	char what[128] = "";

	if (!pr->tty && now_ns < pr->next_ns)
		return;
	pr->next_ns = now_ns + LINE_NS;
	if (p->size)
		str_addf(what, sizeof(what), "%s of %s", p->test, p->size->mix.name);
	if (pr->tty)
		progress_bar(pr, p->done, p->expected, p->left_ns, "steps", what);
	else if (p->size)
		fprintf(pr->out, "tare: step %u of at most %u: %s, %.0f s left\n", p->done + 1,
			p->expected, what, (double)p->left_ns / 1e9);
	fflush(pr->out);
}
