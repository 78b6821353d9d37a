#include "sys/sock.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

int sock_addr(struct sockaddr_storage *ret, const char *ip, uint16_t port, struct err *e)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return err_say(e, EINVAL, "'%s' is not an IP address", ip);
}

int sock_resolve(const char *host, int family, char ret[static SOCK_ADDR_LEN], struct err *e)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int r = getaddrinfo(host, NULL, &hints, &list);

	if (r != 0)
		return err_say(e, EHOSTUNREACH, "cannot resolve '%s': %s", host, gai_strerror(r));
	r = getnameinfo(list->ai_addr, list->ai_addrlen, ret, SOCK_ADDR_LEN, NULL, 0,
		NI_NUMERICHOST);
	freeaddrinfo(list);
	return r == 0 ? 0
		      : err_say(e, EHOSTUNREACH, "cannot print the address of '%s': %s", host,
				gai_strerror(r));
}

int sock_name(int fd, bool peer, char ret_ip[static SOCK_ADDR_LEN], uint16_t *ret_port,
	struct err *e)
{
	struct sockaddr_storage addr;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&addr;
	socklen_t len = sizeof(addr);
	const char *mapped;

	if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&addr, &len) < 0)
		return err_set(e, errno, "cannot tell a socket's address");
	if (addr.ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, ret_ip, SOCK_ADDR_LEN);
		*ret_port = ntohs(v4->sin_port);
		return 0;
	}
	inet_ntop(AF_INET6, &v6->sin6_addr, ret_ip, SOCK_ADDR_LEN);
	*ret_port = ntohs(v6->sin6_port);
	mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? strrchr(ret_ip, ':') : NULL;
	if (mapped)
		memmove(ret_ip, mapped + 1, strlen(mapped));
	return 0;
}

int sock_open(int type, const char *ip, struct err *e)
{
	struct sockaddr_storage addr;
	int r = sock_addr(&addr, ip, 0, e);

	if (r < 0)
		return r;
	r = socket(addr.ss_family, type | SOCK_CLOEXEC, 0);
	return r < 0 ? err_set(e, errno, "cannot open a socket") : r;
}

int sock_open_mptcp(const char *ip, struct err *e)
{
	struct sockaddr_storage addr;
	int r = sock_addr(&addr, ip, 0, e);

	if (r < 0)
		return r;
	r = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
	return r < 0 ? err_set(e, errno, "cannot open an MPTCP socket") : r;
}

int sock_bind(int type, const char *ip, uint16_t port, struct err *e)
{
	_cleanup_(closep) int fd = sock_open(type, ip, e);
	int r = fd < 0 ? fd : sock_bind_fd(fd, ip, port, e);

	return r < 0 ? r : take_fd(fd);
}

int sock_bind_fd(int fd, const char *ip, uint16_t port, struct err *e)
{
	struct sockaddr_storage addr;
	int len, r;

	len = sock_addr(&addr, ip, port, e);
	if (len < 0)
		return len;
	r = sock_set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", e);
	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&addr, (socklen_t)len) < 0)
		return err_set(e, errno, "cannot bind to %s port %u", ip, port);
	return 0;
}

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int r = poll(&p, 1, clock_left_ms(deadline_ns));

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int sock_wait_readable(int fd, uint64_t deadline_ns)
{
	return wait_for(fd, POLLIN, deadline_ns);
}

static int finish_connect(int fd, uint64_t deadline_ns)
{
	socklen_t len = sizeof(int);
	int why = 0;
	int r = wait_for(fd, POLLOUT, deadline_ns);

	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return -errno;
	return -why;
}

int sock_connect(int fd, const char *ip, uint16_t port, uint64_t deadline_ns, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);
	struct sockaddr_storage addr;
	int len = sock_addr(&addr, ip, port, e);
	int r;

	if (len < 0)
		return len;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(e, errno, "cannot set a socket non-blocking");
	r = connect(fd, (struct sockaddr *)&addr, (socklen_t)len) < 0 ? -errno : 0;
	if (r == -EINPROGRESS)
		r = finish_connect(fd, deadline_ns);
	if (r < 0)
		return err_set(e, -r, "cannot connect to %s port %u", ip, port);
	if (fcntl(fd, F_SETFL, flags) < 0)
		return err_set(e, errno, "cannot set a socket blocking");
	return 0;
}

int sock_accept(int listen_fd, uint64_t deadline_ns, struct err *e)
{
	int r = sock_wait_readable(listen_fd, deadline_ns);

	if (r < 0)
		return err_set(e, -r, "no connection came");
	r = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return r < 0 ? err_set(e, errno, "cannot accept a connection") : r;
}

int sock_set_int(int fd, int level, int option, int value, const char *what, struct err *e)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		return err_set(e, errno, "cannot set %s to %d", what, value);
	return 0;
}

/* Ref: net/core/sock.c sk_get_meminfo: SK_MEMINFO_DROPS, what SO_RXQ_OVFL tells with a datagram. */
uint64_t sock_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return 0;
	return info[SK_MEMINFO_DROPS];
}

uint16_t sock_port(int fd)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	if (addr.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&addr)->sin6_port);
	return ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

int sock_set_tos(int fd, uint32_t tos, struct err *e)
{
	int domain = AF_INET;
	socklen_t len = sizeof(domain);
	int r;

	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	if (domain != AF_INET6)
		return sock_set_int(fd, IPPROTO_IP, IP_TOS, (int)tos, "IP_TOS", e);
	r = sock_set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, (int)tos, "IPV6_TCLASS", e);
	(void)!sock_set_int(fd, IPPROTO_IP, IP_TOS, (int)tos, "IP_TOS", NULL);
	return r;
}

int sock_set_congestion(int fd, const char *name, struct err *e)
{
	if (*name && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0)
		return err_set(e, errno, "cannot use congestion control '%s'", name);
	return 0;
}

int sock_set_pacing(int fd, uint64_t bps, struct err *e)
{
	uint64_t bytes_per_s = bps / 8;

	if (setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_s, sizeof(bytes_per_s)) < 0)
		return err_set(e, errno, "cannot set SO_MAX_PACING_RATE");
	return 0;
}
