#include "base/clock.h"
#include "cmd/charge_live.h"
#include "report/progress.h"
#include "sys/term.h"

#include <unistd.h>

/* How far it is, on stderr, when nothing else on the terminal tells. */
static void progress(const struct live *l)
{
	struct progress pr = {.out = stderr, .tty = isatty(STDERR_FILENO)};
	uint64_t now = clock_now_ns();
	uint64_t n = (l->run.duration_ns + l->run.interval_ns - 1) / l->run.interval_ns;

	if (!l->run.duration_ns || l->ask->quiet || !pr.tty)
		return;
	progress_bar(&pr, (uint32_t)MIN(n, l->n_intervals), (uint32_t)n,
		now < l->end_ns ? l->end_ns - now : 0, "intervals", "");
	if (now >= l->end_ns || l->stop)
		progress_end(&pr);
	fflush(stderr);
}

/* Where progress is no bar it is told once, ahead. */
static void announce(struct live *l)
{
	if (l->run.duration_ns && !l->ask->quiet && !isatty(STDERR_FILENO))
		fprintf(stderr, "tare: charge takes %.2f s\n", (double)l->run.duration_ns * 1e-9);
	progress(l);
}

static void advance(struct live *l)
{
	l->n_intervals++;
	progress(l);
}

static void text_begin(struct live *l)
{
	if (!isatty(STDOUT_FILENO))
		announce(l);
	report_charge_kernel(charge_kernel(l->charge), stdout);
	fflush(stdout);
}

static void print_table(const struct live *l, const struct bill *b)
{
	struct charge_view view = l->view;

	view.columns = term_columns(STDOUT_FILENO);
	report_charge_head(b, l->begin_ns, l->run.duration_ns, stdout);
	report_charge_table(b, &view, stdout);
	fflush(stdout);
}

static void text_interval(struct live *l, struct bill *b)
{
	if (l->n_intervals)
		fputc('\n', stdout);
	print_table(l, b);
	l->n_intervals++;
	if (!isatty(STDOUT_FILENO))
		progress(l);
}

/* Of one interval the total is the same again. */
static void text_end(struct live *l)
{
	if (l->n_intervals == 1)
		return;
	fputs("\nTotals, ", stdout);
	print_table(l, &l->run.total);
	if (!l->run.complete)
		fputs("Interrupted: what is here is partial.\n", stdout);
}

const struct charge_output charge_output_text = {text_begin, text_interval, text_end};

static void csv_begin(struct live *l)
{
	announce(l);
	report_charge_csv_head(stdout);
	fflush(stdout);
}

static void csv_interval(struct live *l, struct bill *b)
{
	report_charge_csv(b, CHARGE_INTERVAL, stdout);
	advance(l);
}

static void csv_end(struct live *l)
{
	report_charge_csv(&l->run.total, CHARGE_TOTAL, stdout);
}

const struct charge_output charge_output_csv = {csv_begin, csv_interval, csv_end};

static void stream_interval_line(struct live *l, struct bill *b)
{
	(void)report_charge_line(b, CHARGE_INTERVAL, stdout); /* said at the end */
	advance(l);
}

static void stream_end_line(struct live *l)
{
	(void)report_charge_line(&l->run.total, CHARGE_TOTAL, stdout); /* the same */
}

const struct charge_output charge_output_stream = {announce, stream_interval_line, stream_end_line};

static void json_begin(struct live *l)
{
	announce(l);
	(void)report_charge_json_begin(&l->json, &l->run, stdout); /* the same */
}

static void json_interval(struct live *l, struct bill *b)
{
	(void)report_charge_json_interval(&l->json, b); /* the same */
	advance(l);
}

static void json_end(struct live *l)
{
	(void)report_charge_json_end(&l->json, &l->run); /* the same */
}

const struct charge_output charge_output_json = {json_begin, json_interval, json_end};

/*
 * None of its intervals was counted: they are off the terminal by now, and the total is said, of
 * who had something: others would move it off, too.
 */
static void screen_end(struct live *l)
{
	l->view.active = true;
	l->view.skip = 0;
	text_end(l);
}

const struct charge_output charge_output_screen = {screen_begin, screen_interval, screen_end};
