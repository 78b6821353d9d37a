#include "path/lab.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/wire.h"
#include "sys/file.h"
#include "sys/ns.h"

#include <errno.h>
#include <stdio.h>

/* Links come up within milliseconds; a loaded machine may take longer. */
#define LAB_UP_NS (5 * NSEC_PER_SEC)

static const struct lab_addrs lab_v4 = {
	.any = "0.0.0.0",
	.loopback = "127.0.0.1",
	.peer = "198.18.0.1",
	.host = "198.18.0.2",
	.wire_len = "/24",
	.segment_len = "/24",
	.pod = {{"198.18.1.0/24", "198.18.1.1", "198.18.1.2"},
		{"198.18.2.0/24", "198.18.2.1", "198.18.2.2"}},
	.bridged_addr = {"198.18.1.2", "198.18.1.3"},
	.wire_addr = {"198.18.0.3", "198.18.0.4"},
	.service = "198.18.3.1",
};
static const struct lab_addrs lab_v6 = {
	.any = "::",
	.loopback = "::1",
	.peer = "2001:2::1",
	.host = "2001:2::2",
	.wire_len = "/64",
	.segment_len = "/64",
	.pod = {{"2001:2:0:1::/64", "2001:2:0:1::1", "2001:2:0:1::2"},
		{"2001:2:0:2::/64", "2001:2:0:2::1", "2001:2:0:2::2"}},
	.bridged_addr = {"2001:2:0:1::2", "2001:2:0:1::3"},
	.wire_addr = {"2001:2::3", "2001:2::4"},
	.service = "2001:2:0:3::1",
};

/*
 * Without this the kernel sends router solicitations and multicast reports at its own times,
 * which would be packets nobody asked for in the counters of an IPv4 trial.
 */
int lab_quiet_ipv6(int netns_fd, bool ipv6, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = netns_fd >= 0 ? ns_scope_enter(&scope, netns_fd, e) : 0;

	if (r < 0)
		return r;
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		return ipv6 ? err_say(e, EOPNOTSUPP, "this kernel has no IPv6") : 0;
	r = file_sysctl_write("net/ipv6/conf/default/disable_ipv6", ipv6 ? "0" : "1", e);
	if (r < 0 || !ipv6)
		return r;
	/* Nobody else is there to have the address; until that is sure, nothing is forwarded. */
	r = file_sysctl_write("net/ipv6/conf/default/accept_dad", "0", e);
	return r < 0 ? r : file_sysctl_write("net/ipv6/conf/default/router_solicitations", "0", e);
}

