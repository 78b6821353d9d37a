#include "path/path.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/lab.h"
#include "path/verify.h"
#include "path/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const path_between_name[] = {
	[PATH_BETWEEN_MACHINES] = "machines",
	[PATH_BETWEEN_PODS] = "pods",
};
static_assert(ARRAY_SIZE(path_between_name) == PATH_BETWEEN_N);

const char *const path_overlay_mtu_name[] = {
	[PATH_OVERLAY_LOWER] = "lower",
	[PATH_OVERLAY_KEEP] = "keep",
};
static_assert(ARRAY_SIZE(path_overlay_mtu_name) == PATH_OVERLAY_N);

const char *const path_service_by_name[] = {
	[PATH_SERVICE_NFTABLES] = "nftables",
	[PATH_SERVICE_IPTABLES] = "iptables",
};
static_assert(ARRAY_SIZE(path_service_by_name) == PATH_SERVICE_N);

const char *const path_set_name[] = {
	[PATH_SET_BASIC] = "basic",
	[PATH_SET_KERNEL] = "kernel",
	[PATH_SET_OVERLAY] = "overlay",
	[PATH_SET_NAT] = "nat-all",
	[PATH_SET_EBPF] = "ebpf",
	[PATH_SET_VM] = "vm",
	[PATH_SET_SWITCH] = "switch",
	[PATH_SET_CHAIN] = "chains",
	[PATH_SET_GIVEN] = "given",
};
static_assert(ARRAY_SIZE(path_set_name) == PATH_SET_N);

const struct path_cfg path_cfg_default = {
	.mtu = 1500,
	.guest_dir = "/var/lib/tare/guest",
	.qemu = "qemu-system-x86_64",
	.guest_memory_bytes = 512 << 20,
	.vcpus = 1,
	.queues = 1,
	.backends = 8,
	.conntrack_fill_pct = 100,
	.instances = 1,
	.cni_timeout_ns = 10 * NSEC_PER_SEC,
	.cni_ports = 8,
};

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

bool path_brings_opts(size_t i)
{
	size_t first = 0;

	while (path_table[first]->opts != path_table[i]->opts)
		first++;
	return path_table[i]->opts && first == i;
}

struct path_spec path_spec_of(const struct path_ops *ops, const struct path_cfg *cfg)
{
	struct path_spec spec = {.ops = ops, .cfg = *cfg};

	str_set(spec.name, ops->name);
	return spec;
}

/* A path's own options first; those of all paths may be set for one as well. */
static const struct opt *opts_with(const struct path_ops *ops, const char *name)
{
	if (ops->opts && opt_find(ops->opts, name))
		return ops->opts;
	return ops->kin_opts && opt_find(ops->kin_opts, name) ? ops->kin_opts : path_opts;
}

static int set_options(struct path_spec *spec, char *pairs, struct err *e)
{
	char *one;
	int r = 0;

	while (r == 0 && (one = strsep(&pairs, ","))) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(one, "="), one);
		r = opt_set_pairs(opts_with(spec->ops, name), &spec->cfg, one, e);
	}
	return r;
}

/* What stands behind ":": the argument of a path that takes one, then options. */
static int set_rest(struct path_spec *spec, char *rest, struct err *e)
{
	const char *arg = spec->ops->arg ? strsep(&rest, ",") : "";

	if (spec->ops->arg && (!arg || !*arg))
		return err_say(e, EINVAL, "it needs its %s: %s:%s", spec->ops->arg, spec->ops->name,
			spec->ops->arg);
	str_set(spec->arg, arg);
	return rest ? set_options(spec, rest, e) : 0;
}

int path_parse(struct path_spec *ret, const char *text, const struct path_cfg *base, struct err *e)
{
	struct path_spec spec = {.cfg = *base};
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = copy, *name = strsep(&rest, ":");
	int r;

	if (strlen(text) >= sizeof(spec.name))
		return err_say(e, EINVAL, "path '%.40s...' is too long", text);
	str_set(spec.name, text);
	spec.ops = path_find(name);
	if (!spec.ops)
		return err_say(e, EINVAL, "unknown path '%s' (see tare list)", name);
	r = set_rest(&spec, rest, e);
	if (r < 0)
		return err_wrap(e, "path '%s'", name);
	*ret = spec;
	return path_check(ret, e);
}

