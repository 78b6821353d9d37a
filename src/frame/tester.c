/* Ports: what they are opened with, and how they are left. Which sender: tester_choose.c. */
#include "frame/tester.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "frame/tester_priv.h"
#include "sys/affinity.h"
#include "sys/ebpf.h"
#include "sys/ns.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>

const char *const tester_place_name[] = {
	[TESTER_PLACE_INLINE] = "inline",
	[TESTER_PLACE_THREADED] = "threaded",
	[TESTER_PLACE_RPS] = "rps",
};
static_assert(ARRAY_SIZE(tester_place_name) == TESTER_PLACE_N);

const char *const tester_dir_name[] = {
	[TESTER_DIR_TX] = "tx",
	[TESTER_DIR_RX] = "rx",
	[TESTER_DIR_BOTH] = "both",
};
static_assert(ARRAY_SIZE(tester_dir_name) == TESTER_DIR_N);

/* Drain: RFC 2544 s.23 d. Frames: a minute at 1.4 million a second, 12 MiB for each receiver. */
const struct tester_cfg tester_cfg_default = {
	.tx = "auto",
	.rx = "auto",
	.flows = 1,
	.networks = 1,
	.macs = 1,
	.drain_ns = 2 * NSEC_PER_SEC,
	.max_frames = 100000000,
};

const struct opt tester_opts[] = {
	OPT_STR(struct tester_cfg, tx, "tx", 0, "<sender>",
		"what sends frames (tare list senders); auto: the first that works"),
	OPT_STR(struct tester_cfg, rx, "rx", 0, "<receiver>",
		"what receives and counts them (tare list receivers)"),
	OPT_ENUM(struct tester_cfg, dir, "dir", 0, tester_dir_name,
		"frames go from near to far (tx), back (rx), or both ways at once"),
	OPT_ENUM(struct tester_cfg, place, "place", 0, tester_place_name,
		"where the tester's devices do their receiving work: where they do it anyway, of "
		"a veth in line with what sends; or on the receiver's CPU, in NAPI threads or by "
		"RPS"),
	OPT_U32(struct tester_cfg, flows, "flows", 0, "<n>", "UDP source ports", .min = 1,
		.max = 4096),
	OPT_U32(struct tester_cfg, networks, "networks", 0, "<n>",
		"networks that the destination address goes through (RFC 2544: 256)", .min = 1,
		.max = 256),
	OPT_U32(struct tester_cfg, macs, "macs", 0, "<n>",
		"hardware addresses that the destination goes through", .min = 1, .max = 4096),
	OPT_U32(struct tester_cfg, broadcast_ppm, "broadcast", 0, "<percent>",
		"of the frames, how many are broadcasts in the place of a test frame",
		.unit = NUM_PERCENT, .max = 500000),
	OPT_U32(struct tester_cfg, vlan, "vlan", 0, "<tag>", "IEEE 802.1Q tag of frames; 0: none",
		.max = 4094),
	OPT_U32(struct tester_cfg, burst, "burst", 0, "<n>",
		"frames that are sent together; 0: as few as the rate lets", .max = 1024),
	OPT_FLAG(struct tester_cfg, verify, "verify", 0,
		"check the UDP checksum of each frame over all its bytes"),
	OPT_FLAG(struct tester_cfg, busy_poll, "busy-poll", 0,
		"the receiver's thread never sleeps"),
	OPT_STR(struct tester_cfg, tx_cpu, "tx-cpu", 0, "<cpu>",
		"CPU of the sender; default: the first allowed"),
	OPT_STR(struct tester_cfg, rx_cpu, "rx-cpu", 0, "<cpu>",
		"CPU of the receiver; default: the last allowed"),
	OPT_U64(struct tester_cfg, drain_ns, "drain", 0, "<time>",
		"how long to wait for late frames after the last one was sent",
		.unit = NUM_DURATION, .min = NSEC_PER_MSEC, .max = 60 * NSEC_PER_SEC),
	OPT_END,
};

