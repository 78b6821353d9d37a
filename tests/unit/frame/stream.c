#include "frame/stream.h"

#include "base/macro.h"
#include "frame/csum.h"
#include "frame/headers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct frame_addr addr4 = {.src_mac = {2, 0, 0, 0, 0, 1},
	.dst_mac = {2, 0, 0, 0, 0xff, 0xfe},
	.src_ip = {198, 18, 1, 2},
	.dst_ip = {198, 19, 1, 2}};
static const struct frame_addr addr6 = {.src_mac = {2, 0, 0, 0, 0, 1},
	.dst_mac = {2, 0, 0, 0, 0, 2},
	.src_ip = {0x20, 1, 0, 2, 0, 0, [15] = 2},
	.dst_ip = {0x20, 1, 0, 2, 0, 1, [15] = 2}};
static const struct frame_vary plain = {.flows = 1, .networks = 1, .macs = 1};

struct want {
	const char *mix;
	bool ipv6;
	uint16_t vlan;
	struct frame_vary vary;
	uint16_t key;
	uint8_t ttl;
};

static int try(struct frame_stream **ret, const struct want *w, struct err *e)
{
	const struct frame_form form = {.ipv6 = w->ipv6, .vlan = w->vlan};
	struct frame_addr addr = w->ipv6 ? addr6 : addr4;
	struct frame_mix mix;

	addr.ttl = w->ttl;
	assert_int_equal(frame_mix_parse(&mix, w->mix, 1500, e), 0);
	return frame_stream_new(ret,
		&(struct frame_stream_args){.form = &form,
			.addr = &addr,
			.vary = w->vary.flows ? &w->vary : &plain,
			.mix = &mix,
			.key = w->key ? w->key : 0x1234},
		e);
}

static struct frame_stream *make(const struct want *w)
{
	struct frame_stream *s = NULL;
	struct err e = {0};

	if (try(&s, w, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* Ref: RFC 2544 appendix C.2.6.4, but for the mark and the checksum, which is 0 there. */
static void frame_is_appendix_cs(void **state)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0xff, 0xfe, 2, 0, 0, 0, 0, 1, 8,
		0, /* Ethernet */
		0x45, 0, 0, 46, 0, 0, 0, 0, 10, 17};
	static const uint8_t udp[] = {198, 18, 1, 2, 198, 19, 1, 2, 0xc0, 0x20, 0, 7, 0, 26};
	static const uint8_t rest[] = {12, 13, 14, 15, 16, 17};
	struct frame_stream *s = make(&(struct want){.mix = "64"});

	(void)state;
	assert_int_equal(s->n_slots, 1);
	assert_int_equal(s->slot[0].len, 60);
	assert_int_equal(s->max_len, 60);
	assert_int_equal(s->slot[0].mark_at, 42);
	assert_memory_equal(s->slot[0].bytes, head, sizeof(head));
	assert_memory_equal(s->slot[0].bytes + 26, udp, sizeof(udp));
	assert_memory_equal(s->slot[0].bytes + 54, rest, sizeof(rest));
	frame_stream_free(s);
}

/*
 * Length fields for each size, with the errata of appendix C's UDP column: for the middle sizes it
 * prints 0x40 too little. The three right ones are as printed.
 */
static void lengths_are_appendix_cs(void **state)
{
	static const struct {
		const char *size;
		uint16_t ip, udp;
	} c[] = {
		{"64", 0x002e, 0x001a},
		{"128", 0x006e, 0x005a},
		{"256", 0x00ee, 0x00da},
		{"512", 0x01ee, 0x01da},
		{"768", 0x02ee, 0x02da},
		{"1024", 0x03ee, 0x03da},
		{"1280", 0x04ee, 0x04da},
		{"1518", 0x05dc, 0x05c8},
		{"9216", 0x23ee, 0x23da},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct frame_stream *s = make(&(struct want){.mix = c[i].size});

		assert_int_equal(get16(s->slot[0].bytes + 16), c[i].ip);
		assert_int_equal(get16(s->slot[0].bytes + 38), c[i].udp);
		frame_stream_free(s);
	}
}

/* A chain of routers may be longer than the appendix's 10. */
static void ttl_is_as_asked_for(void **state)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct frame_stream *s =
			make(&(struct want){.mix = "128", .ipv6 = ipv6, .ttl = 64});

		assert_int_equal(s->slot[0].bytes[ipv6 ? 14 + 7 : 14 + 8], 64);
		frame_stream_free(s);
	}
	(void)state;
}

static uint64_t rng = 88172645463325252ULL;

