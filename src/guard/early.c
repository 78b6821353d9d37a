#include "guard/early.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/drop.h"
#include "sys/ns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAX_ADDRS 16

struct early_owner {
	uint32_t n_addrs, n_devs;
	char addr[MAX_ADDRS][INET6_ADDRSTRLEN];
	int ifindex[CONTAINER_MAX_DEVS];
};

struct early {
	struct softirq *soft;
	struct drop *drop;
	struct early_cfg cfg;
	bool by_addr; /* there is a device where addresses tell */
	struct early_owner *of_owner[SOFTIRQ_MAX_OWNERS];
};

static int add_nic(struct early *x, const char *name, struct err *e)
{
	struct drop_device dev = {.netns_fd = -1, .hook = DROP_BEST};
	struct drop_used used;
	int r;

	dev.ifindex = (int)if_nametoindex(name);
	if (!dev.ifindex)
		return err_set(e, errno, "device '%s'", name);
	r = drop_add_device(x->drop, &dev, &used, e);
	x->by_addr = true;
	return r < 0 ? err_wrap(e, "device '%s'", name) : 0;
}

int early_open(struct early **ret, struct softirq *soft, const struct early_cfg *cfg, struct err *e)
{
	_cleanup_(early_closep) struct early *x = xcalloc(1, sizeof(*x));
	_cleanup_(freep) char *list = xstrdup(cfg->nics);
	char *rest = *list ? list : NULL, *name;
	struct softirq_shared shared;
	int r;

	x->soft = soft;
	x->cfg = *cfg;
	softirq_share(soft, &shared);
	r = drop_open(&x->drop, &(struct drop_cfg){.n_owners = shared.n_owners}, &shared, e);
	if (r != 0)
		return r < 0 ? r : EARLY_UNAVAILABLE;
	while (r == 0 && (name = strsep(&rest, ",")))
		r = add_nic(x, name, e);
	if (r == 0)
		*ret = take_ptr(x);
	return r;
}

static void forget(struct early *x, uint32_t owner)
{
	struct early_owner *o = x->of_owner[owner];

	if (!o)
		return;
	for (uint32_t i = 0; i < o->n_addrs; i++)
		drop_unset_addr(x->drop, o->addr[i]);
	for (uint32_t i = 0; i < o->n_devs; i++) {
		drop_remove_device(x->drop,
			&(struct drop_device){-1, o->ifindex[i], DROP_TC_EGRESS});
		drop_unset_dev(x->drop, o->ifindex[i]);
	}
	softirq_budget(x->soft, owner)->keep = 0;
	drop_clear(x->drop, owner);
	free(o);
	x->of_owner[owner] = NULL;
}

void early_close(struct early *x)
{
	for (uint32_t i = 0; i < SOFTIRQ_MAX_OWNERS; i++)
		forget(x, i);
	drop_close(x->drop);
	free(x);
}

/* Addresses of the namespace entered, loopback's and link-local ones left out. */
static void read_addrs(struct early_owner *o)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *a = list; a && o->n_addrs < MAX_ADDRS; a = a->ifa_next) {
		const int family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC;
		const struct sockaddr_in *v4 = (const void *)a->ifa_addr;
		const struct sockaddr_in6 *v6 = (const void *)a->ifa_addr;

		if (a->ifa_flags & IFF_LOOPBACK)
			continue;
		if (family == AF_INET)
			inet_ntop(AF_INET, &v4->sin_addr, o->addr[o->n_addrs++], INET6_ADDRSTRLEN);
		else if (family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr))
			inet_ntop(AF_INET6, &v6->sin6_addr, o->addr[o->n_addrs++],
				INET6_ADDRSTRLEN);
	}
	freeifaddrs(list);
}

static int open_netns(const struct early *x, const struct container *who, struct err *e)
{
	char path[64];
	int fd;

	if (x->cfg.netns_open)
		return x->cfg.netns_open(x->cfg.ctx, who, e);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", who->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "cannot open %s", path) : fd;
}

