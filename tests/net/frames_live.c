/*
 * The sender and the receiver of test frames inside the kernel, over a SUT that is a bridge or a
 * router: what was sent, what came in, and what a program on the way took out are equal to the
 * frame.
 *
 *	tester 0          SUT                   tester 1
 *	a (198.18.0.1) == r0 [br0, or routes] r1 == b (198.19.0.1)
 *	^ sends            ^ drops each 10th        ^ counts
 */
#include "net.h"

#include "base/macro.h"
#include "base/str.h"
#include "frame/headers.h"
#include "frame/io.h"
#include "sys/affinity.h"
#include "sys/ebpf.h"
#include "sys/ethtool.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/rtnl.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define KEY      0x4ae1
#define N_FRAMES 20000
#define DROPPED  10 /* each tenth */

struct sut {
	int fd, end_fd[2];
	struct rt *rt, *end_rt[2];
	struct frame_port port[2];
	uint8_t r0_mac[6];
	int r_ifindex[2]; /* of the SUT's devices */
	bool routed;
};

static const struct frame_tx_ops *tx_ops;
static const struct frame_rx_ops *rx_ops;
static const char *const r_dev[] = {"r0", "r1"};
static const char *const t_dev[] = {"a", "b"};
static const char *const t_addr[] = {"198.18.0.1/24", "198.19.0.1/24"};
static const char *const r_addr[] = {"198.18.0.2/24", "198.19.0.2/24"};

static void add_pair(struct sut *s, int i)
{
	struct frame_port *p = &s->port[i];
	struct rt_id id;

	must(ns_net_new(&s->end_fd[i], &e_));
	must(rt_open(&s->end_rt[i], s->end_fd[i], &e_));
	must(rt_veth_add(s->rt, r_dev[i], t_dev[i], s->end_fd[i], 1500, &e_));
	must(rt_set_up(s->rt, r_dev[i], &e_));
	must(rt_set_up(s->end_rt[i], t_dev[i], &e_));
	must(rt_addr_add(s->end_rt[i], t_dev[i], t_addr[i], &e_));
	if (s->routed)
		must(rt_addr_add(s->rt, r_dev[i], r_addr[i], &e_));
	else
		must(rt_set_master(s->rt, r_dev[i], "br0", &e_));
	must(ethtool_set(s->fd, r_dev[i], ETHTOOL_GRO, true, &e_));
	must(rt_id(s->rt, r_dev[i], &id, &e_));
	s->r_ifindex[i] = id.ifindex;
	if (i == 0)
		memcpy(s->r0_mac, id.mac, sizeof(s->r0_mac));
	must(rt_id(s->end_rt[i], t_dev[i], &id, &e_));
	*p = (struct frame_port){.netns_fd = s->end_fd[i],
		.ifindex = (uint32_t)id.ifindex,
		.mtu = id.mtu};
	str_set(p->dev, t_dev[i]);
	memcpy(p->mac, id.mac, sizeof(p->mac));
	must(rt_wait_up(s->rt, r_dev[i], net_deadline(), &e_));
}

static void sut_open(struct sut *s, bool routed)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	*s = (struct sut){.routed = routed};
	must(ns_net_new(&s->fd, &e_));
	must(rt_open(&s->rt, s->fd, &e_));
	if (!routed) {
		must(rt_bridge_add(s->rt, "br0", 1500, &e_));
		must(rt_set_up(s->rt, "br0", &e_));
	}
	for (int i = 0; i < 2; i++)
		add_pair(s, i);
	must(ns_scope_enter(&scope, s->fd, &e_));
	if (routed)
		must(file_sysctl_write("net/ipv4/ip_forward", "1", &e_));
}

static void sut_close(struct sut *s)
{
	for (int i = 0; i < 2; i++) {
		rt_close(s->end_rt[i]);
		close(s->end_fd[i]);
	}
	rt_close(s->rt);
	close(s->fd);
}

