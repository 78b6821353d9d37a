/*
 * Which sender and which receiver. In "auto", they are tried in the order of their tables, and a
 * pair must also get a frame through: some ways of sending reach no device behind certain others,
 * some of receiving do not see all that comes in, and none of them says so.
 */
#include "base/str.h"
#include "frame/tester_priv.h"

#include <errno.h>
#include <string.h>

static int rx_open(struct tester *t, const struct frame_rx_ops *ops, struct err *e)
{
	const struct frame_rx_args args = {.key = t->key,
		.max_frames = t->cfg.max_frames,
		.verify = t->cfg.verify,
		.busy_poll = t->cfg.busy_poll};
	int r = 0;

	t->rx_ops = ops;
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++) {
		struct tester_port *p = &t->port[i];

		if (!p->receives)
			continue;
		r = ops->probe(&p->end.port, e);
		if (r == 0)
			r = ops->open(&p->rx, &p->end.port, &args, e);
		if (r == 0)
			r = place_open(&p->place, &p->end.port, t->cfg.place, p->rx_cpu, e);
	}
	if (r != 0)
		err_wrap(e, "receiver '%s'", ops->name);
	return r;
}

static void rx_close(struct tester *t)
{
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		place_closep(&t->port[i].place);
		if (t->port[i].rx)
			t->rx_ops->close(t->port[i].rx);
		t->port[i].rx = NULL;
	}
}

static void tx_close(struct tester *t)
{
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		if (t->port[i].tx)
			t->tx_ops->close(t->port[i].tx);
		t->port[i].tx = NULL;
		frame_stream_freep(&t->port[i].stream);
	}
	t->mix.n = 0;
}

static struct frame_addr address(const struct tester_end *from, const struct tester_way *way)
{
	struct frame_addr addr = {.dst_port = way->next_port, .ttl = from->ttl};

	memcpy(addr.src_mac, from->port.mac, sizeof(addr.src_mac));
	memcpy(addr.dst_mac, way->next_mac, sizeof(addr.dst_mac));
	memcpy(addr.src_ip, way->ip, sizeof(addr.src_ip));
	memcpy(addr.dst_ip, way->next_ip, sizeof(addr.dst_ip));
	return addr;
}

static int stream_new(const struct tester *t, uint32_t i, const struct frame_mix *mix,
	struct frame_stream **ret, struct err *e)
{
	const struct tester_end *from = &t->port[i].end;
	const struct frame_form form = {.ipv6 = t->ipv6, .vlan = (uint16_t)t->cfg.vlan};
	const struct frame_vary vary = {.flows = t->cfg.flows,
		.networks = t->cfg.networks,
		.macs = t->cfg.macs,
		.broadcast_every = t->cfg.broadcast_ppm ? 1000000 / t->cfg.broadcast_ppm : 0};
	struct frame_addr addr[FRAME_MAX_ADDRS] = {0};
	const struct frame_stream_args args = {.form = &form,
		.addr = addr,
		.n_addrs = from->n_ways,
		.vary = &vary,
		.mix = mix,
		.key = t->key};

	for (uint32_t k = 0; k < from->n_ways; k++)
		addr[k] = address(from, &from->way[k]);
	return frame_stream_new(ret, &args, e);
}

#define ETHER_BYTES 14
#define TAG_BYTES   4

/* Ref: IEEE 802.3ac: a tag is no part of the payload that the MTU limits. */
static int fits(const struct tester *t, const struct frame_port *p, uint32_t bytes, struct err *e)
{
	uint32_t room = p->mtu + ETHER_BYTES + FRAME_FCS_BYTES + (t->cfg.vlan ? TAG_BYTES : 0);

	return bytes <= room
		       ? 0
		       : err_say(e, EMSGSIZE,
				 "frames of %u bytes do not fit the MTU %u of '%s', at most %u do",
				 bytes, p->mtu, p->dev, room);
}

static uint32_t longest(const struct frame_mix *mix)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < mix->n; i++)
		bytes = MAX(bytes, mix->size[i]);
	return bytes;
}

