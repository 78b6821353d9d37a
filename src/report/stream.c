#include "report/stream.h"

#include "report/json.h"
#include "report/report.h"

static struct doc *event(const char *name)
{
	struct doc *d = doc_object();

	doc_put_str(d, "event", name);
	return d;
}

void stream_progress(void *ctx, const struct run *run, const struct bench_progress *p)
{
	_cleanup_(doc_freep) struct doc *d = event(p->last ? "trial" : "start");

	if (p->last)
		json_put_trial(d, run, p->last);
	else
		json_put_head(d, run);
	(void)report_line(d, ctx);
}

void stream_interval(void *ctx, const struct run *run, const struct trial *t, uint32_t n,
	const struct interval *x)
{
	_cleanup_(doc_freep) struct doc *d = event("interval");

	doc_put_str(d, "load", run->load[t->load].id);
	doc_put_u64(d, "order", t->order);
	json_put_interval(d, n, x);
	(void)report_line(d, ctx);
}

int stream_end(const struct run *run, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = event("end");

	doc_put_bool(d, "complete", run->complete);
	doc_put(d, "cells", json_cells(run));
	doc_put(d, "findings", json_findings(run));
	return report_line(d, out);
}

int stream_error(const char *text, FILE *out)
{
	_cleanup_(doc_freep) struct doc *d = event("error");

	doc_put_str(d, "text", text);
	return report_line(d, out);
}
