/*
 * Makes the frames of a stream. A slot's frame has all that varies with the slot's number: so many
 * slots are made that sizes, flows, networks, hardware addresses and modifiers all end a round with
 * the last. A modifier takes the place of a test frame: what varies counts on over it.
 *
 * Many addresses take turns, each with a frame of the same kind: so they all get the same load of
 * each size, and test frame number n is of address n % n_addrs, modifiers or not.
 */
#include "frame/stream.h"

#include "base/macro.h"
#include "base/mem.h"
#include "frame/headers.h"

#include <errno.h>
#include <string.h>

/*
 * Modifiers go to the discard port, which nobody answers.
 * Ref: RFC 2544 s.11.1: "of a type that the router will not need to process"; RFC 863.
 */
#define PORT_DISCARD 9

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		const uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static uint64_t lcm(uint64_t a, uint64_t b)
{
	return a / gcd(a, b) * b;
}

/* Length of a whole round, or more than FRAME_MAX_SLOTS; each factor is a uint32_t. */
static uint64_t round_slots(const struct frame_stream_args *args)
{
	const struct frame_mix *mix = args->mix;
	const struct frame_vary *vary = args->vary;
	const uint32_t factor[] = {mix->n, vary->flows, vary->networks, vary->macs,
		MAX(vary->broadcast_every, 1U)};
	uint64_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(factor) && n <= FRAME_MAX_SLOTS; i++)
		n = lcm(n, factor[i]);
	return n * MAX(args->n_addrs, 1U);
}

static int check(const struct frame_stream_args *args, struct err *e)
{
	const struct frame_vary *v = args->vary;
	const uint32_t least = frame_smallest_bytes(args->form);
	uint64_t n;

	assert(args->key != 0 && args->key != 0xffff && args->mix->n > 0);
	assert(args->n_addrs <= FRAME_MAX_ADDRS);
	for (uint32_t i = 0; i < args->mix->n; i++)
		if (args->mix->size[i] < least || args->mix->size[i] > FRAME_MAX_BYTES)
			return err_say(e, EINVAL,
				"a frame of %u bytes: %s frames%s are of %u to %d bytes",
				args->mix->size[i], args->form->ipv6 ? "IPv6" : "IPv4",
				args->form->vlan ? " with a VLAN tag" : "", least, FRAME_MAX_BYTES);
	if (args->form->vlan > 4094)
		return err_say(e, EINVAL, "VLAN tag %u is not between 1 and 4094",
			args->form->vlan);
	if (v->flows < 1 || v->networks < 1 || v->networks > 256 || v->macs < 1)
		return err_say(e, EINVAL,
			"flows and addresses are at least 1, networks at most 256");
	n = round_slots(args);
	if (n <= FRAME_MAX_SLOTS)
		return 0;
	return err_say(e, E2BIG,
		"%u sizes, %u flows, %u networks, %u hardware addresses%s%s together repeat after "
		"more than %d frames",
		args->mix->n, v->flows, v->networks, v->macs,
		v->broadcast_every ? " and broadcasts" : "",
		args->n_addrs > 1 ? ", for each instance," : "", FRAME_MAX_SLOTS);
}

/* @turn: of all addresses */
static struct frame_addr vary_addr(const struct frame_stream *s, uint32_t i, uint32_t turn)
{
	struct frame_addr addr = s->addr[i % s->n_addrs];
	uint8_t *network = &addr.dst_ip[s->form.ipv6 ? 5 : 2];

	*network = (uint8_t)(*network + turn % s->vary.networks);
	put16(addr.dst_mac + 4, (uint16_t)(get16(addr.dst_mac + 4) + turn % s->vary.macs));
	return addr;
}

