/* What a scan has found becomes a list: who is charged for what is shared, who has room. */
#include "base/mem.h"
#include "charge/container_priv.h"

#include <stdlib.h>
#include <string.h>

int container_by_key(const void *a, const void *b)
{
	const struct container *x = a, *y = b;
	int r = strcmp(x->cgroup, y->cgroup);

	if (r == 0)
		r = strcmp(x->root, y->root);
	if (r == 0 && !*x->cgroup)
		r = (x->netns > y->netns) - (x->netns < y->netns);
	return r;
}

bool container_same_cgroup(const struct container *a, const struct container *b)
{
	return a->cgroup_id == b->cgroup_id && a->cgroup2_id == b->cgroup2_id;
}

static int by_age(const void *a, const void *b)
{
	const struct found *x = *(struct found *const *)a, *y = *(struct found *const *)b;
	bool had_x = x->before && !x->before->shared_netns,
	     had_y = y->before && !y->before->shared_netns;

	if (x->c.netns != y->c.netns)
		return x->c.netns < y->c.netns ? -1 : 1;
	if (x->wanted != y->wanted)
		return x->wanted ? -1 : 1;
	if (had_x != had_y)
		return had_x ? -1 : 1;
	if (x->c.cgroup_id != y->c.cgroup_id)
		return x->c.cgroup_id < y->c.cgroup_id ? -1 : 1;
	return container_by_key(x, y);
}

void scan_mark_shared(struct scan *s)
{
	if (s->n > 0)
		qsort(s->item, s->n, sizeof(struct found *), by_age);
	for (uint32_t i = 1; i < s->n; i++) {
		struct container *c = &s->item[i]->c;

		c->shared_netns = c->netns && !c->host_netns && c->netns == s->item[i - 1]->c.netns;
	}
}

static int by_place(const void *a, const void *b)
{
	const struct container *x = a, *y = b;
	int r;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	r = strcmp(x->name, y->name);
	if (r == 0)
		r = strcmp(x->id, y->id);
	return r != 0 ? r : container_by_key(x, y);
}

/* The order in which there is room: what was asked for, who is charged, what was there before. */
static int by_right(const void *a, const void *b)
{
	const struct found *x = *(struct found *const *)a, *y = *(struct found *const *)b;

	if (x->wanted != y->wanted)
		return x->wanted ? -1 : 1;
	if (x->c.shared_netns != y->c.shared_netns)
		return x->c.shared_netns ? 1 : -1;
	if (!x->before != !y->before)
		return x->before ? -1 : 1;
	return by_place(&x->c, &y->c);
}

void scan_make_list(struct scan *s, const struct container_roots *roots, struct container_list *ret)
{
	struct container_list l = {.host_netns = s->host_netns,
		.roots = *roots,
		.n_peers = s->n_peers,
		.peer = take_ptr(s->peer)};
	uint32_t max = s->cfg->max ? s->cfg->max : UINT32_MAX;

	if (s->n > 0)
		qsort(s->item, s->n, sizeof(struct found *), by_right);
	l.room = MIN(s->n, max);
	l.item = xcalloc(l.room, sizeof(*l.item));
	for (uint32_t i = 0; i < s->n; i++) {
		if (!scan_keeps(s, s->item[i]))
			continue;
		if (l.n < l.room)
			l.item[l.n++] = s->item[i]->c;
		else
			l.n_left_out++;
	}
	if (l.n > 0)
		qsort(l.item, l.n, sizeof(*l.item), by_place);
	*ret = l;
}

void container_list_fini(struct container_list *l)
{
	free(l->item);
	free(l->peer);
	*l = (struct container_list){0};
}

bool container_same(const struct container *a, const struct container *b)
{
	if (!container_same_cgroup(a, b) || a->netns != b->netns)
		return false;
	if (a->netns_cookie && b->netns_cookie)
		return a->netns_cookie == b->netns_cookie;
	return true;
}
