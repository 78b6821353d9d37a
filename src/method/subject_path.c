/*
 * A path of the lab between the tester's two ports: the devices by which its ends reach each other.
 * How frames are to be addressed is what the kernel of the ends says, which have talked to each
 * other when the path was verified.
 */
#include "method/subject_tester.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/lab.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/nsref.h"
#include "sys/rtroute.h"
#include "sys/sock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A neighbour answers within milliseconds, or a busy machine takes its time. */
#define NEIGHBOUR_NS (2 * NSEC_PER_SEC)
#define LINK_UP_NS   (5 * NSEC_PER_SEC)
/* Ref: RFC 863, discard */
#define PORT_DISCARD 9
/* For chains of up to PATH_MAX_NFS routers. Ref: RFC 1700, IP time to live */
#define LONG_TTL 64

struct on_path {
	struct subject s; /* first */
	struct path_spec spec;
	struct tester_cfg cfg;
	struct path *path;
};

static struct on_path *on_path_of(struct subject *s)
{
	return (struct on_path *)s;
}

/* "vm-virtio: its far end is a guest". */
static int unavailable(const struct path *p, struct err *e, const char *why)
{
	err_say(e, EOPNOTSUPP, "path '%s': %s", p->spec.name, why);
	return PATH_UNAVAILABLE;
}

static int check_end(const struct path *p, const struct path_end *end, struct err *e)
{
	if (end->guest)
		return unavailable(p, e,
			"an end of it is in a guest, where the tester has no port");
	if (end->netns_fd < 0)
		return unavailable(p, e, "an end of it is not on this machine");
	return 0;
}

static int check_ends(const struct path *p, struct err *e)
{
	int r = check_end(p, &p->near, e);

	if (r == 0)
		r = check_end(p, &p->far, e);
	if (r == 0 && nsref_same(p->near.netns_fd, p->far.netns_fd))
		r = unavailable(p, e, "both ends are one namespace, and no device is between them");
	return r;
}

/* Has the kernel ask for the next hop: any packet to there will do. */
static int stir(const struct path_end *from, const char *to, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	struct sockaddr_storage a;
	int r = ns_scope_enter(&scope, from->netns_fd, e), len;

	if (r < 0)
		return r;
	fd = sock_open(SOCK_DGRAM, to, e);
	len = fd < 0 ? fd : sock_addr(&a, to, PORT_DISCARD, e);
	if (len < 0)
		return len;
	if (sendto(fd, "", 1, MSG_DONTWAIT, (struct sockaddr *)&a, (socklen_t)len) < 0)
		return err_set(e, errno, "cannot send to %s", to);
	return 0;
}

static int find_hop(const struct path_end *from, const char *to, struct rt_hop *ret, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + NEIGHBOUR_NS;
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = rt_open(&rt, from->netns_fd, e);

	if (r == 0)
		r = rt_hop(rt, to, ret, e);
	while (r == 0 && !ret->known && !ret->loopback && ret->ethernet) {
		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, EHOSTUNREACH, "nobody says who has %s on '%s'", to,
				ret->dev);
		r = stir(from, to, e);
		poll(NULL, 0, 5);
		if (r == 0)
			r = rt_hop(rt, to, ret, e);
	}
	return r;
}

static int check_hop(const struct path *p, const struct rt_hop *h, struct err *e)
{
	char why[100];

	if (h->loopback)
		return unavailable(p, e, "its ends talk over loopback, which carries no frames");
	if (h->ethernet)
		return 0;
	snprintf(why, sizeof(why), "device '%s' at an end of it has no Ethernet header", h->dev);
	return unavailable(p, e, why);
}

/* The device, as the first way shows it. */
static void fill_port(struct tester_end *ret, const struct path *p, const struct path_end *from,
	const struct rt_hop *there)
{
	*ret = (struct tester_end){.port = {.netns_fd = from->netns_fd,
					   .ifindex = (uint32_t)there->ifindex,
					   .mtu = MIN(there->mtu, p->mtu)},
		.ttl = p->n_hops < FRAME_TTL ? 0 : LONG_TTL};
	str_set(ret->port.dev, there->dev);
	memcpy(ret->port.mac, there->mac, sizeof(ret->port.mac));
}

/* Behind NAT the other end is reached by an address that is not its own, at published ports. */
static struct tester_way way_of(const struct path_end *to, const struct rt_hop *there,
	const struct rt_hop *back)
{
	const bool nat = memcmp(there->dst, back->src, sizeof(there->dst)) != 0;
	struct tester_way w = {.next_port = nat ? to->port : 0};

	memcpy(w.next_mac, there->next_mac, sizeof(w.next_mac));
	memcpy(w.ip, there->src, sizeof(w.ip));
	memcpy(w.next_ip, there->dst, sizeof(w.next_ip));
	return w;
}

