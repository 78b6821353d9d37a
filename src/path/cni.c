/*
 * Any CNI configuration, run by the plugins' own programs as a container runtime would: ADD, CHECK,
 * and DEL in the end. To a plugin the lab's host is the host. Programs run in a room, where /run
 * and /var/lib/cni are empty and go with it, so that allocations of the machine's own containers
 * are neither seen nor changed; rules and devices are in the lab's namespaces.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cni/run.h"
#include "path/lab.h"
#include "path/table.h"
#include "path/verify.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum cni_device {
	CNI_DEVICE_WIRE,
	CNI_DEVICE_KEEP,
	CNI_DEVICE_N,
};
static const char *const cni_device_name[] = {
	[CNI_DEVICE_WIRE] = "wire",
	[CNI_DEVICE_KEEP] = "keep",
};
static_assert(ARRAY_SIZE(cni_device_name) == CNI_DEVICE_N);

/*
 * portmap makes three rules a port by an iptables each: 8 ports of TCP and UDP take it 0.2 s, 64
 * take it 2 s, and all PATH_N_PORTS minutes.
 */
static const struct opt cni_opts[] = {
	OPT_STR(struct path_cfg, cni_path, "cni-path", 0, "<dir:...>",
		"where CNI plugins are; else CNI_PATH of the environment or " CNI_DIRS),
	OPT_U64(struct path_cfg, cni_timeout_ns, "cni-timeout", 0, "<time>",
		"kill a plugin that takes longer", .unit = NUM_DURATION, .min = NSEC_PER_SEC / 10,
		.max = 600 * NSEC_PER_SEC),
	OPT_U32(struct path_cfg, cni_ports, "cni-ports", 0, "<n>",
		"ports to publish, TCP and UDP each, by a plugin with capability portMappings; as "
		"many as flows of UDP; 0: none, so containers are reached at their own address",
		.min = 1, .max = PATH_N_PORTS, .zero_ok = true),
	OPT_U64(struct path_cfg, cni_rate_bps, "cni-rate", 0, "<rate>",
		"limit for a plugin with capability bandwidth; 0: none asked", .unit = NUM_RATE,
		.min = 100000, .max = 17000000000, .zero_ok = true),
	OPT_ENUM(struct path_cfg, cni_device, "cni-device", 0, cni_device_name,
		"put the wire in place of a device that macvlan, ipvlan or host-device names, or "
		"keep the name"),
	OPT_END,
};

/* One container's part. */
struct cni_pod {
	struct cni_runtime rt;
	struct cni_result result;
	bool added; /* or half of it: DEL is due */
	char id[48], netns[64], ip[64];
};

struct cni_state {
	struct cni_conf *conf;
	struct room *room;
	struct cni_pod pod[LAB_N_PODS];
};

static int cni_path_check(const struct path_spec *spec, struct err *e)
{
	_cleanup_(cni_conf_freep) struct cni_conf *conf = NULL;
	int r;

	if (!*spec->arg)
		return 0;
	r = cni_conf_read(&conf, spec->arg, e);
	if (r < 0)
		return r;
	if (spec->cfg.cni_rate_bps && !cni_conf_declares(conf, bandwidth))
		return err_say(e, EINVAL,
			"cni-rate: no plugin of '%s' declares the capability \"bandwidth\"",
			spec->arg);
	return 0;
}

/* Without a file: are there plugins at all? */
static int cni_probe(const struct path_spec *spec, struct err *e)
{
	static const char any[] = "{\"name\":\"any\",\"cniVersion\":\"1.0.0\",\"type\":\"bridge\"}";
	_cleanup_(cni_conf_freep) struct cni_conf *conf = NULL;
	int r = *spec->arg ? cni_conf_read(&conf, spec->arg, e)
			   : cni_conf_parse(&conf, any, strlen(any), e);

	if (r == 0)
		r = cni_find_all(conf, spec->cfg.cni_path, e);
	if (r == 0 && cni_conf_runs(conf, "vlan"))
		return err_say(e, EOPNOTSUPP,
			"plugin 'vlan' needs a peer that tags its frames, which the lab's does "
			"not");
	return r == -ENOENT ? PATH_UNAVAILABLE : r;
}

