/* The bare machines: no container, nothing between the wire and the far process. */
#include "path/lab.h"
#include "path/table.h"

static int native_build(struct path *p, struct err *e)
{
	(void)e;
	lab_host_ends(p, false);
	return 0;
}

const struct path_ops path_native = {
	.name = "native",
	.summary = "the bare machine: no container; every ratio is to this",
	.hops = "peer, wire, host",
	.crosses = "ip_rcv, tcp_v4_rcv",
	.set = PATH_SET_BASIC,
	.wire = PATH_WIRE_BY_HOST,
	.build = native_build,
};
