#include "guest/forward.h"

#include "base/clock.h"
#include "base/str.h"
#include "guest/net.h"
#include "path/lab.h"
#include "sys/mac.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int fill_side(struct nf_side *ret, const struct guest_side *s, struct err *e)
{
	if (mac_parse(ret->id.mac, s->mac) < 0 || mac_parse(ret->end_mac, s->end_mac) < 0)
		return err_say(e, EINVAL, "'%s' or '%s' is no hardware address", s->mac,
			s->end_mac);
	/* The end is who is next. */
	memcpy(ret->next_mac, ret->end_mac, sizeof(ret->next_mac));
	str_set(ret->own, s->own);
	str_set(ret->own_len, s->own_len);
	str_set(ret->via, s->end);
	str_set(ret->end, s->end);
	return 0;
}

/* NICs are numbered as their driver finds them: which is which is known by their addresses. */
static int name_nic(struct nf *nf, const char *dev, struct err *e)
{
	struct rt_id id;
	int r = rt_id(nf->rt, dev, &id, e);

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		if (memcmp(id.mac, nf->side[i].id.mac, sizeof(id.mac)) == 0) {
			nf->side[i].id = id;
			return rt_rename(nf->rt, dev, nf_dev[i], e);
		}
	return r < 0 ? r : err_say(e, ENODEV, "its NIC '%s' has an unknown address", dev);
}

static int prepare(struct nf *nf, const struct guest_cfg *cfg, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = fill_side(&nf->side[i], &cfg->side[i], e);
	for (int i = 0; r == 0 && i < NF_N_SIDES; i++) {
		char dev[16];

		snprintf(dev, sizeof(dev), "eth%d", i);
		r = guest_nic_prepare(nf->rt, dev, cfg, e);
		if (r == 0)
			r = name_nic(nf, dev, e);
		if (r == 0)
			r = rt_set_up(nf->rt, nf_dev[i], e);
	}
	return r;
}

int guest_forward(struct rt *rt, const struct guest_cfg *cfg, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + GUEST_NIC_UP_NS;
	_cleanup_(closep) int netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct nf nf = {.ops = nf_table[cfg->nf], .netns_fd = netns_fd, .rt = rt};
	struct path p = {.cfg = {.ipv6 = cfg->ipv6, .mtu = cfg->mtu, .nf = cfg->nf}};
	struct lab lab = {.cfg = &p.cfg};
	int r;

	p.lab = &lab;
	if (netns_fd < 0)
		return err_set(e, errno, "cannot open the network namespace");
	r = prepare(&nf, cfg, e);
	if (r == 0)
		r = nf.ops->start(&nf, &p, e);
	for (int i = 0; r == 0 && i < NF_N_SIDES; i++)
		r = rt_wait_up(rt, nf_dev[i], deadline_ns, e);
	return r;
}
