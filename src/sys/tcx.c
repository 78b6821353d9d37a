#include "sys/tcx.h"

#include "base/cleanup.h"
#include "sys/ns.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Later than the headers of Debian 12. Ref: include/uapi/linux/bpf.h, v6.6 */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS  ((enum bpf_attach_type)47)
#define TCX_BEFORE  (1U << 3) /* BPF_F_BEFORE; without saying what: all */

/* Of our filters, so that they are found again. */
#define FILTER_HANDLE   0x7a6eU
#define FILTER_PRIORITY 1U

int tcx_attach(int *ret_fd, const struct tcx_hook *at, int prog_fd, struct err *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_BEFORE);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd, r = ns_scope_enter(&scope, at->netns_fd, e);

	if (r < 0)
		return r;
	fd = bpf_link_create(prog_fd, at->ifindex, at->egress ? TCX_EGRESS : TCX_INGRESS, &opts);
	if (fd == -EINVAL || fd == -EOPNOTSUPP)
		return err_say(e, EOPNOTSUPP,
			"this kernel has no links of tc programs: Linux 6.6 (CONFIG_NET_XGRESS)");
	if (fd < 0)
		return err_set(e, -fd, "cannot attach a tc program to device %d", at->ifindex);
	*ret_fd = fd;
	return 0;
}

/* libbpf wants the padding to be zero, too. */
static void hook_init(struct bpf_tc_hook *ret, const struct tcx_hook *at)
{
	memset(ret, 0, sizeof(*ret));
	ret->sz = sizeof(*ret);
	ret->ifindex = at->ifindex;
	ret->attach_point = at->egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
}

static int program_info(int fd, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	*ret = (struct bpf_prog_info){0};
	return fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, ret, &len);
}

/* Is the filter that has our number one of a killed tare's? */
static bool is_ours(const struct bpf_tc_hook *hook, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	_cleanup_(closep) int there_fd = -1;
	struct bpf_prog_info there, own;

	if (bpf_tc_query(hook, &opts) < 0)
		return false;
	there_fd = bpf_prog_get_fd_by_id(opts.prog_id);
	return program_info(there_fd, &there) == 0 && program_info(prog_fd, &own) == 0 &&
	       strcmp(there.name, own.name) == 0;
}

static bool has_other_filters(int ifindex)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;

	return rt_open_here(&rt, NULL) < 0 || rt_clsact_filters(rt, ifindex, NULL) != 0;
}

/* Unless somebody else's filter is there. In its namespace. */
static void qdisc_remove(struct bpf_tc_hook *hook)
{
	if (has_other_filters(hook->ifindex))
		return;
	hook->attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	(void)bpf_tc_hook_destroy(hook);
}

int tcx_filter_add(bool *ret_own_qdisc, const struct tcx_hook *at, int prog_fd, struct err *e)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct bpf_tc_hook hook;
	int created, r = ns_scope_enter(&scope, at->netns_fd, e);

	if (r < 0)
		return r;
	hook_init(&hook, at);
	created = bpf_tc_hook_create(&hook);
	if (created == -ENOENT)
		return err_say(e, EOPNOTSUPP,
			"this kernel has no clsact qdisc (CONFIG_NET_SCH_INGRESS)");
	if (created < 0 && created != -EEXIST)
		return err_set(e, -created, "cannot give device %d a clsact qdisc", at->ifindex);
	*ret_own_qdisc = created == 0;
	if (created != 0 && is_ours(&hook, prog_fd)) {
		opts.flags = BPF_TC_F_REPLACE;
		*ret_own_qdisc = true; /* most probably: it goes only if it is empty */
	}
	r = bpf_tc_attach(&hook, &opts);
	if (r < 0 && created == 0)
		qdisc_remove(&hook);
	if (r == -EEXIST)
		return err_say(e, EBUSY, "device %d has another program's filter %#x", at->ifindex,
			FILTER_HANDLE);
	return r < 0 ? err_set(e, -r, "cannot attach a tc filter to device %d", at->ifindex) : 0;
}

void tcx_filter_remove(bool own_qdisc, const struct tcx_hook *at)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct bpf_tc_hook hook;

	if (ns_scope_enter(&scope, at->netns_fd, NULL) < 0)
		return;
	hook_init(&hook, at);
	(void)bpf_tc_detach(&hook, &opts); /* gone already: as wanted */
	if (own_qdisc)
		qdisc_remove(&hook);
}
