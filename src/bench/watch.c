#include "bench/watch.h"

#include "base/mem.h"
#include "meter/meter.h"
#include "sys/ns.h"

struct watch {
	const struct path *path;
	void *cpu;                  /* NULL: agents read it */
	void *drops[PATH_MAX_HOPS]; /* [path->n_hops] */
	bool opened[PATH_MAX_HOPS];
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
	if (path->near.guest || path->far.guest)
		w->cpu = xcalloc(1, meter_table[METER_CPU]->state_bytes);
	for (uint32_t i = 0; i < path->n_hops; i++) {
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
	free(w->cpu);
	free(w);
}

int watch_begin(struct watch *w, struct err *e)
{
	int r = w->cpu ? meter_table[METER_CPU]->begin(w->cpu, NULL, e) : 0;

	for (uint32_t i = 0; r == 0 && i < w->path->n_hops; i++)
		r = at_hop(w, i, CALL_BEGIN, NULL, e);
	return r;
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
	int r = w->cpu ? meter_table[METER_CPU]->end(w->cpu, NULL, &ret->cpu, e) : 0;

	ret->has_cpu = w->cpu && r == 0;
	ret->drops = (struct drops_reading){0};
	for (uint32_t i = 0; r == 0 && i < w->path->n_hops; i++) {
		struct drops_reading x;

		r = at_hop(w, i, CALL_END, &x, e);
		if (r == 0)
			add(&ret->drops, &x);
	}
	ret->has_drops = w->path->n_hops && r == 0;
	return r;
}
