#include "path/ebpf.h"

#include "bpf/route.h"
#include "sys/ebpf.h"

#include <arpa/inet.h>
#include <string.h>

const char *const ebpf_redirect_name[] = {
	[EBPF_REDIRECT_PEER] = "peer",
	[EBPF_REDIRECT_PLAIN] = "redirect",
};
static_assert(ARRAY_SIZE(ebpf_redirect_name) == EBPF_REDIRECT_N);

static int pod_build(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_pod_add(lab, i, e);

	if (r == 0)
		r = lab_pod_routed(lab, i, e);
	return r < 0 ? r : lab_route_from_peer(lab, lab->addrs->pod[i].net, e);
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
	int r = strchr(addr, ':') ? inet_pton(AF_INET6, addr, key.addr)
				  : inet_pton(AF_INET, addr, &key.addr[3]);

	assert(r == 1);
	return key;
}

static int set(const struct lab *lab, int map_fd, const char *addr, const struct route_to *to,
	struct err *e)
{
	struct route_key key = key_of(addr);

	return ebpf_map_set(lab->host_fd, map_fd, &key, to, e);
}

/* The way over the host's device @dev to @far_dev of @far, its other half. */
static int way(struct route_to *ret, struct lab *lab, const char *dev, struct rt *far,
	const char *far_dev, struct err *e)
{
	struct rt_id own, other;
	int r = rt_id(lab->host, dev, &own, e);

	if (r == 0)
		r = rt_id(far, far_dev, &other, e);
	if (r < 0)
		return r;
	ret->ifindex = (uint32_t)own.ifindex;
	memcpy(ret->mac, other.mac, sizeof(ret->mac));
	memcpy(ret->host_mac, own.mac, sizeof(ret->host_mac));
	return 0;
}

static int set_pod(struct lab *lab, int map_fd, uint32_t i, struct err *e)
{
	const struct route_to host = {0};
	struct route_to to;
	int r = way(&to, lab, lab_outer[i], lab->pod[i], "eth0", e);
	if (r == 0)
		r = set(lab, map_fd, lab->addrs->pod[i].addr, &to, e);
	return r < 0 ? r : set(lab, map_fd, lab->addrs->pod[i].gateway, &host, e);
}

int ebpf_routes(struct lab *lab, int map_fd, struct err *e)
{
	const struct route_to host = {0};
	int r = set(lab, map_fd, lab->addrs->host, &host, e);

	for (uint32_t i = 0; r == 0 && i < lab->n_pods; i++)
		r = set_pod(lab, map_fd, i, e);
	return r;
}

int ebpf_route_peer(struct lab *lab, int map_fd, struct err *e)
{
	struct route_to to;
	int r = way(&to, lab, "wire", lab->peer, "wire", e);

	return r < 0 ? r : set(lab, map_fd, lab->addrs->peer, &to, e);
}
