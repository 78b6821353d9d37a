#include "frame/count.h"

#include "base/clock.h"
#include "base/macro.h"
#include "frame/headers.h"
#include "frame/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY   0xbeef
#define TRIAL 9

static uint64_t rng = 88172645463325252ULL;

/* Ref: G. Marsaglia, Xorshift RNGs, 2003: (13, 7, 17). */
static uint64_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static struct frame_stream *stream_of(const char *mix_name, bool ipv6, uint16_t vlan)
{
	static const struct frame_addr addr = {.src_mac = {2, 1},
		.dst_mac = {2, 2},
		.src_ip = {198, 18, 1, 2},
		.dst_ip = {198, 19, 1, 2}};
	static const struct frame_vary vary = {.flows = 1, .networks = 1, .macs = 1};
	const struct frame_form form = {.ipv6 = ipv6, .vlan = vlan};
	struct frame_stream *s = NULL;
	struct frame_mix mix;

	assert_int_equal(frame_mix_parse(&mix, mix_name, 1500, NULL), 0);
	assert_int_equal(frame_stream_new(&s,
				 &(struct frame_stream_args){&form, &addr, &vary, &mix, KEY}, NULL),
		0);
	return s;
}

/* A frame of its first slot, with this number. Return: its length. */
static uint32_t frame_of(uint8_t *ret, const struct frame_stream *s, uint32_t seq)
{
	memcpy(ret, s->slot[0].bytes, s->slot[0].len);
	frame_mark_put(ret + s->slot[0].mark_at, KEY, FRAME_MAGIC_TEST, TRIAL, seq, 0);
	return s->slot[0].len;
}

static struct frame_count count_of(const struct frame_counter *c, uint64_t n_sent)
{
	struct frame_count ret;

	frame_counter_read(c, n_sent, &ret, NULL);
	return ret;
}

static void each_is_in_one_count(void **state)
{
	struct frame_stream *s = stream_of("64", false, 0);
	struct frame_counter *c = frame_counter_new(KEY, 1000);
	static const uint32_t seq[] = {5, 5, 3, 999, 1000, UINT32_MAX, 7};
	uint8_t f[64];
	uint32_t len;
	struct frame_count n;

	(void)state;
	frame_counter_begin(c, TRIAL, false, true);
	n = count_of(c, 3);
	assert_int_equal(n.received + n.alien + n.first_ns + n.last_ns, 0);
	assert_int_equal(n.first_lost_seq, 0);
	assert_int_equal(n.last_lost_seq, 2);
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++) {
		len = frame_of(f, s, seq[i]);
		frame_counter_add(c, f, len, 1000 + i);
	}
	frame_mark_put(f + 42, KEY, FRAME_MAGIC_TEST, TRIAL - 1, 8, 0);
	frame_counter_add(c, f, len, 2000);
	frame_mark_put(f + 42, KEY, FRAME_MAGIC_LEARN, TRIAL, 8, 0);
	frame_counter_add(c, f, len, 2000);
	frame_mark_put(f + 42, KEY, 0x7c, TRIAL, 8, 0);
	frame_counter_add(c, f, len, 2000);
	frame_mark_put(f + 42, KEY + 1, FRAME_MAGIC_TEST, TRIAL, 8, 0);
	frame_counter_add(c, f, len, 2000);
	n = count_of(c, 1000);
	assert_int_equal(n.received, 4); /* 5, 3, 999, 7 */
	assert_int_equal(n.duplicated, 1);
	assert_int_equal(n.corrupt, 2); /* numbers that no trial has */
	assert_int_equal(n.late, 1);
	assert_int_equal(n.learned, 1);
	assert_int_equal(n.alien, 2);
	assert_int_equal(n.reordered, 2);
	assert_int_equal(n.bytes, 4 * 64);
	assert_int_equal(n.first_ns, 1000);
	assert_int_equal(n.last_ns, 1006);
	assert_int_equal(n.first_lost_seq, 0);
	assert_int_equal(n.last_lost_seq, 998);

	/* A new trial knows nothing of the numbers before. */
	frame_counter_begin(c, TRIAL + 1, false, true);
	frame_counter_add(c, f, frame_of(f, s, 5), 0);
	frame_mark_put(f + 42, KEY, FRAME_MAGIC_TEST, TRIAL + 1, 999, 0);
	frame_counter_add(c, f, len, 0);
	n = count_of(c, 1000);
	assert_int_equal(n.late, 1);
	assert_int_equal(n.received, 1);
	assert_int_equal(n.duplicated, 0);
	assert_true(n.first_ns > 0 && n.first_ns <= clock_now_ns());
	assert_int_equal(n.last_lost_seq, 998);
	frame_counter_free(c);
	frame_stream_free(s);
}

