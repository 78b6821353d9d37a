#include "report/progress.h"

#include "base/str.h"

#define BAR_COLUMNS 30

void progress_bar(const struct progress *pr, uint32_t done, uint32_t expected, uint64_t left_ns,
	const char *units, const char *what)
{
	uint32_t full = expected ? BAR_COLUMNS * done / expected : 0;

	/* \r and "erase to end of line": ECMA-48 EL. */
	fprintf(pr->out, "\r\033[K[");
	for (uint32_t i = 0; i < BAR_COLUMNS; i++)
		fputc(i < full ? '#' : '.', pr->out);
	fprintf(pr->out, "] %u of at most %u %s, %.0f s left at most%s%s", done, expected, units,
		(double)left_ns / 1e9, *what ? "  " : "", what);
}

static void bar(const struct progress *pr, const struct run *run, const struct bench_progress *p)
{
	char what[320] = "";

	if (p->last)
		str_addf(what, sizeof(what), "%s on %s", run->load[p->last->load].id,
			run->path[p->last->path].spec.name);
	progress_bar(pr, p->done, p->expected, p->left_ns, "trials", what);
}

static void line(const struct progress *pr, const struct run *run, const struct bench_progress *p)
{
	const struct trial *t = p->last;

	if (!t) {
		fprintf(pr->out, "tare: %u paths, %u loads, at most %u trials\n", run->n_paths,
			run->n_loads, p->expected);
		return;
	}
	fprintf(pr->out, "tare: trial %u of at most %u: %s on %s, round %u: %s%s%s, %.0f s left\n",
		p->done, p->expected, run->load[t->load].id, run->path[t->path].spec.name,
		t->round + 1, status_name[t->status], *t->reason ? ": " : "", t->reason,
		(double)p->left_ns / 1e9);
}

void progress_show(void *ctx, const struct run *run, const struct bench_progress *p)
{
	const struct progress *pr = ctx;

	if (pr->tty)
		bar(pr, run, p);
	else
		line(pr, run, p);
	fflush(pr->out);
}

void progress_end(const struct progress *pr)
{
	if (pr->tty)
		fprintf(pr->out, "\r\033[K");
	fflush(pr->out);
}
