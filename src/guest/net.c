#include "guest/net.h"

#include "base/clock.h"
#include "guest/forward.h"
#include "path/lab.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/rtnl.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>

static int wait_nic(const char *dev, struct err *e)
{
	uint64_t deadline_ns = clock_now_ns() + GUEST_NIC_UP_NS;

	while (if_nametoindex(dev) == 0) {
		if (clock_left_ms(deadline_ns) == 0)
			return err_say(e, ENODEV, "no NIC has come up");
		poll(NULL, 0, 1);
	}
	return 0;
}

int guest_nic_prepare(struct rt *rt, const char *dev, const struct guest_cfg *cfg, struct err *e)
{
	struct err why = {0};
	int r = wait_nic(dev, e);

	if (r < 0)
		return r;
	if (rt_set_mtu(rt, dev, cfg->mtu, &why) < 0)
		return err_say(e, EOPNOTSUPP, "its NIC has no MTU of %u: %s", cfg->mtu, why.text);
	return cfg->no_offloads ? ethtool_offloads_off(-1, dev, e) : 0;
}

static int address(struct rt *rt, const struct guest_cfg *cfg, struct err *e)
{
	int r = rt_set_up(rt, "eth0", e);

	if (r == 0)
		r = rt_addr_add(rt, "eth0", cfg->addr, e);
	return r < 0 ? r : rt_route_add(rt, "eth0", NULL, cfg->gateway, e);
}

/* eth0 and one half of a veth pair on a bridge, the other half in the container. */
static int add_bridge(struct rt *rt, const struct guest_cfg *cfg, int pod_fd, struct err *e)
{
	int r = rt_bridge_add(rt, "br0", cfg->mtu, e);

	if (r == 0)
		r = rt_veth_add(rt, "pod0", "eth0", pod_fd, cfg->mtu, e);
	if (r == 0)
		r = rt_set_master(rt, "pod0", "br0", e);
	if (r == 0)
		r = rt_set_master(rt, "eth0", "br0", e);
	if (r == 0)
		r = rt_set_up(rt, "pod0", e);
	if (r == 0)
		r = rt_set_up(rt, "eth0", e);
	return r < 0 ? r : rt_set_up(rt, "br0", e);
}

static int add_pod(struct rt *rt, const struct guest_cfg *cfg, int *ret_fd, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(rt_closep) struct rt *pod = NULL;
	int r = ns_net_new(&fd, e);

	if (r == 0)
		r = lab_quiet_ipv6(fd, cfg->ipv6, e);
	if (r == 0)
		r = add_bridge(rt, cfg, fd, e);
	if (r == 0)
		r = rt_open(&pod, fd, e);
	if (r == 0)
		r = address(pod, cfg, e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

int guest_net_up(const struct guest_cfg *cfg, int *ret_netns_fd, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = rt_open_here(&rt, e);

	*ret_netns_fd = -1;
	if (r == 0)
		r = rt_set_up(rt, "lo", e);
	if (r == 0 && cfg->forwards)
		return guest_forward(rt, cfg, e);
	if (r == 0)
		r = guest_nic_prepare(rt, "eth0", cfg, e);
	if (r == 0)
		r = cfg->pod ? add_pod(rt, cfg, ret_netns_fd, e) : address(rt, cfg, e);
	return r < 0 ? r : rt_wait_up(rt, "eth0", clock_now_ns() + GUEST_NIC_UP_NS, e);
}