static bool same_mix(const struct frame_mix *a, const struct frame_mix *b)
{
	return a->n == b->n && memcmp(a->size, b->size, a->n * sizeof(a->size[0])) == 0;
}

static int port_mix(struct tester *t, uint32_t i, const struct frame_mix *mix, struct err *e)
{
	struct tester_port *p = &t->port[i];
	int r;

	if (p->tx)
		return 0;
	frame_stream_freep(&p->stream);
	r = stream_new(t, i, mix, &p->stream, e);
	return r < 0 ? r : t->tx_ops->open(&p->tx, &p->end.port, p->stream, e);
}

int tester_mix(struct tester *t, const struct frame_mix *mix, bool learn, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = fits(t, &t->port[i].end.port, longest(mix), e);
	if (r == 0 && !same_mix(mix, &t->mix))
		tx_close(t);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		if (t->port[i].sends)
			r = port_mix(t, i, mix, e);
	/* A port that would only send learning frames, and can't, sends none. */
	for (uint32_t i = 0; r == 0 && learn && i < TESTER_N_PORTS; i++)
		if (!t->port[i].sends && (t->tx_ops->probe(&t->port[i].end.port, NULL) != 0 ||
						 port_mix(t, i, mix, NULL) != 0))
			t->port[i].tx = NULL;
	if (r == 0)
		t->mix = *mix;
	return r;
}

/*
 * A few frames, slowly. Return: 1 they come through in all directions, 0 they do not,
 * FRAME_UNAVAILABLE + 1, or negative errno.
 */
#define TRY_FPS 10000.0
static int try_frames(struct tester *t, uint64_t drain_ns, struct err *e)
{
	const struct frame_form form = {.ipv6 = t->ipv6, .vlan = (uint16_t)t->cfg.vlan};
	struct frame_mix mix = {.n = 1, .size = {(uint16_t)frame_smallest_bytes(&form)}};
	struct tester_trial_args args = {.mix = &mix,
		.n_phases = 1,
		.phase = {{.n_frames = TESTER_TRY_FRAMES, .gap_q16 = FRAME_GAP_Q16(TRY_FPS)}},
		.time_ns = NSEC_PER_SEC / 4};
	const uint64_t usual_ns = t->cfg.drain_ns;
	struct tester_trial trial = {0};
	int r;

	mix.mean_bytes = mix.size[0];
	t->cfg.drain_ns = drain_ns;
	r = tester_trial(t, &args, -1, &trial, e);
	t->cfg.drain_ns = usual_ns;
	if (r != 0)
		return r < 0 ? r : FRAME_UNAVAILABLE + 1;
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (trial.flow[i].used && trial.flow[i].got.received == 0)
			return 0;
	return 1;
}

/* What is between may be processes that wait for their turn on a CPU: a second, longer look. */
#define TRY_DRAIN_NS  (10 * NSEC_PER_MSEC)
#define MORE_DRAIN_NS (150 * NSEC_PER_MSEC)
static int comes_through(struct tester *t, struct err *e)
{
	int r = try_frames(t, TRY_DRAIN_NS, e);

	return r == 0 ? try_frames(t, MORE_DRAIN_NS, e) : r;
}

/* What became of a try with a sender and the receiver that is open; else negative errno. */
enum try_end {
	TRY_LOST,
	TRY_THROUGH,
	TRY_UNAVAILABLE,
};

static int can_send_longest(struct tester *t, struct err *e)
{
	struct frame_mix mix = {.n = 1,
		.size = {(uint16_t)t->cfg.max_bytes},
		.mean_bytes = t->cfg.max_bytes};

	return t->cfg.max_bytes ? tester_mix(t, &mix, false, e) : 0;
}

