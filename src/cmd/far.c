/* compare and run with far on another machine: --far HOST, and --wire with --peer HOST. */
#include "base/str.h"
#include "bench/remote.h"
#include "cmd/cmd.h"
#include "path/table.h"
#include "path/wire.h"
#include "sys/sock.h"

#include <errno.h>
#include <string.h>

static const struct opt far_opts[] = {
	OPT_U32(struct remote_cfg, port, "far-port", 0, "<port>", "port of the tare server",
		.min = 1, .max = 65535),
	OPT_STR(struct remote_cfg, key_file, "far-key-file", 0, "<file>",
		"file with the key that the server wants"),
	OPT_END,
};

struct opt_group *far_groups(struct opt_group *ret, struct cmd_cfg *cfg)
{
	*ret++ = (struct opt_group){"On a real wire", wire_opts, &cfg->path, .stored = false};
	*ret++ = (struct opt_group){"Far on another machine", far_opts, &cfg->remote,
		.stored = false};
	return ret;
}

/*
 * To a server on another machine: every path ends there, and native begins on this one as it is.
 * Nothing of them is built.
 */
static int plan_far_host(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	const struct path_result *first = NULL;

	for (uint32_t i = 1; i < run->n_paths; i++)
		if (!first && path_far_is_host(&run->path[i].spec))
			first = &run->path[i];
	if (!first)
		return 0;
	for (uint32_t i = 1; i < run->n_paths; i++)
		if (!path_far_is_host(&run->path[i].spec) ||
			strcmp(run->path[i].spec.cfg.far_ns, first->spec.cfg.far_ns) != 0)
			return err_say(e, EINVAL, "path '%s' does not end on '%s' as '%s' does",
				run->path[i].spec.name, first->spec.cfg.far_ns, first->spec.name);
	run->remote_cfg = cfg->remote;
	str_set(run->remote_cfg.host, first->spec.cfg.far_ns);
	run->remote_cfg.ipv6 = run->path_cfg.ipv6;
	run->remote_cfg.interval_ns = 0;
	run->path[0].spec.ops = &path_remote;
	return remote_check(&run->remote_cfg, e);
}

static bool says_wire(const struct path_cfg *cfg)
{
	return *cfg->wire_dev || *cfg->wire_peer || *cfg->wire_addr || *cfg->wire_gateway;
}

/* All paths end at one server, too; but for native, their near ends are to be built here. */
static int plan_wire(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	uint32_t n = 0;
	int r;

	if (!says_wire(&cfg->path))
		return 0;
	if (!*cfg->path.wire_dev)
		return err_say(e, EINVAL, "--peer and --wire-... go with --wire");
	if (measure_finds(cfg))
		return err_say(e, EINVAL, "--wire and --near or --far exclude each other");
	r = wire_check(&cfg->path, e);
	if (r < 0)
		return r;
	run->remote_cfg = cfg->remote;
	str_set(run->remote_cfg.host, cfg->path.wire_peer);
	run->remote_cfg.ipv4 = true;
	run->remote_cfg.interval_ns = 0;
	run->path[0].spec.ops = &path_remote;
	run->path[0].spec.cfg.wire_dev[0] = '\0';
	for (uint32_t i = 1; i < run->n_paths; i++)
		wire_give(&run->path[i].spec, &n);
	return remote_check(&run->remote_cfg, e);
}

int far_plan(struct run *run, const struct cmd_cfg *cfg, struct err *e)
{
	int r = plan_far_host(run, cfg, e);

	return r < 0 ? r : plan_wire(run, cfg, e);
}

int far_find(struct run *run, struct err *e)
{
	char peer[SOCK_ADDR_LEN];
	uint32_t mtu;
	int r;

	if (!run_is_on_wire(run))
		return 0;
	r = sock_resolve(run->remote_cfg.host, AF_INET, peer, e);
	if (r == 0)
		r = wire_find(&run->path_cfg, peer, &mtu, e);
	if (r < 0)
		return r;
	if (run->path_cfg.mtu == path_cfg_default.mtu)
		run->path_cfg.mtu = mtu;
	for (uint32_t i = 0; i < run->n_paths; i++)
		if (run->path[i].spec.cfg.mtu == path_cfg_default.mtu)
			run->path[i].spec.cfg.mtu = mtu;
	return 0;
}
