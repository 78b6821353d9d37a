/* Measurements as JSON, for the file of --resume and, as they are there, for the result. */
#include "base/mem.h"
#include "base/str.h"
#include "method/density_priv.h"
#include "method/resume.h"

#include <errno.h>
#include <string.h>

const char *const density_status_name[] = {
	[DENSITY_OK] = "ok",
	[DENSITY_MAX_LOAD] = "max-load",
	[DENSITY_UNAVAILABLE] = "unavailable",
	[DENSITY_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(density_status_name) == DENSITY_STATUS_N);

const struct field density_unit_fields[] = {
	FIELD_U32(struct density_unit, instances, "", "service instances beside each other"),
	FIELD_U32(struct density_unit, nfs, "", "functions of each"),
	FIELD_U32(struct density_unit, rebuild, "", "how often the cell was built before"),
	FIELD_STR(struct density_unit, reason, "why there is no number, or what is strange"),
	FIELD_U32(struct density_unit, retries, "", "made anew after something went wrong"),
	FIELD_U32(struct density_unit, n_trials, "", "trials of the search"),
	FIELD_END,
};

const struct field density_row_fields[] = {
	FIELD_STR(struct density_row, goal, "MRR, or a goal of MLRsearch"),
	FIELD_DOUBLE(struct density_row, fps, "frames/s",
		"of all instances, one direction: mean forwarding rate at the highest load, or the "
		"highest load that meets the goal"),
	FIELD_DOUBLE(struct density_row, upper_fps, "frames/s",
		"lowest load above it that does not; null: none"),
	FIELD_DOUBLE(struct density_row, conditional_fps, "frames/s",
		"conditional throughput of RFC 9971; null: MRR"),
	FIELD_DOUBLE(struct density_row, low_fps, "frames/s",
		"95 % interval of the mean over trials; of a goal fps"),
	FIELD_DOUBLE(struct density_row, high_fps, "frames/s", "the same; of a goal upper_fps"),
	FIELD_DOUBLE(struct density_row, loss_ratio, "",
		"share of the frames that were lost; of a goal the most that it allows"),
	FIELD_END,
};

const struct field density_way_fields[] = {
	FIELD_U64(struct density_way, tried, "frames", "that were to go to the instance"),
	FIELD_U64(struct density_way, lost, "frames", "of them; what was not sent is lost"),
	FIELD_END,
};

struct doc *density_unit_doc(const struct density_unit *u)
{
	struct doc *d = doc_object(), *rows = doc_array(), *latency = doc_array();
	struct doc *ways = doc_array(), *cpus = doc_array(), *one;

	doc_put_str(d, "topology", density_topology_name[u->topology]);
	doc_put_str(d, "status", density_status_name[u->status]);
	doc_put_fields(d, density_unit_fields, u);
	doc_put_fields(d, rfc_seen_fields, &u->seen);
	for (uint32_t i = 0; i < u->n_rows; i++) {
		doc_append(rows, one = doc_object());
		doc_put_fields(one, density_row_fields, &u->row[i]);
	}
	for (uint32_t i = 0; i < u->n_latency; i++) {
		doc_append(latency, one = doc_object());
		doc_put_fields(one, rfc_latency_fields, &u->latency[i]);
	}
	for (uint32_t i = 0; i < u->n_ways; i++) {
		doc_append(ways, one = doc_object());
		doc_put_fields(one, density_way_fields, &u->way[i]);
	}
	for (uint32_t i = 0; i < u->n_cpus; i++) {
		doc_append(cpus, one = doc_object());
		doc_put_double(one, "busy", u->cpu_busy[i]);
	}
	doc_put(d, "rows", rows);
	doc_put(d, "latency", latency);
	doc_put(d, "by_instance", ways);
	doc_put(d, "cpus", cpus);
	return d;
}

/* A list of structs of @size, at most @max of them, at @to. */
static int read_list(const struct doc *d, const char *key, const struct field *fields, void *to,
	size_t size, uint32_t max, uint32_t *ret_n, struct err *e)
{
	const struct doc *list = doc_get(d, key);
	int r = 0;

	if (!doc_is_array(list) || doc_len(list) > max)
		return err_say(e, EPROTO, "%s: not a list of at most %u", key, max);
	*ret_n = (uint32_t)doc_len(list);
	for (uint32_t i = 0; r == 0 && i < *ret_n; i++)
		r = doc_get_fields(doc_at(list, i), fields, (char *)to + i * size, e);
	return r;
}

static int read_name(const struct doc *d, const char *key, const char *const *names, uint32_t n,
	uint32_t *ret, struct err *e)
{
	char name[32] = "";
	int r = doc_get_str(d, key, name, sizeof(name), e);
	int i = str_index(name, names, n);

	if (r == 0 && i < 0)
		return err_say(e, EPROTO, "%s: there is no '%s'", key, name);
	*ret = (uint32_t)MAX(i, 0);
	return r;
}

static int read_cpus(struct density_unit *u, const struct doc *d, struct err *e)
{
	const struct doc *list = doc_get(d, "cpus");
	int r = 0;

	if (!doc_is_array(list) || doc_len(list) > DENSITY_MAX_CPUS)
		return err_say(e, EPROTO, "cpus: not a list of at most %d", DENSITY_MAX_CPUS);
	u->n_cpus = (uint32_t)doc_len(list);
	for (uint32_t i = 0; r == 0 && i < u->n_cpus; i++)
		r = doc_get_real(doc_at(list, i), "busy", 0, 1, &u->cpu_busy[i], e);
	return r;
}

#define READ_LIST(d, key, fields, member, n, e)                                                    \
	read_list(d, key, fields, member, sizeof((member)[0]), ARRAY_SIZE(member), n, e)

static int unit_read(struct density_unit **ret, const struct doc *d, struct err *e)
{
	_cleanup_(freep) struct density_unit *u = xcalloc(1, sizeof(*u));
	int r = read_name(d, "topology", density_topology_name, DENSITY_TOPOLOGY_N, &u->topology,
		e);

	if (r == 0)
		r = read_name(d, "status", density_status_name, DENSITY_STATUS_N, &u->status, e);
	if (r == 0)
		r = doc_get_fields(d, density_unit_fields, u, e);
	if (r == 0)
		r = doc_get_fields(d, rfc_seen_fields, &u->seen, e);
	if (r == 0)
		r = READ_LIST(d, "rows", density_row_fields, u->row, &u->n_rows, e);
	if (r == 0)
		r = READ_LIST(d, "latency", rfc_latency_fields, u->latency, &u->n_latency, e);
	if (r == 0)
		r = READ_LIST(d, "by_instance", density_way_fields, u->way, &u->n_ways, e);
	if (r == 0)
		r = read_cpus(u, d, e);
	if (r < 0)
		return r;
	*ret = take_ptr(u);
	return 0;
}

int density_unit_as_read(struct density_unit **ret, const struct density_unit *u, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = density_unit_doc(u), *again = NULL;
	_cleanup_(freep) char *text = doc_text(d);
	int r = doc_parse(&again, text, strlen(text), e);

	return r < 0 ? r : unit_read(ret, again, e);
}

static struct doc *config(const void *campaign)
{
	const struct density *c = campaign;
	struct doc *d = doc_object();

	doc_put_opts(d, density_opts, &c->cfg);
	doc_put_opts(d, density_time_opts, &c->cfg.time);
	doc_put_opts(d, path_opts, &c->path);
	doc_put_opts(d, density_path_opts, &c->path);
	doc_put_opts(d, tester_opts, &c->tester);
	doc_put_str(d, "resume", ""); /* the name of the file is nobody's business */
	return d;
}

int density_resume_head(struct resume *x, const struct density *c, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = doc_object();
	struct doc *tester = doc_object();

	doc_put_str(d, "started", c->started);
	doc_put_double(d, "self_fps", c->self_fps);
	doc_put_double(d, "max_fps", c->max_fps);
	doc_put_u64(d, "n_ports_tx", c->n_ports_tx);
	doc_put_fields(tester, tester_info_fields, &c->info);
	doc_put(d, "tester", tester);
	return resume_head(x, c, d, e);
}

static int read_head(void *campaign, const struct doc *d, struct err *e)
{
	struct density *c = campaign;
	uint64_t n_ports = 1;
	int r = doc_get_str(d, "started", c->started, sizeof(c->started), e);

	if (r == 0)
		r = doc_get_real(d, "self_fps", 0, 1e12, &c->self_fps, e);
	if (r == 0)
		r = doc_get_real(d, "max_fps", 0, 1e12, &c->max_fps, e);
	if (r == 0)
		r = doc_get_u64(d, "n_ports_tx", TESTER_N_PORTS, &n_ports, e);
	if (r == 0)
		r = doc_get_fields(doc_get(d, "tester"), tester_info_fields, &c->info, e);
	c->n_ports_tx = (uint32_t)n_ports;
	return r;
}

static int read_unit(void *campaign, const struct doc *d, struct err *e)
{
	struct density_unit *u;
	int r = unit_read(&u, d, e);

	if (r == 0)
		density_unit_add(campaign, u);
	return r;
}

int density_resume_open(struct resume **ret, struct density *d, bool *ret_there, struct err *e)
{
	static const struct resume_ops ops = {
		.format = "tare_density_resume",
		.config = config,
		.read_head = read_head,
		.read_unit = read_unit,
	};

	return resume_open(ret, d->cfg.resume, &ops, d, ret_there, e);
}
