#include "guard/whose.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/claim.h"
#include "sys/rtaddr.h"
#include "sys/rtpeer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Where a node of Kubernetes has all services' addresses on a device of its own. */
#define MAX_HOST_ADDRS (DROP_MAX_ADDRS / 2)
/* How often those are read whom the kernel does not tell of. */
#define POLL_NS NSEC_PER_SEC
/* Namespaces that are told apart in one go; when there are more, all are read. */
#define MAX_HEARD 64U

/* The host is one, too, as SOFTIRQ_HOST. */
struct member {
	struct container who;
	const struct guard_rule *rule; /* NULL: none */
	bool drops;
	bool due; /* to be read */
	uint32_t n_addrs;
	struct in6_addr *addr; /* [n_addrs] */
	char unread[200];      /* why they could not be read; "" */
	char why[200];         /* what it does not hold; "" */
};

struct whose {
	struct drop *drop;
	whose_netns_fn *netns_open;
	void *ctx;
	int watch_fd;      /* -1: nobody tells, so all are read now and then */
	uint64_t poll_ns;  /* when, next */
	uint64_t again_ns; /* nothing is read before */
	bool changed;      /* claims have */
	uint32_t n_told;
	struct claim *told; /* [n_told], as the programs have them */
	struct member *of_owner[SOFTIRQ_MAX_OWNERS];
};

static void member_free(struct member *m)
{
	if (m)
		free(m->addr);
	free(m);
}

struct whose *whose_new(struct drop *d, whose_netns_fn *netns_open, void *ctx)
{
	struct whose *w = xcalloc(1, sizeof(*w));

	*w = (struct whose){.drop = d, .netns_open = netns_open, .ctx = ctx, .watch_fd = -1};
	if (rt_watch_addrs(&w->watch_fd, NULL) < 0)
		w->watch_fd = -1;
	w->of_owner[SOFTIRQ_HOST] = xcalloc(1, sizeof(struct member));
	w->of_owner[SOFTIRQ_HOST]->who.nsid = RT_NSID_NONE;
	w->of_owner[SOFTIRQ_HOST]->due = true;
	return w;
}

void whose_free(struct whose *w)
{
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		member_free(w->of_owner[i]);
	closep(&w->watch_fd);
	free(w->told);
	free(w);
}

/* ---- who there is */

/* Has it a namespace whose addresses are its alone? */
static bool has_netns(const struct container *c)
{
	return !c->host_netns && !c->shared_netns;
}

static bool is_same_place(const struct container *a, const struct container *b)
{
	return a->pid == b->pid && a->netns == b->netns && a->nsid == b->nsid &&
	       a->host_netns == b->host_netns && a->shared_netns == b->shared_netns;
}

static void forget(struct whose *w, uint32_t owner)
{
	member_free(w->of_owner[owner]);
	w->of_owner[owner] = NULL;
	w->changed = true;
}

void whose_see(struct whose *w, uint32_t owner, const struct container *who)
{
	struct member *m;

	assert(owner >= SOFTIRQ_FIRST && owner < SOFTIRQ_MAX_OWNERS);
	m = w->of_owner[owner];
	if (!who) {
		forget(w, owner);
		return;
	}
	if (m && is_same_place(&m->who, who))
		return;
	if (!m)
		m = w->of_owner[owner] = xcalloc(1, sizeof(*m));
	m->who = *who;
	m->due = has_netns(who);
	if (!m->due && m->n_addrs) {
		m->n_addrs = 0;
		w->changed = true;
	}
}

void whose_begin(struct whose *w, uint32_t owner, const struct guard_rule *rule)
{
	w->of_owner[owner]->drops = true;
	w->of_owner[owner]->rule = rule;
	w->changed = true;
}

void whose_end(struct whose *w, uint32_t owner)
{
	w->of_owner[owner]->drops = false;
	w->changed = true;
}

const char *whose_why(const struct whose *w, uint32_t owner)
{
	const struct member *m = w->of_owner[owner];

	return *m->unread ? m->unread : m->why;
}

