/*
 * Two devices of the namespace that tare runs in. They are left as they were found: one that is
 * down is up for the while. What the DUT asks for by ARP is answered here, by no address of the
 * kernel's, so that nothing is left behind even by a kill.
 */
#include "method/subject_tester.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/arp.h"
#include "sys/rtlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#define LINK_UP_NS (5 * NSEC_PER_SEC)
#define ARP_NS     NSEC_PER_SEC

struct dut {
	struct subject s; /* first */
	int netns_fd;
	struct rt *rt;
	struct tester_end end[TESTER_N_PORTS];
	bool was_down[TESTER_N_PORTS];
	struct arp_answerer *answerer[TESTER_N_PORTS];
};

static const char *const default_addr[2][TESTER_N_PORTS] = {
	{"198.18.0.2", "198.19.0.2"},
	{"2001:2::2", "2001:2:0:8000::2"},
};

static void dut_close(struct subject *s)
{
	struct dut *d = (struct dut *)s;

	tester_closep(&s->tester);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		arp_answerer_closep(&d->answerer[i]);
		/* Fails when the device has vanished. */
		if (d->was_down[i] && rt_set_down(d->rt, d->end[i].port.dev, NULL) < 0)
			d->was_down[i] = false;
	}
	rt_close(d->rt);
	closep(&d->netns_fd);
	free(d);
}

static const struct subject_ops dut_ops = {
	.trial = subject_tester_trial,
	.close = dut_close,
};

static int take_port(struct dut *d, uint32_t i, const char *name, struct err *e)
{
	struct frame_port *p = &d->end[i].port;
	struct rt_nic nic;
	struct rt_id id;
	int r = rt_id(d->rt, name, &id, e);

	if (r == 0)
		r = rt_nic(d->rt, name, &nic, e);
	if (r < 0)
		return r;
	if (!nic.ethernet || nic.loopback)
		return err_say(e, EINVAL, "'%s' is no Ethernet device", name);
	*p = (struct frame_port){.netns_fd = d->netns_fd,
		.ifindex = (uint32_t)id.ifindex,
		.mtu = id.mtu};
	str_set(p->dev, name);
	memcpy(p->mac, id.mac, sizeof(p->mac));
	if (nic.up)
		return 0;
	d->was_down[i] = true;
	return rt_set_up(d->rt, name, e);
}

static int wait_ports(struct dut *d, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + LINK_UP_NS;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = rt_wait_up(d->rt, d->end[i].port.dev, deadline_ns, e);
	return r;
}

static int split_ports(const char *text, char (*ret)[16], struct err *e)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : 0;

	if (!comma || len == 0 || len > 15 || !comma[1] || strlen(comma + 1) > 15 ||
		strchr(comma + 1, ','))
		return err_say(e, EINVAL, "--ports: '%s' is not two devices, as eth1,eth2", text);
	snprintf(ret[0], 16, "%.*s", (int)len, text);
	snprintf(ret[1], 16, "%s", comma + 1);
	return strcmp(ret[0], ret[1]) == 0
		       ? err_say(e, EINVAL, "--ports: '%s' is the same device twice", text)
		       : 0;
}

static int parse_addr(const char *text, bool ipv6, uint8_t *ret, struct err *e)
{
	return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, ret) == 1
		       ? 0
		       : err_say(e, EINVAL, "'%s' is no IPv%d address", text, ipv6 ? 6 : 4);
}

/* The DUT routes: it says who it is, and asks who the tester is. */
static int ask_gateway(struct dut *d, uint32_t i, const struct subject_ports *ports, struct err *e)
{
	struct tester_end *end = &d->end[i];
	struct arp_owner owner;
	int r;

	if (d->s.ipv6)
		return err_say(e, EOPNOTSUPP, "gateways are asked for by ARP, which IPv6 has not");
	r = arp_answerer_open(&d->answerer[i], d->netns_fd, end->port.dev, end->way[0].ip, e);
	if (r == 0)
		r = arp_probe(d->netns_fd, end->port.dev, ports->gateway[i],
			clock_now_ns() + ARP_NS, &owner, e);
	if (r == 0)
		return err_say(e, EHOSTUNREACH, "nobody on '%s' says that it has %s", end->port.dev,
			ports->gateway[i]);
	if (r == 1)
		memcpy(end->way[0].next_mac, owner.mac, sizeof(owner.mac));
	return MIN(r, 0);
}

static int address_end(struct dut *d, uint32_t i, const struct subject_ports *ports, struct err *e)
{
	struct tester_end *end = &d->end[i], *other = &d->end[!i];
	const char *own = *ports->addr[i] ? ports->addr[i] : default_addr[d->s.ipv6][i];
	int r = parse_addr(own, d->s.ipv6, end->way[0].ip, e);

	if (r < 0)
		return r;
	end->n_ways = 1;
	memcpy(other->way[0].next_ip, end->way[0].ip, sizeof(end->way[0].ip));
	if (*ports->gateway[i])
		return ask_gateway(d, i, ports, e);
	memcpy(end->way[0].next_mac, other->port.mac, sizeof(end->way[0].next_mac));
	return 0;
}

static int dut_build(struct dut *d, const struct subject_ports *ports, struct err *e)
{
	char name[TESTER_N_PORTS][16];
	int r = split_ports(ports->ports, name, e);

	if (r < 0)
		return r;
	d->netns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (d->netns_fd < 0)
		return err_set(e, errno, "cannot open /proc/thread-self/ns/net");
	r = rt_open_here(&d->rt, e);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = take_port(d, i, name[i], e);
	if (r == 0)
		r = wait_ports(d, e);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = address_end(d, i, ports, e);
	return r;
}

int subject_of_ports(struct subject **ret, const struct subject_ports *ports, bool ipv6,
	const struct tester_cfg *cfg, int cancel_fd, struct err *e)
{
	_cleanup_(subject_closep) struct subject *s = xcalloc(1, sizeof(struct dut));
	struct dut *d = (struct dut *)s;
	int r;

	s->ops = &dut_ops;
	s->self_fps = __builtin_nan("");
	s->cancel_fd = cancel_fd;
	s->ipv6 = ipv6;
	snprintf(s->name, sizeof(s->name), "ports %s", ports->ports);
	d->netns_fd = -1;
	r = dut_build(d, ports, e);
	if (r == 0)
		r = subject_tester_open(s, d->end, cfg, e);
	if (r != 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}
