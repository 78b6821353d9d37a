#include "path/forward.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The largest GSO packet with its Ethernet and VLAN headers and what a tap says of it. */
#define FORWARD_FRAME_BYTES (65536 + ETH_HLEN + 4 + sizeof(struct virtio_net_hdr))
/* Frames of one direction before the other gets its turn; as many as QEMU's (net/tap.c, 50). */
#define FORWARD_BURST 50

enum {
	FORWARD_CTL,
	FORWARD_A,
	FORWARD_B,
	FORWARD_N,
};

/* A frame that the other device does not take is lost, as on any link that is down. */
static void copy(int from, int to)
{
	static char frame[FORWARD_FRAME_BYTES];

	for (int i = 0; i < FORWARD_BURST; i++) {
		ssize_t n = read(from, frame, sizeof(frame));

		if (n <= 0)
			return;
		(void)!write(to, frame, (size_t)n);
	}
}

static bool wait_for_any(struct pollfd *p)
{
	const short gone = POLLERR | POLLHUP | POLLNVAL;

	if (poll(p, FORWARD_N, -1) < 0)
		return errno == EINTR;
	return !p[FORWARD_CTL].revents && !(p[FORWARD_A].revents & gone) &&
	       !(p[FORWARD_B].revents & gone);
}

/* Ends when the control socket does, or a device. */
static int forward_main(int ctl_fd)
{
	const int a = ctl_fd + 1, b = ctl_fd + 2;
	struct pollfd p[FORWARD_N] = {
		[FORWARD_CTL] = {.fd = ctl_fd, .events = POLLIN},
		[FORWARD_A] = {.fd = a, .events = POLLIN},
		[FORWARD_B] = {.fd = b, .events = POLLIN},
	};

	prctl(PR_SET_NAME, "tare-forward");
	while (wait_for_any(p)) {
		if (p[FORWARD_A].revents)
			copy(a, b);
		if (p[FORWARD_B].revents)
			copy(b, a);
	}
	return 0;
}

int forward_start(struct spawned *ret, const int tap_fd[2], struct err *e)
{
	const struct spawn_args args = {
		.netns_fd = -1,
		.pass_fd = tap_fd,
		.n_pass = 2,
		.main = forward_main,
	};

	return spawn_agent(ret, &args, e);
}

void forward_stop(struct spawned *f)
{
	closep(&f->ctl_fd);
	(void)spawn_reap(f->pid);
	f->pid = 0;
}