/* ---- which are to be read */

static bool is_told_of(const struct whose *w, uint32_t owner)
{
	return w->watch_fd >= 0 && (owner == SOFTIRQ_HOST || w->of_owner[owner]->who.nsid >= 0);
}

/* Those of one namespace; of all: @any. */
static void set_due(struct whose *w, bool any, int32_t nsid)
{
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++) {
		struct member *m = w->of_owner[i];

		if (!m || !has_netns(&m->who))
			continue;
		if (any || (is_told_of(w, i) && m->who.nsid == nsid))
			m->due = true;
	}
}

static void hear(struct whose *w)
{
	int32_t nsid[MAX_HEARD];
	int n = w->watch_fd < 0 ? 0 : rt_watch_addrs_take(w->watch_fd, nsid, MAX_HEARD);

	if (n == RT_WATCH_LOST)
		set_due(w, true, 0);
	for (int i = 0; i < n; i++)
		set_due(w, false, nsid[i]);
}

static void poll_others(struct whose *w, uint64_t now_ns)
{
	if (now_ns < w->poll_ns)
		return;
	w->poll_ns = now_ns + POLL_NS;
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		if (w->of_owner[i] && has_netns(&w->of_owner[i]->who) && !is_told_of(w, i))
			w->of_owner[i]->due = true;
}

/* ---- reading */

/* Says nothing of who has it. */
static bool is_everywhere(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
	       (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == IN_LOOPBACKNET);
}

static uint32_t without_those(struct in6_addr *addr, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!is_everywhere(&addr[i]))
			addr[kept++] = addr[i];
	return kept;
}

static int open_member(const struct whose *w, const struct member *m, struct rt **ret,
	struct err *e)
{
	_cleanup_(closep) int fd = -1;

	if (m == w->of_owner[SOFTIRQ_HOST])
		return rt_open_here(ret, e);
	fd = w->netns_open(w->ctx, &m->who, e);
	return fd < 0 ? fd : rt_open(ret, fd, e);
}

static int read_member(struct whose *w, struct member *m, struct err *e)
{
	const uint32_t max = m == w->of_owner[SOFTIRQ_HOST] ? MAX_HOST_ADDRS : WHOSE_MAX_ADDRS;
	_cleanup_(freep) struct in6_addr *now = xcalloc(max, sizeof(*now));
	_cleanup_(rt_closep) struct rt *rt = NULL;
	uint32_t n;
	int r = open_member(w, m, &rt, e);

	if (r == 0)
		r = rt_addrs_any(rt, now, max, e);
	if (r < 0)
		return r;
	n = without_those(now, (uint32_t)r);
	if (n == m->n_addrs && (n == 0 || memcmp(now, m->addr, n * sizeof(*now)) == 0))
		return 0;
	free(m->addr);
	m->addr = xreallocarray(take_ptr(now), n, sizeof(*now));
	m->n_addrs = n;
	w->changed = true;
	return 0;
}

/* Who could not be read keeps what it had, and is read again the next time. */
static void read_due(struct whose *w, uint64_t now_ns)
{
	uint64_t from_ns = clock_thread_ns();

	if (now_ns < w->again_ns)
		return;
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++) {
		struct member *m = w->of_owner[i];
		struct err e = {0};

		if (!m || !m->due)
			continue;
		m->due = read_member(w, m, &e) < 0;
		str_set(m->unread, m->due ? e.text : "");
	}
	w->again_ns = now_ns + 20 * (clock_thread_ns() - from_ns);
}

/* ---- telling */

static uint32_t add_claims(const struct member *m, uint32_t owner, struct claim *ret)
{
	uint32_t n = 0;

	for (; n < m->n_addrs; n++)
		ret[n] = (struct claim){.addr = m->addr[n], .owner = owner};
	for (uint32_t i = 0; m->drops && m->rule && i < m->rule->n_published; i++)
		ret[n++] = (struct claim){.port = m->rule->published[i].port,
			.proto = m->rule->published[i].proto,
			.owner = owner};
	return n;
}