static struct frame_stream *stream_new(const struct sut *s, const struct frame_form *form,
	const char *mix_text, uint32_t broadcast_every)
{
	struct frame_addr addr = {.src_ip = {198, 18, 0, 1}, .dst_ip = {198, 19, 0, 1}};
	const struct frame_vary vary = {.flows = 3,
		.networks = 1,
		.macs = 1,
		.broadcast_every = broadcast_every};
	struct frame_mix mix;
	const struct frame_stream_args args = {form, &addr, &vary, &mix, KEY};
	struct frame_stream *stream;

	memcpy(addr.src_mac, s->port[0].mac, 6);
	memcpy(addr.dst_mac, s->routed ? s->r0_mac : s->port[1].mac, 6);
	must(frame_mix_parse(&mix, mix_text, 1500, &e_));
	must(frame_stream_new(&stream, &args, &e_));
	return stream;
}

/* Sends @n frames as fast as it goes, and waits until so many came in, or no more come. */
static void trial(struct frame_tx *tx, struct frame_rx *rx, const struct frame_plan *how,
	uint64_t expected, struct frame_sent *sent, struct frame_count *got)
{
	struct frame_plan plan = *how;
	const atomic_bool stop = false;
	uint64_t deadline_ns = net_deadline();

	plan.begin_ns = clock_now_ns() + NSEC_PER_MSEC;
	plan.end_ns = plan.begin_ns + 8 * NSEC_PER_SEC;
	must(tx_ops->run(tx, &plan, &stop, sent, &e_));
	do
		must(rx_ops->read(rx, sent->sent, got, NULL, &e_));
	while (got->received + got->learned < expected && clock_now_ns() < deadline_ns);
}

static struct frame_plan plan_of(uint8_t number, uint64_t n)
{
	return (struct frame_plan){.magic = FRAME_MAGIC_TEST,
		.trial = number,
		.burst = 1,
		.n_phases = 1,
		.phase = {{.n_frames = n}}};
}

/* Until one goes through: the router has to find the neighbour, and lets frames wait meanwhile. */
static void learn(struct frame_tx *tx, struct frame_rx *rx)
{
	struct frame_plan plan = plan_of(0, 1);
	struct frame_sent sent;
	struct frame_count got;

	plan.magic = FRAME_MAGIC_LEARN;
	must(rx_ops->begin(rx, 0, false, &e_));
	trial(tx, rx, &plan, 1, &sent, &got);
	assert_int_equal(got.learned, 1);
	assert_int_equal(got.received, 0);
}

static uint64_t bytes_of(const struct frame_stream *s, uint64_t n, uint64_t *ret_test)
{
	uint64_t bytes = 0;

	*ret_test = 0;
	for (uint64_t i = 0; i < n; i++) {
		const struct frame_slot *slot = &s->slot[i % s->n_slots];

		if (slot->kind == FRAME_SLOT_MODIFIER)
			continue;
		(*ret_test)++;
		bytes += slot->len + FRAME_FCS_BYTES;
	}
	return bytes;
}

/*
 * On the SUT's first device, counts IPv4 frames, overwrites eight bytes of each tenth behind where
 * the sender writes anew, and drops it: r6 = data, r7 = data_end.
 */
static int attach_dropper(const struct sut *s, int *ret_map_fd)
{
	int map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL), prog_fd, link_fd = -1;
	const struct bpf_insn insn[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 6, .src_reg = 1, .off = 0},
		{.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 7, .src_reg = 1, .off = 4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 3, .src_reg = 6},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 3, .imm = ETH_HLEN},
		{.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 3, .src_reg = 7, .off = 14},
		{.code = BPF_LDX | BPF_MEM | BPF_H, .dst_reg = 4, .src_reg = 6, .off = 12},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 4, .imm = 8, .off = 12},
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = 1,
			.src_reg = BPF_PSEUDO_MAP_VALUE,
			.imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
			.dst_reg = 1,
			.src_reg = 0,
			.imm = BPF_ADD | BPF_FETCH},
		{.code = BPF_ALU64 | BPF_MOD | BPF_K, .dst_reg = 0, .imm = DROPPED},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 0, .imm = DROPPED - 1, .off = 6},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 3, .src_reg = 6},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 3, .imm = 72},
		{.code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = 3, .src_reg = 7, .off = 1},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 6, .src_reg = 0, .off = 64},
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};

	assert_true(map_fd >= 0);
	prog_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "tenth", "", insn, ARRAY_SIZE(insn), NULL);
	assert_true(prog_fd >= 0);
	must(ebpf_xdp_attach(&link_fd, s->fd, s->r_ifindex[0], prog_fd, EBPF_XDP_NATIVE, &e_));
	close(prog_fd);
	*ret_map_fd = map_fd;
	return link_fd;
}

