/*
 * Senders and receivers of frames that are sockets: every pair of them, over a bridge that loses
 * nothing, accounts for each frame; what is refused, overflows, or is left behind by a killed
 * process is told. Some frames may be lost in a veth's queue when the machine is busy; its devices
 * count them.
 *
 *	tx0 ---- veth ---- m0 [bridge] m1 ---- veth ---- rx0
 */
#include "net.h"

#include "base/macro.h"
#include "frame/io.h"
#include "sys/ethtool.h"
#include "sys/ns.h"
#include "sys/rtdev.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY        0x1234
#define MTU        1500
#define TRIAL      7
#define MAX_FRAMES 65536

static const char *const tx_name[] = {"afxdp", "packet", "udp"};
static const char *const rx_name[] = {"afxdp", "packet", "udp"};

struct bed {
	int tx_netns, mid_netns, rx_netns;
	struct rt *tx_rt, *mid_rt, *rx_rt;
	struct frame_port tx, rx;
};

struct form {
	bool ipv6;
	uint16_t vlan;
	const char *mix;
};

static void make_port(struct frame_port *p, struct rt *rt, int netns, const char *dev, int last)
{
	char addr[40];
	struct rt_id id;

	must(ethtool_offloads_off(netns, dev, &e_));
	snprintf(addr, sizeof(addr), "198.18.0.%d/24", last);
	must(rt_addr_add(rt, dev, addr, &e_));
	snprintf(addr, sizeof(addr), "2001:2::%d/64", last);
	must(rt_addr_add(rt, dev, addr, &e_));
	must(rt_set_up(rt, dev, &e_));
	must(rt_id(rt, dev, &id, &e_));
	*p = (struct frame_port){.netns_fd = netns, .ifindex = (uint32_t)id.ifindex, .mtu = id.mtu};
	snprintf(p->dev, sizeof(p->dev), "%s", dev);
	memcpy(p->mac, id.mac, sizeof(p->mac));
}

static void know(struct rt *rt, const char *dev, int last, const uint8_t mac[static 6])
{
	char addr[40];

	snprintf(addr, sizeof(addr), "198.18.0.%d", last);
	must(rt_neigh_add(rt, dev, addr, mac, &e_));
	snprintf(addr, sizeof(addr), "2001:2::%d", last);
	must(rt_neigh_add(rt, dev, addr, mac, &e_));
}

static void bridge(struct bed *b)
{
	static const char *const dev[] = {"m0", "m1"};

	must(rt_bridge_add(b->mid_rt, "br0", MTU, &e_));
	must(rt_set_up(b->mid_rt, "br0", &e_));
	for (size_t i = 0; i < ARRAY_SIZE(dev); i++) {
		must(ethtool_offloads_off(b->mid_netns, dev[i], &e_));
		must(rt_set_master(b->mid_rt, dev[i], "br0", &e_));
		must(rt_set_up(b->mid_rt, dev[i], &e_));
	}
}

static void bed_open(struct bed *b)
{
	const uint64_t deadline_ns = net_deadline();

	must(ns_net_new(&b->tx_netns, &e_));
	must(ns_net_new(&b->mid_netns, &e_));
	must(ns_net_new(&b->rx_netns, &e_));
	must(rt_open(&b->tx_rt, b->tx_netns, &e_));
	must(rt_open(&b->mid_rt, b->mid_netns, &e_));
	must(rt_open(&b->rx_rt, b->rx_netns, &e_));
	must(rt_veth_add(b->tx_rt, "tx0", "m0", b->mid_netns, MTU, &e_));
	must(rt_veth_add(b->rx_rt, "rx0", "m1", b->mid_netns, MTU, &e_));
	bridge(b);
	make_port(&b->tx, b->tx_rt, b->tx_netns, "tx0", 1);
	make_port(&b->rx, b->rx_rt, b->rx_netns, "rx0", 2);
	know(b->tx_rt, "tx0", 2, b->rx.mac);
	must(rt_wait_up(b->tx_rt, "tx0", deadline_ns, &e_));
	must(rt_wait_up(b->rx_rt, "rx0", deadline_ns, &e_));
}

static void bed_close(struct bed *b)
{
	rt_close(b->tx_rt);
	rt_close(b->mid_rt);
	rt_close(b->rx_rt);
	close(b->tx_netns);
	close(b->mid_netns);
	close(b->rx_netns);
}