int lab_machine_new(bool ipv6, int *ret_fd, struct rt **ret, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	int r = ns_net_new(&fd, e);

	if (r == 0)
		r = lab_quiet_ipv6(fd, ipv6, e);
	if (r == 0)
		r = rt_open(ret, fd, e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

int lab_address(struct rt *rt, const char *dev, const char *addr, const char *len, struct err *e)
{
	char prefix[64];
	int r = rt_set_up(rt, dev, e);

	if (r < 0)
		return r;
	snprintf(prefix, sizeof(prefix), "%s%s", addr, len);
	return rt_addr_add(rt, dev, prefix, e);
}

/*
 * Shapes one end of the wire. The filter counts L2 frames of mtu + 14 bytes, a real wire also FCS,
 * preamble and gap, 24 bytes more; scaling the rate by the ratio makes full-size frames exact.
 * Bucket: 1 ms or two of the largest GSO packets; queue: 1000 full frames, as txqueuelen has it.
 */
static int shape(struct lab *lab, struct rt *rt, struct err *e)
{
	uint64_t frame = lab->cfg->mtu + 14;
	uint64_t rate = lab->cfg->wire_rate_bps / 8 * frame / (frame + 24);
	uint32_t burst = (uint32_t)MAX(rate / 1000, (uint64_t)2 * 65550);

	return rt_shape(rt, "wire", rate, burst, (uint32_t)(1000 * frame), e);
}

/* A pair with as many queues as are asked for. */
static int veth_add(const struct lab *lab, struct rt *rt, const struct rt_veth *pair, struct err *e)
{
	struct rt_veth v = *pair;

	v.queues = lab->cfg->veth_queues;
	return rt_veth_add_args(rt, &v, e);
}

static int wire_add(struct lab *lab, struct err *e)
{
	int r = veth_add(lab, lab->peer,
		&(struct rt_veth){"wire", "wire", lab->host_fd, lab->cfg->mtu, 0}, e);

	if (r < 0)
		return r;
	r = lab_address(lab->peer, "wire", lab->addrs->peer, lab->addrs->segment_len, e);
	if (r < 0)
		return r;
	r = lab_address(lab->host, "wire", lab->addrs->host, lab->addrs->segment_len, e);
	if (r < 0 || !lab->cfg->wire_rate_bps)
		return r;
	r = shape(lab, lab->peer, e);
	return r < 0 ? r : shape(lab, lab->host, e);
}

DEFINE_CLEANUP(struct lab *, lab_close, lab_closep)

int lab_open(struct lab **ret, const struct path_cfg *cfg, struct err *e)
{
	_cleanup_(lab_closep) struct lab *lab = xcalloc(1, sizeof(*lab));
	int r;

	lab->cfg = cfg;
	lab->addrs = cfg->ipv6 ? &lab_v6 : &lab_v4;
	lab->n_pods = cfg->between == PATH_BETWEEN_PODS ? 2 : 1;
	lab->pod_mtu = cfg->mtu;
	lab->peer_fd = lab->host_fd = lab->pod_fd[0] = lab->pod_fd[1] = -1;

	r = lab_machine_new(lab->cfg->ipv6, &lab->host_fd, &lab->host, e);
	if (r == 0 && !*cfg->wire_dev)
		r = lab_machine_new(lab->cfg->ipv6, &lab->peer_fd, &lab->peer, e);
	if (r < 0)
		return r;
	r = *cfg->wire_dev ? wire_join(lab, e) : wire_add(lab, e);
	if (r < 0)
		return r;
	*ret = take_ptr(lab);
	return 0;
}

void lab_close(struct lab *lab)
{
	if (!lab)
		return;
	for (uint32_t i = 0; i < LAB_N_PODS; i++) {
		rt_close(lab->pod[i]);
		closep(&lab->pod_fd[i]);
	}
	rt_close(lab->host);
	rt_close(lab->peer);
	closep(&lab->host_fd);
	closep(&lab->peer_fd);
	free(lab);
}

void lab_two_nodes(struct lab *lab)
{
	lab->n_pods = 2;
	lab->near_pod_at_peer = true;
}

struct rt *lab_machine_of(const struct lab *lab, uint32_t i)
{
	return lab->near_pod_at_peer && i == 1 ? lab->peer : lab->host;
}

int lab_forward_at(const struct lab *lab, int netns_fd, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	if (lab->cfg->ipv6)
		return file_sysctl_write("net/ipv6/conf/all/forwarding", "1", e);
	return file_sysctl_write("net/ipv4/ip_forward", "1", e);
}

int lab_switch_only(struct lab *lab, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, lab->host_fd, e);

	if (r < 0 || !lab->cfg->ipv6)
		return r;
	r = file_sysctl_write("net/ipv6/conf/default/disable_ipv6", "1", e);
	return r < 0 ? r : file_sysctl_write("net/ipv6/conf/all/disable_ipv6", "1", e);
}

int lab_forward(struct lab *lab, struct err *e)
{
	return lab_forward_at(lab, lab->host_fd, e);
}

int lab_route_from_peer(struct lab *lab, const char *net, struct err *e)
{
	if (!lab->peer)
		return err_say(e, EOPNOTSUPP, "%s has no route to %s", lab->cfg->wire_peer, net);
	return rt_route_add(lab->peer, "wire", net, lab->addrs->host, e);
}

const char *const lab_outer[] = {"pod0", "pod1"};
static_assert(ARRAY_SIZE(lab_outer) == LAB_N_PODS);

int lab_pod_new(struct lab *lab, uint32_t i, struct err *e)
{
	assert(i < lab->n_pods);
	return lab_machine_new(lab->cfg->ipv6, &lab->pod_fd[i], &lab->pod[i], e);
}

int lab_pod_add(struct lab *lab, uint32_t i, struct err *e)
{
	struct rt *machine = lab_machine_of(lab, i);
	int r = lab_pod_new(lab, i, e);

	if (r < 0)
		return r;
	r = veth_add(lab, machine,
		&(struct rt_veth){lab_outer[i], "eth0", lab->pod_fd[i], lab->pod_mtu, 0}, e);
	if (r < 0)
		return r;
	lab->pod_pair[i] = true;
	return rt_set_up(machine, lab_outer[i], e);
}

int lab_pod_address(struct lab *lab, uint32_t i, const char *addr, const char *gateway,
	struct err *e)
{
	int r = lab_address(lab->pod[i], "eth0", addr, lab->addrs->wire_len, e);

	return r < 0 || !gateway ? r : rt_route_add(lab->pod[i], "eth0", NULL, gateway, e);
}

int lab_pod_routed(struct lab *lab, uint32_t i, struct err *e)
{
	const struct lab_addrs *a = lab->addrs;
	char gateway[64];
	int r;

	snprintf(gateway, sizeof(gateway), "%s%s", a->pod[i].gateway, a->wire_len);
	r = rt_addr_add(lab_machine_of(lab, i), lab_outer[i], gateway, e);
	return r < 0 ? r : lab_pod_address(lab, i, a->pod[i].addr, a->pod[i].gateway, e);
}

int lab_pod_on_wire(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_address(lab->pod[i], "eth0", lab->addrs->wire_addr[i], lab->addrs->segment_len,
		e);

	return r < 0 ? r : wire_way_out(lab, lab->pod[i], "eth0", e);
}

int lab_wait_up(struct lab *lab, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + LAB_UP_NS;
	int r = lab->peer ? rt_wait_up(lab->peer, "wire", deadline_ns, e) : 0;

	if (r == 0 && !lab->wire_taken)
		r = rt_wait_up(lab->host, "wire", deadline_ns, e);
	for (uint32_t i = 0; i < lab->n_pods; i++) {
		if (r < 0)
			return r;
		if (!lab->pod_pair[i])
			continue;
		r = rt_wait_up(lab_machine_of(lab, i), lab_outer[i], deadline_ns, e);
		if (r == 0)
			r = rt_wait_up(lab->pod[i], "eth0", deadline_ns, e);
	}
	return r;
}

static struct path_end pod_end(const struct lab *lab, uint32_t i, const char *addr)
{
	struct path_end end = {.netns_fd = lab->pod_fd[i], .container = true};

	str_set(end.addr, addr);
	str_set(end.dev, "eth0");
	return end;
}

/* Apart from each other, because two ends of hostnet share one namespace. */
static void set_ports(struct path *p)
{
	p->far.port = 5201;
	p->near.port = 5201 + PATH_N_PORTS;
}

/* On a real wire far is the server there, and what is far elsewhere is near. */
static void turn_round(struct path *p)
{
	p->near = p->far;
	p->far = (struct path_end){.netns_fd = -1};
}

void lab_ends(struct path *p, const char *const *addr)
{
	struct lab *lab = p->lab;

	path_add_hop(p, lab->host_fd);
	p->far = pod_end(lab, 0, addr[0]);
	if (lab->n_pods > 1) {
		p->near = pod_end(lab, 1, addr[1]);
	} else if (lab->peer) {
		p->near = (struct path_end){.netns_fd = lab->peer_fd};
		str_set(p->near.addr, lab->addrs->peer);
		str_set(p->near.dev, "wire");
	}
	if (!lab->peer)
		turn_round(p);
	set_ports(p);
}

static void host_on_wire(struct path *p, bool container)
{
	p->far = (struct path_end){.netns_fd = p->lab->host_fd, .container = container};
	str_set(p->far.addr, p->lab->addrs->host);
	str_set(p->far.dev, "wire");
	turn_round(p);
	set_ports(p);
}

void lab_host_ends(struct path *p, bool container)
{
	struct lab *lab = p->lab;
	bool pods = lab->n_pods > 1;

	if (!lab->peer)
		return host_on_wire(p, container);
	p->far = (struct path_end){.netns_fd = lab->host_fd, .container = container};
	p->near = (struct path_end){.netns_fd = pods ? lab->host_fd : lab->peer_fd,
		.container = pods};
	str_set(p->far.addr, pods ? lab->addrs->loopback : lab->addrs->host);
	str_set(p->near.addr, pods ? lab->addrs->loopback : lab->addrs->peer);
	str_set(p->far.dev, pods ? "lo" : "wire");
	str_set(p->near.dev, pods ? "lo" : "wire");
	set_ports(p);
}

int lab_build_routed(struct path *p, lab_pod_fn *pod_add, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *addr[LAB_N_PODS] = {a->pod[0].addr, a->pod[1].addr};
	int r = lab_forward(p->lab, e);

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++) {
		r = pod_add(p->lab, i, e);
		if (r == 0)
			r = lab_pod_routed(p->lab, i, e);
		if (r == 0)
			r = lab_route_from_peer(p->lab, a->pod[i].net, e);
	}
	if (r == 0)
		lab_ends(p, addr);
	return r;
}

int lab_build_on_wire(struct path *p, lab_pod_fn *pod_add, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++) {
		r = pod_add(p->lab, i, e);
		if (r == 0)
			r = lab_pod_on_wire(p->lab, i, e);
	}
	if (r == 0)
		lab_ends(p, p->lab->addrs->wire_addr);
	return r;
}
