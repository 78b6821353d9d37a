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

/* What depends on another one stands behind it. */
static const struct offload {
	const char *name;
	uint32_t get, set;
} offload[] = {
	{"rx-csum", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM},
	{"tx-csum", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM},
	{"sg", ETHTOOL_GSG, ETHTOOL_SSG},
	{"tso", ETHTOOL_GTSO, ETHTOOL_STSO},
	{"gso", ETHTOOL_GGSO, ETHTOOL_SGSO},
	{"gro", ETHTOOL_GGRO, ETHTOOL_SGRO},
};

/* Rows of the table above. */
static const size_t offload_of[] = {
	[ETHTOOL_TX_CSUM] = 1,
	[ETHTOOL_GRO] = 5,
};
static_assert(ARRAY_SIZE(offload_of) == ETHTOOL_SWITCH_N);

/* Return: a socket of the namespace, or negative errno. */
static int open_in(int netns_fd, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = netns_fd >= 0 ? ns_scope_enter(&scope, netns_fd, e) : 0;

	if (r < 0)
		return r;
	r = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return r < 0 ? err_set(e, errno, "cannot open a socket for ethtool") : r;
}

/* Return: 0 or negative errno (no words set). */
static int request(int fd, const char *dev, struct ethtool_value *v)
{
	struct ifreq ifr = {.ifr_data = (char *)v};

	str_set(ifr.ifr_name, dev);
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static int turn(int fd, const char *dev, const struct offload *o, bool on, struct err *e)
{
	struct ethtool_value v = {.cmd = o->set, .data = on};
	int r = request(fd, dev, &v);

	return r < 0 ? err_set(e, -r, "cannot turn %s of '%s' %s", o->name, dev, on ? "on" : "off")
		     : 0;
}

int ethtool_offloads(int netns_fd, const char *dev, char *ret, size_t size, struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);

	if (fd < 0)
		return fd;
	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(offload); i++) {
		struct ethtool_value v = {.cmd = offload[i].get};
		int r = request(fd, dev, &v);

		if (r < 0)
			return err_set(e, -r, "cannot read offloads of '%s'", dev);
		str_addf(ret, size, "%s%s=%s", i ? " " : "", offload[i].name,
			v.data ? "on" : "off");
	}
	return 0;
}

int ethtool_offloads_off(int netns_fd, const char *dev, struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);

	if (fd < 0)
		return fd;
	for (size_t i = ARRAY_SIZE(offload); i-- > 0;) {
		int r = turn(fd, dev, &offload[i], false, e);

		if (r < 0 && r != -EOPNOTSUPP)
			return r;
	}
	return 0;
}

int ethtool_set(int netns_fd, const char *dev, enum ethtool_switch what, bool on, struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);

	return fd < 0 ? fd : turn(fd, dev, &offload[offload_of[what]], on, e);
}
