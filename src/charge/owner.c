#include "charge/owner.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of one container: a pod's are few, and those of a systemd in one, too. */
#define MAX_CGROUPS 1024

/* A scan's list in an order to search in. */
struct found {
	uint32_t n;
	const struct container **item; /* [n], by cgroup's id, then by namespace */
	bool *taken;                   /* [n], row = item: an owner has it */
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_id(const void *a, const void *b)
{
	return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

static int by_place(const void *a, const void *b)
{
	const struct container *x = *(const struct container *const *)a;
	const struct container *y = *(const struct container *const *)b;

	return x->cgroup_id != y->cgroup_id ? compare_u64(x->cgroup_id, y->cgroup_id)
					    : compare_u64(x->netns, y->netns);
}

static void found_fini(struct found *f)
{
	free(f->item);
	free(f->taken);
}

static void found_init(struct found *f, const struct container_list *list)
{
	*f = (struct found){.n = list->n};
	f->item = xcalloc(list->n + 1, sizeof(*f->item));
	f->taken = xcalloc(list->n + 1, sizeof(*f->taken));
	for (uint32_t i = 0; i < list->n; i++)
		f->item[i] = &list->item[i];
	qsort(f->item, f->n, sizeof(*f->item), by_place);
}

/* The first that has no smaller id of a cgroup. */
static uint32_t lower_bound(const struct found *f, uint64_t cgroup_id)
{
	uint32_t low = 0, high = f->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (f->item[mid]->cgroup_id < cgroup_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same one in the list, which is then taken; NULL: it is gone. */
static const struct container *take(struct found *f, const struct container *c)
{
	for (uint32_t i = lower_bound(f, c->cgroup_id);
		i < f->n && f->item[i]->cgroup_id == c->cgroup_id; i++)
		if (!f->taken[i] && container_same(f->item[i], c)) {
			f->taken[i] = true;
			return f->item[i];
		}
	return NULL;
}

static uint32_t number_of(const struct owners *o, const struct owner *w)
{
	return (uint32_t)(w - o->at);
}

/* For all else that this process opens. */
#define FILES_LEFT 256

/* How many of @n files may be kept open: as far as the limit of open files can be raised. */
static uint32_t raise_files(uint32_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	r.rlim_cur = MAX(r.rlim_cur, MIN(r.rlim_max, (rlim_t)n + FILES_LEFT));
	if (setrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur <= FILES_LEFT)
		return 0;
	return (uint32_t)MIN((rlim_t)n, r.rlim_cur - FILES_LEFT);
}

void owners_init(struct owners *o, struct softirq *soft, uint32_t n, bool per_cpu)
{
	static const char *const name[SOFTIRQ_FIRST] = {
		[SOFTIRQ_HOST] = "host",
		[SOFTIRQ_OVERHEAD] = "overhead",
	};

	assert(n > SOFTIRQ_FIRST);
	*o = (struct owners){.soft = soft,
		.per_cpu = per_cpu,
		.n_cpus = softirq_n_cpus(soft),
		.n = n,
		.at = xcalloc(n, sizeof(*o->at)),
		.serial = SOFTIRQ_FIRST};
	o->max_usage_fds = raise_files(n);
	for (uint32_t i = 0; i < SOFTIRQ_FIRST; i++) {
		o->at[i] = (struct owner){.state = OWNER_LIVE, .serial = i};
		str_set(o->at[i].who.name, name[i]);
	}
}

static void close_usage(struct owners *o, struct owner *w)
{
	if (w->usage_fd <= 0)
		return;
	close(w->usage_fd);
	w->usage_fd = 0;
	o->n_usage_fds--;
}

static void owner_fini(struct owners *o, struct owner *w)
{
	close_usage(o, w);
	free(w->cgroups.id);
	free(w->base.cpu);
	free(w->last.cpu);
	*w = (struct owner){.state = OWNER_FREE};
}

void owners_fini(struct owners *o)
{
	for (uint32_t i = 0; o->at && i < o->n; i++)
		owner_fini(o, &o->at[i]);
	free(o->at);
	*o = (struct owners){0};
}

/* Has it a namespace that is not the host's, and is it the one that is charged for it? */
static bool wants_netns(const struct owner *w)
{
	return w->state == OWNER_LIVE && w->who.netns && !w->who.host_netns && !w->who.shared_netns;
}

static void drop_devs(struct owners *o, const struct container *c)
{
	for (uint32_t i = 0; i < c->n_devs; i++)
		softirq_unset_dev(o->soft, &c->dev[i]);
}

static int set_devs(struct owners *o, const struct owner *w, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < w->who.n_devs; i++)
		r = softirq_set_dev(o->soft, &w->who.dev[i], number_of(o, w), e);
	return r;
}

/* The namespace's packets are booked on it, unless another one has them already. */
static int claim_netns(struct owners *o, struct owner *w, struct err *e)
{
	int r;

	if (!wants_netns(w))
		return 0;
	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++)
		if (o->at[i].has_netns && o->at[i].who.netns == w->who.netns)
			return 0;
	r = softirq_set_netns(o->soft, w->who.netns, number_of(o, w), e);
	if (r < 0)
		return r;
	w->has_netns = w->new_devs = true;
	return 0;
}

static void drop_netns(struct owners *o, struct owner *w)
{
	if (!w->has_netns)
		return;
	w->has_netns = false;
	softirq_unset_netns(o->soft, w->who.netns);
	drop_devs(o, &w->who);
}

static bool has_cgroup(const struct owner_cgroups *c, uint64_t id)
{
	return c->n && bsearch(&id, c->id, c->n, sizeof(id), by_id);
}

static void drop_cgroups(struct owners *o, struct owner *w)
{
	for (uint32_t i = 0; i < w->cgroups.n; i++)
		softirq_unset_cgroup(o->soft, w->cgroups.id[i]);
	free(w->cgroups.id);
	w->cgroups = (struct owner_cgroups){0};
}

/* A directory that processes of an owner may be in. */
struct claim {
	uint64_t id;
	uint32_t owner;
	size_t depth; /* of the owner's own directory: the longer its path, the nearer it is */
};

struct claims {
	uint32_t n, room;
	struct claim *at; /* [n] */
};

static void claims_fini(struct claims *c)
{
	free(c->at);
}

static int nearest_first(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->id != y->id)
		return compare_u64(x->id, y->id);
	return x->depth != y->depth ? compare_u64(y->depth, x->depth)
				    : compare_u64(x->owner, y->owner);
}

static int by_owner(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return x->owner != y->owner ? compare_u64(x->owner, y->owner) : compare_u64(x->id, y->id);
}

static void claims_add(struct claims *c, const struct owner *w, uint32_t number)
{
	uint64_t id[MAX_CGROUPS] = {w->who.cgroup_id};
	/* Of a cgroup that is not in the CPU's hierarchy, ids are another hierarchy's. */
	int n = w->who.cgroup_id != 0;

	if (n > 0 && !w->who.is_leaf)
		n = container_cgroups(&w->who, id, MAX_CGROUPS, NULL);
	for (int i = 0; i < n; i++) { /* it is gone: none */
		if (c->n == c->room) {
			c->room = c->room ? 2 * c->room : 64;
			c->at = xreallocarray(c->at, c->room, sizeof(*c->at));
		}
		c->at[c->n++] = (struct claim){id[i], number, strlen(w->who.cgroup)};
	}
}

/* Each directory once, with the owner that is nearest above it; in order of owners. */
static void claims_settle(struct claims *c)
{
	uint32_t n = 0;

	if (!c->n)
		return;
	qsort(c->at, c->n, sizeof(*c->at), nearest_first);
	for (uint32_t i = 0; i < c->n; i++)
		if (n == 0 || c->at[n - 1].id != c->at[i].id)
			c->at[n++] = c->at[i];
	c->n = n;
	qsort(c->at, c->n, sizeof(*c->at), by_owner);
}

/*
 * Tells the kernel of directories that are new to @w. @now: what is its; taken over, without what
 * the kernel refused, which is new again the next time.
 */
static int set_cgroups(struct owners *o, struct owner *w, struct owner_cgroups *now, struct err *e)
{
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < now->n; i++) {
		bool told = has_cgroup(&w->cgroups, now->id[i]);

		if (!told && r == 0) {
			r = softirq_set_cgroup(o->soft, now->id[i], number_of(o, w), e);
			told = r == 0;
		}
		if (told)
			now->id[n++] = now->id[i];
	}
	now->n = n;
	free(w->cgroups.id);
	w->cgroups = *now;
	return r;
}

