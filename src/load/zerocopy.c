#include "load/zerocopy.h"

#include "sys/sock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <sys/socket.h>

int zerocopy_enable(int fd, struct err *e)
{
	return sock_set_int(fd, SOL_SOCKET, SO_ZEROCOPY, 1, "SO_ZEROCOPY", e);
}

/* One report covers the sends from ee_info to ee_data. */
static void count(struct flow *f, const struct sock_extended_err *x)
{
	uint64_t n = (uint64_t)(x->ee_data - x->ee_info) + 1;

	if (x->ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		return;
	flow_add(&f->count.zerocopy_sends, n);
	if (x->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
		flow_add(&f->count.zerocopy_copied, n);
}

int zerocopy_reap(struct flow *f)
{
	union {
		char room[CMSG_SPACE(
			sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
		struct cmsghdr align;
	} control;

	for (;;) {
		struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof(control)};

		if (recvmsg(f->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_type == IP_RECVERR || c->cmsg_type == IPV6_RECVERR)
				count(f, (const struct sock_extended_err *)CMSG_DATA(c));
	}
}
