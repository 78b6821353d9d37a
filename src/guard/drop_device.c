/*
 * Which hook of a device the programs hang on. All of them pass a packet by "go on", so programs of
 * others at the same tc hook see it; of XDP a device has one program only, and that stays.
 */
#include "guard/drop.h"

#include "base/macro.h"
#include "base/mem.h"
#include "base/str.h"
#include "guard/drop_priv.h"
#include "sys/ebpf.h"
#include "sys/ns.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <drop.skel.h>

int drop_program_fd(const struct drop *d, uint32_t hook)
{
	const struct bpf_program *const prog[] = {
		[DROP_XDP_NATIVE] = d->skel->progs.drop_xdp,
		[DROP_XDP_GENERIC] = d->skel->progs.drop_xdp_skb,
		[DROP_TC_INGRESS] = d->skel->progs.drop_tc_in,
		[DROP_TC_EGRESS] = d->skel->progs.drop_tc_out,
		[DROP_TC_INSIDE] = d->skel->progs.drop_tc_inside,
	};
	static_assert(ARRAY_SIZE(prog) == DROP_HOOK_N, "a program for each hook");

	assert(hook < DROP_HOOK_N);
	return bpf_program__fd(prog[hook]);
}

/* Where a device is; netns_fd is never -1. */
struct place {
	int netns_fd, ifindex;
	ino_t netns;
};

static int place_open(struct place *ret, const struct drop_device *dev, struct err *e)
{
	struct stat st;
	int fd = dev->netns_fd < 0 ? open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
				   : fcntl(dev->netns_fd, F_DUPFD_CLOEXEC, 0);

	*ret = (struct place){.netns_fd = fd, .ifindex = dev->ifindex};
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot hold a network namespace");
	ret->netns = st.st_ino;
	return 0;
}

static void place_close(struct place *p)
{
	closep(&p->netns_fd);
}

/* The kernel refuses a link where a program is already, which ebpf_xdp_attach() then names. */
static int attach_xdp(struct drop *d, const struct place *p, struct drop_attached *a, struct err *e)
{
	const uint32_t mode = a->hook == DROP_XDP_NATIVE ? EBPF_XDP_NATIVE : EBPF_XDP_GENERIC;

	return ebpf_xdp_attach(&a->link_fd, p->netns_fd, p->ifindex, drop_program_fd(d, a->hook),
		mode, e);
}

static int attach_tc(struct drop *d, const struct place *p, struct drop_attached *a, struct err *e)
{
	const struct tcx_hook at = {p->netns_fd, p->ifindex, a->hook == DROP_TC_EGRESS};
	int r = -EOPNOTSUPP;

	if (!d->cfg.no_tcx)
		r = tcx_attach(&a->link_fd, &at, drop_program_fd(d, a->hook), e);
	if (r != -EOPNOTSUPP)
		return r;
	if (a->hook == DROP_TC_INSIDE)
		return err_say(e, EOPNOTSUPP,
			"a filter inside a container would stay there after kill -9; links of tc "
			"programs, which do not, take Linux 6.6");
	r = tcx_filter_add(&a->own_qdisc, &at, drop_program_fd(d, a->hook), e);
	if (r == 0)
		a->netns_fd = fcntl(p->netns_fd, F_DUPFD_CLOEXEC, 0);
	return r;
}

static int attach(struct drop *d, const struct place *p, uint32_t hook, struct err *e)
{
	struct drop_attached a = {.netns = p->netns,
		.ifindex = p->ifindex,
		.hook = hook,
		.link_fd = -1,
		.netns_fd = -1};
	int r = hook <= DROP_XDP_GENERIC ? attach_xdp(d, p, &a, e) : attach_tc(d, p, &a, e);

	if (r < 0)
		return r;
	d->on = xreallocarray(d->on, d->n_on + 1, sizeof(*d->on));
	d->on[d->n_on++] = a;
	return 0;
}

static void detach(struct drop_attached *a)
{
	if (a->link_fd < 0 && a->netns_fd >= 0)
		tcx_filter_remove(a->own_qdisc,
			&(struct tcx_hook){a->netns_fd, a->ifindex, a->hook == DROP_TC_EGRESS});
	closep(&a->link_fd);
	closep(&a->netns_fd);
}

