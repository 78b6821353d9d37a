/*
 * A network that is there already, between two namespaces of others: an end of tare's is put into
 * each, and nothing of it is built, changed or asked for rules. Where an end is reached is what the
 * other end's routes say.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/path.h"
#include "path/table.h"
#include "path/verify.h"
#include "sys/ns.h"
#include "sys/nsref.h"
#include "sys/rtnl.h"
#include "sys/sock.h"

#include <errno.h>
#include <string.h>

#define FIRST_PORT 5201
/* A node of a cluster has an address for each of its pods' gateways, and more; these will do. */
#define MAX_ADDRS 64
/* UDP's connect() is a look at the routes. */
#define ROUTE_NS NSEC_PER_SEC

static const struct opt existing_opts[] = {
	OPT_STR(struct path_cfg, near_ns, "near", 0, "<where>",
		"measure a network that is there, from the namespace netns:NAME, pid:N, "
		"container:ID or host"),
	OPT_STR(struct path_cfg, far_ns, "far", 0, "<where>",
		"to this one, or to a tare server on this other machine; nothing is changed"),
	OPT_STR(struct path_cfg, near_addr, "near-addr", 0, "<address>",
		"where far reaches near, if not at the first address that it has a route to"),
	OPT_STR(struct path_cfg, far_addr, "far-addr", 0, "<address>",
		"where near reaches far, the same"),
	OPT_END,
};

/* One end, as it is found. */
struct place {
	const char *name; /* "near" */
	const char *words;
	int fd;
	char at[SOCK_ADDR_LEN]; /* where the other end reaches it */
	uint32_t n;
	struct rt_addr addr[MAX_ADDRS];
};

struct existing {
	struct place near, far;
};

static int check_addr(const char *option, const char *addr, bool ipv6, struct err *e)
{
	struct sockaddr_storage parsed;

	if (!*addr)
		return 0;
	if (sock_addr(&parsed, addr, FIRST_PORT, NULL) < 0)
		return err_say(e, EINVAL, "--%s: '%s' is not an address", option, addr);
	if ((parsed.ss_family == AF_INET6) != ipv6)
		return err_say(e, EINVAL, "--%s: '%s' is an IPv%d address: %s -6", option, addr,
			ipv6 ? 4 : 6, ipv6 ? "leave out" : "add");
	return 0;
}

bool path_far_is_host(const struct path_spec *spec)
{
	return spec->ops == &path_existing && *spec->cfg.far_ns && !nsref_meant(spec->cfg.far_ns);
}

static int existing_check(const struct path_spec *spec, struct err *e)
{
	const struct path_cfg *cfg = &spec->cfg;
	int r;

	if (!*cfg->near_ns || !*cfg->far_ns)
		return err_say(e, EINVAL, "a network that is there needs --near and --far");
	r = nsref_check(cfg->near_ns, e);
	if (r < 0)
		return err_wrap(e, "--near");
	r = path_far_is_host(spec) ? 0 : nsref_check(cfg->far_ns, e);
	if (r < 0)
		return err_wrap(e, "--far");
	r = check_addr("near-addr", cfg->near_addr, cfg->ipv6, e);
	return r < 0 ? r : check_addr("far-addr", cfg->far_addr, cfg->ipv6, e);
}

static int place_open(struct place *x, bool ipv6, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = nsref_open(x->words, &x->fd, e);

	if (r == 0)
		r = rt_open(&rt, x->fd, e);
	if (r == 0)
		r = rt_addrs(rt, ipv6, x->addr, MAX_ADDRS, e);
	if (r < 0)
		return err_wrap(e, "--%s", x->name);
	x->n = (uint32_t)r;
	return 0;
}

/* The address that @from would send to @to with. */
static int source_towards(const struct place *from, const char *to, char ret[static SOCK_ADDR_LEN],
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	uint16_t port;
	int r = ns_scope_enter(&scope, from->fd, e);

	if (r < 0)
		return r;
	fd = sock_open(SOCK_DGRAM, to, e);
	if (fd < 0)
		return fd;
	r = sock_connect(fd, to, FIRST_PORT, clock_now_ns() + ROUTE_NS, e);
	return r < 0 ? r : sock_name(fd, false, ret, &port, e);
}

/* Has @from a way to @addr that is not its own loopback? */
static bool reaches(const struct place *from, const char *addr)
{
	char source[SOCK_ADDR_LEN];

	return source_towards(from, addr, source, NULL) == 0 && strcmp(source, addr) != 0;
}

static const struct rt_addr *with_addr(const struct place *x, const char *addr)
{
	for (uint32_t i = 0; i < x->n; i++)
		if (strcmp(x->addr[i].addr, addr) == 0)
			return &x->addr[i];
	return NULL;
}

/* Where @from finds @to: as told, or @likely if that is one, or the first one of all. */
static int find_addr(const struct place *from, struct place *to, const char *told,
	const char *likely, struct err *e)
{
	if (*told)
		return str_copy(to->at, sizeof(to->at), told);
	if (with_addr(to, likely) && reaches(from, likely))
		return str_copy(to->at, sizeof(to->at), likely);
	for (uint32_t i = 0; i < to->n; i++)
		if (reaches(from, to->addr[i].addr))
			return str_copy(to->at, sizeof(to->at), to->addr[i].addr);
	if (to->n == 0)
		return err_say(e, EADDRNOTAVAIL,
			"%s (%s) has no global address of this family on a device that is up",
			to->name, to->words);
	return err_say(e, ENETUNREACH,
		"%s (%s) has no route to any address of %s (%s, ...): name one with --%s-addr",
		from->name, from->words, to->name, to->addr[0].addr, to->name);
}

