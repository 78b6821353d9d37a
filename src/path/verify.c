#include "path/verify.h"

#include "base/clock.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <errno.h>

#define VERIFY_DEADLINE_NS (10 * NSEC_PER_SEC)
#define VERIFY_RETRY_NS    (100 * NSEC_PER_MSEC)

static int udp_at(const struct path *p, const struct path_end *end, uint16_t port, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	return r < 0 ? r : sock_bind(SOCK_DGRAM, p->cfg.ipv6 ? "::" : "0.0.0.0", port, e);
}

/* Sends until something arrives: the first packets may wait for a neighbour's address. */
static int one_way(const struct path *p, const struct path_end *from, const struct path_end *to,
	const char *direction, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + VERIFY_DEADLINE_NS;
	_cleanup_(closep) int tx = udp_at(p, from, 0, e);
	_cleanup_(closep) int rx = -1;
	struct sockaddr_storage addr;
	char probe[64] = "tare verify";
	int len, r;

	if (tx < 0)
		return tx;
	rx = udp_at(p, to, to->port, e);
	if (rx < 0)
		return rx;
	len = sock_addr(&addr, to->addr, to->port, e);
	if (len < 0)
		return len;
	do {
		if (sendto(tx, probe, sizeof(probe), 0, (struct sockaddr *)&addr, (socklen_t)len) <
			0)
			return err_set(e, errno, "cannot send a packet %s", direction);
		r = sock_wait_readable(rx, clock_now_ns() + VERIFY_RETRY_NS);
	} while (r == -ETIMEDOUT && clock_left_ms(deadline_ns) > 0);
	if (r < 0)
		return err_set(e, -r, "no packet came through %s", direction);
	return 0;
}

int path_verify(const struct path *p, struct err *e)
{
	int r = one_way(p, &p->near, &p->far, "from near to far", e);

	return r < 0 ? r : one_way(p, &p->far, &p->near, "from far to near", e);
}