/* One instance: a way there and a way back. The first one tells the devices. */
static int add_way(const struct path *p, const struct path_instance *x, struct tester_end *ret,
	struct err *e)
{
	const uint32_t i = ret[0].n_ways;
	struct rt_hop there, back;
	int r = find_hop(&p->near, x->far, &there, e);

	if (r == 0)
		r = find_hop(&p->far, x->near, &back, e);
	if (r == 0)
		r = check_hop(p, &there, e);
	if (r == 0)
		r = check_hop(p, &back, e);
	if (r != 0)
		return r;
	if (i == 0) {
		fill_port(&ret[0], p, &p->near, &there);
		fill_port(&ret[1], p, &p->far, &back);
	}
	ret[0].way[i] = way_of(&p->far, &there, &back);
	ret[1].way[i] = way_of(&p->near, &back, &there);
	ret[0].n_ways = ret[1].n_ways = i + 1;
	return 0;
}

static int find_ends(const struct path *p, struct tester_end *ret, struct err *e)
{
	int r = check_ends(p, e);

	ret[0].n_ways = 0;
	for (uint32_t i = 0; r == 0 && i < p->n_instances; i++)
		r = add_way(p, &p->instance[i], ret, e);
	return r;
}

static int build(struct on_path *x, struct err *e)
{
	struct tester_end end[TESTER_N_PORTS];
	int r = path_open(&x->path, &x->spec, x->s.cancel_fd, e);

	if (r == 0)
		r = find_ends(x->path, end, e);
	return r == 0 ? subject_tester_open(&x->s, end, &x->cfg, e) : r;
}

static void take_down(struct on_path *x)
{
	tester_closep(&x->s.tester);
	path_closep(&x->path);
}

static void on_path_close(struct subject *s)
{
	take_down(on_path_of(s));
	free(s);
}

static int on_path_rebuild(struct subject *s, struct err *e)
{
	struct on_path *x = on_path_of(s);
	int r;

	take_down(x);
	r = build(x, e);
	return r > 0 ? err_wrap(e, "it was there before") : r;
}

/* IPv6 addresses would go with the link. Ref: Documentation/networking/ip-sysctl.rst */
static int keep_addresses(const struct lab *lab, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, lab->host_fd, e);

	return r < 0 ? r : file_sysctl_write("net/ipv6/conf/all/keep_addr_on_down", "1", e);
}

/* The SUT's link to the container, or where that is not a pair, to the wire. */
static int on_path_reset(struct subject *s, struct err *e)
{
	const struct on_path *x = on_path_of(s);
	const struct lab *lab = x->path->lab;
	const char *dev = lab->pod_pair[0] ? lab_outer[0] : "wire";
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = 0;

	/* A port that is a pod's or function's own device. */
	if (lab->wire_taken && !lab->pod_pair[0])
		return err_say(e, EOPNOTSUPP, "no link of '%s' is the host's", x->spec.name);
	if (x->spec.cfg.ipv6)
		r = keep_addresses(lab, e);
	if (r == 0)
		r = rt_open(&rt, lab->host_fd, e);
	if (r == 0)
		r = rt_set_down(rt, dev, e);
	if (r == 0)
		r = rt_set_up(rt, dev, e);
	return r == 0 ? rt_wait_up(rt, dev, clock_now_ns() + LINK_UP_NS, e) : r;
}

static const struct subject_ops lab_ops = {
	.trial = subject_tester_trial,
	.rebuild = on_path_rebuild,
	.reset = on_path_reset,
	.close = on_path_close,
};

/* Nothing of what is between the ends is tare's. */
static const struct subject_ops no_lab_ops = {
	.trial = subject_tester_trial,
	.rebuild = on_path_rebuild,
	.close = on_path_close,
};

const struct path *subject_path_of(const struct subject *s)
{
	bool is_one = s->ops == &lab_ops || s->ops == &no_lab_ops;

	return is_one ? ((const struct on_path *)s)->path : NULL;
}

int subject_path(struct subject **ret, const struct path_spec *spec, const struct tester_cfg *cfg,
	int cancel_fd, struct err *e)
{
	_cleanup_(subject_closep) struct subject *s = xcalloc(1, sizeof(struct on_path));
	struct on_path *x = on_path_of(s);
	int r;

	s->ops = spec->ops->no_lab ? &no_lab_ops : &lab_ops;
	s->self_fps = __builtin_nan("");
	s->cancel_fd = cancel_fd;
	s->ipv6 = spec->cfg.ipv6;
	str_set(s->name, spec->name);
	x->spec = *spec;
	x->cfg = *cfg;
	r = build(x, e);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < x->path->n_notes; i++)
		subject_note(s, "%s", x->path->note[i]);
	if (x->path->n_hops >= FRAME_TTL)
		subject_note(s, "frames have a TTL of %d, not RFC 2544's %d, for all the hops",
			LONG_TTL, FRAME_TTL);
	*ret = take_ptr(s);
	return 0;
}