void drop_detach_all(struct drop *d)
{
	while (d->n_on > 0)
		detach(&d->on[--d->n_on]);
}

/*
 * XDP in the driver of a virtual device gains nothing: a veth copies each packet for it, and its
 * other half must stop leaving segmentation to it.
 * Ref: drivers/net/veth.c veth_convert_skb_to_xdp_buff, veth_xdp_set.
 */
static int check_native(const struct rt_sort *sort, struct err *e)
{
	if (!*sort->kind)
		return 0;
	return err_say(e, EOPNOTSUPP, "a %s has no driver that gains by it", sort->kind);
}

/* In this order; the last one's failure is all's. */
static const struct {
	uint32_t hook;
	int (*check)(const struct rt_sort *sort, struct err *e);
} choice[] = {
	{DROP_XDP_NATIVE, check_native},
	{DROP_TC_INGRESS, NULL},
	{DROP_XDP_GENERIC, NULL},
};

static int attach_best(struct drop *d, const struct place *p, const struct rt_sort *sort,
	struct drop_used *ret, struct err *e)
{
	int r = -EOPNOTSUPP;

	for (size_t i = 0; i < ARRAY_SIZE(choice); i++) {
		struct err why = {0};

		ret->hook = choice[i].hook;
		r = choice[i].check ? choice[i].check(sort, &why) : 0;
		if (r == 0)
			r = attach(d, p, ret->hook, &why);
		if (r == 0)
			break;
		str_addf(ret->words, sizeof(ret->words), "%s%s: %s", *ret->words ? "; " : "",
			drop_hook_name[ret->hook], why.text);
	}
	return r < 0 ? err_say(e, -r, "no hook of device %d takes a drop program: %s", p->ifindex,
			       ret->words)
		     : 0;
}

/* The programs look for Ethernet headers. */
static int sort_of(const struct place *p, struct rt_sort *ret, struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = rt_open(&rt, p->netns_fd, e);

	if (r == 0)
		r = rt_sort(rt, p->ifindex, ret, e);
	if (r == 0 && !ret->ethernet)
		r = err_say(e, EOPNOTSUPP, "device %d has no Ethernet frames", p->ifindex);
	return r;
}

static bool is_at(const struct drop_attached *a, const struct place *p, uint32_t hook)
{
	return a->netns == p->netns && a->ifindex == p->ifindex &&
	       (hook == DROP_BEST || a->hook == hook);
}

/* The numbers of a namespace and a device that are gone may be another's now. */
static bool is_on(const struct drop *d, const struct place *p, uint32_t hook)
{
	for (uint32_t i = 0; i < d->n_on; i++)
		if (is_at(&d->on[i], p, hook) &&
			(d->on[i].link_fd < 0 || ebpf_link_is_on(d->on[i].link_fd)))
			return true;
	return false;
}

int drop_add_device(struct drop *d, const struct drop_device *dev, struct drop_used *ret,
	struct err *e)
{
	_cleanup_(place_close) struct place p = {.netns_fd = -1};
	struct rt_sort sort;
	int r = place_open(&p, dev, e);

	*ret = (struct drop_used){.hook = dev->hook};
	if (r == 0)
		r = sort_of(&p, &sort, e);
	if (r < 0)
		return r;
	if (is_on(d, &p, dev->hook))
		return err_say(e, EEXIST, "device %d has a drop program already", dev->ifindex);
	r = dev->hook == DROP_BEST ? attach_best(d, &p, &sort, ret, e)
				   : attach(d, &p, dev->hook, e);
	if (r == 0)
		ret->outlasts = d->on[d->n_on - 1].link_fd < 0;
	return r;
}

void drop_remove_device(struct drop *d, const struct drop_device *dev)
{
	_cleanup_(place_close) struct place p = {.netns_fd = -1};
	uint32_t n = 0;

	if (place_open(&p, dev, NULL) < 0)
		return;
	for (uint32_t i = 0; i < d->n_on; i++) {
		if (is_at(&d->on[i], &p, dev->hook))
			detach(&d->on[i]);
		else
			d->on[n++] = d->on[i];
	}
	d->n_on = n;
}