struct variant {
	const char *name, *mix;
	struct frame_form form;
	uint32_t broadcast_every;
	bool routed, drops;
};

static const struct variant variants[] = {
	{"bridge, 64 bytes", "64", .drops = false},
	{"router, mix of sizes", "imix", .routed = true},
	{"router, each tenth dropped", "imix:abg", .routed = true, .drops = true},
	{"bridge, IPv6, broadcasts", "78", .form = {.ipv6 = true}, .broadcast_every = 100},
	{"bridge, VLAN", "128", .form = {.vlan = 5}},
};

static void count_is_right(const struct variant *v, const struct frame_stream *s,
	const struct frame_sent *sent, const struct frame_count *got)
{
	const uint64_t lost = v->drops ? N_FRAMES / DROPPED : 0;
	uint64_t n, bytes = bytes_of(s, N_FRAMES, &n);

	assert_int_equal(sent->sent, n);
	assert_int_equal(sent->modifiers, N_FRAMES - n);
	assert_int_equal(sent->unsent, 0);
	assert_int_equal(got->received, n - lost);
	assert_int_equal(got->duplicated + got->corrupt + got->late + got->reordered, 0);
	assert_true(got->first_ns >= sent->first_ns && got->last_ns >= got->first_ns);
	if (v->drops) {
		assert_int_equal(got->first_lost_seq, DROPPED - 1);
		assert_int_equal(got->last_lost_seq, N_FRAMES - 1);
		return;
	}
	assert_true(got->first_lost_seq == UINT64_MAX && got->last_lost_seq == UINT64_MAX);
	/* The bridge's second device keeps a tag beside the frame, not in it. */
	assert_int_equal(got->bytes, bytes - (v->form.vlan ? 4 * n : 0));
}

/* Twice, for the second trial must not remember the first. */
static void counts_exactly(void **state)
{
	const struct variant *v = *state;
	const struct frame_rx_args args = {.key = KEY, .max_frames = N_FRAMES, .verify = true};
	struct frame_stream *stream;
	struct frame_tx *tx;
	struct frame_rx *rx;
	struct sut s;

	sut_open(&s, v->routed);
	stream = stream_new(&s, &v->form, v->mix, v->broadcast_every);
	must(tx_ops->open(&tx, &s.port[0], stream, &e_));
	must(rx_ops->open(&rx, &s.port[1], &args, &e_));
	learn(tx, rx);
	for (uint8_t i = 1; i <= 2; i++) {
		struct frame_plan plan = plan_of(i, N_FRAMES);
		int map_fd = -1, link_fd = v->drops ? attach_dropper(&s, &map_fd) : -1;
		struct frame_sent sent;
		struct frame_count got;

		must(rx_ops->begin(rx, i, false, &e_));
		trial(tx, rx, &plan,
			N_FRAMES - N_FRAMES / DROPPED * v->drops -
				(v->broadcast_every ? N_FRAMES / v->broadcast_every : 0),
			&sent, &got);
		count_is_right(v, stream, &sent, &got);
		closep(&link_fd);
		closep(&map_fd);
	}
	tx_ops->close(tx);
	rx_ops->close(rx);
	frame_stream_free(stream);
	sut_close(&s);
}

/* All of two phases, and no frame before it was due; a third with no pace at all. */
static void keeps_schedule(void **state)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = 1 << 16};
	const struct frame_form form = {0};
	struct frame_plan plan = plan_of(1, 2000);
	struct frame_stream *stream;
	struct frame_sent sent;
	struct frame_count got;
	struct frame_tx *tx;
	struct frame_rx *rx;
	struct hist hist;
	struct sut s;

	(void)state;
	sut_open(&s, false);
	stream = stream_new(&s, &form, "64", 0);
	must(tx_ops->open(&tx, &s.port[0], stream, &e_));
	must(rx_ops->open(&rx, &s.port[1], &args, &e_));
	must(rx_ops->begin(rx, 1, true, &e_));
	plan.burst = 8;
	plan.n_phases = 3;
	plan.phase[0] = (struct frame_phase){2001, FRAME_GAP_Q16(100000)};
	plan.phase[1] = (struct frame_phase){1000, FRAME_GAP_Q16(50000)};
	plan.phase[2] = (struct frame_phase){999, 0};
	trial(tx, rx, &plan, 4000, &sent, &got);
	assert_int_equal(sent.sent, 4000);
	assert_int_equal(got.received, 4000);
	assert_int_equal(got.reordered, 0);
	/* 20.01 and 20 ms, before the third */
	assert_true(sent.last_ns - sent.first_ns + sent.slip_max_ns >= 40 * NSEC_PER_MSEC);
	hist_init(&hist);
	must(rx_ops->read(rx, sent.sent, &got, &hist, &e_));
	assert_int_equal(hist.count, 4000);
	assert_true(hist.min_ns <= hist.max_ns && hist.max_ns < 10 * NSEC_PER_SEC);
	tx_ops->close(tx);
	rx_ops->close(rx);
	frame_stream_free(stream);
	sut_close(&s);
}

