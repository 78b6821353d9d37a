#include "guard/moderate.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "sys/ns.h"

#include <errno.h>
#include <string.h>

/* Empty polls until interrupts are on again. Ref: as MODERATE_NS */
#define DEFER 2

static bool is_told(const struct moderate *m, const char *dev)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (strcmp(m->device[i].dev, dev) == 0)
			return true;
	return false;
}

/* @word: "DEV" or "DEV=TIME"; changed */
static int parse_device(struct moderate *m, char *word, struct err *e)
{
	struct moderate_device *d = &m->device[m->n];
	char *time = word;
	const char *dev = strsep(&time, "=");

	if (m->n == MODERATE_MAX)
		return err_say(e, EINVAL, "more than %d devices", MODERATE_MAX);
	if (!*dev || strchr(dev, '/') || str_copy(d->dev, sizeof(d->dev), dev) < 0)
		return err_say(e, EINVAL, "'%s' is no name of a device", dev);
	if (is_told(m, dev))
		return err_say(e, EINVAL, "'%s' stands twice", dev);
	d->flush_ns = MODERATE_NS;
	if (time && num_parse(time, NUM_DURATION, &d->flush_ns, e) < 0)
		return -EINVAL;
	if (d->flush_ns < MODERATE_LEAST_NS || d->flush_ns > MODERATE_MOST_NS)
		return err_say(e, ERANGE, "'%s' is not from 1us to 10ms", time);
	m->n++;
	return 0;
}

int moderate_parse(struct moderate *ret, const char *text, struct err *e)
{
	_cleanup_(freep) char *list = xstrdup(text);
	char *rest = *list ? list : NULL, *word;
	int r = 0;

	*ret = (struct moderate){0};
	while (r == 0 && (word = strsep(&rest, ",")))
		r = parse_device(ret, word, e);
	return r;
}

static int begin_one(const struct moderate_device *d, int napi_fd, uint32_t netns,
	struct guard_state *s, struct err *e)
{
	struct guard_device x = {.netns = netns,
		.ifindex = (int)if_nametoindex(d->dev),
		.set = {.flush_ns = d->flush_ns, .defer = DEFER}};
	int r;

	if (!x.ifindex)
		return err_set(e, errno, "device '%s'", d->dev);
	r = napi_moderation(napi_fd, d->dev, &x.was, e);
	if (r == 0)
		r = guard_state_note_device(s, &x, e);
	return r < 0 ? r : napi_set_moderation(napi_fd, d->dev, &x.set, e);
}

int moderate_begin(const struct moderate *m, struct guard_state *s, struct err *e)
{
	_cleanup_(closep) int netns_fd = -1, napi_fd = -1;
	uint32_t netns;
	int r = m->n ? ns_net_own(&netns, e) : 0;

	if (r < 0 || !m->n)
		return r;
	netns_fd = ns_net_find(netns);
	napi_fd = netns_fd < 0 ? netns_fd : napi_open(netns_fd, e);
	if (napi_fd < 0)
		return napi_fd;
	for (uint32_t i = 0; r == 0 && i < m->n; i++)
		r = begin_one(&m->device[i], napi_fd, netns, s, e);
	return r;
}

/* Return: 0; -ENXIO: it is gone; or another negative errno. */
static int name_of(int netns_fd, int ifindex, char ret[static IF_NAMESIZE], struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	if (ns_scope_enter(&scope, netns_fd, e) < 0)
		return err_wrap(e, "device %d", ifindex);
	return if_indextoname((unsigned)ifindex, ret) ? 0 : err_set(e, errno, "device %d", ifindex);
}

int moderate_put_back(const struct guard_device *x, struct err *e)
{
	_cleanup_(closep) int netns_fd = ns_net_find(x->netns), napi_fd = -1;
	struct napi_moderation now, then = x->was;
	char dev[IF_NAMESIZE];
	int r;

	if (netns_fd < 0)
		return 0;
	r = name_of(netns_fd, x->ifindex, dev, e);
	if (r < 0)
		return r == -ENXIO ? 0 : r;
	napi_fd = napi_open(netns_fd, e);
	if (napi_fd < 0)
		return napi_fd;
	r = napi_moderation(napi_fd, dev, &now, e);
	if (r == 0 && now.flush_ns != x->set.flush_ns)
		then.flush_ns = now.flush_ns;
	if (r == 0 && now.defer != x->set.defer)
		then.defer = now.defer;
	if (r == 0)
		r = napi_set_moderation(napi_fd, dev, &then, e);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}
