#include "path/wire.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/table.h"
#include "sys/arp.h"
#include "sys/rtlink.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Links come up within milliseconds; a loaded machine may take longer. */
#define WIRE_UP_NS (5 * NSEC_PER_SEC)
/* Machines of a link answer within a millisecond; a sleeping or busy one may be asked twice. */
#define WIRE_PROBE_NS (200 * NSEC_PER_MSEC)
/* UDP's connect() is a look at the routes; nothing is sent, so that any port will do. */
#define WIRE_ROUTE_NS   NSEC_PER_SEC
#define WIRE_ROUTE_PORT 5201
#define WIRE_MAX_ADDRS  64

const struct opt wire_opts[] = {
	OPT_STR(struct path_cfg, wire_dev, "wire", 0, "<device>",
		"put the paths on this device of the machine, and native on the machine as it is"),
	OPT_STR(struct path_cfg, wire_peer, "peer", 0, "<host>",
		"the machine at the other end of --wire, where a tare server runs"),
	OPT_STR(struct path_cfg, wire_addr, "wire-addr", 0, "<list>",
		"free addresses of the device's network, one for each path: 192.0.2.20/24,... or "
		"192.0.2.20-192.0.2.29/24"),
	OPT_STR(struct path_cfg, wire_gateway, "wire-gateway", 0, "<address>",
		"the router to --peer, if that is in another network"),
	OPT_END,
};

/* A part of --wire-addr, in the host's byte order. */
struct range {
	uint32_t first, last, mask;
	unsigned len;
};

static int parse_addr(const char *text, uint32_t *ret, struct err *e)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return err_say(e, EINVAL, "'%s' is not an IPv4 address", text);
	*ret = ntohl(a.s_addr);
	return 0;
}

/* "24": a network that has room for two machines. */
static int parse_len(const char *text, unsigned *ret)
{
	unsigned len = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || len > 30)
			return -EINVAL;
		len = len * 10 + (unsigned)(*p - '0');
	}
	*ret = len;
	return len < 1 || len > 30 ? -EINVAL : 0;
}

/* "192.0.2.20/24" or "192.0.2.20-192.0.2.29/24"; @text is taken apart. */
static int parse_range(char *text, struct range *ret, struct err *e)
{
	char *rest = text, *addrs = strsep(&rest, "/"), *len = rest;
	char *last = addrs, *first = strsep(&last, "-");
	int r = parse_addr(first, &ret->first, e);

	if (r == 0)
		r = parse_addr(last ?: first, &ret->last, e);
	if (r < 0)
		return r;
	if (!len || parse_len(len, &ret->len) < 0)
		return err_say(e, EINVAL, "'%s' needs the length of its network, as in %s/24",
			first, first);
	ret->mask = ~0U << (32 - ret->len);
	if (ret->first > ret->last || (ret->first ^ ret->last) & ret->mask)
		return err_say(e, EINVAL, "'%s-%s' is no range of one network", first, last);
	if (!(ret->first & ~ret->mask) || !(~ret->last & ~ret->mask))
		return err_say(e, EINVAL, "'%s%s%s' has the network's own address or its broadcast",
			first, last ? "-" : "", last ?: "");
	return 0;
}

/* Calls @f for each part until it returns something. Return: that, 0, or -EINVAL. */
static int each_range(const struct path_cfg *cfg, int (*f)(const struct range *x, void *ctx),
	void *ctx, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(cfg->wire_addr);
	char *rest = copy, *part;
	int r = 0;

	while (r == 0 && (part = strsep(&rest, ","))) {
		struct range x = {0};

		r = parse_range(part, &x, e);
		if (r == 0 && f)
			r = f(&x, ctx);
	}
	return r;
}

struct nth {
	uint32_t n;
	char *text;
	size_t size;
};

static int count_to(const struct range *x, void *ctx)
{
	struct nth *want = ctx;
	uint32_t here = x->last - x->first + 1;
	struct in_addr a;
	char addr[INET_ADDRSTRLEN];

	if (want->n >= here) {
		want->n -= here;
		return 0;
	}
	a.s_addr = htonl(x->first + want->n);
	inet_ntop(AF_INET, &a, addr, sizeof(addr));
	snprintf(want->text, want->size, "%s/%u", addr, x->len);
	return 1;
}