/* The part of @c, from its row @at on, that is @number's. Return: behind its last row. */
static uint32_t claims_of(const struct claims *c, uint32_t at, uint32_t number,
	struct owner_cgroups *ret)
{
	uint32_t end = at;

	while (end < c->n && c->at[end].owner == number)
		end++;
	*ret = (struct owner_cgroups){.n = end - at};
	if (end > at)
		ret->id = xcalloc(end - at, sizeof(*ret->id));
	for (uint32_t i = at; i < end; i++)
		ret->id[i - at] = c->at[i].id;
	return end;
}

static void forget(struct owners *o, struct owner *w)
{
	drop_netns(o, w);
	drop_cgroups(o, w);
}

static bool same_devs(const struct container *a, const struct container *b)
{
	return a->n_devs == b->n_devs && memcmp(a->dev, b->dev, a->n_devs * sizeof(a->dev[0])) == 0;
}

/*
 * The same container, whose name or devices may be others now. Those it has no more go here; what
 * is new is told after that of all owners: it may have been another one's until now.
 */
static void refresh(struct owners *o, struct owner *w, const struct container *now)
{
	if (w->has_netns && (now->shared_netns || now->host_netns)) {
		drop_netns(o, w); /* another one is charged for it from now on */
	} else if (w->has_netns && !same_devs(&w->who, now)) {
		drop_devs(o, &w->who);
		w->new_devs = true;
	}
	w->in_part = false;
	w->who = *now;
}