static const struct {
	bool ipv6;
	uint16_t vlan;
} forms[] = {{false, 0}, {false, 5}, {true, 0}, {true, 5}};

/* Other headers than those it was sent with are fine, as long as it is the frame. */
static void knows_its_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct frame_stream *s = stream_of("128", forms[i].ipv6, forms[i].vlan);
		struct frame_counter *c = frame_counter_new(KEY, 8);
		static const uint8_t tags[] = {0x88, 0xa8, 0, 9, 0x81, 0};
		uint8_t f[160], tagged[160];
		uint32_t len = frame_of(f, s, 1);

		frame_counter_begin(c, TRIAL, false, true);
		frame_counter_add(c, f, len, 1);
		/* One tag more. */
		frame_of(f, s, 2);
		memcpy(tagged, f, 12);
		memcpy(tagged + 12, tags, 4);
		memcpy(tagged + 16, f + 12, len - 12);
		frame_counter_add(c, tagged, len + 4, 1);
		assert_int_equal(count_of(c, 0).received, 2);
		/* Two more are too many where there was one. */
		frame_of(f, s, 3);
		memcpy(tagged + 12, tags, 6);
		memcpy(tagged + 18, tags + 2, 2);
		memcpy(tagged + 20, f + 12, len - 12);
		frame_counter_add(c, tagged, len + 8, 1);
		assert_int_equal(count_of(c, 0).alien, forms[i].vlan ? 1 : 0);
		frame_counter_free(c);
		frame_stream_free(s);
	}
}

/* IPv4 options, as a router may add none but a SUT may: the header is as long as it says. */
static void reads_ipv4_options(void **state)
{
	static const struct frame_addr addr = {.src_ip = {198, 18, 0, 1}};
	static const struct frame_form form = {0};
	const struct headers_args args = {&form, &addr, 1, FRAME_PORT_ECHO, 60};
	struct frame_counter *c = frame_counter_new(KEY, 8);
	uint8_t f[68] = {0}, with[72] = {0};
	uint32_t at = headers_put(f, &args);

	(void)state;
	frame_mark_put(f + at, KEY, FRAME_MAGIC_TEST, TRIAL, 1, 0);
	headers_seal(f, &args);
	memcpy(with, f, 34);
	memset(with + 34, 1, 8); /* no-operation */
	memcpy(with + 42, f + 34, 26);
	with[14] = 0x47;
	with[17] = (uint8_t)(with[17] + 8);
	frame_counter_begin(c, TRIAL, false, false);
	frame_counter_add(c, with, 68, 1);
	assert_int_equal(count_of(c, 0).received, 1);
	/* Whose checksum is now wrong: the header has become another. */
	frame_counter_begin(c, TRIAL, false, true);
	frame_counter_add(c, with, 68, 1);
	assert_int_equal(count_of(c, 0).corrupt, 1);
	/* A header beyond the frame. */
	with[14] = 0x4f;
	frame_counter_add(c, with, 68, 1);
	assert_int_equal(count_of(c, 0).alien, 1);
	/* One shorter than any: UDP's would begin within it. */
	frame_counter_begin(c, TRIAL, false, false);
	memmove(f + 30, f + 34, 26);
	f[14] = 0x44;
	put16(f + 16, 42);
	frame_counter_add(c, f, 56, 1);
	assert_int_equal(count_of(c, 0).alien, 1);
	frame_counter_free(c);
}