/* A plan that can't be done by its end; and one that is called off. */
static void ends_early(void **state)
{
	const struct frame_form form = {0};
	struct frame_plan plan = plan_of(1, 1000000);
	atomic_bool stop = false;
	struct frame_stream *stream;
	struct frame_sent sent;
	struct frame_tx *tx;
	struct sut s;

	(void)state;
	sut_open(&s, false);
	stream = stream_new(&s, &form, "64", 0);
	must(tx_ops->open(&tx, &s.port[0], stream, &e_));
	plan.phase[0].gap_q16 = FRAME_GAP_Q16(1000);
	plan.begin_ns = clock_now_ns();
	plan.end_ns = plan.begin_ns + 50 * NSEC_PER_MSEC;
	must(tx_ops->run(tx, &plan, &stop, &sent, &e_));
	assert_true(sent.sent > 0 && sent.sent <= 51);
	assert_int_equal(sent.sent + sent.unsent, 1000000);
	atomic_store(&stop, true);
	plan.end_ns = plan.begin_ns + 1000 * NSEC_PER_SEC;
	must(tx_ops->run(tx, &plan, &stop, &sent, &e_));
	assert_true(sent.unsent > 0);
	tx_ops->close(tx);
	frame_stream_free(stream);
	sut_close(&s);
}

/* A packet socket on the SUT's second device. */
static int packet_socket(const struct sut *s)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_ifindex = s->r_ifindex[1]};
	int fd;

	must(ns_scope_enter(&scope, s->fd, &e_));
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* By hand, one of each kind. */
static void tells_kinds_apart(void **state)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = 100, .verify = true};
	const struct frame_form form = {0};
	struct frame_stream *stream;
	struct frame_count got;
	uint64_t deadline_ns = net_deadline();
	const struct frame_slot *slot;
	uint8_t buf[128];
	struct frame_rx *rx;
	struct sut s;
	int fd;

	(void)state;
	sut_open(&s, false);
	stream = stream_new(&s, &form, "128", 0);
	slot = &stream->slot[0];
	must(rx_ops->open(&rx, &s.port[1], &args, &e_));
	must(rx_ops->begin(rx, 7, false, &e_));
	fd = packet_socket(&s);
	memcpy(buf, slot->bytes, slot->len);
#define SEND(magic, trial, seq)                                                                    \
	do {                                                                                       \
		frame_mark_put(buf + slot->mark_at, KEY, magic, trial, seq, clock_now_ns());       \
		assert_int_equal(send(fd, buf, slot->len, 0), slot->len);                          \
	} while (0)
	SEND(FRAME_MAGIC_TEST, 7, 0);
	SEND(FRAME_MAGIC_TEST, 7, 70);
	SEND(FRAME_MAGIC_TEST, 7, 3);  /* after a higher one */
	SEND(FRAME_MAGIC_TEST, 7, 70); /* twice */
	SEND(FRAME_MAGIC_TEST, 6, 1);  /* of another trial */
	SEND(FRAME_MAGIC_LEARN, 7, 1);
	SEND(FRAME_MAGIC_TEST, 7, 100); /* no such number */
	buf[slot->len - 1] ^= 1;
	SEND(FRAME_MAGIC_TEST, 7, 1); /* a bit fell over: in the payload */
	buf[slot->len - 1] ^= 1;
	assert_int_equal(send(fd, buf, slot->len - 2, 0), slot->len - 2); /* too short */
	buf[slot->mark_at] ^= 1;                                          /* the mark is none */
	assert_int_equal(send(fd, buf, slot->len, 0), slot->len);
	do
		must(rx_ops->read(rx, 71, &got, NULL, &e_));
	while (got.alien < 1 && clock_now_ns() < deadline_ns);
	assert_int_equal(got.received, 3);
	assert_int_equal(got.reordered, 1);
	assert_int_equal(got.duplicated, 1);
	assert_int_equal(got.late, 1);
	assert_int_equal(got.learned, 1);
	assert_int_equal(got.corrupt, 3);
	assert_true(got.alien >= 1); /* IPv6 sends something of its own */
	assert_int_equal(got.bytes, 3 * 128);
	assert_int_equal(got.first_lost_seq, 1);
	assert_int_equal(got.last_lost_seq, 69);
	close(fd);
	rx_ops->close(rx);
	frame_stream_free(stream);
	sut_close(&s);
}

