#include "sys/ethtool.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/ns.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
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
	[ETHTOOL_TSO] = 3,
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
static int request(int fd, const char *dev, void *cmd)
{
	struct ifreq ifr = {.ifr_data = cmd};

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

/* Return: the number of features the kernel has, or negative errno (no words set). */
static int count_features(int fd, const char *dev)
{
	_cleanup_(freep) struct ethtool_sset_info *x = xcalloc(1, sizeof(*x) + sizeof(x->data[0]));
	int r;

	x->cmd = ETHTOOL_GSSET_INFO;
	x->sset_mask = 1ULL << ETH_SS_FEATURES;
	r = request(fd, dev, x);
	return r < 0 ? r : (int)x->data[0];
}

/* Return: its bit, or negative errno (no words set): -ENOENT when there is none of this name. */
static int find_feature(int fd, const char *dev, const char *feature, uint32_t *ret_n)
{
	_cleanup_(freep) struct ethtool_gstrings *x = NULL;
	int n = count_features(fd, dev), r;

	if (n < 0)
		return n;
	x = xcalloc(1, sizeof(*x) + (size_t)n * ETH_GSTRING_LEN);
	*x = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS,
		.string_set = ETH_SS_FEATURES,
		.len = (uint32_t)n};
	r = request(fd, dev, x);
	if (r < 0)
		return r;
	*ret_n = (uint32_t)n;
	for (int i = 0; i < n; i++)
		if (strncmp((const char *)x->data + (size_t)i * ETH_GSTRING_LEN, feature,
			    ETH_GSTRING_LEN) == 0)
			return i;
	return -ENOENT;
}

/* Bits stand in blocks of 32; those that are valid are set as requested. */
static int set_feature(int fd, const char *dev, uint32_t bit, uint32_t n, bool on)
{
	_cleanup_(freep) struct ethtool_sfeatures *x = NULL;
	uint32_t n_blocks = (n + 31) / 32;

	x = xcalloc(1, sizeof(*x) + n_blocks * sizeof(x->features[0]));
	x->cmd = ETHTOOL_SFEATURES;
	x->size = n_blocks;
	x->features[bit / 32].valid = 1U << bit % 32;
	x->features[bit / 32].requested = on ? 1U << bit % 32 : 0;
	return request(fd, dev, x);
}

int ethtool_feature_off(int netns_fd, const char *dev, const char *feature, struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);
	uint32_t n;
	int r = fd < 0 ? fd : find_feature(fd, dev, feature, &n);

	if (fd < 0 || r == -ENOENT)
		return fd < 0 ? fd : 0;
	if (r >= 0)
		r = set_feature(fd, dev, (uint32_t)r, n, false);
	return r < 0 ? err_set(e, -r, "cannot turn %s of '%s' off", feature, dev) : 0;
}

/* Return: 1 on, 0 off, or negative errno (no words set): -ENOENT: this kernel has no such one. */
static int get_feature(int fd, const char *dev, const char *feature)
{
	_cleanup_(freep) struct ethtool_gfeatures *x = NULL;
	uint32_t n, n_blocks;
	int bit = find_feature(fd, dev, feature, &n);
	int r;

	if (bit < 0)
		return bit;
	n_blocks = (n + 31) / 32;
	x = xcalloc(1, sizeof(*x) + n_blocks * sizeof(x->features[0]));
	x->cmd = ETHTOOL_GFEATURES;
	x->size = n_blocks;
	r = request(fd, dev, x);
	return r < 0 ? r : !!(x->features[bit / 32].active & 1U << bit % 32);
}

static int turn_feature(int fd, const char *dev, const char *feature, bool on, struct err *e)
{
	uint32_t n;
	int bit = find_feature(fd, dev, feature, &n);
	int r = bit < 0 ? bit : set_feature(fd, dev, (uint32_t)bit, n, on);

	return r < 0 ? err_set(e, -r, "cannot turn %s of '%s' %s", feature, dev, on ? "on" : "off")
		     : 0;
}

/* Ref: net/ethtool/common.c netdev_features_strings */
static const char *const merging[] = {"rx-gro", "rx-lro", "rx-gro-hw", "rx-gro-list",
	"rx-udp-gro-forwarding"};

int ethtool_merge_off(int netns_fd, const char *dev, struct ethtool_merge *ret_old, struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);

	if (fd < 0)
		return fd;
	ret_old->on = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(merging); i++) {
		int r = get_feature(fd, dev, merging[i]);

		if (r == 1) {
			ret_old->on |= 1U << i;
			r = turn_feature(fd, dev, merging[i], false, e);
			if (r < 0)
				return r;
		} else if (r < 0 && r != -ENOENT && r != -EOPNOTSUPP) {
			return err_set(e, -r, "cannot read %s of '%s'", merging[i], dev);
		}
	}
	return 0;
}

int ethtool_merge_restore(int netns_fd, const char *dev, const struct ethtool_merge *old,
	struct err *e)
{
	_cleanup_(closep) int fd = open_in(netns_fd, e);
	int r = MIN(fd, 0);

	for (uint32_t i = 0; r == 0 && i < ARRAY_SIZE(merging); i++)
		if (old->on & 1U << i)
			r = turn_feature(fd, dev, merging[i], true, e);
	return r;
}
