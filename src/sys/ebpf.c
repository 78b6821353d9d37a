#include "sys/ebpf.h"

#include "base/cleanup.h"
#include "base/macro.h"
#include "sys/ns.h"

#include <errno.h>
#include <linux/if_link.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

const char *const ebpf_xdp_mode_name[] = {
	[EBPF_XDP_NATIVE] = "native",
	[EBPF_XDP_GENERIC] = "generic",
};
static_assert(ARRAY_SIZE(ebpf_xdp_mode_name) == EBPF_XDP_MODE_N);

static const uint32_t xdp_flags[] = {
	[EBPF_XDP_NATIVE] = XDP_FLAGS_DRV_MODE,
	[EBPF_XDP_GENERIC] = XDP_FLAGS_SKB_MODE,
};
static_assert(ARRAY_SIZE(xdp_flags) == EBPF_XDP_MODE_N);

/* What the programs of src/bpf call that not every kernel has; each with where it came. */
static const struct {
	enum bpf_prog_type type;
	enum bpf_func_id id;
	const char *name, *since;
} helper[] = {
	{BPF_PROG_TYPE_XDP, BPF_FUNC_redirect_map, "bpf_redirect_map", "4.14"},
	{BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_neigh, "bpf_redirect_neigh", "5.10"},
	{BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_peer, "bpf_redirect_peer", "5.10"},
};

void ebpf_quiet(void)
{
	libbpf_set_print(NULL);
}

void ebpf_changed(uint32_t *generation)
{
	if (__atomic_add_fetch(generation, 1, __ATOMIC_RELEASE) == 0)
		__atomic_add_fetch(generation, 1, __ATOMIC_RELEASE);
}

int ebpf_refused(int r, struct err *e)
{
	if (r == -EPERM)
		return err_say(e, EPERM,
			"the kernel lets this user load no BPF programs: it takes root, or CAP_BPF "
			"and CAP_NET_ADMIN outside a user namespace");
	if (r == -ENOSYS)
		return err_say(e, ENOSYS, "this kernel has no bpf(): CONFIG_BPF_SYSCALL");
	for (size_t i = 0; i < ARRAY_SIZE(helper); i++)
		if (libbpf_probe_bpf_helper(helper[i].type, helper[i].id, NULL) == 0)
			return err_say(e, EOPNOTSUPP, "this kernel has no %s(): Linux %s",
				helper[i].name, helper[i].since);
	return err_set(e, -r, "the kernel refuses a BPF program");
}

/* rtnetlink says ENOENT for a kind of qdisc or filter that it has no module of. */
static int no_such_kind(int r, const char *what, struct err *e)
{
	if (r == -ENOENT)
		return err_say(e, EOPNOTSUPP, "this kernel has no %s", what);
	return err_set(e, -r, "cannot attach a BPF program: %s", what);
}

int ebpf_tc_attach(int netns_fd, int ifindex, int prog_fd, struct err *e)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = 1, .priority = 1);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	r = bpf_tc_hook_create(&hook);
	if (r < 0 && r != -EEXIST)
		return no_such_kind(r, "clsact qdisc (CONFIG_NET_SCH_INGRESS)", e);
	r = bpf_tc_attach(&hook, &opts);
	return r < 0 ? no_such_kind(r, "bpf filter (CONFIG_NET_CLS_BPF)", e) : 0;
}

int ebpf_xdp_id(int ifindex, uint32_t *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int r = bpf_xdp_query(ifindex, 0, &opts);

	*ret = opts.prog_id | opts.drv_prog_id | opts.skb_prog_id | opts.hw_prog_id;
	return r;
}

/* There is a program on the device already: whose? */
static int xdp_busy(int ifindex, struct err *e)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info), id = 0;
	_cleanup_(closep) int fd = -1;

	if (ebpf_xdp_id(ifindex, &id) == 0)
		fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return err_say(e, EBUSY, "another XDP program is on the device");
	return err_say(e, EBUSY, "another XDP program is on the device: '%s', id %u", info.name,
		id);
}

int ebpf_xdp_attach(int *ret_fd, int netns_fd, int ifindex, int prog_fd, uint32_t mode,
	struct err *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = xdp_flags[mode]);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd, r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
	if (fd == -EINVAL)
		return err_say(e, EOPNOTSUPP,
			"this kernel has no %s XDP with a link on such a device: Linux 5.9",
			ebpf_xdp_mode_name[mode]);
	if (fd == -EBUSY || fd == -EEXIST)
		return xdp_busy(ifindex, e);
	if (fd == -ERANGE)
		return err_say(e, ERANGE,
			"the MTU is too large for %s XDP, which wants a packet in one page: a "
			"veth device takes 3506 bytes with pages of 4 KiB",
			ebpf_xdp_mode_name[mode]);
	if (fd < 0)
		return err_set(e, -fd, "cannot attach an XDP program (%s)",
			ebpf_xdp_mode_name[mode]);
	*ret_fd = fd;
	return 0;
}

/* The device stands first in what is told of links of either type. Ref: struct bpf_link_info */
bool ebpf_link_is_on(int link_fd)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(link_fd, &info, &len) == 0 && info.xdp.ifindex != 0;
}

int ebpf_map_set(int netns_fd, int map_fd, const void *key, const void *value, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	r = bpf_map_update_elem(map_fd, key, value, BPF_ANY);
	return r < 0 ? err_set(e, -r, "cannot set an entry of a BPF map") : 0;
}

int ebpf_live_run(const struct ebpf_live *l, struct err *e)
{
	struct xdp_md ctx = {.data_end = l->len, .ingress_ifindex = l->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = l->bytes, .data_size_in = l->len,
		.ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = (int)l->repeat,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = l->batch);
	int r = bpf_prog_test_run_opts(l->prog_fd, &opts);

	if (r == -EINTR)
		return r;
	return r < 0 ? err_set(e, -r, "cannot run an XDP program on live frames") : 0;
}

/* Reading a program's name takes CAP_BPF or more. */
static void program_name(uint32_t id, char *ret, size_t size)
{
	_cleanup_(closep) int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.name[0])
		snprintf(ret, size, "'%s', number %u", info.name, id);
	else
		snprintf(ret, size, "number %u", id);
}

int ebpf_xdp_find(int netns_fd, int ifindex, char *ret, size_t size, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	uint32_t id = 0;
	int r = ns_scope_enter(&scope, netns_fd, e);

	if (r < 0)
		return r;
	r = ebpf_xdp_id(ifindex, &id);
	if (r < 0)
		return err_set(e, -r, "cannot ask for the XDP program of device %d", ifindex);
	if (id)
		program_name(id, ret, size);
	return id != 0;
}
