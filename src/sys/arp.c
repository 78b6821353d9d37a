#include "sys/arp.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>

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

struct arp_answerer {
	int fd, stop_fd;
	uint8_t mac[ETH_ALEN], ip[4];
	struct sockaddr_ll at;
	pthread_t thread;
};

/* Turns a question for the address into the answer. Return: false: it was none. */
static bool make_answer(const struct arp_answerer *a, struct ether_arp *x)
{
	struct ether_arp ask = *x;

	if (ask.ea_hdr.ar_op != htons(ARPOP_REQUEST) ||
		memcmp(ask.arp_tpa, a->ip, sizeof(a->ip)) != 0)
		return false;
	x->ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(x->arp_sha, a->mac, sizeof(x->arp_sha));
	memcpy(x->arp_spa, ask.arp_tpa, sizeof(x->arp_spa));
	memcpy(x->arp_tha, ask.arp_sha, sizeof(x->arp_tha));
	memcpy(x->arp_tpa, ask.arp_spa, sizeof(x->arp_tpa));
	return true;
}

static void *answer(void *arg)
{
	const struct arp_answerer *a = arg;
	struct pollfd p[] = {{.fd = a->fd, .events = POLLIN}, {.fd = a->stop_fd, .events = POLLIN}};

	for (;;) {
		struct sockaddr_ll to = a->at;
		struct ether_arp x;

		(void)poll(p, ARRAY_SIZE(p), -1);
		if (p[1].revents)
			return NULL;
		if (recv(a->fd, &x, sizeof(x), MSG_DONTWAIT) < (ssize_t)sizeof(x) ||
			!make_answer(a, &x))
			continue;
		memcpy(to.sll_addr, x.arp_tha, ETH_ALEN);
		/* An answer that gets lost is asked for again. */
		(void)sendto(a->fd, &x, sizeof(x), 0, (struct sockaddr *)&to, sizeof(to));
	}
}

void arp_answerer_close(struct arp_answerer *a)
{
	const uint64_t one = 1;

	if (!a)
		return;
	if (write(a->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(a->thread, NULL);
	close(a->stop_fd);
	close(a->fd);
	free(a);
}

static int start_answerer(struct arp_answerer *a, struct err *e)
{
	int r;

	a->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (a->stop_fd < 0)
		return err_set(e, errno, "cannot make an eventfd");
	r = pthread_create(&a->thread, NULL, answer, a);
	if (r == 0)
		return 0;
	close(a->stop_fd);
	return err_set(e, r, "cannot start a thread");
}

int arp_answerer_open(struct arp_answerer **ret, int netns_fd, const char *dev, const uint8_t *ip,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(freep) struct arp_answerer *a = xcalloc(1, sizeof(*a));
	struct probe x = {.fd = -1};
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r == 0)
		r = probe_open(&x, dev, "0.0.0.0", e);
	if (r == 0) {
		a->fd = x.fd;
		a->at = x.to;
		memcpy(a->mac, x.ask.arp_sha, sizeof(a->mac));
		memcpy(a->ip, ip, sizeof(a->ip));
		r = start_answerer(a, e);
	}
	if (r < 0) {
		closep(&x.fd);
		return r;
	}
	*ret = take_ptr(a);
	return 0;
}
