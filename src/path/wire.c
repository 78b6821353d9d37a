#include "path/wire.h"

#include "base/clock.h"
#include "base/str.h"
#include "path/table.h"
#include "sys/arp.h"
#include "sys/mac.h"
#include "sys/rtlink.h"
#include "sys/sock.h"

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

static int check_range(const struct wire_range *x, void *ctx)
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

		if (wire_parse_addr(t->addr[i].addr, &own, NULL) == 0 && own >= x->first &&
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
		r = wire_parse_addr(peer, &taken.peer, e);
	return r < 0 ? r : wire_each_range(cfg, check_range, &taken, e);
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
static int check_free(const struct lab *lab, struct err *e)
{
	char mac[MAC_TEXT_LEN];
	struct arp_owner who;
	int r = arp_probe(lab->host_fd, "wire", lab->addrs->host, clock_now_ns() + WIRE_PROBE_NS,
		&who, e);

	if (r <= 0)
		return r;
	mac_text(who.mac, mac);
	return err_say(e, EOPNOTSUPP, "%s of --wire-addr is in use, by %s", lab->addrs->host, mac);
}

/* The one address that the path has there is the host's or its container's. */
static void set_addrs(struct lab *lab)
{
	const char *own = lab->cfg->wire_own;
	size_t len = strcspn(own, "/");

	snprintf(lab->there_host, sizeof(lab->there_host), "%.*s", (int)len, own);
	str_set(lab->there_len, own + len);
	lab->there = *lab->addrs;
	lab->there.peer = NULL;
	lab->there.host = lab->there.wire_addr[0] = lab->there_host;
	lab->there.segment_len = lab->there_len;
	lab->addrs = &lab->there;
}

int wire_join(struct lab *lab, struct err *e)
{
	const struct rt_child wire = {"wire", lab->cfg->wire_dev, lab->host_fd, lab->cfg->mtu};
	_cleanup_(rt_closep) struct rt *here = NULL;
	int r = rt_open_here(&here, e);

	set_addrs(lab);
	if (r == 0)
		r = rt_macvlan_add(here, &wire, "bridge", e);
	if (r == 0)
		r = rt_set_up(lab->host, "wire", e);
	if (r == 0)
		r = rt_wait_up(lab->host, "wire", clock_now_ns() + WIRE_UP_NS, e);
	return r < 0 ? r : check_free(lab, e);
}

int wire_way_out(const struct lab *lab, struct rt *rt, const char *dev, struct err *e)
{
	return *lab->cfg->wire_gateway ? rt_route_add(rt, dev, NULL, lab->cfg->wire_gateway, e) : 0;
}

int wire_host(struct lab *lab, struct err *e)
{
	int r = rt_addr_add(lab->host, "wire", lab->cfg->wire_own, e);

	return r < 0 ? r : wire_way_out(lab, lab->host, "wire", e);
}

void wire_note(struct path *p)
{
	path_note(p,
		"its %s is %s on the wire of %s, MTU %u, by a macvlan device that native does not "
		"cross",
		p->ops->wire == PATH_WIRE_CONTAINER ? "container" : "host", p->cfg.wire_own,
		p->cfg.wire_dev, p->cfg.mtu);
}