const struct field tester_info_fields[] = {
	FIELD_STR(struct tester_info, tx, "What sent the frames."),
	FIELD_STR(struct tester_info, rx, "What received and counted them."),
	FIELD_STR(struct tester_info, place,
		"Where the tester's devices did their receiving work."),
	FIELD_STR(struct tester_info, tx_cpu, "CPU of the sender."),
	FIELD_STR(struct tester_info, rx_cpu, "CPU of the receiver."),
	FIELD_STR(struct tester_info, note, "What else a reader must know."),
	FIELD_END,
};

/* What the tester uses of a device, ends it; what it changed of it, is put back. */
static void port_close(struct tester *t, struct tester_port *p)
{
	const struct frame_port *dev = &p->end.port;

	if (p->tx)
		t->tx_ops->close(p->tx);
	p->tx = NULL;
	frame_stream_freep(&p->stream);
	place_closep(&p->place); /* threads can be given up only while the receiver is there */
	if (p->rx)
		t->rx_ops->close(p->rx);
	p->rx = NULL;
	if (p->merge_off) /* fails when the device has vanished: nothing is left of it */
		(void)ethtool_merge_restore(dev->netns_fd, dev->dev, &p->merge, NULL);
	p->merge_off = false;
	closep(&p->watch_fd);
}

void tester_close(struct tester *t)
{
	if (!t)
		return;
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		port_close(t, &t->port[i]);
	free(t);
}

int tester_alive(const struct tester_port *p, struct err *e)
{
	struct ifreq ifr = {0};

	str_set(ifr.ifr_name, p->end.port.dev);
	if (ioctl(p->watch_fd, SIOCGIFINDEX, &ifr) < 0 ||
		(uint32_t)ifr.ifr_ifindex != p->end.port.ifindex)
		return err_say(e, ENODEV, "device '%s' is gone", p->end.port.dev);
	if (ioctl(p->watch_fd, SIOCGIFFLAGS, &ifr) == 0 && !(ifr.ifr_flags & IFF_UP))
		return err_say(e, ENETDOWN, "device '%s' is down", p->end.port.dev);
	return 0;
}

void tester_note(struct tester *t, const char *text)
{
	str_addf(t->note, sizeof(t->note), "%s%s", *t->note ? "; " : "", text);
}

static int watch_open(struct tester_port *p, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, p->end.port.netns_fd, e);

	if (r < 0)
		return r;
	p->watch_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return p->watch_fd < 0 ? err_set(e, errno, "cannot open a socket") : 0;
}

/* A program of somebody else would see the frames first. */
static int no_other_xdp(const struct frame_port *p, struct err *e)
{
	char name[64];
	int r = ebpf_xdp_find(p->netns_fd, (int)p->ifindex, name, sizeof(name), e);

	return r > 0 ? err_say(e, EBUSY, "device '%s' has an XDP program already: %s", p->dev, name)
		     : r;
}

static int one_cpu(const char *text, const char *option, uint32_t other, uint32_t *ret,
	struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];
	int r;

	if (!*text) {
		*ret = other;
		return 0;
	}
	r = affinity_parse(text, cpu, e);
	if (r != 1)
		return err_say(e, EINVAL, "%s: '%s' is not one CPU", option, text);
	*ret = cpu[0];
	return 0;
}

static bool among(const uint32_t *cpu, uint32_t n, uint32_t one)
{
	for (uint32_t i = 0; i < n; i++)
		if (cpu[i] == one)
			return true;
	return false;
}

/*
 * One way, sender and receiver have a CPU each. Both ways, where four are allowed and none is said,
 * each sender and each receiver; else each port has one, for two senders on one CPU would keep each
 * other from their schedules.
 */
static void spread(struct tester *t, const uint32_t *allowed, uint32_t n, uint32_t tx, uint32_t rx)
{
	const bool both = t->cfg.dir == TESTER_DIR_BOTH;
	const bool four = both && n >= 4 && !*t->cfg.tx_cpu && !*t->cfg.rx_cpu;

	for (uint32_t i = 0; i < TESTER_N_PORTS; i++) {
		struct tester_port *p = &t->port[i];

		p->tx_cpu = four ? allowed[i] : both && i == 1 ? rx : tx;
		p->rx_cpu = four ? allowed[n - 2 + i] : both && i == 0 ? tx : rx;
	}
}

