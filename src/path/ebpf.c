#include "path/ebpf.h"

#include "bpf/route.h"
#include "sys/ebpf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

const char *const ebpf_redirect_name[] = {
	[EBPF_REDIRECT_PEER] = "peer",
	[EBPF_REDIRECT_PLAIN] = "redirect",
};
static_assert(ARRAY_SIZE(ebpf_redirect_name) == EBPF_REDIRECT_N);

static int pod_build(struct lab *lab, uint32_t i, struct err *e)
{
	const struct lab_addrs *a = lab->addrs;
	char outer[16], gateway[64];
	int r = lab_pod_add(lab, i, e);

	if (r < 0)
		return r;
	snprintf(outer, sizeof(outer), "pod%u", i);
	snprintf(gateway, sizeof(gateway), "%s%s", a->pod[i].gateway, a->wire_len);
	r = rt_addr_add(lab->host, outer, gateway, e);
	if (r == 0)
		r = lab_pod_address(lab, i, a->pod[i].addr, a->pod[i].gateway, e);
	return r < 0 ? r : lab_route_from_peer(lab, a->pod[i].net, e);
}

int ebpf_pods(struct path *p, struct err *e)
{
	const struct lab_addrs *a = p->lab->addrs;
	const char *addr[LAB_N_PODS] = {a->pod[0].addr, a->pod[1].addr};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->lab->n_pods; i++)
		r = pod_build(p->lab, i, e);
	if (r == 0)
		lab_ends(p, addr);
	return r;
}

/* The addresses are the lab's own, so they parse. */
static struct route_key key_of(const char *addr)
{
	struct route_key key = {.addr = {0, 0, htonl(0xffff)}};

	if (inet_pton(AF_INET, addr, &key.addr[3]) != 1)
		assert(inet_pton(AF_INET6, addr, key.addr) == 1);
	return key;
}

static int route(struct lab *lab, int map_fd, const char *addr, const struct route_to *to,
	struct err *e)
{
	struct route_key key = key_of(addr);

	return ebpf_map_set(lab->host_fd, map_fd, &key, to, e);
}

static int pod_route(struct lab *lab, uint32_t i, int map_fd, struct err *e)
{
	const struct route_to host = {0};
	struct route_to to;
	struct rt_id outer_id, inner_id;
	char outer[16];
	int r;

	snprintf(outer, sizeof(outer), "pod%u", i);
	r = rt_id(lab->host, outer, &outer_id, e);
	if (r == 0)
		r = rt_id(lab->pod[i], "eth0", &inner_id, e);
	if (r < 0)
		return r;
	to.ifindex = (uint32_t)outer_id.ifindex;
	memcpy(to.mac, inner_id.mac, sizeof(to.mac));
	memcpy(to.host_mac, outer_id.mac, sizeof(to.host_mac));
	r = route(lab, map_fd, lab->addrs->pod[i].addr, &to, e);
	return r < 0 ? r : route(lab, map_fd, lab->addrs->pod[i].gateway, &host, e);
}

int ebpf_routes(struct lab *lab, int map_fd, struct err *e)
{
	const struct route_to host = {0};
	int r = route(lab, map_fd, lab->addrs->host, &host, e);

	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++)
		r = pod_route(lab, i, map_fd, e);
	return r;
}