static int find_addrs(const struct early *x, struct early_owner *o, const struct container *who,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int r;

	if (who->host_netns || (who->pid <= 0 && !x->cfg.netns_open))
		return 0;
	fd = open_netns(x, who, e);
	if (fd < 0)
		return fd;
	r = ns_scope_enter(&scope, fd, e);
	if (r == 0)
		read_addrs(o);
	return r;
}

static int set_devs(struct early *x, uint32_t owner, const struct container *who, struct err *e)
{
	struct early_owner *o = x->of_owner[owner];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < who->n_devs; i++) {
		const struct drop_device dev = {-1, (int)who->dev[i].ifindex, DROP_TC_EGRESS};
		struct drop_used used;

		r = drop_set_dev(x->drop, owner, dev.ifindex, e);
		if (r < 0)
			return r;
		o->ifindex[o->n_devs++] = dev.ifindex;
		r = drop_add_device(x->drop, &dev, &used, e);
		r = r == -EEXIST ? 0 : r;
	}
	return r;
}

static int set_addrs(struct early *x, uint32_t owner, const struct container *who, struct err *e)
{
	struct early_owner *o = x->of_owner[owner];
	int r = x->by_addr ? find_addrs(x, o, who, e) : 0;

	for (uint32_t i = 0; r == 0 && i < o->n_addrs; i++)
		r = drop_set_addr(x->drop, owner, o->addr[i], e);
	return r;
}

static int protect(struct early *x, uint32_t owner, const struct guard_rule *rule, struct err *e)
{
	static const uint8_t proto[] = {IPPROTO_TCP, IPPROTO_UDP};
	int r = 0;

	for (uint32_t i = 0; rule && i < rule->n_ports; i++)
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(proto); k++)
			r = drop_protect(x->drop, owner, proto[k], rule->port[i], DROP_PORT_OWN, e);
	return r;
}

/* Full at first. It counts once keep is set. */
static void fill_bucket(struct early *x, uint32_t owner, double budget)
{
	struct softirq_budget *b = softirq_budget(x->soft, owner);
	const int64_t cap_ns = (int64_t)(budget * (double)x->cfg.bucket_ns);

	b->keep = 0;
	b->cap_ns = b->tokens_ns = cap_ns;
	b->floor_ns = -cap_ns;
	b->rate_ppb = (uint64_t)(budget * 1e9);
	b->filled_ns = clock_now_ns() - (uint64_t)clock_ahead_ns();
	b->drop = 1;
	__atomic_store_n(&b->keep, 1, __ATOMIC_RELEASE);
}

static int early_add(void *ctx, uint32_t owner, const struct container *who,
	const struct guard_rule *rule, double budget, struct err *e)
{
	struct early *x = ctx;
	const struct drop_how how = {.early_ns = (int64_t)(budget * (double)x->cfg.bucket_ns / 2),
		.keep = DROP_KEEP_ICMP | DROP_KEEP_TCP};
	int r;

	forget(x, owner);
	x->of_owner[owner] = xcalloc(1, sizeof(struct early_owner));
	r = drop_set_how(x->drop, owner, &how, e);
	if (r == 0)
		r = protect(x, owner, rule, e);
	if (r == 0)
		r = set_addrs(x, owner, who, e);
	if (r == 0)
		r = set_devs(x, owner, who, e);
	if (r < 0) {
		forget(x, owner);
		return r;
	}
	fill_bucket(x, owner, budget);
	return 0;
}

static void early_remove(void *ctx, uint32_t owner)
{
	forget(ctx, owner);
}

static void early_beat(void *ctx)
{
	struct early *x = ctx;

	drop_beat(x->drop);
}

const struct guard_drop_ops early_ops = {
	.add = early_add,
	.remove = early_remove,
	.beat = early_beat,
};