static int choose_cpus(struct tester *t, struct err *e)
{
	uint32_t allowed[AFFINITY_MAX_CPUS], n = affinity_allowed(allowed), tx = 0, rx = 0;
	int r = one_cpu(t->cfg.tx_cpu, "--tx-cpu", allowed[0], &tx, e);

	if (r == 0)
		r = one_cpu(t->cfg.rx_cpu, "--rx-cpu", allowed[n - 1], &rx, e);
	if (r < 0)
		return r;
	if (!among(allowed, n, tx) || !among(allowed, n, rx))
		return err_say(e, EINVAL, "CPU %u is not one of those allowed here",
			among(allowed, n, tx) ? rx : tx);
	spread(t, allowed, n, tx, rx);
	if (t->port[1].rx_cpu == t->port[0].tx_cpu)
		tester_note(t, "sender and receiver share a CPU");
	return 0;
}

static int port_take(struct tester_port *p, struct err *e)
{
	const struct frame_port *dev = &p->end.port;
	int r = watch_open(p, e);

	if (r == 0)
		r = tester_alive(p, e);
	if (r == 0)
		r = no_other_xdp(dev, e);
	if (r == 0) {
		p->merge_off = true; /* also when only some of them are */
		r = ethtool_merge_off(dev->netns_fd, dev->dev, &p->merge, e);
	}
	return r;
}

/* Sums of one's complement have two zeros: neither is a key. */
static uint16_t random_key(void)
{
	uint16_t key = 0;

	while (key == 0 || key == 0xffff)
		if (getrandom(&key, sizeof(key), 0) != sizeof(key))
			key = (uint16_t)clock_now_ns();
	return key;
}

int tester_open(struct tester **ret, const struct tester_end *end, bool ipv6,
	const struct tester_cfg *cfg, struct err *e)
{
	_cleanup_(tester_closep) struct tester *t = xcalloc(1, sizeof(*t));
	int r;

	t->cfg = *cfg;
	t->cfg.max_frames = MAX(cfg->max_frames, (uint64_t)TESTER_TRY_FRAMES);
	t->ipv6 = ipv6;
	assert(end[0].n_ways >= 1 && end[0].n_ways == end[1].n_ways);
	t->key = random_key();
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		t->port[i] = (struct tester_port){.end = end[i],
			.sends = cfg->dir != (i == 0 ? TESTER_DIR_RX : TESTER_DIR_TX),
			.receives = cfg->dir != (i == 0 ? TESTER_DIR_TX : TESTER_DIR_RX),
			.watch_fd = -1};
	r = choose_cpus(t, e);
	for (uint32_t i = 0; r == 0 && i < TESTER_N_PORTS; i++)
		r = port_take(&t->port[i], e);
	if (r == 0)
		r = tester_choose(t, e);
	if (r != 0)
		return r;
	if (cfg->place != TESTER_PLACE_INLINE)
		tester_note(t,
			"what a port's queue in front of the receiver's CPU can't hold counts "
			"as lost by what is between the ports");
	*ret = take_ptr(t);
	return 0;
}

void tester_info(const struct tester *t, struct tester_info *ret)
{
	const struct tester_port *from = &t->port[t->port[0].sends ? 0 : 1];
	const struct tester_port *to = &t->port[t->port[1].receives ? 1 : 0];

	*ret = (struct tester_info){0};
	str_set(ret->tx, t->tx_ops->name);
	str_set(ret->rx, t->rx_ops->name);
	str_set(ret->place, place_text(to->place));
	str_set(ret->note, t->note);
	snprintf(ret->tx_cpu, sizeof(ret->tx_cpu), "%u", from->tx_cpu);
	snprintf(ret->rx_cpu, sizeof(ret->rx_cpu), "%u", to->rx_cpu);
	for (uint32_t i = 0; i < TESTER_N_PORTS; i++)
		if (ethtool_offloads(t->port[i].end.port.netns_fd, t->port[i].end.port.dev,
			    ret->offloads[i], sizeof(ret->offloads[i]), NULL) < 0)
			str_set(ret->offloads[i], "unknown");
}