static void cni_close(struct path *p)
{
	struct cni_state *s = p->state;

	for (uint32_t i = LAB_N_PODS; i-- > 0;) {
		struct cni_pod *pod = &s->pod[i];

		/* What a failing DEL leaves goes with the namespaces and the room. */
		pod->rt.cancel_fd = -1;
		if (pod->added)
			(void)cni_del(&pod->result, s->conf, &pod->rt, NULL);
		cni_result_fini(&pod->result);
	}
	room_closep(&s->room);
	cni_conf_freep(&s->conf);
	free(s);
}

static int load_conf(struct path *p, struct cni_state *s, struct err *e)
{
	char old[64];
	int r = cni_conf_read(&s->conf, p->spec.arg, e);

	if (r < 0)
		return r;
	cni_conf_drop_dirs(s->conf);
	if (p->cfg.cni_device == CNI_DEVICE_WIRE &&
		cni_conf_replace_device(s->conf, "wire", old, sizeof(old)))
		path_note(p, "the lab's wire stands for device '%s' of the configuration", old);
	return 0;
}

static int open_room(struct cni_state *s, struct err *e)
{
	int r = room_open(&s->room, e);

	return r < 0 ? r : room_private_dir(s->room, "/var/lib/cni", e);
}

static bool publishes(const struct path *p)
{
	const struct cni_state *s = p->state;

	return p->cfg.cni_ports && cni_conf_declares(s->conf, port_mappings);
}

/* The ends' ports are those of lab_ends(). */
static void set_runtime(struct path *p, uint32_t i)
{
	struct cni_state *s = p->state;
	struct cni_pod *pod = &s->pod[i];

	snprintf(pod->id, sizeof(pod->id), "tare-%d-pod%u", (int)getpid(), i);
	snprintf(pod->netns, sizeof(pod->netns), ROOM_DIR "/pod%u", i);
	snprintf(pod->ip, sizeof(pod->ip), "%s%s", p->lab->addrs->bridged_addr[i],
		p->lab->addrs->wire_len);
	pod->rt = (struct cni_runtime){
		.dirs = p->cfg.cni_path,
		.container = pod->id,
		.netns = pod->netns,
		.ifname = "eth0",
		.room = s->room,
		.host_fd = p->lab->host_fd,
		.timeout_ns = p->cfg.cni_timeout_ns,
		.cancel_fd = p->cancel_fd,
		.port = (uint16_t)(5201 + i * PATH_N_PORTS),
		.n_ports = p->cfg.cni_ports,
		.rate_bps = p->cfg.cni_rate_bps,
		.ip = pod->ip,
	};
}

/*
 * Containers get IPv6 in a run over IPv4, too: a network of both families is built as a whole or
 * not at all.
 */
static int allow_ipv6(int netns_fd, struct err *e)
{
	int r = lab_quiet_ipv6(netns_fd, true, e);

	return r == -EOPNOTSUPP ? 0 : r;
}

/*
 * Plugins' CHECKs have faults of their own (portmap 1.1.1 finds no IPv6 rules when there is IPv4,
 * too), and runtimes do not ask for them before they go on; packets must come through anyway.
 */
static int check(struct path *p, uint32_t i, struct err *e)
{
	const struct cni_state *s = p->state;
	int r = cni_check(&s->pod[i].result, s->conf, &s->pod[i].rt, e);

	if (r == 0 || r == -ECANCELED)
		return r;
	if (i == 0)
		path_note(p, "%.150s", e->text);
	return 0;
}

static int pod_build(struct path *p, uint32_t i, struct err *e)
{
	struct cni_state *s = p->state;
	struct cni_pod *pod = &s->pod[i];
	int r = lab_pod_new(p->lab, i, e);

	if (r == 0)
		r = allow_ipv6(p->lab->pod_fd[i], e);
	if (r < 0)
		return r;
	set_runtime(p, i);
	r = room_bind_ns(s->room, p->lab->pod_fd[i], pod->netns, e);
	if (r < 0)
		return r;
	pod->added = true;
	r = cni_add(&pod->result, s->conf, &pod->rt, e);
	return r < 0 ? r : check(p, i, e);
}

