/* The server's two sockets: its own, or those that systemd opened for it. */
#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Ref: sd_listen_fds(3) */
#define SD_FIRST_FD 3
#define BACKLOG     1024
/* Another program may have the UDP port that belongs to the free TCP port found. */
#define PORT_TRIES 16

static int env_number(const char *name, uint64_t *ret)
{
	const char *text = getenv(name);

	return text ? num_parse(text, NUM_COUNT, ret, NULL) : -ENOENT;
}

static int get_int(int fd, int option)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) < 0 ? -errno : v;
}

static int inherit_one(struct server *s, int fd, struct err *e)
{
	int type = get_int(fd, SO_TYPE);
	int *place = type == SOCK_STREAM ? &s->listen_fd : &s->udp_fd;

	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return err_say(e, EINVAL, "inherited descriptor %d is no TCP or UDP socket", fd);
	if (*place >= 0)
		return err_say(e, EINVAL, "more than one %s socket inherited",
			type == SOCK_STREAM ? "TCP" : "UDP");
	if (type == SOCK_STREAM && get_int(fd, SO_ACCEPTCONN) != 1)
		return err_say(e, EINVAL, "inherited descriptor %d does not listen", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "inherited descriptor %d", fd);
	*place = fd;
	return 0;
}

/* Return: 1 inherited, 0 there are none, or negative errno. */
static int inherit(struct server *s, struct err *e)
{
	uint64_t pid, n;

	if (env_number("LISTEN_PID", &pid) < 0 || pid != (uint64_t)getpid() ||
		env_number("LISTEN_FDS", &n) < 0 || n == 0)
		return 0;
	for (uint64_t i = 0; i < MIN(n, 8ULL); i++) {
		int r = inherit_one(s, SD_FIRST_FD + (int)i, e);

		if (r < 0)
			return r;
	}
	if (s->listen_fd < 0 || s->udp_fd < 0)
		return err_say(e, EINVAL, "a TCP and a UDP socket must be inherited");
	return 1;
}

static int port_of(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct peer p;

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	peer_from(&p, &addr);
	return p.port;
}

int listen_at(int type, const char *ip, uint16_t port, struct err *e)
{
	_cleanup_(closep) int fd = sock_open(type | SOCK_NONBLOCK, ip, e);
	struct sockaddr_storage addr;
	const int off = 0, on = 1;
	int len;

	if (fd < 0)
		return fd;
	len = sock_addr(&addr, ip, port, e);
	if (len < 0)
		return len;
	if (addr.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* For UDP it would let a second server take the port over unnoticed. */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&addr, (socklen_t)len) < 0)
		return err_set(e, errno, "cannot bind to %s, %s port %u", ip,
			type == SOCK_STREAM ? "TCP" : "UDP", port);
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return err_set(e, errno, "cannot listen on %s port %u", ip, port);
	return take_fd(fd);
}

static int open_pair(struct server *s, const char *ip, uint16_t port, struct err *e)
{
	_cleanup_(closep) int tcp = listen_at(SOCK_STREAM, ip, port, e);
	int udp, real = tcp < 0 ? tcp : port_of(tcp);

	if (real < 0)
		return real;
	udp = listen_at(SOCK_DGRAM, ip, (uint16_t)real, e);
	if (udp < 0)
		return udp;
	s->listen_fd = take_fd(tcp);
	s->udp_fd = udp;
	return 0;
}

static int open_own(struct server *s, struct err *e)
{
	const char *ip = *s->cfg->bind ? s->cfg->bind : "::";
	uint16_t port = (uint16_t)s->cfg->port;
	int r = open_pair(s, ip, port, e);

	/* A kernel without IPv6, or with it switched off. */
	if ((r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) && !*s->cfg->bind)
		r = open_pair(s, "0.0.0.0", port, e);
	for (int i = 0; r == -EADDRINUSE && port == 0 && i < PORT_TRIES; i++)
		r = open_pair(s, ip, port, e);
	return r;
}

int listen_open(struct server *s, struct err *e)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int r = inherit(s, e);

	if (r == 0)
		r = open_own(s, e);
	if (r < 0)
		return r;
	if (getsockname(s->udp_fd, (struct sockaddr *)&addr, &len) < 0)
		return err_set(e, errno, "cannot read the address of a socket");
	s->family = addr.ss_family;
	return s->family == AF_INET6
		       ? sock_set_int(s->udp_fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1,
				 "IPV6_RECVPKTINFO", e)
		       : sock_set_int(s->udp_fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO", e);
}

void listen_where(const char *ip, int fd, char *ret, size_t size)
{
	bool v6 = strchr(ip, ':') != NULL;

	str_addf(ret, size, "%s%s%s:%u", v6 ? "[" : "", ip, v6 ? "]" : "", sock_port(fd));
}

void listen_text(const struct server *s, char *ret, size_t size)
{
	const char *ip = *s->cfg->bind ? s->cfg->bind : s->family == AF_INET6 ? "::" : "0.0.0.0";

	listen_where(ip, s->listen_fd, ret, size);
}