void wire_give(struct path_spec *spec, uint32_t *n)
{
	char *own = spec->cfg.wire_own;
	struct nth want = {*n, own, sizeof(spec->cfg.wire_own)};

	*own = '\0';
	if (spec->ops->wire != PATH_WIRE_NO && each_range(&spec->cfg, count_to, &want, NULL) > 0)
		(*n)++;
}

int wire_check(const struct path_cfg *cfg, struct err *e)
{
	uint32_t gateway;
	int r;

	if (!*cfg->wire_peer || !*cfg->wire_addr)
		return err_say(e, EINVAL, "--wire needs --%s",
			*cfg->wire_peer ? "wire-addr: free addresses for the paths"
					: "peer: the machine at its other end");
	if (cfg->ipv6)
		return err_say(e, EINVAL, "--wire works with IPv4 only");
	if (cfg->between == PATH_BETWEEN_PODS || cfg->wire_rate_bps)
		return err_say(e, EINVAL, "--wire and --%s exclude each other",
			cfg->wire_rate_bps ? "wire-rate" : "between pods");
	r = each_range(cfg, NULL, NULL, e);
	if (r < 0)
		return err_wrap(e, "--wire-addr");
	r = *cfg->wire_gateway ? parse_addr(cfg->wire_gateway, &gateway, e) : 0;
	return r < 0 ? err_wrap(e, "--wire-gateway") : 0;
}

static int find_nic(struct rt *rt, const char *dev, struct rt_nic *nic, struct err *e)
{
	char wireless[64];
	int r = rt_nic(rt, dev, nic, e);

	if (r < 0)
		return r;
	snprintf(wireless, sizeof(wireless), "/sys/class/net/%s/wireless", dev);
	if (nic->loopback || !nic->ethernet)
		return err_say(e, EOPNOTSUPP, "'%s' is no Ethernet device", dev);
	if (access(wireless, F_OK) == 0)
		return err_say(e, EOPNOTSUPP,
			"'%s' is wireless: its access point takes one MAC address only", dev);
	if (*nic->master)
		return err_say(e, EBUSY, "'%s' belongs to '%s', which takes all its packets: %s",
			dev, nic->master, "name that one, or another");
	if (!nic->up)
		return err_say(e, ENETDOWN, "'%s' is down", dev);
	if (!nic->carrier)
		return err_say(e, ENETDOWN, "'%s' has no carrier: is the cable plugged in?", dev);
	return 0;
}

static int own_address_towards(const char *peer, char ret[static SOCK_ADDR_LEN], struct err *e)
{
	_cleanup_(closep) int fd = sock_open(SOCK_DGRAM, peer, e);
	uint16_t port;
	int r;

	if (fd < 0)
		return fd;
	r = sock_connect(fd, peer, WIRE_ROUTE_PORT, clock_now_ns() + WIRE_ROUTE_NS, e);
	return r < 0 ? r : sock_name(fd, false, ret, &port, e);
}

/* This machine as it is must go by the same device: it is what the paths are compared with. */
static int check_way(const struct path_cfg *cfg, const char *peer, const struct rt_addr *addr,
	int n, struct err *e)
{
	char own[SOCK_ADDR_LEN];
	const char *dev = NULL;
	int r = own_address_towards(peer, own, e);

	if (r < 0)
		return err_wrap(e, "--peer %s", cfg->wire_peer);
	for (int i = 0; i < n; i++)
		if (strcmp(addr[i].addr, own) == 0)
			dev = addr[i].dev;
	if (dev && strcmp(dev, cfg->wire_dev) == 0)
		return 0;
	return err_say(e, ENETUNREACH, "this machine reaches %s by %s, not by '%s'", peer,
		dev ?: "its own loopback", cfg->wire_dev);
}

/* What the paths' addresses are checked against. */
struct taken {
	const struct path_cfg *cfg;
	uint32_t peer;
	const struct rt_addr *addr;
	int n;
	struct err *e;
};