/* Sends a frame as it is, and counts it here as well. */
static void both(int fd, struct frame_counter *c, const uint8_t *bytes, uint32_t len)
{
	if (len < ETH_HEAD_BYTES) /* no frame at all */
		return;
	assert_int_equal(send(fd, bytes, len, 0), len);
	frame_counter_add(c, bytes, len, 1);
}

/* Every bit turned over, every length, every length that a header could claim, and fragments. */
static void damage(int fd, struct frame_counter *c, const struct frame_stream *s, uint8_t *f)
{
	const uint32_t len = s->slot[0].len, mark_at = s->slot[0].mark_at;

	for (uint32_t bit = 12 * 8; bit < (mark_at + 14) * 8; bit++) {
		f[bit / 8] ^= (uint8_t)(1 << bit % 8);
		both(fd, c, f, len);
		f[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (uint32_t n = mark_at - 8; n < len + 20; n++)
		both(fd, c, f, n);
	for (uint32_t udp_len = 0; udp_len < 40; udp_len++) {
		const uint32_t ip_at = s->form.vlan ? 18 : 14;

		put16(f + mark_at - 4, (uint16_t)udp_len);
		both(fd, c, f, len);
		if (s->form.ipv6)
			put16(f + ip_at + 4, (uint16_t)udp_len);
		else
			put16(f + ip_at + 2, (uint16_t)(udp_len + 20));
		for (uint32_t n = mark_at + 12; n < 70; n++)
			both(fd, c, f, n);
	}
}

/* The program and frame/count.c put each frame into the same class. */
static void counts_as_user_space(void **state)
{
	struct sut s;

	(void)state;
	sut_open(&s, false);
	for (uint32_t i = 0; i < 8; i++) {
		const struct frame_rx_args args = {.key = KEY,
			.max_frames = 100,
			.verify = i % 2 == 1};
		const struct frame_form form = {.ipv6 = i & 2, .vlan = i & 4 ? 5 : 0};
		struct frame_stream *stream = stream_new(&s, &form, "90", 0);
		struct frame_counter *c = frame_counter_new(KEY, args.max_frames);
		const uint64_t deadline_ns = net_deadline();
		struct frame_count got, here;
		uint8_t f[128] = {0};
		struct frame_rx *rx;
		int fd = packet_socket(&s);

		must(rx_ops->open(&rx, &s.port[1], &args, &e_));
		must(rx_ops->begin(rx, 7, false, &e_));
		frame_counter_begin(c, 7, false, args.verify);
		memcpy(f, stream->slot[0].bytes, stream->slot[0].len);
		frame_mark_put(f + stream->slot[0].mark_at, KEY, FRAME_MAGIC_TEST, 7, 3, 0);
		damage(fd, c, stream, f);
		memcpy(f, stream->slot[0].bytes, stream->slot[0].len);
		frame_mark_put(f + stream->slot[0].mark_at, KEY, FRAME_MAGIC_LEARN, 7, 9, 0);
		both(fd, c, f, stream->slot[0].len); /* the last one */
		do
			must(rx_ops->read(rx, 0, &got, NULL, &e_));
		while (got.learned < 1 && clock_now_ns() < deadline_ns);
		frame_counter_read(c, 0, &here, NULL);
		assert_int_equal(got.received, here.received);
		assert_int_equal(got.duplicated, here.duplicated);
		assert_int_equal(got.corrupt, here.corrupt);
		assert_int_equal(got.late, here.late);
		assert_int_equal(got.learned, here.learned);
		assert_true(got.alien >= here.alien);
		close(fd);
		rx_ops->close(rx);
		frame_counter_free(c);
		frame_stream_free(stream);
	}
	sut_close(&s);
}

static void says_what_is_missing(void **state)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = 100};
	struct frame_rx *rx, *rx2;
	struct err e = {0};
	struct sut s;

	(void)state;
	sut_open(&s, false);
	assert_int_equal(must(tx_ops->probe(&s.port[0], &e_)), 0);
	assert_int_equal(must(rx_ops->probe(&s.port[1], &e_)), 0);
	must(ethtool_set(s.fd, "r0", ETHTOOL_GRO, false, &e_));
	assert_int_equal(tx_ops->probe(&s.port[0], &e), FRAME_UNAVAILABLE);
	assert_non_null(strstr(e.text, "'a' takes no frames from XDP programs"));
	must(rx_ops->open(&rx, &s.port[1], &args, &e_));
	assert_int_equal(rx_ops->open(&rx2, &s.port[1], &args, &e), -EBUSY);
	assert_non_null(
		strstr(e.text, "'b': another XDP program is on the device: 'frame_rx', id"));
	assert_int_equal(rx_ops->probe(&s.port[1], &e), FRAME_UNAVAILABLE);
	rx_ops->close(rx);
	sut_close(&s);
}

