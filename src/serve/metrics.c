#include "serve/metrics.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/openmetrics.h"

#include <stdlib.h>

#define PATH "/metrics"

struct metrics {
	struct http *http;
	struct http_site site;
	struct openmetrics *said;
	metrics_bill_fn *total;
	void *ctx;
};

static int make(void *ctx, const char *accept, struct http_page *ret, struct err *e)
{
	enum openmetrics_form form = openmetrics_form(accept);
	_cleanup_(bill_fini) struct bill bill = {0};
	struct metrics *m = ctx;
	int r = m->total(m->ctx, &bill, e);

	if (r < 0)
		return r;
	openmetrics_update(m->said, &bill);
	ret->type = openmetrics_type[form];
	ret->body = openmetrics_text(m->said, form, &ret->n_bytes);
	return 0;
}

int metrics_open(struct metrics **ret, const char *listen, metrics_bill_fn *total, void *ctx,
	struct err *e)
{
	_cleanup_(metrics_closep) struct metrics *m = xcalloc(1, sizeof(*m));
	int r;

	m->total = total;
	m->ctx = ctx;
	m->said = openmetrics_new();
	m->site = (struct http_site){
		.index = "tare charge: CPU time by container, softirqs included. See " PATH,
		.path = PATH,
		.make = make,
		.ctx = m,
	};
	r = http_open(&m->http, listen, &m->site, e);
	if (r != 0)
		return r;
	*ret = take_ptr(m);
	return 0;
}

void metrics_close(struct metrics *m)
{
	if (!m)
		return;
	http_close(m->http);
	openmetrics_free(m->said);
	free(m);
}

int metrics_fd(const struct metrics *m)
{
	return http_fd(m->http);
}

int metrics_wait_ms(const struct metrics *m)
{
	return http_wait_ms(m->http);
}

void metrics_run(struct metrics *m)
{
	http_run(m->http);
}

void metrics_url(const struct metrics *m, char *ret, size_t size)
{
	char where[SOCK_ADDR_LEN + 16];

	http_text(m->http, where, sizeof(where));
	ret[0] = '\0';
	str_addf(ret, size, "http://%s" PATH, where);
}