/* The address of pod @i of the run's family. */
static int pod_ip(const struct path *p, uint32_t i, const struct cni_ip **ret, struct err *e)
{
	const struct cni_state *s = p->state;

	*ret = cni_result_ip(&s->pod[i].result, p->cfg.ipv6);
	if (*ret)
		return 0;
	(void)err_say(e, EADDRNOTAVAIL, "network '%s' gave the container no %s address",
		s->conf->name, p->cfg.ipv6 ? "IPv6" : "IPv4");
	return PATH_UNAVAILABLE;
}

static bool same_subnet(const char *a, const char *b, bool ipv6, uint32_t prefix)
{
	uint8_t x[16] = {0}, y[16] = {0};
	int family = ipv6 ? AF_INET6 : AF_INET;

	if (inet_pton(family, a, x) != 1 || inet_pton(family, b, y) != 1)
		return false;
	for (uint32_t bit = 0; bit < prefix; bit++)
		if ((x[bit / 8] ^ y[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

/* The first address of @ip's subnet that the container does not have. */
static void first_free(const struct cni_ip *ip, char *ret, size_t size)
{
	int family = ip->ipv6 ? AF_INET6 : AF_INET;
	uint8_t x[16] = {0};
	uint32_t last = ip->ipv6 ? 15 : 3;

	(void)inet_pton(family, ip->addr, x);
	for (uint32_t bit = ip->prefix; bit < (last + 1) * 8; bit++)
		x[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	x[last] |= 1;
	(void)inet_ntop(family, x, ret, (socklen_t)size);
	if (strcmp(ret, ip->addr) != 0)
		return;
	x[last] ^= 3;
	(void)inet_ntop(family, x, ret, (socklen_t)size);
}

/*
 * A container that is a neighbour on the wire: the peer becomes one in its subnet, as the gateway,
 * which is where it looks for others.
 */
static int join_subnet(struct path *p, const struct cni_ip *ip, struct err *e)
{
	char addr[SOCK_ADDR_LEN], prefix[64];
	int r;

	if (same_subnet(ip->addr, p->lab->addrs->peer, ip->ipv6, ip->prefix))
		return 0;
	if (ip->prefix > (ip->ipv6 ? 126 : 30))
		return err_say(e, EINVAL, "no other address is in the subnet of %s/%u", ip->addr,
			ip->prefix);
	str_set(addr, ip->gateway);
	if (!*addr)
		first_free(ip, addr, sizeof(addr));
	snprintf(prefix, sizeof(prefix), "%s/%u", addr, ip->prefix);
	r = rt_addr_add(p->lab->peer, "wire", prefix, e);
	if (r < 0)
		return r;
	str_set(p->near.addr, addr);
	path_note(p, "the peer has %s on the wire, the container's subnet", prefix);
	return 0;
}

/* On a real wire the container opens all connections; answers must find back to it. */
static int fits_wire(const struct path *p, struct err *e)
{
	const struct cni_state *s = p->state;

	if (p->lab->peer)
		return 0;
	if (cni_conf_attach(s->conf, "wire") != CNI_ATTACH_NONE)
		return err_say(e, EOPNOTSUPP,
			"network '%s' puts the container itself on the wire, with addresses that "
			"tare can't tell to be free there: the path macvlan takes one of "
			"--wire-addr",
			s->conf->name);
	if (cni_conf_declares(s->conf, masquerades))
		return 0;
	return err_say(e, EOPNOTSUPP,
		"%s has no route to the container, and network '%s' does not masquerade "
		"(\"ipMasq\": true)",
		p->cfg.wire_peer, s->conf->name);
}

/* How the peer gets to pod @i. */
static int reach(struct path *p, uint32_t i, const struct cni_ip *ip, struct err *e)
{
	const struct cni_state *s = p->state;
	enum cni_attach attach = cni_conf_attach(s->conf, "wire");
	char host[64];

	if (!p->lab->peer)
		return 0;
	if (i == 0 && attach == CNI_ATTACH_TAKEN)
		p->lab->wire_taken = true;
	if (attach == CNI_ATTACH_L2 || attach == CNI_ATTACH_TAKEN)
		return p->lab->n_pods > 1 ? 0 : join_subnet(p, ip, e);
	snprintf(host, sizeof(host), "%s/%d", ip->addr, ip->ipv6 ? 128 : 32);
	return lab_route_from_peer(p->lab, host, e);
}

static void add_notes(struct path *p)
{
	struct rt_id eth0;

	if (rt_id(p->lab->pod[0], "eth0", &eth0, NULL) == 0 && eth0.mtu != p->cfg.mtu) {
		path_note(p, "the container's device has an MTU of %u, not %u", eth0.mtu,
			p->cfg.mtu);
		p->mtu = MIN(p->mtu, eth0.mtu);
	}
	if (publishes(p))
		path_note(p, "%u ports are published, TCP and UDP; cni-ports=N for more flows",
			p->cfg.cni_ports);
}

/*
 * Where the other end reaches a container. Published ports are the host's: at the wire's address
 * for the peer; at the gateway's for another container, since portmap masquerades what goes from
 * one to another of the same subnet to that.
 */
static const char *address_of(const struct path *p, const struct cni_ip *ip)
{
	if (!publishes(p))
		return ip->addr;
	return p->lab->n_pods > 1 && *ip->gateway ? ip->gateway : p->lab->addrs->host;
}

static int set_ends(struct path *p, struct err *e)
{
	const struct cni_ip *ip[LAB_N_PODS] = {0};
	const char *addr[LAB_N_PODS];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++) {
		r = pod_ip(p, i, &ip[i], e);
		if (r == 0)
			addr[i] = address_of(p, ip[i]);
	}
	if (r != 0)
		return r;
	if (ip[1] && strcmp(ip[0]->addr, ip[1]->addr) == 0)
		return err_say(e, EEXIST, "both containers got the address %s", ip[0]->addr);
	lab_ends(p, addr);
	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = reach(p, i, ip[i], e);
	return r;
}

static int cni_build(struct path *p, struct err *e)
{
	struct cni_state *s = xcalloc(1, sizeof(*s));
	int r;

	p->state = s;
	r = load_conf(p, s, e);
	if (r == 0)
		r = fits_wire(p, e);
	if (r == 0)
		r = open_room(s, e);
	if (r == 0)
		r = lab_forward(p->lab, e);
	if (r == 0)
		r = allow_ipv6(p->lab->host_fd, e);
	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = pod_build(p, i, e);
	if (r == 0)
		r = set_ends(p, e);
	if (r == 0)
		add_notes(p);
	return r;
}

static int cni_verify(struct path *p, struct err *e)
{
	const struct cni_state *s = p->state;
	const struct cni_result *result = &s->pod[0].result;
	int r = path_verify(p, e);

	if (r < 0 && !(p->cfg.ipv6 ? result->default_v6 : result->default_v4)) {
		struct err why = *e;

		return err_say(e, -r, "%s; the configuration gives containers no default route",
			why.text);
	}
	return r;
}

const struct path_ops path_cni = {
	.name = "cni",
	.summary = "container in a network of a CNI configuration, by its plugins",
	.hops = "peer, wire, what the plugins build, container",
	.crosses = "bridge: br_forward, veth_xmit; ptp: ip_forward, veth_xmit; macvlan: "
		   "macvlan_start_xmit; portmap, firewall: nft_do_chain; bandwidth: tbf_enqueue, "
		   "ifb_xmit",
	.needs = "CNI plugins (Debian: containernetworking-plugins)",
	.arg = "<file>",
	.set = PATH_SET_GIVEN,
	.pods_ok = true,
	.wire = PATH_WIRE_BY_HOST,
	.opts = cni_opts,
	.opts_title = "CNI configurations",
	.check = cni_path_check,
	.probe = cni_probe,
	.build = cni_build,
	.verify = cni_verify,
	.close = cni_close,
};