int path_check(const struct path_spec *spec, struct err *e)
{
	const struct path_cfg *cfg = &spec->cfg;

	if (cfg->between == PATH_BETWEEN_PODS && !spec->ops->pods_ok)
		return err_say(e, EINVAL,
			"path '%s' can't have both ends in containers of one host%s%s",
			spec->ops->name, spec->ops->pods_not ? ": it " : "",
			spec->ops->pods_not ?: "");
	/* Ref: RFC 8200 s.5: no IPv6 link below 1280. */
	if (cfg->ipv6 && cfg->mtu < 1280)
		return err_say(e, EINVAL, "--mtu %u is too small for IPv6, which needs 1280",
			cfg->mtu);
	if (cfg->between == PATH_BETWEEN_PODS && cfg->wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes the wire, which pods of one host do not cross");
	return spec->ops->check ? spec->ops->check(spec, e) : 0;
}

/* Missing kernel parts and missing rights make a path unavailable; the rest is a failure. */
static int classify(int r)
{
	return r == -EOPNOTSUPP || r == -EPERM || r == -ENOSYS ? PATH_UNAVAILABLE : r;
}

static int build(struct path *p, struct err *e)
{
	bool on_wire = path_on_wire(&p->spec);
	int r = on_wire ? wire_fits(&p->spec, e) : 0;

	if (r == 0)
		r = p->ops->no_lab ? 0 : lab_open(&p->lab, &p->cfg, e);
	if (r == 0 && p->ops->wire == PATH_WIRE_BY_HOST && on_wire)
		r = wire_host(p->lab, e);
	if (r == 0 && on_wire)
		wire_note(p);
	return r != 0 ? r : p->ops->build(p, e);
}

/* Of a path that does not know of instances: its ends are the one that there is. */
static void one_instance(struct path *p)
{
	p->n_instances = 1;
	str_set(p->instance[0].near, p->near.addr);
	str_set(p->instance[0].far, p->far.addr);
}

static int path_new(struct path **ret, const struct path_spec *spec, int cancel_fd, struct err *e)
{
	_cleanup_(path_closep) struct path *p = xcalloc(1, sizeof(*p));
	int r = path_check(spec, e);

	p->ops = spec->ops;
	p->spec = *spec;
	p->cfg = spec->cfg;
	p->cancel_fd = cancel_fd;
	p->mtu = p->cfg.mtu;
	if (r < 0)
		return r;
	r = build(p, e);
	if (r != 0)
		return classify(r);
	if (p->n_instances == 0)
		one_instance(p);
	*ret = take_ptr(p);
	return 0;
}

int path_probe(const struct path_spec *spec, struct err *e)
{
	_cleanup_(path_closep) struct path *p = NULL;
	int r = path_check(spec, e);

	if (r == 0 && spec->ops->probe)
		return classify(spec->ops->probe(spec, e));
	return r < 0 ? r : path_new(&p, spec, -1, e);
}

int path_probe_kind(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
{
	const struct path_spec spec = path_spec_of(ops, cfg);

	/* Not path_check(): options that this kind would need are no fault of the machine's. */
	if (ops->probe)
		return classify(ops->probe(&spec, e));
	return ops->arg || ops->no_lab ? 0 : path_probe(&spec, e);
}

static int verify(struct path *p, struct err *e)
{
	int r = p->lab ? lab_wait_up(p->lab, e) : 0;

	/* Far's agent is asked by a connection through the path. */
	if (r < 0 || path_on_wire(&p->spec))
		return r;
	return p->ops->verify ? p->ops->verify(p, e) : path_verify(p, e);
}

int path_open(struct path **ret, const struct path_spec *spec, int cancel_fd, struct err *e)
{
	_cleanup_(path_closep) struct path *p = NULL;
	int r = spec->ops->probe ? path_probe(spec, e) : 0;

	if (r == 0)
		r = path_new(&p, spec, cancel_fd, e);
	if (r == 0)
		r = verify(p, e);
	if (r != 0)
		return r;
	*ret = take_ptr(p);
	return 0;
}

int path_rest(struct path *p, bool rest, struct err *e)
{
	return p->ops->rest ? p->ops->rest(p, rest, e) : 0;
}

uint32_t path_nf_pids(const struct path *p, pid_t *ret, uint32_t max)
{
	return p->ops->pids ? p->ops->pids(p, ret, max) : 0;
}

void path_close(struct path *p)
{
	if (!p)
		return;
	if (p->state)
		p->ops->close(p);
	lab_close(p->lab);
	free(p);
}

void path_add_hop(struct path *p, int netns_fd)
{
	assert(p->n_hops < PATH_MAX_HOPS);
	p->hop_fd[p->n_hops++] = netns_fd;
}

void path_note(struct path *p, const char *fmt, ...)
{
	va_list ap;

	assert(p->n_notes < PATH_MAX_NOTES);
	va_start(ap, fmt);
	vsnprintf(p->note[p->n_notes++], sizeof(p->note[0]), fmt, ap);
	va_end(ap);
}

double path_ceiling_bps(const struct path *p)
{
	uint32_t headers = (p->cfg.ipv6 ? 40 : 20) + 20 + 12;
	double frame;

	if (!p->cfg.wire_rate_bps || p->cfg.between == PATH_BETWEEN_PODS)
		return 0;
	frame = p->cfg.mtu + 14.0;
	return (double)p->cfg.wire_rate_bps * frame / (frame + 24) * (p->mtu - headers) /
	       (p->mtu + p->overhead_bytes + 14);
}
