/* The tester against itself: nothing but a veth pair between sender and receiver. */
#include "method/subject_tester.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "path/lab.h"
#include "sys/ns.h"
#include "sys/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define LINK_UP_NS (5 * NSEC_PER_SEC)
/* Long enough for a rate to within a few per cent, short enough to be done before each campaign. */
#define SELF_NS (200 * NSEC_PER_MSEC)
/* Rates below the highest one that are tried when it loses, each so much lower. */
#define SELF_MAX_TRIALS 12
#define SELF_STEP       0.85

/* Ref: RFC 2544 appendix C.2.2, RFC 5180 s.8 */
static const char *const self_addr[2][TESTER_N_PORTS] = {
	{"198.18.0.2", "198.18.0.3"},
	{"2001:2::2", "2001:2::3"},
};

void subject_veth_close(struct subject_veth *v)
{
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		closep(&v->netns_fd[i]);
}

static int machine_new(struct subject_veth *v, uint32_t i, struct rt **ret, struct err *e)
{
	int r = ns_net_new(&v->netns_fd[i], e);

	if (r == 0)
		r = lab_quiet_ipv6(v->netns_fd[i], false, e);
	return r == 0 ? rt_open(ret, v->netns_fd[i], e) : r;
}

static int fill_end(struct subject_veth *v, uint32_t i, struct rt *rt, bool ipv6, struct err *e)
{
	struct tester_end *end = &v->end[i], *other = &v->end[!i];
	struct rt_id id;
	int r = rt_id(rt, "test", &id, e);

	if (r < 0)
		return r;
	end->port = (struct frame_port){.netns_fd = v->netns_fd[i],
		.dev = "test",
		.ifindex = (uint32_t)id.ifindex,
		.mtu = id.mtu};
	memcpy(end->port.mac, id.mac, sizeof(id.mac));
	memcpy(other->way[0].next_mac, id.mac, sizeof(id.mac));
	end->n_ways = 1;
	inet_pton(ipv6 ? AF_INET6 : AF_INET, self_addr[ipv6][i], end->way[0].ip);
	inet_pton(ipv6 ? AF_INET6 : AF_INET, self_addr[ipv6][!i], end->way[0].next_ip);
	return 0;
}

int subject_veth_open(struct subject_veth *ret, bool ipv6, struct err *e)
{
	const uint64_t deadline_ns = clock_now_ns() + LINK_UP_NS;
	_cleanup_(rt_closep) struct rt *a = NULL, *b = NULL;
	int r;

	*ret = (struct subject_veth){.netns_fd = {-1, -1}};
	r = machine_new(ret, 0, &a, e);
	if (r == 0)
		r = machine_new(ret, 1, &b, e);
	if (r == 0)
		r = rt_veth_add(a, "test", "test", ret->netns_fd[1], 1500, e);
	if (r == 0)
		r = rt_set_up(a, "test", e);
	if (r == 0)
		r = rt_set_up(b, "test", e);
	if (r == 0)
		r = rt_wait_up(a, "test", deadline_ns, e);
	if (r == 0)
		r = rt_wait_up(b, "test", deadline_ns, e);
	if (r == 0)
		r = fill_end(ret, 0, a, ipv6, e);
	if (r == 0)
		r = fill_end(ret, 1, b, ipv6, e);
	if (r < 0)
		subject_veth_close(ret);
	return r;
}

/* One trial. @ret_fps: what it came to, of one port; @ret_lost: frames */
static int self_trial(struct tester *t, const struct frame_mix *mix, double fps, double *ret_fps,
	uint64_t *ret_lost, int cancel_fd, struct err *e)
{
	struct tester_trial_args args = {.mix = mix, .n_phases = 1, .time_ns = SELF_NS};
	struct tester_trial x = {0};
	int r;

	args.phase[0].n_frames = isfinite(fps) ? (uint64_t)(fps * SELF_NS / 1e9) : TESTER_UNTIL_END;
	args.phase[0].gap_q16 = isfinite(fps) ? FRAME_GAP_Q16(fps) : 0;
	if (isfinite(fps))
		args.time_ns += subject_slack_ns(SELF_NS);
	r = tester_trial(t, &args, cancel_fd, &x, e);
	*ret_fps = INFINITY;
	*ret_lost = 0;
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++) {
		const struct frame_sent *sent = &x.flow[i].sent;

		if (!x.flow[i].used)
			continue;
		*ret_lost += x.flow[i].lost;
		if (sent->sent > 1 && sent->last_ns > sent->first_ns)
			*ret_fps = MIN(*ret_fps, (double)(sent->sent - 1) * 1e9 /
							 (double)(sent->last_ns - sent->first_ns));
	}
	return r;
}

/* Down from as fast as it goes, until nothing is lost. NAN: something always is. */
static int self_search(struct subject *s, struct tester *t, const struct frame_mix *mix,
	struct err *e)
{
	double fps = INFINITY, got;
	uint64_t lost;

	s->self_fps = __builtin_nan("");
	for (uint32_t i = 0; i < SELF_MAX_TRIALS; i++) {
		int r = self_trial(t, mix, fps, &got, &lost, s->cancel_fd, e);

		if (r != 0)
			return r;
		if (lost == 0 && isfinite(got)) {
			s->self_fps = isfinite(fps) ? fps : got;
			return 0;
		}
		fps = SELF_STEP * (isfinite(fps) ? fps : got);
		if (!isfinite(fps))
			return err_say(e, EIO, "the tester does not reach itself");
	}
	return 0;
}

int subject_self(struct subject *s, const struct tester_cfg *cfg, const struct frame_mix *mix,
	struct err *e)
{
	_cleanup_(subject_veth_close) struct subject_veth v;
	_cleanup_(tester_closep) struct tester *t = NULL;
	struct tester_cfg own = *cfg;
	int r = subject_veth_open(&v, s->ipv6, e);

	if (r != 0)
		return err_wrap(e, "self-test");
	own.drain_ns = 20 * NSEC_PER_MSEC;
	if (s->tester) { /* the same ones, also where they were chosen by the SUT's ports */
		str_set(own.tx, s->info.tx);
		str_set(own.rx, s->info.rx);
	}
	r = tester_open(&t, v.end, s->ipv6, &own, e);
	if (r == 0)
		r = self_search(s, t, mix, e);
	if (r != 0)
		err_wrap(e, "self-test");
	return r;
}