/* All there are. Return: how many are in *@ret, to be freed. */
static uint32_t collect(const struct whose *w, struct claim **ret)
{
	uint32_t n = 0;

	*ret = NULL;
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++) {
		const struct member *m = w->of_owner[i];

		if (!m)
			continue;
		*ret = xreallocarray(*ret, n + m->n_addrs + GUARD_MAX_PUBLISHED, sizeof(**ret));
		n += add_claims(m, i, *ret + n);
	}
	return n;
}

static void say_why(const struct whose *w, const struct claim *c)
{
	struct member *m = w->of_owner[c->owner];
	char text[CLAIM_TEXT];

	if (claim_holds(c) || *m->why)
		return;
	claim_text(c, text);
	str_addf(m->why, sizeof(m->why), "%s is %s's, too: packets to it pass --nic", text,
		c->rival == SOFTIRQ_HOST ? "the host" : w->of_owner[c->rival]->who.name);
}

/* The host's own addresses matter only where ports of them are somebody's. */
static bool is_wanted(const struct whose *w, const struct claim *c, bool any_port)
{
	if (!claim_holds(c))
		return false;
	return c->owner == SOFTIRQ_HOST ? any_port : w->of_owner[c->owner]->drops;
}

static int tell(struct whose *w, const struct claim *c, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	if (c->port)
		return drop_set_port(w->drop, c->owner, c->proto, c->port, e);
	inet_ntop(AF_INET6, &c->addr, text, sizeof(text));
	return drop_set_addr(w->drop, c->owner, text, e);
}

static void take_back(struct whose *w, const struct claim *c)
{
	char text[INET6_ADDRSTRLEN];

	if (c->port) {
		drop_unset_port(w->drop, c->proto, c->port);
		return;
	}
	inet_ntop(AF_INET6, &c->addr, text, sizeof(text));
	drop_unset_addr(w->drop, text);
}

/* First what nobody has any more, so that there is room. Both lists are sorted. */
static void take_back_all(struct whose *w, const struct claim *now, uint32_t n)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < w->n_told; i++) {
		while (k < n && claim_compare(&now[k], &w->told[i]) < 0)
			k++;
		if (k == n || claim_compare(&now[k], &w->told[i]) != 0)
			take_back(w, &w->told[i]);
	}
}

/* Return: how many of @now [@n] the programs have; the others are tried again the next time. */
static uint32_t tell_all(struct whose *w, struct claim *now, uint32_t n)
{
	uint32_t kept = 0, i = 0;

	for (uint32_t k = 0; k < n; k++) {
		bool known, same;
		struct err e = {0};

		while (i < w->n_told && claim_compare(&w->told[i], &now[k]) < 0)
			i++;
		known = i < w->n_told && claim_compare(&w->told[i], &now[k]) == 0;
		same = known && w->told[i].owner == now[k].owner;
		if (same || tell(w, &now[k], &e) == 0) {
			now[kept++] = now[k];
			continue;
		}
		if (known)
			take_back(w, &now[k]);
		str_set(w->of_owner[now[k].owner]->why, e.text);
		w->changed = true;
	}
	return kept;
}

static void settle(struct whose *w)
{
	struct claim *now;
	uint32_t n = collect(w, &now), wanted = 0;
	bool any_port = false;

	n = claims_settle(now, n);
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		if (w->of_owner[i])
			str_set(w->of_owner[i]->why, "");
	for (uint32_t i = 0; i < n; i++) {
		say_why(w, &now[i]);
		any_port |= now[i].port && claim_holds(&now[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		if (is_wanted(w, &now[i], any_port))
			now[wanted++] = now[i];
	w->changed = false;
	take_back_all(w, now, wanted);
	wanted = tell_all(w, now, wanted);
	free(w->told);
	w->told = now;
	w->n_told = wanted;
}

void whose_refresh(struct whose *w)
{
	const uint64_t now_ns = clock_now_ns();

	hear(w);
	poll_others(w, now_ns);
	read_due(w, now_ns);
	if (w->changed)
		settle(w);
}
