/*
 * Ref: draft-ietf-bmwg-containerized-infra, RFC 8204, RFC 9971, ETSI GS NFV-TST 009,
 * draft-mkonstan-nf-service-density-01.
 */
#include "path/scenario.h"

#include "base/macro.h"

#include <stdio.h>
#include <string.h>

const char *const scenario_dir_name[] = {
	[SCENARIO_NONE] = "-",
	[SCENARIO_NS] = "N/S",
	[SCENARIO_EW] = "E/W",
};
static_assert(ARRAY_SIZE(scenario_dir_name) == SCENARIO_DIR_N);

const struct scenario scenario_table[] = {
	{"t2t", "T-T", SCENARIO_NONE, "native"},
	{"p2p", "T-S-T", SCENARIO_NS, "p2p"},
	{"p-c", "T-S-app and app-S-T", SCENARIO_NS, "bridge"},
	{"p-v", "T-S-app in G", SCENARIO_NS, "vm-virtio"},
	{"pcp", "T-S-F-S-T", SCENARIO_NS, "pcp"},
	{"pvp", "T-S-G-S-T", SCENARIO_NS, "pvp"},
	{"chain", "T-S-F-S-F-...-S-T", SCENARIO_NS, "chain"},
	{"pipeline", "T-S-F-F-...-S-T", SCENARIO_NS, "pipeline"},
	{"p-c-s-c-p", "T-F-S-F-T", SCENARIO_NS, "pcscp"},
	{"shared-nf", "F in several chains", SCENARIO_NS, "shared-nf:instances=2"},
	{"c2c", "app-app in one pod", SCENARIO_EW, "c2c"},
	{"pod2pod", "app-S-app", SCENARIO_EW, "bridge:between=pods"},
	{"bmp2bmp", "T-S-F-S-F-S-T", SCENARIO_EW, "chain:nfs=2"},
	{"bmp2vmp", "app-S-S-app, the last two in G", SCENARIO_EW, "vm-virtio-pod:between=pods"},
	{"vmp2vmp", "app in G-S-app in G", SCENARIO_EW, "vm-vm:between=pods"},
	{"container-in-vm", "T-S-S-app, the last two in G", SCENARIO_NS, "vm-virtio-pod"},
	{"inter-node", "app-S-S-app by a tunnel", SCENARIO_NS, "vxlan"},
	{"load-balancer", "T-S-app by a service's address", SCENARIO_NS, "service"},
	{"sr-iov", "T-NIC-app", SCENARIO_NS, "sriov:<pf>"},
	{NULL, NULL, SCENARIO_NONE, NULL},
};

const struct path_ops *scenario_ops(const struct scenario *s)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(s->path, ":"), s->path);
	return path_find(name);
}

int scenario_probe(const struct scenario *s, const struct path_cfg *cfg, struct err *e)
{
	struct path_spec spec;
	int r;

	if (strchr(s->path, '<'))
		return path_probe_kind(scenario_ops(s), cfg, e);
	r = path_parse(&spec, s->path, cfg, e);
	return r < 0 ? r : path_probe(&spec, e);
}
