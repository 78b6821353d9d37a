/* Units as JSON, for the file of --resume and, as they are there, for the result. */
#include "base/mem.h"
#include "base/str.h"
#include "method/rfc2544_priv.h"

#include <errno.h>
#include <string.h>

#define MAX_TRIALS 100000

static struct doc *rows(const struct rfc_unit *u)
{
	const struct rfc_test *t = rfc_test_table[u->test];
	struct doc *list = doc_array();

	for (uint32_t i = 0; i < u->n_rows; i++) {
		struct doc *d = doc_object();

		doc_put_str(d, "status", rfc_status_name[u->row[i].status]);
		doc_put_fields(d, rfc_row_fields, &u->row[i]);
		doc_put_fields(d, t->fields, rfc_row_own_const(t, &u->row[i]));
		doc_append(list, d);
	}
	return list;
}

struct doc *rfc_unit_doc(const struct rfc *c, const struct rfc_unit *u)
{
	struct doc *d = doc_object(), *trials = doc_array();

	doc_put_str(d, "test", rfc_test_table[u->test]->name);
	doc_put_str(d, "size", c->size[u->size].mix.name);
	doc_put_u64(d, "index", u->index);
	doc_put_fields(d, rfc_seen_fields, &u->seen);
	doc_put(d, "rows", rows(u));
	for (uint32_t i = 0; i < u->n_trials; i++) {
		struct doc *one = doc_object();

		doc_put_fields(one, rfc_trial_fields, &u->trial[i]);
		doc_append(trials, one);
	}
	doc_put(d, "trials", trials);
	if (u->hist)
		doc_put_hist(d, "latency", u->hist);
	else
		doc_put_null(d, "latency");
	return d;
}

static int find_test(const struct doc *d, uint32_t *ret, struct err *e)
{
	char name[32] = "";
	int r = doc_get_str(d, "test", name, sizeof(name), e);

	for (uint32_t i = 0; r == 0 && i < RFC_TEST_N; i++)
		if (strcmp(rfc_test_table[i]->name, name) == 0) {
			*ret = i;
			return 0;
		}
	return r < 0 ? r : err_say(e, EPROTO, "test: there is no '%s'", name);
}

static int find_size(const struct rfc *c, const struct doc *d, uint32_t *ret, struct err *e)
{
	char name[sizeof(c->size[0].mix.name)] = "";
	int r = doc_get_str(d, "size", name, sizeof(name), e);

	for (uint32_t i = 0; r == 0 && i < c->n_sizes; i++)
		if (strcmp(c->size[i].mix.name, name) == 0) {
			*ret = i;
			return 0;
		}
	return r < 0 ? r : err_say(e, EPROTO, "size: '%s' is none of this campaign", name);
}

static int read_row(struct rfc_unit *u, const struct doc *d, struct err *e)
{
	const struct rfc_test *t = rfc_test_table[u->test];
	struct rfc_row *row = rfc_row_add(u);
	char status[32];
	int i, r = doc_get_str(d, "status", status, sizeof(status), e);

	if (r < 0)
		return r;
	i = str_index(status, rfc_status_name, RFC_STATUS_N);
	if (i < 0)
		return err_say(e, EPROTO, "status: there is no '%s'", status);
	row->status = (uint32_t)i;
	r = doc_get_fields(d, rfc_row_fields, row, e);
	return r < 0 ? r : doc_get_fields(d, t->fields, rfc_row_own(t, row), e);
}

static int read_lists(struct rfc_unit *u, const struct doc *d, struct err *e)
{
	const struct doc *list = doc_get(d, "rows"), *trials = doc_get(d, "trials");
	int r = 0;

	if (!doc_is_array(list) || doc_len(list) == 0 || doc_len(list) > RFC_MAX_ROWS)
		return err_say(e, EPROTO, "rows: not a list of 1 to %d", RFC_MAX_ROWS);
	if (!doc_is_array(trials) || doc_len(trials) > MAX_TRIALS)
		return err_say(e, EPROTO, "trials: not a list of at most %d", MAX_TRIALS);
	for (size_t i = 0; r == 0 && i < doc_len(list); i++)
		r = read_row(u, doc_at(list, i), e);
	u->trial = xcalloc(doc_len(trials) + 1, sizeof(*u->trial));
	for (; r == 0 && u->n_trials < doc_len(trials); u->n_trials++)
		r = doc_get_fields(doc_at(trials, u->n_trials), rfc_trial_fields,
			&u->trial[u->n_trials], e);
	return r;
}

int rfc_unit_read(struct rfc_unit **ret, const struct rfc *c, const struct doc *d, struct err *e)
{
	_cleanup_(rfc_unit_freep) struct rfc_unit *u = rfc_unit_new(0, 0, 0);
	uint64_t index = 0;
	int r = find_test(d, &u->test, e);

	if (r == 0)
		r = find_size(c, d, &u->size, e);
	if (r == 0)
		r = doc_get_u64(d, "index", UINT32_MAX, &index, e);
	u->index = (uint32_t)index;
	if (r == 0)
		r = doc_get_fields(d, rfc_seen_fields, &u->seen, e);
	if (r == 0)
		r = read_lists(u, d, e);
	if (r == 0 && !doc_is_null(doc_get(d, "latency"))) {
		u->hist = xcalloc(1, sizeof(*u->hist));
		r = doc_get_hist(d, "latency", u->hist, e);
	}
	if (r < 0)
		return r;
	*ret = take_ptr(u);
	return 0;
}

int rfc_unit_as_read(struct rfc_unit **ret, const struct rfc *c, const struct rfc_unit *u,
	struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = rfc_unit_doc(c, u), *again = NULL;
	_cleanup_(freep) char *text = doc_text(d);
	int r = doc_parse(&again, text, strlen(text), e);

	return r < 0 ? r : rfc_unit_read(ret, c, again, e);
}