static int check_range(const struct range *x, void *ctx)
{
	const struct taken *t = ctx;

	if (t->peer >= x->first && t->peer <= x->last)
		return err_say(t->e, EADDRINUSE, "--wire-addr: it has the address of --peer");
	if ((t->peer ^ x->first) & x->mask && !*t->cfg->wire_gateway)
		return err_say(t->e, ENETUNREACH,
			"--peer %s is in no network of --wire-addr: name the router to it with "
			"--wire-gateway",
			t->cfg->wire_peer);
	for (int i = 0; i < t->n; i++) {
		uint32_t own = 0;

		if (parse_addr(t->addr[i].addr, &own, NULL) == 0 && own >= x->first &&
			own <= x->last)
			return err_say(t->e, EADDRINUSE,
				"--wire-addr: %s is this machine's own address", t->addr[i].addr);
	}
	return 0;
}

int wire_find(const struct path_cfg *cfg, const char *peer, uint32_t *ret_mtu, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct rt_addr addr[WIRE_MAX_ADDRS];
	struct taken taken = {.cfg = cfg, .addr = addr, .e = e};
	struct rt_nic nic;
	int r = rt_open_here(&rt, e);

	if (r < 0)
		return r;
	r = find_nic(rt, cfg->wire_dev, &nic, e);
	if (r < 0)
		return err_wrap(e, "--wire");
	*ret_mtu = nic.mtu;
	taken.n = rt_addrs(rt, false, addr, WIRE_MAX_ADDRS, e);
	r = taken.n < 0 ? taken.n : check_way(cfg, peer, addr, taken.n, e);
	if (r == 0)
		r = parse_addr(peer, &taken.peer, e);
	return r < 0 ? r : each_range(cfg, check_range, &taken, e);
}

bool path_on_wire(const struct path_spec *spec)
{
	return *spec->cfg.wire_dev;
}

int wire_fits(const struct path_spec *spec, struct err *e)
{
	char names[256] = "";

	if (spec->ops->wire != PATH_WIRE_NO && *spec->cfg.wire_own)
		return 0;
	if (spec->ops->wire != PATH_WIRE_NO) {
		(void)err_say(e, EADDRNOTAVAIL, "no address of --wire-addr is left for it");
		return PATH_UNAVAILABLE;
	}
	for (size_t i = 0; path_table[i]; i++)
		if (path_table[i]->wire != PATH_WIRE_NO)
			str_addf(names, sizeof(names), "%s%s", *names ? ", " : "",
				path_table[i]->name);
	(void)err_say(e, EOPNOTSUPP,
		"%s has no route to its container: --wire is for paths whose container is a "
		"machine of the wire or goes out by its host's address: %s",
		spec->cfg.wire_peer, names);
	return PATH_UNAVAILABLE;
}

/* Of another machine's address none must be taken, for its connections would break. */
static int check_free(const struct path_cfg *cfg, int host_fd, struct err *e)
{
	char addr[sizeof(cfg->wire_own)];
	struct arp_owner who;
	int r;

	snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(cfg->wire_own, "/"), cfg->wire_own);
	r = arp_probe(host_fd, "wire", addr, clock_now_ns() + WIRE_PROBE_NS, &who, e);
	if (r <= 0)
		return r;
	return err_say(e, EOPNOTSUPP,
		"%s of --wire-addr is in use, by %02x:%02x:%02x:%02x:%02x:%02x", addr, who.mac[0],
		who.mac[1], who.mac[2], who.mac[3], who.mac[4], who.mac[5]);
}

int wire_join(const struct path_cfg *cfg, int host_fd, struct rt *host, struct err *e)
{
	const struct rt_child wire = {"wire", cfg->wire_dev, host_fd, cfg->mtu};
	_cleanup_(rt_closep) struct rt *here = NULL;
	int r = rt_open_here(&here, e);

	if (r == 0)
		r = rt_macvlan_add(here, &wire, "bridge", e);
	if (r == 0)
		r = rt_set_up(host, "wire", e);
	if (r == 0)
		r = rt_wait_up(host, "wire", clock_now_ns() + WIRE_UP_NS, e);
	return r < 0 ? r : check_free(cfg, host_fd, e);
}

void wire_note(struct path *p)
{
	path_note(p,
		"its %s is %s on the wire of %s, MTU %u, by a macvlan device that native does not cross",
		p->ops->wire == PATH_WIRE_CONTAINER ? "container" : "host", p->cfg.wire_own,
		p->cfg.wire_dev, p->cfg.mtu);
}
