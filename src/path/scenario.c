/*
 * Ref: draft-ietf-bmwg-containerized-infra, RFC 8204, RFC 9971, ETSI GS NFV-TST 009,
 * draft-mkonstan-nf-service-density-01.
 */
#include "path/scenario.h"

#include "base/macro.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const scenario_dir_name[] = {
	[SCENARIO_NONE] = "-",
	[SCENARIO_NS] = "N/S",
	[SCENARIO_EW] = "E/W",
};
static_assert(ARRAY_SIZE(scenario_dir_name) == SCENARIO_DIR_N);

const struct scenario scenario_table[] = {
	{"t2t", "T-T", SCENARIO_NONE, "native", NULL},
	{"p2p", "T-S-T", SCENARIO_NS, "p2p", NULL},
	{"p-c", "T-S-app and app-S-T", SCENARIO_NS, "bridge", NULL},
	{"p-v", "T-S-app in G", SCENARIO_NS, "vm-virtio", NULL},
	{"pcp", "T-S-F-S-T", SCENARIO_NS, "pcp", NULL},
	{"pvp", "T-S-G-S-T", SCENARIO_NS, "pvp", NULL},
	{"chain", "T-S-F-S-F-...-S-T", SCENARIO_NS, "chain", NULL},
	{"pipeline", "T-S-F-F-...-S-T", SCENARIO_NS, "pipeline", NULL},
	{"p-c-s-c-p", "T-F-S-F-T", SCENARIO_NS, "pcscp", NULL},
	{"shared-nf", "F in several chains", SCENARIO_NS, "shared-nf:instances=2", NULL},
	{"c2c", "app-app in one pod", SCENARIO_EW, "c2c", NULL},
	{"pod2pod", "app-S-app", SCENARIO_EW, "bridge:between=pods", NULL},
	{"bmp2bmp", "T-S-F-S-F-S-T", SCENARIO_EW, "chain:nfs=2", NULL},
	{"bmp2vmp", "app-S-S-app, the last two in G", SCENARIO_EW, "vm-virtio-pod:between=pods",
		NULL},
	{"vmp2vmp", "app in G-S-app in G", SCENARIO_EW, "vm-vm:between=pods", NULL},
	{"container-in-vm", "T-S-S-app, the last two in G", SCENARIO_NS, "vm-virtio-pod", NULL},
	{"inter-node", "app-S-S-app by a tunnel", SCENARIO_NS, "vxlan", NULL},
	{"load-balancer", "T-S-app by a service's address", SCENARIO_NS, "service", NULL},
	{"sr-iov", "T-NIC-app", SCENARIO_NS, "sriov:<pf>", NULL},
	{NULL, NULL, SCENARIO_NONE, NULL, NULL},
};

const struct path_ops *scenario_ops(const struct scenario *s)
{
	char name[64];

	if (!s->path)
		return NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(s->path, ":"), s->path);
	return path_find(name);
}

static int not_yet(const struct scenario *s, struct err *e)
{
	(void)!err_say(e, EOPNOTSUPP, "not yet: %s", s->why);
	return PATH_UNAVAILABLE;
}

int scenario_probe(const struct scenario *s, const struct path_cfg *cfg, struct err *e)
{
	struct path_spec spec;
	int r;

	if (!s->path)
		return not_yet(s, e);
	if (strchr(s->path, '<'))
		return path_probe_kind(scenario_ops(s), cfg, e);
	r = path_parse(&spec, s->path, cfg, e);
	return r < 0 ? r : path_probe(&spec, e);
}
