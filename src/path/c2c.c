/* Two containers' processes in one pod: they share its namespace, and speak over its loopback. */
#include "base/str.h"
#include "path/lab.h"
#include "path/table.h"

#include <errno.h>

static struct path_end in_pod(const struct lab *lab, uint16_t port)
{
	struct path_end end = {.netns_fd = lab->pod_fd[0], .container = true, .port = port};

	str_set(end.addr, lab->addrs->loopback);
	str_set(end.dev, "lo");
	return end;
}

static int c2c_build(struct path *p, struct err *e)
{
	int r = lab_pod_new(p->lab, 0, e);

	if (r < 0)
		return r;
	p->far = in_pod(p->lab, 5201);
	p->near = in_pod(p->lab, 5201 + PATH_N_PORTS);
	return 0;
}

static int c2c_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes the wire, which two containers of one pod do not "
			"cross");
	return 0;
}

const struct path_ops path_c2c = {
	.name = "c2c",
	.summary = "two containers of one pod, over its loopback",
	.hops = "container, loopback, container",
	.crosses = "loopback_xmit, netif_rx",
	.set = PATH_SET_CHAIN,
	.pods_not = "has both in one pod already",
	.check = c2c_check,
	.build = c2c_build,
};
