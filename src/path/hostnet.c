/* A container with everything of its own but the network, as docker run --net=host. */
#include "path/lab.h"
#include "path/table.h"

static int hostnet_build(struct path *p, struct err *e)
{
	(void)e;
	lab_host_ends(p, true);
	return 0;
}

const struct path_ops path_hostnet = {
	.name = "hostnet",
	.summary = "a container on the host's own network (docker run --net=host)",
	.hops = "peer, wire, host",
	.crosses = "the same as native",
	.set = PATH_SET_BASIC,
	.pods_ok = true,
	.wire = PATH_WIRE_BY_HOST,
	.build = hostnet_build,
};
