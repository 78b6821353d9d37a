#include "sys/ping.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define PING_RETRY_NS (100 * NSEC_PER_MSEC)

/* The first eight bytes are the same in both families. Ref: RFC 792, RFC 4443 s.4.1 */
struct echo {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id, seq;
};

/* Ref: RFC 1071. The kernel does it for ICMPv6, whose sum covers addresses. */
static uint16_t checksum(const struct echo *x)
{
	const uint16_t *word = (const uint16_t *)x;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*x) / sizeof(*word); i++)
		sum += word[i];
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* A raw IPv4 socket shows the IP header, an IPv6 one does not. Ref: raw(7), RFC 3542 s.3 */
static bool is_answer(const uint8_t *packet, size_t bytes, bool ipv6, uint16_t id)
{
	size_t head = ipv6 ? 0 : bytes > 0 ? (packet[0] & 0xfU) * 4 : 0;
	struct echo x;

	if (bytes < head + sizeof(x))
		return false;
	memcpy(&x, packet + head, sizeof(x));
	return x.type == (ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && x.id == id;
}

static int await(int fd, bool ipv6, uint16_t id, uint64_t deadline_ns)
{
	for (;;) {
		uint8_t packet[1500];
		int r = sock_wait_readable(fd, deadline_ns);
		ssize_t n;

		if (r < 0)
			return r;
		n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (n > 0 && is_answer(packet, (size_t)n, ipv6, id))
			return 0;
	}
}

/* A far end that has no address yet is "unreachable" for a moment; that is no answer either. */
static int repeat(int fd, const char *addr, uint64_t deadline_ns, struct err *e)
{
	struct sockaddr_storage to;
	int len = sock_addr(&to, addr, 0, e);
	bool ipv6 = to.ss_family == AF_INET6;
	struct echo x = {.type = ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.id = (uint16_t)clock_now_ns()};

	if (len < 0)
		return len;
	x.checksum = checksum(&x);
	do {
		uint64_t retry_ns = MIN(deadline_ns, clock_now_ns() + PING_RETRY_NS);

		(void)sendto(fd, &x, sizeof(x), 0, (struct sockaddr *)&to, (socklen_t)len);
		if (await(fd, ipv6, x.id, retry_ns) == 0)
			return 0;
	} while (clock_left_ms(deadline_ns) > 0);
	return err_say(e, ETIMEDOUT, "%s does not answer a ping", addr);
}

int ping(int netns_fd, const char *addr, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	bool ipv6 = strchr(addr, ':') != NULL;
	int r = netns_fd >= 0 ? ns_scope_enter(&scope, netns_fd, e) : 0;

	if (r < 0)
		return r;
	fd = ipv6 ? socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6)
		  : socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		return err_set(e, errno, "cannot open a socket to ping with");
	return repeat(fd, addr, deadline_ns, e);
}