/* Ref: RFC 919 s.7; RFC 4291 s.2.7.1 and RFC 2464 s.7 for IPv6, which has no broadcast. */
static struct frame_addr everybody(const struct frame_stream *s, uint32_t i)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, [5] = 1};
	struct frame_addr addr = s->addr[i % s->n_addrs];

	memset(addr.dst_mac, 0xff, sizeof(addr.dst_mac));
	memset(addr.dst_ip, 0xff, sizeof(addr.dst_ip));
	if (s->form.ipv6) {
		memcpy(addr.dst_mac, all_nodes_mac, sizeof(addr.dst_mac));
		memcpy(addr.dst_ip, all_nodes, sizeof(addr.dst_ip));
	}
	return addr;
}

static bool is_modifier(const struct frame_stream *s, uint32_t turn)
{
	return s->vary.broadcast_every && (turn + 1) % s->vary.broadcast_every == 0;
}

uint64_t frame_stream_test_frames(const struct frame_stream *s, uint64_t n)
{
	const uint64_t turns = n / s->n_addrs, every = s->vary.broadcast_every;

	if (!every)
		return n;
	n -= turns / every * s->n_addrs;
	return (turns + 1) % every == 0 ? n - n % s->n_addrs : n;
}

static void make_slot(struct frame_stream *s, uint32_t i, uint8_t *bytes)
{
	struct frame_slot *slot = &s->slot[i];
	const uint32_t turn = i / s->n_addrs;
	const bool modifier = is_modifier(s, turn);
	const struct frame_addr addr = modifier ? everybody(s, i) : vary_addr(s, i, turn);
	const struct headers_args head = {.form = &s->form,
		.addr = &addr,
		.src_port = (uint16_t)(FRAME_PORT_FIRST + turn % s->vary.flows),
		.dst_port = modifier        ? PORT_DISCARD
			    : addr.dst_port ? addr.dst_port
					    : FRAME_PORT_ECHO,
		.len = slot->len};

	slot->kind = modifier ? FRAME_SLOT_MODIFIER : FRAME_SLOT_TEST;
	slot->mark_at = headers_put(bytes, &head);
	/* The octet's place in the payload. Ref: RFC 2544 appendix C.2.6.4 */
	for (uint32_t k = slot->mark_at; k < slot->len; k++)
		bytes[k] = (uint8_t)(k - slot->mark_at);
	if (!modifier)
		frame_mark_put(bytes + slot->mark_at, s->key, FRAME_MAGIC_TEST, 0, 0, 0);
	headers_seal(bytes, &head);
	slot->bytes = bytes;
}

/* One after the other, each aligned as a word. */
static size_t room_of(const struct frame_slot *slot)
{
	return (slot->len + 7) / 8 * 8;
}

static void make_all(struct frame_stream *s)
{
	size_t room = 0, at = 0;

	for (uint32_t i = 0; i < s->n_slots; i++) {
		s->slot[i].len = s->mix.size[i / s->n_addrs % s->mix.n] - FRAME_FCS_BYTES;
		s->max_len = MAX(s->max_len, s->slot[i].len);
		room += room_of(&s->slot[i]);
	}
	s->room = xcalloc(room, 1);
	for (uint32_t i = 0; i < s->n_slots; i++) {
		make_slot(s, i, s->room + at);
		at += room_of(&s->slot[i]);
	}
}

int frame_stream_new(struct frame_stream **ret, const struct frame_stream_args *args, struct err *e)
{
	struct frame_stream *s;
	int r = check(args, e);

	if (r < 0)
		return r;
	s = xcalloc(1, sizeof(*s));
	s->form = *args->form;
	s->n_addrs = MAX(args->n_addrs, 1U);
	memcpy(s->addr, args->addr, s->n_addrs * sizeof(s->addr[0]));
	s->vary = *args->vary;
	s->mix = *args->mix;
	s->key = args->key;
	s->n_slots = (uint32_t)round_slots(args);
	s->slot = xcalloc(s->n_slots, sizeof(*s->slot));
	s->mean_bytes = args->mix->mean_bytes;
	make_all(s);
	*ret = s;
	return 0;
}

void frame_stream_free(struct frame_stream *s)
{
	if (!s)
		return;
	free(s->room);
	free(s->slot);
	free(s);
}
