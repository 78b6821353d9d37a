/*
 * A container with a virtual function of a network adapter of its own, as the SR-IOV CNI plugin
 * gives it. The peer has another one of the same adapter:
 *
 *	peer: VF ---- the adapter's own switch ---- VF: container
 *
 * The lab's wire has no part in it. Two VFs that nobody uses are lent and given back as they were.
 * Should tare be killed, the kernel gives them back (see rt_dev_move): down as they were, but they
 * keep the MTU, if the path's is another one than theirs; and if tare runs in a namespace other
 * than the machine's first one, it is that one they come to.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "path/lab.h"
#include "path/table.h"
#include "sys/rtdev.h"
#include "sys/sriov.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A VF resets with its PF's help, and some take seconds to say that their link is up. */
#define SRIOV_UP_NS (10 * NSEC_PER_SEC)
/* Of those that "tare list" looks at for one that will do. */
#define SRIOV_MAX_PFS 16

struct lent {
	char dev[16]; /* "": none */
	uint32_t mtu; /* its own */
	bool away;
};

struct sriov_state {
	struct rt *home;
	int home_fd;
	struct lent vf[LAB_N_PODS]; /* of the end that is pod i */
};

static int sriov_check(const struct path_spec *spec, struct err *e)
{
	if (spec->cfg.wire_rate_bps)
		return err_say(e, EINVAL,
			"--wire-rate shapes the wire, which path 'sriov' does not cross");
	return *spec->arg ? sriov_check_name(spec->arg, e) : 0;
}

/*
 * Why it can't be lent; NULL: it can. /sys may be mounted from another namespace than ours, and
 * show devices of the same name there.
 */
static const char *taken(struct rt *home, const struct sriov_vf *vf, struct rt_dev *ret)
{
	if (!*vf->dev || rt_dev(home, vf->dev, ret, NULL) < 0 || ret->ifindex != vf->ifindex ||
		strcmp(ret->mac, vf->mac) != 0)
		return "has no network device here";
	return ret->use;
}

/* Chooses the first that are free. @ret: [LAB_N_PODS] */
static int choose(struct rt *home, const char *pf, struct lent *ret, struct err *e)
{
	_cleanup_(freep) struct sriov *all = xcalloc(1, sizeof(*all));
	char why[256] = "";
	uint32_t n = 0;
	int r = sriov_read(all, SRIOV_SYSFS, pf, e);

	for (uint32_t i = 0; r == 0 && n < LAB_N_PODS && i < all->n; i++) {
		const struct sriov_vf *vf = &all->vf[i];
		struct rt_dev dev;
		const char *use = taken(home, vf, &dev);

		if (use) {
			str_addf(why, sizeof(why), "%s%u%s%s%s %s", *why ? ", " : "", i,
				*vf->dev ? " (" : "", vf->dev, *vf->dev ? ")" : "", use);
			continue;
		}
		ret[n].mtu = dev.mtu;
		str_set(ret[n++].dev, vf->dev);
	}
	if (r < 0 || n == LAB_N_PODS)
		return r;
	return err_say(e, EOPNOTSUPP,
		"it takes %d unused virtual functions of '%s', which has %u, %u of them unused%s%s",
		LAB_N_PODS, pf, all->n, n, *why ? ": VF " : "", why);
}

/* Is there any device that would do? */
static int probe_any(struct rt *home, struct err *e)
{
	char pf[SRIOV_MAX_PFS][16];
	struct lent vf[LAB_N_PODS];
	uint32_t n = sriov_find(pf, SRIOV_MAX_PFS, SRIOV_SYSFS);
	int r = -EOPNOTSUPP;

	if (n == 0)
		return err_say(e, EOPNOTSUPP,
			"no network device here can have virtual functions (SR-IOV)");
	for (uint32_t i = 0; r < 0 && i < n; i++)
		r = choose(home, pf[i], vf, e);
	return r;
}

static int sriov_probe(const struct path_spec *spec, struct err *e)
{
	_cleanup_(rt_closep) struct rt *home = NULL;
	struct lent vf[LAB_N_PODS];
	int r = rt_open_here(&home, e);

	if (r < 0)
		return r;
	return *spec->arg ? choose(home, spec->arg, vf, e) : probe_any(home, e);
}

static int lend(struct path *p, uint32_t i, const char *addr, struct err *e)
{
	struct sriov_state *s = p->state;
	struct lent *vf = &s->vf[i];
	int r = lab_pod_new(p->lab, i, e);

	if (r == 0)
		r = rt_dev_move(s->home, vf->dev, p->lab->pod_fd[i], e);
	if (r < 0)
		return r;
	vf->away = true;
	if (vf->mtu != p->cfg.mtu)
		r = rt_set_mtu(p->lab->pod[i], vf->dev, p->cfg.mtu, e);
	return r < 0 ? r
		     : lab_address(p->lab->pod[i], vf->dev, addr, p->lab->addrs->segment_len, e);
}