/* Its file is kept open as long as there is room for that. */
static int read_usage(struct owners *o, struct owner *w, uint64_t *ret)
{
	int r, fd;

	if (w->usage_fd > 0)
		return container_usage_read(&w->who, w->usage_fd, ret, NULL);
	fd = container_usage_open(&w->who, NULL);
	if (fd < 0)
		return fd;
	r = container_usage_read(&w->who, fd, ret, NULL);
	if (r == 0 && fd > 0 && o->n_usage_fds < o->max_usage_fds) {
		w->usage_fd = fd;
		o->n_usage_fds++;
	} else {
		close(fd);
	}
	return r;
}

void owner_read_process(struct owners *o, struct owner *w, struct owner_reading *ret)
{
	uint64_t ns;

	ret->process_ns = w->last.process_ns;
	ret->process_known = w->last.process_known;
	if (w->state != OWNER_LIVE || !*w->who.cgroup || read_usage(o, w, &ns) < 0)
		return;
	ret->process_ns = ns;
	ret->process_known = true;
}

static void read_base(struct owners *o, struct owner *w)
{
	struct owner_reading *b = &w->base;

	owner_read_process(o, w, b);
	softirq_read_sum(o->soft, number_of(o, w), &b->soft);
	w->last = *b;
	if (!o->per_cpu)
		return;
	b->cpu = xcalloc(o->n_cpus, sizeof(*b->cpu));
	w->last.cpu = xcalloc(o->n_cpus, sizeof(*b->cpu));
	for (uint32_t i = 0; i < o->n_cpus; i++) {
		softirq_read(o->soft, i, number_of(o, w), &b->cpu[i]);
		w->last.cpu[i] = b->cpu[i];
	}
}

static struct owner *free_owner(struct owners *o)
{
	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++)
		if (o->at[i].state == OWNER_FREE)
			return &o->at[i];
	return NULL;
}