static struct frame_stream *stream_new(const struct bed *b, const struct form *f)
{
	const struct frame_form form = {.ipv6 = f->ipv6, .vlan = f->vlan};
	const struct frame_vary vary = {.flows = 3, .networks = 1, .macs = 1};
	struct frame_addr addr = {.src_ip = {198, 18, 0, 1}, .dst_ip = {198, 18, 0, 2}};
	const struct frame_addr addr6 = {.src_ip = {0x20, 1, 0, 2, [15] = 1},
		.dst_ip = {0x20, 1, 0, 2, [15] = 2}};
	struct frame_mix mix;
	const struct frame_stream_args args = {&form, &addr, &vary, &mix, KEY};
	struct frame_stream *stream;

	if (f->ipv6)
		addr = addr6;
	memcpy(addr.src_mac, b->tx.mac, 6);
	memcpy(addr.dst_mac, b->rx.mac, 6);
	must(frame_mix_parse(&mix, f->mix, MTU, &e_));
	must(frame_stream_new(&stream, &args, &e_));
	return stream;
}

static struct frame_sent send_frames(const struct bed *b, const char *name, const struct form *f,
	uint64_t n, uint64_t fps, uint64_t at_most_ns)
{
	const struct frame_tx_ops *ops = frame_tx_find(name);
	struct frame_plan plan = {
		.magic = FRAME_MAGIC_TEST,
		.trial = TRIAL,
		.burst = 32,
		.n_phases = 1,
		.phase = {{n, FRAME_GAP_Q16((double)fps)}},
		.first_slot = 1,
	};
	_cleanup_(frame_stream_freep) struct frame_stream *stream = stream_new(b, f);
	struct frame_sent sent;
	struct frame_tx *tx;
	atomic_bool stop = false;

	assert_int_equal(must(ops->probe(&b->tx, &e_)), 0);
	must(ops->open(&tx, &b->tx, stream, &e_));
	plan.begin_ns = clock_now_ns();
	plan.end_ns = plan.begin_ns + at_most_ns;
	must(ops->run(tx, &plan, &stop, &sent, &e_));
	ops->close(tx);
	assert_int_equal(sent.sent + sent.unsent, n);
	return sent;
}

struct receiver {
	const struct frame_rx_ops *ops;
	struct frame_rx *rx;
	atomic_bool stop;
	pthread_t thread;
};

static void receiver_open(struct receiver *r, const struct bed *b, const char *name)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = MAX_FRAMES, .verify = true};

	*r = (struct receiver){.ops = frame_rx_find(name)};
	assert_int_equal(must(r->ops->probe(&b->rx, &e_)), 0);
	must(r->ops->open(&r->rx, &b->rx, &args, &e_));
	must(r->ops->begin(r->rx, TRIAL, true, &e_));
}

static void *receive(void *arg)
{
	struct receiver *r = arg;

	must(r->ops->run(r->rx, &r->stop, &e_));
	return NULL;
}

