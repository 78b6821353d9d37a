#include "path/path.h"

#include "base/mem.h"
#include "path/lab.h"
#include "path/verify.h"

#include <errno.h>
#include <string.h>

const char *const path_between_name[] = {
	[PATH_BETWEEN_MACHINES] = "machines",
	[PATH_BETWEEN_PODS] = "pods",
};
static_assert(ARRAY_SIZE(path_between_name) == PATH_BETWEEN_N);

const struct path_cfg path_cfg_default = {.mtu = 1500};

const struct opt path_opts[] = {
	OPT_FLAG(struct path_cfg, ipv6, "ipv6", '6', "use IPv6 instead of IPv4"),
	OPT_U64(struct path_cfg, wire_rate_bps, "wire-rate", 0, "<rate>",
		"shape the wire like a NIC of this speed; 0: as fast as the machine",
		.unit = NUM_RATE, .min = 1000000, .max = 17000000000, .zero_ok = true),
	OPT_U32(struct path_cfg, mtu, "mtu", 0, "<bytes>", "MTU of every link", .unit = NUM_BYTES,
		.min = 576, .max = 65535),
	OPT_ENUM(struct path_cfg, between, "between", 0, path_between_name,
		"put the ends on two machines, or both in containers of one host"),
	OPT_END,
};

const struct path_ops *path_find(const char *name)
{
	for (size_t i = 0; path_table[i]; i++)
		if (strcmp(path_table[i]->name, name) == 0)
			return path_table[i];
	return NULL;
}

int path_check(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
{
	if (cfg->between == PATH_BETWEEN_PODS && !ops->pods_ok)
		return err_say(e, EINVAL,
			"path '%s' has no container: it can't have both ends in pods", ops->name);
	/* Ref: RFC 8200 s.5: no IPv6 link below 1280. */
	if (cfg->ipv6 && cfg->mtu < 1280)
		return err_say(e, EINVAL, "--mtu %u is too small for IPv6, which needs 1280",
			cfg->mtu);
	if (cfg->between == PATH_BETWEEN_PODS && cfg->wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes the wire, which pods of one host do not cross");
	return 0;
}

/* Missing kernel parts and missing rights make a path unavailable; the rest is a failure. */
static int classify(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS ? PATH_UNAVAILABLE : r;
}

static int build(struct path *p, struct err *e)
{
	int r = lab_open(&p->lab, &p->cfg, e);

	return r < 0 ? r : p->ops->build(p, e);
}

static int path_new(struct path **ret, const struct path_ops *ops, const struct path_cfg *cfg,
	struct err *e)
{
	_cleanup_(path_closep) struct path *p = xcalloc(1, sizeof(*p));
	int r = path_check(ops, cfg, e);

	if (r < 0)
		return r;
	p->ops = ops;
	p->cfg = *cfg;
	r = build(p, e);
	if (r < 0)
		return classify(r);
	*ret = take_ptr(p);
	return 0;
}

int path_probe(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
{
	_cleanup_(path_closep) struct path *p = NULL;

	return path_new(&p, ops, cfg, e);
}

int path_open(struct path **ret, const struct path_ops *ops, const struct path_cfg *cfg,
	struct err *e)
{
	_cleanup_(path_closep) struct path *p = NULL;
	int r = path_new(&p, ops, cfg, e);

	if (r != 0)
		return r;
	r = lab_wait_up(p->lab, e);
	if (r == 0)
		r = path_verify(p, e);
	if (r < 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

void path_close(struct path *p)
{
	if (!p)
		return;
	lab_close(p->lab);
	free(p);
}

double path_ceiling_bps(const struct path *p)
{
	uint32_t headers = (p->cfg.ipv6 ? 40 : 20) + 20 + 12;

	if (!p->cfg.wire_rate_bps || p->cfg.between == PATH_BETWEEN_PODS)
		return 0;
	return (double)p->cfg.wire_rate_bps * (p->cfg.mtu - headers) / (p->cfg.mtu + 38);
}
