#include "sys/tap.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

/* Ref: drivers/net/tun.c tun_net_initialize: 65535 with the Ethernet header. */
#define TAP_MAX_MTU 65521

int tap_check_mtu(uint32_t mtu, struct err *e)
{
	return mtu <= TAP_MAX_MTU
		       ? 0
		       : err_say(e, EINVAL, "the MTU of a tap device is at most %u, not %u",
				 TAP_MAX_MTU, mtu);
}

static int open_queue(const char *name, short flags, struct err *e)
{
	_cleanup_(closep) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr = {.ifr_flags = flags};

	if (fd < 0)
		return err_say(e, EOPNOTSUPP,
			"no tap device can be had: /dev/net/tun (CONFIG_TUN, module tun): %s",
			strerror(errno));
	str_set(ifr.ifr_name, name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return err_set(e, errno, "cannot create the tap device '%s'", name);
	return take_fd(fd);
}

/* Ref: drivers/net/tun.c tun_chr_open: a device belongs to the namespace it is opened in. */
int tap_open(int netns_fd, const char *name, bool vnet_hdr, uint32_t queues, int *ret_fd,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int flags = IFF_TAP | IFF_NO_PI;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	flags |= vnet_hdr ? IFF_VNET_HDR : 0;
	flags |= queues > 1 ? IFF_MULTI_QUEUE : 0;
	for (uint32_t i = 0; i < queues; i++) {
		r = open_queue(name, (short)flags, e);
		if (r < 0) {
			while (i > 0)
				closep(&ret_fd[--i]);
			return r;
		}
		ret_fd[i] = r;
	}
	return 0;
}

int tap_offload(int fd, struct err *e)
{
	const unsigned int all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	if (ioctl(fd, TUNSETOFFLOAD, all) < 0)
		return err_set(e, errno, "cannot turn on the offloads of a tap device");
	return 0;
}
