#include "bench/watch.h"

#include "base/mem.h"
#include "meter/meter.h"
#include "sys/ns.h"

struct watch {
	uint32_t n_hops;
	const struct path *path;
	void *cpu;                  /* NULL: agents read it */
	void *drops[PATH_MAX_HOPS]; /* [path->n_hops] */
	bool opened[PATH_MAX_HOPS];
	void *softirq; /* borrowed; NULL: not armed */
	struct softirq_reading *reading;
	struct meter_scope scope;
	bool has_softirq;
};

/* One call of the drops meter inside a namespace between the ends. */
enum call {
	CALL_OPEN,
	CALL_BEGIN,
	CALL_END,
};

static int at_hop(struct watch *w, uint32_t i, enum call call, struct drops_reading *ret,
	struct err *e)
{
	const struct meter_ops *m = meter_table[METER_DROPS];
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, w->path->hop_fd[i], e);

	if (r < 0)
		return r;
	if (call == CALL_OPEN)
		return m->open(w->drops[i], e);
	return call == CALL_BEGIN ? m->begin(w->drops[i], NULL, e)
				  : m->end(w->drops[i], NULL, ret, e);
}

int watch_open(struct watch **ret, const struct path *path, struct err *e)
{
	_cleanup_(watch_closep) struct watch *w = xcalloc(1, sizeof(*w));

	w->path = path;
	w->n_hops = path ? path->n_hops : 0;
	if (path && (path->near.guest || path->far.guest))
		w->cpu = xcalloc(1, meter_table[METER_CPU]->state_bytes);
	for (uint32_t i = 0; i < w->n_hops; i++) {
		int r;

		w->drops[i] = xcalloc(1, meter_table[METER_DROPS]->state_bytes);
		r = at_hop(w, i, CALL_OPEN, NULL, e);
		if (r < 0)
			return r;
		w->opened[i] = true;
	}
	*ret = take_ptr(w);
	return 0;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < PATH_MAX_HOPS; i++) {
		if (w->opened[i])
			meter_table[METER_DROPS]->close(w->drops[i]);
		free(w->drops[i]);
	}
	watch_disarm(w);
	free(w->cpu);
	free(w);
}

void watch_arm(struct watch *w, void *state, const struct softirq_ends *ends)
{
	assert(!w->softirq);
	w->softirq = state;
	w->reading = xcalloc(1, sizeof(*w->reading));
	w->scope = (struct meter_scope){.ends = ends};
}

const struct softirq_reading *watch_softirq(const struct watch *w)
{
	return w->has_softirq ? w->reading : NULL;
}

void watch_disarm(struct watch *w)
{
	free(w->reading);
	w->softirq = NULL;
	w->reading = NULL;
	w->has_softirq = false;
}

static int softirq_begin(struct watch *w, struct err *e)
{
	w->has_softirq = false;
	return w->softirq ? meter_table[METER_SOFTIRQ]->begin(w->softirq, &w->scope, e) : 0;
}

static int softirq_end(struct watch *w, struct err *e)
{
	int r;

	if (!w->softirq)
		return 0;
	r = meter_table[METER_SOFTIRQ]->end(w->softirq, &w->scope, w->reading, e);
	w->has_softirq = r == 0;
	return r;
}

int watch_begin(struct watch *w, struct err *e)
{
	int r = w->cpu ? meter_table[METER_CPU]->begin(w->cpu, NULL, e) : 0;

	for (uint32_t i = 0; r == 0 && i < w->n_hops; i++)
		r = at_hop(w, i, CALL_BEGIN, NULL, e);
	return r < 0 ? r : softirq_begin(w, e);
}

/* A reading is counters only; the backlogs' are those of the whole machine and not added up. */
static void add(struct drops_reading *sum, const struct drops_reading *x)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)x;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
	sum->softnet_drops = x->softnet_drops;
	sum->softnet_squeezed = x->softnet_squeezed;
}

int watch_end(struct watch *w, struct watch_report *ret, struct err *e)
{
	int r = softirq_end(w, e);

	if (r == 0 && w->cpu)
		r = meter_table[METER_CPU]->end(w->cpu, NULL, &ret->cpu, e);
	ret->has_cpu = w->cpu && r == 0;
	ret->drops = (struct drops_reading){0};
	for (uint32_t i = 0; r == 0 && i < w->n_hops; i++) {
		struct drops_reading x;

		r = at_hop(w, i, CALL_END, &x, e);
		if (r == 0)
			add(&ret->drops, &x);
	}
	ret->has_drops = w->n_hops && r == 0;
	return r;
}