/* Fragments: the first has the mark and does not fit, others have no mark to look for. */
static void fragments_are_no_frames(void **state)
{
	struct frame_stream *s = stream_of("512", false, 0);
	struct frame_counter *c = frame_counter_new(KEY, 8);
	uint8_t f[512];
	uint32_t len = frame_of(f, s, 1);

	(void)state;
	frame_counter_begin(c, TRIAL, false, false);
	put16(f + 16, 276);
	put16(f + 20, 0x2000);
	frame_counter_add(c, f, 290, 1);
	assert_int_equal(count_of(c, 0).corrupt, 1);
	put16(f + 20, 32);
	frame_counter_add(c, f, 290, 1);
	assert_int_equal(count_of(c, 0).alien, 1);
	(void)len;
	frame_counter_free(c);
	frame_stream_free(s);
}

/* Cut anywhere, a frame is not received; nor with bytes behind it, but for Ethernet's padding. */
static void lengths_must_fit(void **state)
{
	static uint8_t f[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct frame_stream *s = stream_of("100", forms[i].ipv6, forms[i].vlan);
		struct frame_counter *c = frame_counter_new(KEY, 8);
		const uint32_t len = frame_of(f, s, 1), mark_end = s->slot[0].mark_at + 12;

		frame_counter_begin(c, TRIAL, false, false);
		for (uint32_t cut = 0; cut < len; cut++) {
			/* A copy of its size, for a sanitizer to see a step beyond. */
			uint8_t *some = malloc(cut ? cut : 1);

			memcpy(some, f, cut);
			frame_counter_add(c, some, cut, 1);
			free(some);
		}
		frame_counter_add(c, f, len + 1, 1);
		assert_int_equal(count_of(c, 0).received, 0);
		assert_int_equal(count_of(c, 0).alien, mark_end);
		assert_int_equal(count_of(c, 0).corrupt, len - mark_end + 1);
		frame_counter_free(c);
		frame_stream_free(s);
	}
}

static void padding_is_no_fault(void **state)
{
	static const struct frame_addr addr = {.src_ip = {198, 18, 0, 1}};
	static const struct frame_form form[] = {{.vlan = 0}, {.vlan = 7}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(form); i++) {
		const uint32_t least = frame_headers_bytes(&form[i]) + FRAME_MARK_BYTES;
		const struct headers_args args = {&form[i], &addr, 1, FRAME_PORT_ECHO, least};
		struct frame_counter *c = frame_counter_new(KEY, 1000);
		uint8_t f[80] = {0};
		uint32_t at = headers_put(f, &args);

		frame_counter_begin(c, TRIAL, false, true);
		for (uint32_t len = least; len < sizeof(f); len++) {
			frame_mark_put(f + at, KEY, FRAME_MAGIC_TEST, TRIAL, len, 0);
			headers_seal(f, &args);
			frame_counter_add(c, f, len, 1);
			/* A bridge adds a tag to a frame that was padded already. */
			assert_int_equal(count_of(c, 0).received,
				MIN(len, form[i].vlan ? 64U : 60U) - least + 1);
		}
		frame_counter_free(c);
	}
}

/*
 * Any one bit turned over: what is in the datagram or speaks of it is never received. Only what
 * the SUT may write anew is: hardware addresses and the VLAN tag's number.
 */
static void turned_bits_are_seen(void **state)
{
	static uint8_t f[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct frame_stream *s = stream_of("101", forms[i].ipv6, forms[i].vlan);
		struct frame_counter *c = frame_counter_new(KEY, 8);
		const uint32_t len = frame_of(f, s, 1);
		const uint32_t ip_at = forms[i].vlan ? 18 : 14;

		for (uint32_t bit = 0; bit < len * 8; bit++) {
			const uint32_t byte = bit / 8, mark_at = s->slot[0].mark_at;
			const bool tag = forms[i].vlan && (byte == 14 || byte == 15);
			/* IPv6 has no checksum of its own: nothing guards these fields. */
			const bool open6 = forms[i].ipv6 && ((byte > ip_at && byte < ip_at + 4) ||
								    byte == ip_at + 7 ||
								    (byte == ip_at && bit % 8 < 4));
			struct frame_count n;

			frame_counter_begin(c, TRIAL, false, true);
			f[byte] ^= (uint8_t)(1 << bit % 8);
			frame_counter_add(c, f, len, 1);
			f[byte] ^= (uint8_t)(1 << bit % 8);
			n = count_of(c, 0);
			assert_int_equal(n.received, byte < 12 || tag || open6);
			assert_int_equal(n.received + n.corrupt + n.alien, 1);
			if (byte >= mark_at + 12)
				assert_int_equal(n.corrupt, 1);
		}
		frame_counter_begin(c, TRIAL, false, true);
		frame_counter_add(c, f, len, 1);
		assert_int_equal(count_of(c, 0).received, 1);
		frame_counter_free(c);
		frame_stream_free(s);
	}
}

