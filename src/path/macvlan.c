/*
 * Containers on macvlan devices of the host's side of the wire, as CNI's and Docker's macvlan: they
 * are machines of the wire's own subnet, and the host's IP stack has no part in it. Packets between
 * two of them never leave the host (mode bridge).
 */
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtlink.h"

#include <errno.h>

#define MACVLAN_BRIDGE 0
static const char *const macvlan_mode_name[] = {
	[MACVLAN_BRIDGE] = "bridge",
	"private",
	"vepa",
};

static const struct opt macvlan_opts[] = {
	OPT_ENUM(struct path_cfg, macvlan_mode, "macvlan-mode", 0, macvlan_mode_name,
		"what macvlan does with packets from one container of the host to another: deliver "
		"them, drop them, or leave that to the switch outside"),
	OPT_END,
};

/* The wire's other end is no switch that would send a packet back to where it came from. */
static int macvlan_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.between != PATH_BETWEEN_PODS || spec->cfg.macvlan_mode == MACVLAN_BRIDGE)
		return 0;
	return err_say(e, EINVAL, "with macvlan-mode=%s two containers of one host can't talk",
		macvlan_mode_name[spec->cfg.macvlan_mode]);
}

static int pod_add(struct lab *lab, uint32_t i, struct err *e)
{
	int r = lab_pod_new(lab, i, e);
	const struct rt_child eth0 = {"eth0", "wire", lab->pod_fd[i], lab->cfg->mtu};

	return r < 0 ? r
		     : rt_macvlan_add(lab->host, &eth0, macvlan_mode_name[lab->cfg->macvlan_mode],
			       e);
}

static int macvlan_build(struct path *p, struct err *e)
{
	return lab_build_on_wire(p, pod_add, e);
}

const struct path_ops path_macvlan = {
	.name = "macvlan",
	.summary = "container on a macvlan device, a machine of the wire's own subnet",
	.hops = "peer, wire, macvlan, container",
	.crosses = "macvlan_handle_frame, macvlan_start_xmit",
	.needs = "Linux 2.6.32 (CONFIG_MACVLAN)",
	.set = PATH_SET_KERNEL,
	.pods_ok = true,
	.wire = PATH_WIRE_CONTAINER,
	.opts = macvlan_opts,
	.opts_title = "Macvlan",
	.check = macvlan_check,
	.build = macvlan_build,
};