static void receiver_start(struct receiver *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void receiver_stop(struct receiver *r)
{
	atomic_store(&r->stop, true);
	assert_int_equal(pthread_join(r->thread, NULL), 0);
}

/* By the devices between: a veth's transmitting half counts what does not fit into the other's. */
static uint64_t lost_on_the_way(const struct bed *b)
{
	struct rt_drops mid;

	must(rt_drops(b->mid_rt, &mid, &e_));
	return mid.tx + mid.rx;
}

static void check(struct receiver *r, const struct bed *b, const struct frame_sent *sent,
	uint64_t lost_before, struct frame_count *ret)
{
	const uint64_t overflowed = r->ops->overflowed(r->rx);

	must(r->ops->read(r->rx, sent->sent, ret, NULL, &e_));
	assert_int_equal(ret->received + overflowed + lost_on_the_way(b) - lost_before, sent->sent);
	assert_int_equal(ret->duplicated + ret->corrupt + ret->late + ret->learned, 0);
	assert_int_equal(ret->reordered, 0);
	if (ret->received == sent->sent)
		assert_true(ret->first_lost_seq == UINT64_MAX);
}

static void one_pair(const struct bed *b, const char *tx, const char *rx, const struct form *f)
{
	const uint64_t n = 2000, lost_before = lost_on_the_way(b);
	const uint32_t n_fds = net_count_fds();
	struct frame_count got;
	struct frame_sent sent;
	struct receiver r;

	receiver_open(&r, b, rx);
	receiver_start(&r);
	sent = send_frames(b, tx, f, n, 100000, 10 * NSEC_PER_SEC);
	receiver_stop(&r);
	assert_int_equal(sent.sent, n);
	assert_int_equal(sent.modifiers, 0);
	check(&r, b, &sent, lost_before, &got);
	if (got.received == n && strcmp(f->mix, "64") == 0)
		assert_int_equal(got.bytes, n * 64);
	assert_true(got.first_ns >= sent.first_ns - NSEC_PER_MSEC);
	r.ops->close(r.rx);
	assert_int_equal(net_count_fds(), n_fds);
	print_message("# %s -> %s: %lu of %lu\n", tx, rx, got.received, sent.sent);
}

static void every_pair_is_exact(void **state)
{
	struct bed *b = *state;
	const struct form plain = {.mix = "64"};

	for (size_t i = 0; i < ARRAY_SIZE(tx_name); i++)
		for (size_t j = 0; j < ARRAY_SIZE(rx_name); j++)
			one_pair(b, tx_name[i], rx_name[j], &plain);
}

/* Where a receiver sees no tag, e.g. since the kernel takes it off, it is put back. */
static void other_forms_are_exact(void **state)
{
	struct bed *b = *state;
	const struct form ipv6 = {.ipv6 = true, .mix = "imix-ipv6"};
	const struct form tagged = {.vlan = 5, .mix = "imix"};

	one_pair(b, "udp", "udp", &ipv6);
	for (size_t i = 0; i < 2; i++) {
		one_pair(b, tx_name[i], rx_name[1 - i], &ipv6);
		one_pair(b, tx_name[i], rx_name[i], &tagged);
	}
}

/* Nobody takes frames until all are sent. */
static void overflow_is_counted(void **state)
{
	struct bed *b = *state;
	const struct form large = {.mix = "1518"};

	for (size_t j = 0; j < ARRAY_SIZE(rx_name); j++) {
		const uint64_t lost_before = lost_on_the_way(b);
		struct frame_count got;
		struct frame_sent sent;
		struct receiver r;

		receiver_open(&r, b, rx_name[j]);
		sent = send_frames(b, "packet", &large, 15000, 10000000, 10 * NSEC_PER_SEC);
		receiver_start(&r);
		receiver_stop(&r);
		assert_int_equal(sent.sent, 15000);
		check(&r, b, &sent, lost_before, &got);
		assert_true(got.received > 1000);
		assert_true(r.ops->overflowed(r.rx) > 1000);
		/* The next trial begins with none of it. */
		must(r.ops->begin(r.rx, TRIAL + 1, false, &e_));
		must(r.ops->read(r.rx, 0, &got, NULL, &e_));
		assert_int_equal(got.received + got.late + r.ops->overflowed(r.rx), 0);
		r.ops->close(r.rx);
	}
}

/* The device's other half takes no packets of that size, so the device drops each. */
static void what_the_device_drops_is_not_sent(void **state)
{
	struct bed *b = *state;
	const struct form large = {.mix = "1518"};

	must(rt_set_mtu(b->mid_rt, "m0", 1000, &e_));
	for (size_t i = 0; i < ARRAY_SIZE(tx_name); i++) {
		struct frame_sent sent =
			send_frames(b, tx_name[i], &large, 100, 1000000, 10 * NSEC_PER_MSEC);

		assert_int_equal(sent.sent, 0);
		assert_true(sent.refused > 0);
	}
	must(rt_set_mtu(b->mid_rt, "m0", MTU, &e_));
}

/* What a UDP socket can't do is said, not left out. */
static void udp_says_what_it_lacks(void **state)
{
	struct bed *b = *state;
	const struct form tagged = {.vlan = 5, .mix = "128"};
	_cleanup_(frame_stream_freep) struct frame_stream *stream = stream_new(b, &tagged);
	struct frame_tx *tx;
	struct err e = {0};

	assert_int_equal(frame_tx_find("udp")->open(&tx, &b->tx, stream, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, "VLAN"));
}

/* A device whose receiver was killed can be taken by another one. */
static void killed_leaves_nothing(void **state)
{
	struct bed *b = *state;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct receiver r;

		receiver_open(&r, b, "afxdp");
		(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	one_pair(b, "afxdp", "afxdp", &(struct form){.mix = "64"});
}

static int setup(void **state)
{
	static struct bed b;

	bed_open(&b);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	bed_close(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_is_exact),
		cmocka_unit_test(other_forms_are_exact),
		cmocka_unit_test(overflow_is_counted),
		cmocka_unit_test(what_the_device_drops_is_not_sent),
		cmocka_unit_test(udp_says_what_it_lacks),
		cmocka_unit_test(killed_leaves_nothing),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP AF_XDP takes root\n");
		return 0;
	}
	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, setup, teardown);
}