/* A checksum of 0 says that there is none: the stream's frames all have one. */
static void checksum_of_zero_is_none(void **state)
{
	struct frame_stream *s = stream_of("64", false, 0);
	struct frame_counter *c = frame_counter_new(KEY, 8);
	uint8_t f[64];
	uint32_t len = frame_of(f, s, 1);

	(void)state;
	put16(f + 40, 0);
	frame_counter_begin(c, TRIAL, false, true);
	frame_counter_add(c, f, len, 1);
	assert_int_equal(count_of(c, 0).corrupt, 1);
	frame_counter_begin(c, TRIAL, false, false);
	frame_counter_add(c, f, len, 1);
	assert_int_equal(count_of(c, 0).received, 1);
	frame_counter_free(c);
	frame_stream_free(s);
}

/* Stamps wrap every 34 s; a clock that was read too early makes 0. */
static void latencies(void **state)
{
	static const struct {
		uint64_t sent_ns, now_ns, latency_ns;
	} c[] = {
		{8000, 8000, 0},
		{8000, 8007, 0},
		{8007, 8008, 8},
		{8000, 9000, 1000},
		{(1ULL << 35) - 8, 1ULL << 35, 8},
		{(1ULL << 35) - 8, (1ULL << 35) + 16 * NSEC_PER_SEC, 16 * NSEC_PER_SEC + 8},
		{(5ULL << 35) + 800, (5ULL << 35) + 400, 0},
		{5ULL << 35, (5ULL << 35) - 8, 0},
	};
	struct frame_stream *s = stream_of("64", false, 0);
	struct frame_counter *counter = frame_counter_new(KEY, 8);
	static struct hist hist;
	struct frame_count n;
	uint8_t f[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		frame_of(f, s, 0);
		frame_mark_put(f + 42, KEY, FRAME_MAGIC_TEST, TRIAL, 0, c[i].sent_ns);
		frame_counter_begin(counter, TRIAL, true, false);
		/* Only the first of a number counts. */
		frame_counter_add(counter, f, 60, c[i].now_ns);
		frame_counter_add(counter, f, 60, c[i].now_ns + 1000000);
		hist_init(&hist);
		frame_counter_read(counter, 1, &n, &hist);
		assert_int_equal(hist.count, 1);
		assert_int_equal(hist.sum_ns, c[i].latency_ns);
	}
	/* Read once more, they are added; and without being asked for, there are none. */
	frame_counter_read(counter, 1, &n, &hist);
	assert_int_equal(hist.count, 2);
	frame_counter_begin(counter, TRIAL, false, false);
	frame_counter_add(counter, f, 60, 1);
	frame_counter_read(counter, 1, &n, &hist);
	assert_int_equal(hist.count, 2);
	frame_counter_free(counter);
	frame_stream_free(s);
}