static int wait_up(struct path *p, struct err *e)
{
	const struct sriov_state *s = p->state;
	uint64_t deadline_ns = clock_now_ns() + SRIOV_UP_NS;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < LAB_N_PODS; i++)
		r = rt_wait_up(p->lab->pod[i], s->vf[i].dev, deadline_ns, e);
	return r;
}

/*
 * The switch may join them with other paths' VFs and, by the adapter's cable, with other machines',
 * which may have the same addresses: nobody is asked who has one.
 */
static int introduce(struct path *p, const char *const *addr, struct err *e)
{
	const struct sriov_state *s = p->state;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < LAB_N_PODS; i++) {
		struct rt_id other;

		r = rt_id(p->lab->pod[!i], s->vf[!i].dev, &other, e);
		if (r == 0)
			r = rt_neigh_add(p->lab->pod[i], s->vf[i].dev, addr[!i], other.mac, e);
	}
	return r;
}

/* With most adapters a VF has no link, or does not even start, while its PF is down. */
static int blame_pf(const struct path *p, int r, struct err *e)
{
	const struct sriov_state *s = p->state;
	struct rt_dev pf;
	struct err why = *e;

	if (r == 0 || rt_dev(s->home, p->spec.arg, &pf, NULL) < 0 || pf.up)
		return r;
	return err_say(e, EOPNOTSUPP, "%s; '%s' is down: ip link set %s up", why.text, p->spec.arg,
		p->spec.arg);
}

static void set_ends(struct path *p, const char *const *addr)
{
	const struct sriov_state *s = p->state;

	lab_ends(p, addr);
	p->n_hops = 0; /* the host's stack is none */
	p->near.container = p->cfg.between == PATH_BETWEEN_PODS;
	str_set(p->far.dev, s->vf[0].dev);
	str_set(p->near.dev, s->vf[1].dev);
	path_note(p,
		"near is VF %s, far is VF %s of %s: the adapter's own switch joins them, no "
		"cable is crossed, and this machine's CPUs do the work of both",
		s->vf[1].dev, s->vf[0].dev, p->spec.arg);
}

static int sriov_build(struct path *p, struct err *e)
{
	struct sriov_state *s = p->state = xcalloc(1, sizeof(*s));
	const char *addr[LAB_N_PODS] = {p->lab->addrs->wire_addr[0], p->lab->addrs->wire_addr[1]};
	int r = rt_open_here(&s->home, e);

	s->home_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (r == 0 && s->home_fd < 0)
		return err_set(e, errno, "cannot open the machine's network namespace");
	if (r == 0)
		r = choose(s->home, p->spec.arg, s->vf, e);
	if (p->cfg.between == PATH_BETWEEN_MACHINES) {
		lab_two_nodes(p->lab);
		addr[1] = p->lab->addrs->peer;
	}
	for (uint32_t i = 0; r == 0 && i < LAB_N_PODS; i++)
		r = lend(p, i, addr[i], e);
	if (r == 0)
		r = wait_up(p, e);
	if (r == 0)
		r = introduce(p, addr, e);
	if (r < 0)
		return blame_pf(p, r, e);
	set_ends(p, addr);
	return 0;
}

/* What can't be moved, the kernel moves in a moment. */
static void give_back(const struct path *p, const struct lent *vf, struct rt *pod)
{
	const struct sriov_state *s = p->state;

	if (rt_dev_move(pod, vf->dev, s->home_fd, NULL) == 0 && vf->mtu != p->cfg.mtu)
		(void)!rt_set_mtu(s->home, vf->dev, vf->mtu, NULL);
}

static void sriov_close(struct path *p)
{
	struct sriov_state *s = p->state;

	for (uint32_t i = 0; i < LAB_N_PODS; i++)
		if (s->vf[i].away)
			give_back(p, &s->vf[i], p->lab->pod[i]);
	rt_close(s->home);
	closep(&s->home_fd);
	free(s);
}

const struct path_ops path_sriov = {
	.name = "sriov",
	.summary = "container with a virtual function of an SR-IOV adapter, the peer with another",
	.hops = "peer (a VF of the same adapter), the adapter's own switch, container's VF",
	.crosses = "ndo_start_xmit and NAPI poll of the VF's driver; no bridge or veth",
	.needs = "root; an SR-IOV adapter, two of its VFs unused (sriov_numvfs)",
	.arg = "<pf>",
	.set = PATH_SET_GIVEN,
	.real_root = true,
	.pods_ok = true,
	.check = sriov_check,
	.probe = sriov_probe,
	.build = sriov_build,
	.close = sriov_close,
};