static void appear(struct owners *o, const struct container *c)
{
	struct owner *w = free_owner(o);

	if (!w) {
		o->n_left_out++;
		return;
	}
	*w = (struct owner){.state = OWNER_LIVE,
		.came = true,
		.is_new = true,
		.serial = o->serial++,
		.who = *c};
	read_base(o, w);
}

/* Those that stay are looked at again, the others go, and their numbers with the next bills. */
static void keep_or_drop(struct owners *o, struct found *f)
{
	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++) {
		struct owner *w = &o->at[i];
		const struct container *now;

		if (w->state != OWNER_LIVE)
			continue;
		now = take(f, &w->who);
		if (now) {
			refresh(o, w, now);
			continue;
		}
		forget(o, w);
		close_usage(o, w);
		w->state = OWNER_GONE;
	}
}

/*
 * The kernel's tables may have no room left. What is booked nowhere is the host's, until an update
 * finds room: of one that has been billed, what is new of it; of a new one, all.
 */
static int no_room(struct owners *o, struct owner *w, int r)
{
	if (r != -ENOSPC)
		return r;
	if (!w->is_new) {
		o->n_left_out += !w->in_part;
		w->in_part = true;
		return 0;
	}
	forget(o, w);
	owner_fini(o, w);
	o->n_left_out++;
	return 0;
}

/* A namespace whose owner is gone is now another one's that lives in it, too. */
static int book_netns(struct owners *o, struct err *e)
{
	int r = 0;

	for (uint32_t i = SOFTIRQ_FIRST; r == 0 && i < o->n; i++)
		if (o->at[i].state == OWNER_LIVE && !o->at[i].has_netns)
			r = no_room(o, &o->at[i], claim_netns(o, &o->at[i], e));
	return r;
}

/* Of those that have others than the kernel knows. */
static int book_devs(struct owners *o, struct err *e)
{
	int r = 0;

	for (uint32_t i = SOFTIRQ_FIRST; r == 0 && i < o->n; i++) {
		struct owner *w = &o->at[i];

		if (!w->has_netns || !w->new_devs)
			continue;
		r = set_devs(o, w, e);
		w->new_devs = r < 0;
		r = no_room(o, w, r);
	}
	return r;
}

/* First what owners have no more, for it may be another one's now; then what they have. */
static int book_cgroups(struct owners *o, struct err *e)
{
	_cleanup_(claims_fini) struct claims claims = {0};
	_cleanup_(freep) struct owner_cgroups *now = xcalloc(o->n, sizeof(*now));
	uint32_t at = 0;
	int r = 0;

	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++)
		if (o->at[i].state == OWNER_LIVE)
			claims_add(&claims, &o->at[i], i);
	claims_settle(&claims);
	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++) {
		at = claims_of(&claims, at, i, &now[i]);
		for (uint32_t k = 0; k < o->at[i].cgroups.n; k++)
			if (!has_cgroup(&now[i], o->at[i].cgroups.id[k]))
				softirq_unset_cgroup(o->soft, o->at[i].cgroups.id[k]);
	}
	for (uint32_t i = SOFTIRQ_FIRST; i < o->n; i++) {
		if (r == 0 && o->at[i].state == OWNER_LIVE)
			r = no_room(o, &o->at[i], set_cgroups(o, &o->at[i], &now[i], e));
		else
			free(now[i].id);
	}
	return r;
}

int owners_update(struct owners *o, const struct container_list *list, struct err *e)
{
	_cleanup_(found_fini) struct found f;
	int r;

	found_init(&f, list);
	o->n_left_out = list->n_left_out;
	keep_or_drop(o, &f);
	for (uint32_t i = 0; i < f.n; i++)
		if (!f.taken[i])
			appear(o, f.item[i]);
	r = book_netns(o, e);
	if (r == 0)
		r = book_devs(o, e);
	if (r == 0)
		r = book_cgroups(o, e);
	softirq_changed(o->soft);
	return r;
}

void owner_release(struct owners *o, uint32_t number)
{
	assert(o->at[number].state == OWNER_GONE);
	owner_fini(o, &o->at[number]);
	softirq_clear(o->soft, number);
}