/* A million numbers in any order, some of them never, some again, against a list of them. */
static void permutations_are_counted(void **state)
{
	enum { N = 1000000, SENT = 999937 };
	static uint8_t seen[N];
	static uint32_t seq[N];
	struct frame_stream *s = stream_of("64", false, 0);
	struct frame_counter *c = frame_counter_new(KEY, N);
	struct frame_count n, want = {.first_lost_seq = UINT64_MAX, .last_lost_seq = UINT64_MAX};
	uint32_t highest = 0;
	uint8_t f[64];

	(void)state;
	frame_counter_begin(c, TRIAL, false, false);
	for (uint32_t i = 0; i < N; i++)
		seq[i] = next_random() % 50 ? i % SENT : (uint32_t)(next_random() % SENT);
	for (uint32_t i = N - 1; i > 0; i--) {
		/* Half of them near their place, the others anywhere. */
		const uint32_t k = i % 2 ? i - (uint32_t)(next_random() % MIN(i, 100U))
					 : (uint32_t)(next_random() % i);
		const uint32_t other = seq[k];

		seq[k] = seq[i];
		seq[i] = other;
	}
	frame_of(f, s, 0);
	for (uint32_t i = 0; i < N; i++) {
		frame_mark_put(f + 42, KEY, FRAME_MAGIC_TEST, TRIAL, seq[i], 0);
		frame_counter_add(c, f, 60, 1);
		want.duplicated += seen[seq[i]];
		want.received += !seen[seq[i]];
		want.reordered += !seen[seq[i]] && want.received > 1 && seq[i] < highest;
		seen[seq[i]] = 1;
		highest = MAX(highest, seq[i]);
	}
	for (uint32_t i = 0; i < SENT; i++)
		if (!seen[i]) {
			want.first_lost_seq = MIN(want.first_lost_seq, i);
			want.last_lost_seq = i;
		}
	n = count_of(c, SENT);
	assert_true(want.received + want.duplicated == N && want.duplicated > 0);
	assert_int_equal(n.received, want.received);
	assert_int_equal(n.duplicated, want.duplicated);
	assert_int_equal(n.reordered, want.reordered);
	assert_int_equal(n.first_lost_seq, want.first_lost_seq);
	assert_int_equal(n.last_lost_seq, want.last_lost_seq);
	assert_int_equal(n.alien + n.corrupt + n.late + n.learned, 0);
	frame_counter_free(c);
	frame_stream_free(s);
}

/* Against a look at each bit, for each length about the words' ends. */
static void lost_are_found(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		const uint64_t n_sent = next_random() % 260;
		struct frame_count got,
			want = {.first_lost_seq = UINT64_MAX, .last_lost_seq = UINT64_MAX};
		uint64_t word[5];

		for (int i = 0; i < 5; i++)
			word[i] = round % 4 ? ~0ULL : next_random() | next_random();
		for (uint32_t k = round % 3; k > 0; k--)
			word[next_random() % 5] &= ~(1ULL << next_random() % 64);
		for (uint64_t i = 0; i < n_sent; i++)
			if (!(word[i / 64] >> i % 64 & 1)) {
				want.first_lost_seq = MIN(want.first_lost_seq, i);
				want.last_lost_seq = i;
			}
		frame_seen_lost(word, n_sent, &got);
		assert_true(got.first_lost_seq == want.first_lost_seq);
		assert_true(got.last_lost_seq == want.last_lost_seq);
	}
}

/* Against a look at each bit. */
static void turns_are_counted(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 500; round++) {
		const uint64_t n_sent = next_random() % 320;
		const uint32_t n = 1 + round % 16;
		uint64_t word[5], got[16], want[16] = {0};

		for (int i = 0; i < 5; i++)
			word[i] = next_random() | next_random();
		for (uint64_t i = 0; i < n_sent; i++)
			want[i % n] += word[i / 64] >> i % 64 & 1;
		frame_seen_turns(word, n_sent, n, got);
		assert_memory_equal(got, want, n * sizeof(*got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_in_one_count),
		cmocka_unit_test(knows_its_frames),
		cmocka_unit_test(reads_ipv4_options),
		cmocka_unit_test(fragments_are_no_frames),
		cmocka_unit_test(lengths_must_fit),
		cmocka_unit_test(padding_is_no_fault),
		cmocka_unit_test(turned_bits_are_seen),
		cmocka_unit_test(checksum_of_zero_is_none),
		cmocka_unit_test(latencies),
		cmocka_unit_test(permutations_are_counted),
		cmocka_unit_test(lost_are_found),
		cmocka_unit_test(turns_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