static int try_tx(struct tester *t, const struct frame_tx_ops *ops, struct err *e)
{
	int r = 0;

	tx_close(t);
	t->tx_ops = ops;
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		if (t->port[i].sends)
			r = ops->probe(&t->port[i].end.port, e);
	if (r == 0)
		r = can_send_longest(t, e);
	if (r == 0) {
		r = comes_through(t, e);
		if (r >= 0 && r != FRAME_UNAVAILABLE + 1)
			return r ? TRY_THROUGH : TRY_LOST;
	}
	err_wrap(e, "sender '%s'", ops->name);
	return r < 0 ? r : TRY_UNAVAILABLE;
}

static int ports_alive(const struct tester *t, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = tester_alive(&t->port[i], e);
	return r;
}

/* What it is that can't be had, once: another receiver does not change what a sender lacks. */
static void refused(struct tester *t, const struct err *e)
{
	if (!strstr(t->refused, e->text))
		str_addf(t->refused, sizeof(t->refused), "%s%s", *t->refused ? "; " : "", e->text);
}

/* A sender and a receiver that work, if not together. */
struct pair {
	const struct frame_tx_ops *tx;
	const struct frame_rx_ops *rx;
};

/*
 * Tries senders with the receiver that is open. Those that say no, or of whose frames none comes
 * through, are passed by. @silent: set to the first of the latter, if it is not set
 * Return: TRY_THROUGH, TRY_LOST (none), or negative errno.
 */
static int try_senders(struct tester *t, const struct frame_tx_ops *only, struct pair *silent,
	struct err *e)
{
	for (size_t i = 0; frame_tx_table[i]; i++) {
		int r;

		if (only && frame_tx_table[i] != only)
			continue;
		r = try_tx(t, frame_tx_table[i], e);
		if (r == TRY_THROUGH || (r < 0 && ports_alive(t, e) < 0))
			return r;
		if (r == TRY_LOST && !silent->tx)
			*silent = (struct pair){frame_tx_table[i], t->rx_ops};
		if (r != TRY_LOST)
			refused(t, e);
	}
	return TRY_LOST;
}

/* All pairs of what is asked for; NULL: of all there are. Returns as try_senders() does. */
static int try_pairs(struct tester *t, const struct pair *only, struct pair *silent, struct err *e)
{
	for (size_t i = 0; frame_rx_table[i]; i++) {
		int r;

		if (only->rx && frame_rx_table[i] != only->rx)
			continue;
		rx_close(t);
		r = rx_open(t, frame_rx_table[i], e);
		if (r < 0 && ports_alive(t, e) < 0)
			return r;
		if (r != 0) {
			refused(t, e);
			continue;
		}
		r = try_senders(t, only->tx, silent, e);
		if (r != TRY_LOST)
			return r;
	}
	return TRY_LOST;
}

static int find_rows(const struct tester_cfg *cfg, struct pair *ret, struct err *e)
{
	*ret = (struct pair){frame_tx_find(cfg->tx), frame_rx_find(cfg->rx)};
	if (!ret->tx && strcmp(cfg->tx, "auto") != 0)
		return err_say(e, EINVAL, "unknown sender '%s' (see tare list)", cfg->tx);
	if (!ret->rx && strcmp(cfg->rx, "auto") != 0)
		return err_say(e, EINVAL, "unknown receiver '%s' (see tare list)", cfg->rx);
	return 0;
}

/* What is between the ports may be down for now: then it is the first pair that can be had. */
int tester_choose(struct tester *t, struct err *e)
{
	struct pair only, silent = {0};
	int r = find_rows(&t->cfg, &only, e);

	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = fits(t, &t->port[i].end.port, t->cfg.max_bytes, e);
	if (r == 0)
		r = try_pairs(t, &only, &silent, e);
	if (r == TRY_THROUGH || r < 0)
		return MIN(r, 0);
	if (!silent.tx) {
		r = e->code == -EPERM || e->code == -EINVAL || e->code == -EMSGSIZE
			    ? e->code
			    : FRAME_UNAVAILABLE;
		(void)err_say(e, -e->code, "%s", t->refused);
		return r;
	}
	tx_close(t);
	rx_close(t);
	t->tx_ops = silent.tx;
	tester_note(t, "of the first frames, none came through");
	return rx_open(t, silent.rx, e);
}