static uint32_t prog_on(const struct frame_port *p)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	struct rt_id id;
	_cleanup_(rt_closep) struct rt *rt = NULL;
	uint32_t prog = 0;

	must(ns_scope_enter(&scope, p->netns_fd, &e_));
	must(rt_open_here(&rt, &e_));
	must(rt_id(rt, p->dev, &id, &e_));
	assert_int_equal(ebpf_xdp_id(id.ifindex, &prog), 0);
	return prog;
}

static void hold(const struct sut *s, int ready_fd)
{
	const struct frame_rx_args args = {.key = KEY, .max_frames = 100};
	struct frame_rx *rx;
	struct err e = {0};

	if (rx_ops->open(&rx, &s->port[1], &args, &e) == 0)
		(void)!write(ready_fd, "x", 1);
	for (;;)
		(void)pause();
}

static void kill_leaves_nothing(void **state)
{
	uint64_t deadline_ns = net_deadline();
	int ready[2], status;
	struct sut s;
	char byte;
	pid_t pid;

	(void)state;
	sut_open(&s, false);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		hold(&s, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(prog_on(&s.port[1]) > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (prog_on(&s.port[1]) > 0)
		if (clock_now_ns() > deadline_ns)
			fail_msg("the program is still on the device");
	close(ready[0]);
	close(ready[1]);
	sut_close(&s);
}

/* Where live frames can't be had, everything here is skipped. */
static bool is_possible(void)
{
	struct err e = {0};
	struct sut s;
	int r;

	sut_open(&s, false);
	r = tx_ops->probe(&s.port[0], &e);
	sut_close(&s);
	if (r != 0)
		printf("1..0 # SKIP %s\n", e.text);
	return r == 0;
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(variants) + 5] = {
		cmocka_unit_test(keeps_schedule),
		cmocka_unit_test(ends_early),
		cmocka_unit_test(tells_kinds_apart),
		cmocka_unit_test(counts_as_user_space),
		cmocka_unit_test(says_what_is_missing),
		cmocka_unit_test(kill_leaves_nothing),
	};
	uint32_t cpu[AFFINITY_MAX_CPUS];
	struct err e = {0};

	tx_ops = frame_tx_find("live");
	rx_ops = frame_rx_find("xdp");
	if (net_begin() < 0 || !is_possible())
		return 0;
	/* The SUT works in soft interrupts, on the CPU that sends. */
	if (affinity_allowed(cpu) == 0 || affinity_pin(cpu[0], &e) < 0)
		printf("# not pinned: %s\n", e.text);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		tests[5 + i] = (struct CMUnitTest){.name = variants[i].name,
			.test_func = counts_exactly,
			.initial_state = (void *)(uintptr_t)&variants[i]};
	return cmocka_run_group_tests_name("frames_live", tests, NULL, NULL);
}
