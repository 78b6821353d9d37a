/*
 * The host's halves of containers' devices. A device of the host that is one of a pair tells the
 * number, nsid, of the namespace in which the other is: one dump of the host's devices, when one of
 * them or a namespace is new, and one question for the number of each such namespace, whatever its
 * devices are called or were renamed to. A macvlan or ipvlan needs none: its packets are in its own
 * namespace.
 */
#include "base/mem.h"
#include "charge/container_priv.h"
#include "sys/ns.h"
#include "sys/procid.h"
#include "sys/rtpeer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int container_netns_open(const struct container *c, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	struct stat st = {0};
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", c->pid);
	if (c->pid)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->pid && fd < 0 && errno != ENOENT)
		return err_set(e, errno, "cannot open %s", path);
	if (fd < 0 || fstat(fd, &st) < 0 || (uint32_t)st.st_ino != c->netns)
		return err_say(e, ESRCH, "no process is known in its network namespace");
	return take_fd(fd);
}

/* Negative: it is gone, or has moved. */
static int open_netns(const struct found *f)
{
	return f->netns_fd >= 0 ? fcntl(f->netns_fd, F_DUPFD_CLOEXEC, 0)
				: container_netns_open(&f->c, NULL);
}

/*
 * The same process in a namespace of the same inode: nothing else can have got it meanwhile. In the
 * same cgroup it is the same process without being asked, as ids of cgroups are never used again,
 * and pids only after thousands of others.
 */
static bool is_as_before(struct found *f)
{
	const struct container *b = f->before;
	bool same = b && b->netns == f->c.netns && b->pid && b->pid == f->c.pid;

	if (same && b->pid_start && (f->c.cgroup_id || f->c.cgroup2_id))
		f->c.pid_start = b->pid_start;
	else if (f->c.pid)
		f->c.pid_start = procid_start(f->c.pid);
	return same && b->pid_start && b->pid_start == f->c.pid_start;
}

static void visit(struct rt *rt, struct found *f)
{
	_cleanup_(closep) int fd = open_netns(f);

	if (fd < 0)
		return;
	if (!f->known)
		f->c.netns_cookie = ns_net_cookie(fd);
	if (rt_nsid(rt, fd, &f->c.nsid, NULL) < 0)
		f->c.nsid = RT_NSID_NONE;
}

/* What the scan before knows of its namespace. */
static void recall(struct found *f)
{
	f->known = is_as_before(f);
	if (f->known) {
		f->c.netns_cookie = f->before->netns_cookie;
		f->c.nsid = f->before->nsid;
	}
	f->known |= f->c.host_netns || !f->c.netns;
}

/* A number is given when a pair first reaches there; until then it has to be asked for again. */
static void learn(struct rt *rt, struct found *f)
{
	if (f->c.host_netns || !f->c.netns)
		return;
	if (!f->known || f->c.nsid < 0)
		visit(rt, f);
	/* Another namespace, of an inode that was used before. */
	if (f->before && f->before->netns == f->c.netns && f->before->netns_cookie &&
		f->c.netns_cookie && f->before->netns_cookie != f->c.netns_cookie)
		f->before = NULL;
}

/* Who is charged for what a namespace's devices do. */
struct place {
	int32_t nsid;
	struct found *f;
};

static int by_nsid(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->nsid > y->nsid) - (x->nsid < y->nsid);
}

static void give(const struct scan *s, const struct place *places, uint32_t n_places,
	const struct rt_peer *peer)
{
	const struct place key = {.nsid = peer->nsid};
	const struct place *at = bsearch(&key, places, n_places, sizeof(*places), by_nsid);
	struct container *c = at ? &at->f->c : NULL;

	if (c && c->n_devs < CONTAINER_MAX_DEVS)
		c->dev[c->n_devs++] = (struct softirq_dev){s->host_netns, peer->ifindex};
}

static int ask(struct scan *s, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = rt_open_here(&rt, e);

	if (r == 0) /* first: by it numbers are given. Ref: rtnl_fill_link_netnsid */
		r = rt_peers(rt, &s->peer, &s->n_peers, e);
	for (uint32_t i = 0; r == 0 && i < s->n; i++)
		if (scan_keeps(s, s->item[i]))
			learn(rt, s->item[i]);
	return r;
}

static void keep(struct scan *s)
{
	const struct container_list *b = s->cfg->before;

	s->n_peers = b->n_peers;
	s->peer = xcalloc(b->n_peers, sizeof(*s->peer));
	if (b->n_peers > 0)
		memcpy(s->peer, b->peer, b->n_peers * sizeof(*s->peer));
}

/*
 * A pair that reaches into another namespace of those known says so here: its half has no carrier
 * until it is up again. Ref: drivers/net/veth.c veth_close; net/core/link_watch.c
 */
int scan_devices(struct scan *s, struct err *e)
{
	_cleanup_(freep) struct place *places = xcalloc(s->n, sizeof(*places));
	bool all_known = true;
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (scan_keeps(s, s->item[i])) {
			recall(s->item[i]);
			all_known &= s->item[i]->known;
		}
	if (all_known && s->cfg->before && s->cfg->same_devs)
		keep(s);
	else
		r = ask(s, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->n; i++) {
		struct found *f = s->item[i];

		if (scan_keeps(s, f) && f->c.nsid >= 0 && !f->c.shared_netns)
			places[n++] = (struct place){f->c.nsid, f};
	}
	if (n == 0)
		return 0;
	qsort(places, n, sizeof(*places), by_nsid);
	for (uint32_t i = 0; i < s->n_peers; i++)
		give(s, places, n, &s->peer[i]);
	return 0;
}
