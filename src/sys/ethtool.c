#include "sys/ethtool.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/ns.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const struct {
	const char *name;
	uint32_t get;
} offload[] = {
	{"rx-csum", ETHTOOL_GRXCSUM},
	{"tx-csum", ETHTOOL_GTXCSUM},
	{"sg", ETHTOOL_GSG},
	{"tso", ETHTOOL_GTSO},
	{"gso", ETHTOOL_GGSO},
	{"gro", ETHTOOL_GGRO},
};

int ethtool_offloads(int netns_fd, const char *dev, char *ret, size_t size, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	_cleanup_(closep) int fd = -1;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, errno, "cannot open a socket for ethtool");

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(offload); i++) {
		struct ethtool_value v = {.cmd = offload[i].get};
		struct ifreq ifr = {.ifr_data = (char *)&v};

		str_set(ifr.ifr_name, dev);
		if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
			return err_set(e, errno, "cannot read offloads of '%s'", dev);
		str_addf(ret, size, "%s%s=%s", i ? " " : "", offload[i].name,
			v.data ? "on" : "off");
	}
	return 0;
}