static int find_ways(struct existing *x, const struct path_cfg *cfg, struct err *e)
{
	const char *loopback = cfg->ipv6 ? "::1" : "127.0.0.1";
	bool same = nsref_same(x->near.fd, x->far.fd);
	const char *far_told = *cfg->far_addr || !same ? cfg->far_addr : loopback;
	const char *near_told = *cfg->near_addr || !same ? cfg->near_addr : loopback;
	char source[SOCK_ADDR_LEN] = "";
	int r = find_addr(&x->near, &x->far, far_told, "", e);

	if (r < 0)
		return r;
	/* Unless there is NAT on the way, far sees near at the address that it sends with. */
	(void)source_towards(&x->near, x->far.at, source, NULL);
	return find_addr(&x->far, &x->near, near_told, source, e);
}

static void existing_fini(struct existing *x)
{
	closep(&x->near.fd);
	closep(&x->far.fd);
	free(x);
}
DEFINE_CLEANUP(struct existing *, existing_fini, existing_finip)

/* Both ends, of those that are here, and how they reach each other. *ret is set in any case. */
static int find_both(struct existing **ret, const struct path_spec *spec, struct err *e)
{
	const struct path_cfg *cfg = &spec->cfg;
	struct existing *x = *ret = xcalloc(1, sizeof(*x));
	int r;

	x->near = (struct place){.name = "near", .words = cfg->near_ns, .fd = -1};
	x->far = (struct place){.name = "far", .words = cfg->far_ns, .fd = -1};
	r = place_open(&x->near, cfg->ipv6, e);
	if (r < 0 || path_far_is_host(spec))
		return r;
	r = place_open(&x->far, cfg->ipv6, e);
	return r < 0 ? r : find_ways(x, cfg, e);
}

/* Without words for the ends there is nothing that could be missing. */
static int existing_probe(const struct path_spec *spec, struct err *e)
{
	_cleanup_(existing_finip) struct existing *x = NULL;

	return *spec->cfg.near_ns ? find_both(&x, spec, e) : 0;
}

/*
 * The device by which @x meets @other: that of its address, or of the one it sends with.
 * NULL: that is not to be seen here.
 */
static const struct rt_addr *device_of(const struct place *x, const struct place *other)
{
	const struct rt_addr *a = with_addr(x, x->at);
	char source[SOCK_ADDR_LEN];

	if (!a && source_towards(x, other->at, source, NULL) == 0)
		a = with_addr(x, source);
	return a;
}

static struct path_end end_at(struct path *p, const struct place *x, const struct place *other)
{
	const struct rt_addr *a = device_of(x, other);
	struct path_end end = {.netns_fd = x->fd};

	str_set(end.addr, x->at);
	str_set(end.dev, a ? a->dev : "lo"); /* no other has an address of no global scope */
	if (a)
		path_note(p, "%s is %s: %s, by its %s, MTU %u", x->name, x->words, x->at, a->dev,
			a->mtu);
	else
		path_note(p, "%s is %s: reached at %s", x->name, x->words, x->at);
	return end;
}

static int existing_build(struct path *p, struct err *e)
{
	struct existing *x;
	int r = find_both(&x, &p->spec, e);

	p->state = x;
	if (r == 0 && path_far_is_host(&p->spec))
		return err_say(e, EOPNOTSUPP, "far is not on this machine");
	if (r < 0)
		return r;
	p->cfg.wire_rate_bps = 0; /* no wire of ours is crossed */
	p->near = end_at(p, &x->near, &x->far);
	p->far = end_at(p, &x->far, &x->near);
	p->far.port = FIRST_PORT;
	p->near.port = FIRST_PORT + PATH_N_PORTS;
	path_note(p, "nothing of it was built or changed; the ends are processes of tare in "
		     "cgroups of its own: what limits a container's cgroup does not limit them");
	path_note(p, "native is two bare namespaces and a veth wire, built here beside it");
	return 0;
}

static int existing_verify(struct path *p, struct err *e)
{
	int r = path_verify(p, e);

	if (r >= 0)
		return r;
	return err_wrap(e,
		"near at %s and far at %s, ports %d to %d, TCP and UDP (does a firewall or NAT "
		"stand between them, or does something listen there?)",
		p->near.addr, p->far.addr, p->far.port, p->near.port + PATH_N_PORTS - 1);
}

static void existing_close(struct path *p)
{
	existing_fini(p->state);
}

const struct path_ops path_existing = {
	.name = "existing",
	.summary = "a network that is there, between the namespaces --near and --far",
	.hops = "near, whatever there is, far",
	.crosses = "not known to tare",
	.needs = "root; both namespaces on this machine",
	.set = PATH_SET_GIVEN,
	.no_lab = true,
	.real_root = true,
	.opts = existing_opts,
	.opts_title = "Existing networks",
	.check = existing_check,
	.probe = existing_probe,
	.build = existing_build,
	.verify = existing_verify,
	.close = existing_close,
};
