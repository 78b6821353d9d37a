#include "sys/arp.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <string.h>

/* A probe may get lost. */
#define ARP_RETRY_NS (100 * NSEC_PER_MSEC)

struct probe {
	int fd;
	struct sockaddr_ll to;
	struct ether_arp ask;
};

static int probe_open(struct probe *x, const char *dev, const char *addr, struct err *e)
{
	unsigned ifindex = if_nametoindex(dev);
	struct sockaddr_ll own;
	socklen_t len = sizeof(own);

	x->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
	if (x->fd < 0)
		return err_set(e, errno, "cannot open a socket for ARP");
	x->to = (struct sockaddr_ll){.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)ifindex,
		.sll_halen = ETH_ALEN};
	memset(x->to.sll_addr, 0xff, ETH_ALEN);
	if (bind(x->fd, (struct sockaddr *)&x->to, sizeof(x->to)) < 0)
		return err_set(e, errno, "cannot listen to ARP on '%s'", dev);
	if (getsockname(x->fd, (struct sockaddr *)&own, &len) < 0)
		return err_set(e, errno, "cannot read the address of '%s'", dev);
	/* Ref: RFC 5227 s.2.1.1: a sender without an address changes nobody's table. */
	x->ask.ea_hdr = (struct arphdr){.ar_hrd = htons(ARPHRD_ETHER),
		.ar_pro = htons(ETHERTYPE_IP),
		.ar_hln = ETH_ALEN,
		.ar_pln = sizeof(struct in_addr),
		.ar_op = htons(ARPOP_REQUEST)};
	memcpy(x->ask.arp_sha, own.sll_addr, ETH_ALEN);
	if (inet_pton(AF_INET, addr, x->ask.arp_tpa) != 1)
		return err_say(e, EINVAL, "'%s' is no IPv4 address", addr);
	return 0;
}

/* Return: 1 an answer came, 0 none did in time, or negative errno. */
static int await(const struct probe *x, uint64_t deadline_ns, struct arp_owner *ret)
{
	for (;;) {
		struct ether_arp got;
		int r = sock_wait_readable(x->fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r == -ETIMEDOUT ? 0 : r;
		n = recv(x->fd, &got, sizeof(got), MSG_DONTWAIT);
		if (n < (ssize_t)sizeof(got) || got.ea_hdr.ar_op != htons(ARPOP_REPLY) ||
			memcmp(got.arp_spa, x->ask.arp_tpa, sizeof(got.arp_spa)) != 0)
			continue;
		memcpy(ret->mac, got.arp_sha, sizeof(ret->mac));
		return 1;
	}
}

int arp_probe(int netns_fd, const char *dev, const char *addr, uint64_t deadline_ns,
	struct arp_owner *ret, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct probe x = {.fd = -1};
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r == 0)
		r = probe_open(&x, dev, addr, e);
	while (r == 0 && clock_left_ms(deadline_ns) > 0) {
		uint64_t retry_ns = MIN(deadline_ns, clock_now_ns() + ARP_RETRY_NS);

		if (sendto(x.fd, &x.ask, sizeof(x.ask), 0, (struct sockaddr *)&x.to, sizeof(x.to)) <
			0)
			r = err_set(e, errno, "cannot send an ARP probe for %s", addr);
		else
			r = await(&x, retry_ns, ret);
	}
	closep(&x.fd);
	return r;
}
