/*
 * A flow's datagrams, each two bytes of length and its bytes; and, the same bytes as numbers of
 * 16 bits, their order against a model that remembers everything.
 */
#include "fuzz.h"
#include "load/udp_seq.h"

static void parse(const uint8_t *data, size_t size, bool wide)
{
	static struct udp_seq s;

	udp_seq_init(&s, wide);
	while (size >= 2) {
		size_t len = data[0] | (size_t)data[1] << 8;
		struct udp_seq_packet q;
		uint64_t before = s.highest;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		q = udp_seq_get(data, len, wide);
		FUZZ_CHECK(q.kind == UDP_SEQ_ALIEN || len >= UDP_SEQ_MIN_BYTES);
		FUZZ_CHECK(q.kind != UDP_SEQ_END || (wide && len == UDP_SEQ_END_BYTES));
		if (q.kind == UDP_SEQ_END)
			(void)udp_seq_end(&s, q.seq);
		else if (q.kind == UDP_SEQ_DATA && udp_seq_add(&s, q.seq) != UDP_SEQ_FOREIGN)
			(void)udp_seq_time(&s, q.sent_ns * 3, q.sent_ns);
		FUZZ_CHECK(s.highest >= before && s.highest - before <= UDP_SEQ_MAX_AHEAD);
		data += len;
		size -= len;
	}
}

static enum udp_seq_verdict expected(const uint8_t *seen, uint32_t highest, uint32_t seq)
{
	if (seq == 0)
		return UDP_SEQ_FOREIGN;
	if (seq > highest)
		return UDP_SEQ_NEW;
	return seen[seq] && highest - seq < UDP_SEQ_WINDOW ? UDP_SEQ_DOUBLE : UDP_SEQ_LATE;
}

static void order(const uint8_t *data, size_t size, bool wide)
{
	static uint8_t seen[1 << 16];
	static struct udp_seq s;
	uint32_t highest = 0;

	memset(seen, 0, sizeof(seen));
	udp_seq_init(&s, wide);
	for (; size >= 2; data += 2, size -= 2) {
		uint32_t seq = data[0] | (uint32_t)data[1] << 8;

		FUZZ_CHECK(udp_seq_add(&s, seq) == expected(seen, highest, seq));
		seen[seq] = 1;
		highest = seq > highest ? seq : highest;
		FUZZ_CHECK(s.highest == highest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int wide = 0; wide < 2; wide++) {
		parse(data, size, wide);
		order(data, size, wide);
	}
	return 0;
}
