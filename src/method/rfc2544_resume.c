/* What the file of --resume (method/resume.h) has of these campaigns. */
#include "base/str.h"
#include "method/resume.h"
#include "method/rfc2544_priv.h"

#include <errno.h>

static struct doc *config(const void *campaign)
{
	const struct rfc *c = campaign;
	struct doc *d = doc_object();

	doc_put_str(d, "subject", c->subject->name);
	doc_put_str(d, "tx", c->subject->info.tx);
	doc_put_str(d, "rx", c->subject->info.rx);
	doc_put_opts(d, rfc_opts, &c->cfg);
	doc_put_opts(d, rfc_time_opts, &c->cfg.time);
	doc_put_opts(d, tester_opts, &c->tester);
	doc_put_opts(d, resources_opts, &c->resources);
	doc_put_str(d, "resume", ""); /* the name of the file is nobody's business */
	return d;
}

int rfc_resume_head(struct resume *x, const struct rfc *c, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *sizes = doc_array();

	doc_put_str(d, "started", c->started);
	for (uint32_t i = 0; i < c->n_sizes; i++) {
		struct doc *one = doc_object();

		doc_put_str(one, "size", c->size[i].mix.name);
		doc_put_fields(one, rfc_size_fields, &c->size[i]);
		doc_put_str(one, "limit", rfc_limit_name[c->size[i].limit]);
		doc_append(sizes, one);
	}
	doc_put(d, "sizes", sizes);
	return resume_head(x, c, d, e);
}

static int read_sizes(struct rfc *c, const struct doc *list, struct err *e)
{
	int r = 0;

	if (!doc_is_array(list) || doc_len(list) != c->n_sizes)
		return err_say(e, EEXIST, "it is of other sizes");
	for (uint32_t i = 0; r == 0 && i < c->n_sizes; i++) {
		struct rfc_size *size = &c->size[i];
		const struct doc *d = doc_at(list, i);
		char limit[32] = "";
		int k;

		if (!doc_is_str(doc_get(d, "size"), size->mix.name))
			return err_say(e, EEXIST, "it is of other sizes");
		r = doc_get_fields(d, rfc_size_fields, size, e);
		if (r == 0)
			r = doc_get_str(d, "limit", limit, sizeof(limit), e);
		k = str_index(limit, rfc_limit_name, RFC_LIMIT_N);
		if (r == 0 && k < 0)
			r = err_say(e, EPROTO, "limit: there is no '%s'", limit);
		size->limit = (uint32_t)MAX(k, 0);
	}
	return r;
}

static int read_head(void *campaign, const struct doc *d, struct err *e)
{
	struct rfc *c = campaign;
	int r = doc_get_str(d, "started", c->started, sizeof(c->started), e);

	return r < 0 ? r : read_sizes(c, doc_get(d, "sizes"), e);
}

static int read_unit(void *campaign, const struct doc *d, struct err *e)
{
	struct rfc_unit *u;
	int r = rfc_unit_read(&u, campaign, d, e);

	if (r == 0)
		rfc_unit_add(campaign, u);
	return r;
}

static const struct resume_ops ops = {
	.format = "tare_rfc2544_resume",
	.config = config,
	.read_head = read_head,
	.read_unit = read_unit,
};

int rfc_resume_open(struct resume **ret, struct rfc *c, bool *ret_there, struct err *e)
{
	return resume_open(ret, c->cfg.resume, &ops, c, ret_there, e);
}

int rfc_resume_add(struct resume *x, const struct rfc *c, const struct rfc_unit *u, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = rfc_unit_doc(c, u);

	return resume_add(x, d, e);
}
