/*
 * Without a say in it, the whole receiving path of a veth runs on the CPU of who sends, as part of
 * sending: that is a sender that waits for the receiver, and loses nothing. With NAPI threads a
 * queue of 256 frames is between the two, and whoever keeps the thread from its CPU for 256 frames'
 * time has it overflow. Ref: drivers/net/veth.c veth_xmit, VETH_RING_SIZE.
 */
#include "frame/place.h"

#include "base/mem.h"
#include "sys/affinity.h"
#include "sys/ethtool.h"
#include "sys/napi.h"

#include <errno.h>
#include <stdio.h>

struct place {
	struct frame_port port;
	int napi_fd;
	bool threaded; /* were turned on here */
	bool gro;      /* so was this, for a veth has NAPI with it */
	char rps[512]; /* the mask that was; "": not changed */
	char text[64];
};

static void gro_off(const struct place *p)
{
	if (ethtool_set(p->port.netns_fd, p->port.dev, ETHTOOL_GRO, false, NULL) < 0)
		return; /* the device has vanished */
}

void place_close(struct place *p)
{
	if (!p)
		return;
	/* What can't be put back is gone with its device, or had NAPI by the receiver only. */
	if (p->threaded)
		(void)napi_set_threaded(p->napi_fd, p->port.dev, false, NULL);
	if (*p->rps)
		(void)napi_set_rps(p->napi_fd, p->port.dev, p->rps, NULL);
	if (p->gro)
		gro_off(p);
	closep(&p->napi_fd);
	free(p);
}

static bool contains(const int *pid, uint32_t n, int one)
{
	for (uint32_t i = 0; i < n; i++)
		if (pid[i] == one)
			return true;
	return false;
}

/* Threads that are there now and were not before. Return: how many of them are on @cpu now. */
static uint32_t pin_new(const struct place *p, const int *old, uint32_t n_old, uint32_t cpu)
{
	int pid[NAPI_MAX_THREADS];
	uint32_t n = napi_threads(p->port.dev, pid), n_pinned = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!contains(old, n_old, pid[i]))
			n_pinned += affinity_pin_task(pid[i], cpu, NULL) == 0;
	return n_pinned;
}

/* Threads are asked for, if need be by way of GRO. */
static int turn_on(struct place *p, struct err *e)
{
	int r = napi_set_threaded(p->napi_fd, p->port.dev, true, e);

	if (r != -EOPNOTSUPP)
		return r;
	r = ethtool_set(p->port.netns_fd, p->port.dev, ETHTOOL_GRO, true, e);
	p->gro = r == 0;
	return r < 0 ? r : napi_set_threaded(p->napi_fd, p->port.dev, true, e);
}

static int set_threaded(struct place *p, uint32_t cpu, struct err *e)
{
	int old[NAPI_MAX_THREADS];
	uint32_t n_old, n;
	int r = napi_threaded(p->napi_fd, p->port.dev, e);

	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(p->text, sizeof(p->text), "threaded, as it was");
		return 0;
	}
	n_old = napi_threads(p->port.dev, old);
	r = turn_on(p, e);
	if (r < 0)
		return r;
	p->threaded = true;
	n = pin_new(p, old, n_old, cpu);
	if (n)
		snprintf(p->text, sizeof(p->text), "threaded, on CPU %u", cpu);
	else
		snprintf(p->text, sizeof(p->text), "threaded, not pinned");
	return 0;
}

static int set_rps(struct place *p, uint32_t cpu, struct err *e)
{
	char mask[512];
	int r = napi_rps(p->napi_fd, p->port.dev, p->rps, sizeof(p->rps), e);

	if (r < 0)
		return r;
	napi_mask(cpu, mask, sizeof(mask));
	r = napi_set_rps(p->napi_fd, p->port.dev, mask, e);
	if (r < 0)
		p->rps[0] = '\0';
	snprintf(p->text, sizeof(p->text), "steered to CPU %u", cpu);
	return r;
}

int place_open(struct place **ret, const struct frame_port *port, uint32_t want, uint32_t cpu,
	struct err *e)
{
	_cleanup_(place_closep) struct place *p = xcalloc(1, sizeof(*p));
	int r = 0;

	p->port = *port;
	p->napi_fd = -1;
	snprintf(p->text, sizeof(p->text), "inline");
	if (want != TESTER_PLACE_INLINE) {
		r = p->napi_fd = napi_open(port->netns_fd, e);
		if (r >= 0)
			r = want == TESTER_PLACE_RPS ? set_rps(p, cpu, e) : set_threaded(p, cpu, e);
	}
	if (r < 0) {
		err_wrap(e, "--place %s", tester_place_name[want]);
		return r == -ENODEV ? r : FRAME_UNAVAILABLE;
	}
	*ret = take_ptr(p);
	return 0;
}

const char *place_text(const struct place *p)
{
	return p->text;
}