/* Ref: G. Marsaglia, Xorshift RNGs, 2003: (13, 7, 17). */
static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* Checked here word by word, in network order: not with the code that wrote them. */
static uint32_t sum_words(uint32_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_sums(const uint8_t *frame, uint32_t len, const struct want *w)
{
	const uint8_t *ip = frame + 14 + (w->vlan ? 4 : 0);
	const uint8_t *udp = ip + (w->ipv6 ? 40 : 20);
	const uint32_t udp_len = len - (uint32_t)(udp - frame);
	uint32_t sum = sum_words(17 + udp_len, ip + (w->ipv6 ? 8 : 12), w->ipv6 ? 32 : 8);

	if (!w->ipv6)
		assert_int_equal(sum_words(0, ip, 20), 0xffff);
	assert_int_equal(get16(udp + 4), udp_len);
	assert_int_not_equal(get16(udp + 6), 0);
	assert_int_equal(sum_words(sum, udp, udp_len), 0xffff);
}

/* Whatever number and time is written: the key holds it together. */
static void checksums_stay_right(void **state)
{
	static const struct want c[] = {
		{.mix = "64"},
		{.mix = "65"},
		{.mix = "78", .ipv6 = true},
		{.mix = "64", .vlan = 1},
		{.mix = "82", .ipv6 = true, .vlan = 4094},
		{.mix = "imix",
			.vary = {.flows = 7, .networks = 3, .macs = 2, .broadcast_every = 5}},
		{.mix = "imix-ipv6",
			.ipv6 = true,
			.vary = {.flows = 3, .networks = 2, .macs = 1, .broadcast_every = 2}},
	};

	(void)state;
	for (uint32_t i = 0; i < 20 * ARRAY_SIZE(c); i++) {
		struct want w = c[i % ARRAY_SIZE(c)];
		struct frame_stream *s;
		uint8_t copy[2048];
		uint64_t n_test = 0;

		w.key = (uint16_t)(1 + next_random() % 0xfffe);
		s = make(&w);
		for (uint32_t k = 0; k < 2 * s->n_slots + 200; k++) {
			const struct frame_slot *slot = &s->slot[k % s->n_slots];

			assert_int_equal(frame_stream_test_frames(s, k), n_test);
			n_test += slot->kind == FRAME_SLOT_TEST;
			memcpy(copy, slot->bytes, slot->len);
			if (slot->kind == FRAME_SLOT_TEST) {
				frame_mark_put(copy + slot->mark_at, w.key, FRAME_MAGIC_TEST,
					(uint8_t)next_random(), (uint32_t)next_random(),
					k % 3 ? next_random() : 0);
				assert_int_equal(csum_fold(csum_add(0, copy + slot->mark_at, 12)),
					w.key);
			}
			check_sums(copy, slot->len, &w);
		}
		frame_stream_free(s);
	}
}

/* Each value of a mark's check turns up, those at the edges of one's complement included. */
static void mark_sums_to_every_key(void **state)
{
	uint8_t mark[12];

	(void)state;
	for (uint32_t key = 1; key < 0xffff; key++)
		for (int i = 0; i < 8; i++) {
			frame_mark_put(mark, (uint16_t)key, FRAME_MAGIC_LEARN, (uint8_t)key,
				i ? (uint32_t)next_random() : key - FRAME_MAGIC_LEARN,
				i % 2 ? next_random() : 0);
			assert_int_equal(csum_fold(csum_add(0, mark, 12)), key);
		}
}

/* For one of the keys the checksum comes out as 0, which would say that there is none. */
static void no_key_is_without_checksum(void **state)
{
	(void)state;
	for (uint32_t key = 1; key < 0xffff; key++) {
		struct frame_stream *s = make(&(struct want){.mix = "64", .key = (uint16_t)key});

		assert_int_not_equal(get16(s->slot[0].bytes + 40), 0);
		frame_stream_free(s);
	}
}

static void slots_vary(void **state)
{
	const struct want w = {.mix = "imix",
		.vary = {.flows = 5, .networks = 256, .macs = 4, .broadcast_every = 6}};
	struct frame_stream *s = make(&w);

	(void)state;
	assert_int_equal(s->n_slots, 3840); /* lcm of 12, 5, 256, 4 and 6 */
	for (uint32_t i = 0; i < s->n_slots; i++) {
		const struct frame_slot *slot = &s->slot[i];

		assert_int_equal(slot->len, s->mix.size[i % 12] - 4U);
		assert_int_equal(slot->mark_at, 42);
		assert_int_equal(get16(slot->bytes + 34), 0xc020 + i % 5);
		assert_int_equal(slot->kind, i % 6 == 5 ? FRAME_SLOT_MODIFIER : FRAME_SLOT_TEST);
		if (slot->kind == FRAME_SLOT_MODIFIER) {
			for (int k = 0; k < 6; k++)
				assert_int_equal(slot->bytes[k], 0xff);
			assert_int_equal(get16(slot->bytes + 36), 9);
			continue;
		}
		/* Counting up goes round where the bytes end. */
		assert_int_equal(slot->bytes[32], (uint8_t)(1 + i % 256));
		assert_int_equal(get16(slot->bytes + 4), (uint16_t)(0xfffe + i % 4));
		assert_int_equal(get16(slot->bytes + 36), 7);
	}
	frame_stream_free(s);
}

/* What a service listens on, where the SUT is one. */
static void port_is_the_others(void **state)
{
	struct frame_addr addr = addr4;
	struct frame_stream *s = NULL;
	struct frame_mix mix;

	(void)state;
	addr.dst_port = 5353;
	assert_int_equal(frame_mix_parse(&mix, "64", 1500, NULL), 0);
	assert_int_equal(
		frame_stream_new(&s,
			&(struct frame_stream_args){.form = &(struct frame_form){.vlan = 0},
				.addr = &addr,
				.vary = &plain,
				.mix = &mix,
				.key = 1},
			NULL),
		0);
	assert_int_equal(get16(s->slot[0].bytes + 36), 5353);
	check_sums(s->slot[0].bytes, 60, &(struct want){.ipv6 = false});
	frame_stream_free(s);
}

/*
 * Each instance gets the whole mix, in turns with the others, and test frame n is of instance
 * n % 4, broadcasts or not: 12 sizes and 4 addresses would go together otherwise.
 */
static void addresses_take_turns(void **state)
{
	const struct frame_vary vary = {.flows = 2, .networks = 1, .macs = 1, .broadcast_every = 5};
	struct frame_addr addr[4];
	struct frame_stream *s = NULL;
	struct frame_mix mix;
	uint32_t n_test = 0;

	(void)state;
	for (int i = 0; i < 4; i++) {
		addr[i] = addr4;
		addr[i].src_ip[3] = (uint8_t)(32 + i);
	}
	assert_int_equal(frame_mix_parse(&mix, "imix", 1500, NULL), 0);
	assert_int_equal(
		frame_stream_new(&s,
			&(struct frame_stream_args){.form = &(struct frame_form){.vlan = 0},
				.addr = addr,
				.vary = &vary,
				.mix = &mix,
				.key = 1,
				.n_addrs = 4},
			NULL),
		0);
	assert_int_equal(s->n_slots, 4 * 60);
	for (uint32_t i = 0; i < s->n_slots; i++) {
		const uint8_t *bytes = s->slot[i].bytes;

		assert_int_equal(frame_stream_test_frames(s, i), n_test);
		assert_int_equal(bytes[29], 32 + i % 4);
		assert_int_equal(s->slot[i].len, mix.size[i / 4 % 12] - 4U);
		assert_int_equal(s->slot[i].kind,
			i / 4 % 5 == 4 ? FRAME_SLOT_MODIFIER : FRAME_SLOT_TEST);
		if (s->slot[i].kind == FRAME_SLOT_TEST)
			assert_int_equal(bytes[29], 32 + n_test++ % 4);
		assert_int_equal(get16(bytes + 34), 0xc020 + i / 4 % 2);
	}
	frame_stream_free(s);
}

static void ipv6_varies_its_sixth_byte(void **state)
{
	const struct want w = {.mix = "78",
		.ipv6 = true,
		.vary = {.flows = 1, .networks = 3, .macs = 1}};
	struct frame_stream *s = make(&w);

	(void)state;
	assert_int_equal(s->n_slots, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(s->slot[i].mark_at + 12, s->slot[i].len);
		assert_int_equal(s->slot[i].bytes[14 + 24 + 5], 1 + i);
	}
	frame_stream_free(s);
}

static void refuses_what_cannot_be(void **state)
{
	static const struct {
		struct want w;
		int r;
	} c[] = {
		{{.mix = "77", .ipv6 = true}, -EINVAL},
		{{.mix = "imix", .ipv6 = true}, -EINVAL},
		{{.mix = "81", .ipv6 = true, .vlan = 5}, -EINVAL},
		{{.mix = "64", .vlan = 4095}, -EINVAL},
		{{.mix = "64", .vary = {.flows = 1, .networks = 257, .macs = 1}}, -EINVAL},
		{{.mix = "64", .vary = {.flows = 1, .networks = 0, .macs = 1}}, -EINVAL},
		{{.mix = "64", .vary = {.flows = 4097, .networks = 1, .macs = 1}}, -E2BIG},
		{{.mix = "64",
			 .vary = {.flows = UINT32_MAX, .networks = 255, .macs = UINT32_MAX - 1}},
			-E2BIG},
		{{.mix = "64",
			 .vary = {.flows = 1, .networks = 256, .macs = 1, .broadcast_every = 100}},
			-E2BIG},
		{{.mix = "64", .vary = {.flows = 4096, .networks = 256, .macs = 1}}, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct frame_stream *s = NULL;
		struct err e = {0};

		assert_int_equal(try(&s, &c[i].w, &e), c[i].r);
		assert_int_equal(e.text[0] != '\0', c[i].r < 0);
		assert_int_equal(s == NULL, c[i].r < 0);
		frame_stream_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_appendix_cs),
		cmocka_unit_test(ttl_is_as_asked_for),
		cmocka_unit_test(lengths_are_appendix_cs),
		cmocka_unit_test(checksums_stay_right),
		cmocka_unit_test(mark_sums_to_every_key),
		cmocka_unit_test(no_key_is_without_checksum),
		cmocka_unit_test(slots_vary),
		cmocka_unit_test(port_is_the_others),
		cmocka_unit_test(addresses_take_turns),
		cmocka_unit_test(ipv6_varies_its_sixth_byte),
		cmocka_unit_test(refuses_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
