#include "serve/sniff.h"

#include "base/macro.h"

static struct sniff of_kind(enum sniff_kind kind)
{
	return (struct sniff){.kind = kind};
}

static struct sniff more(size_t want)
{
	return (struct sniff){.kind = SNIFF_MORE, .want = want};
}

static struct sniff flow_of(enum sniff_kind kind, const uint8_t *data)
{
	struct sniff s = {.kind = kind};
	uint32_t be;

	memcpy(s.token, &data[MAGIC_BYTES], sizeof(s.token));
	memcpy(&be, &data[MAGIC_BYTES + MAGIC_TOKEN_BYTES], sizeof(be));
	s.flow = ntohl(be);
	return s;
}

/*
 * iperf3 takes a-z and 2-7 since 3.1; other programs that speak its protocol take other printable
 * characters, and nobody minds.
 */
static struct sniff cookie(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < MIN(len, (size_t)IPERF_COOKIE_BYTES - 1); i++)
		if (data[i] <= ' ' || data[i] > '~')
			return of_kind(SNIFF_BAD);
	if (len < IPERF_COOKIE_BYTES)
		return more(IPERF_COOKIE_BYTES);
	return of_kind(data[IPERF_COOKIE_BYTES - 1] == '\0' ? SNIFF_IPERF : SNIFF_BAD);
}

struct sniff sniff_stream(const uint8_t *data, size_t len)
{
	if (len == 0)
		return more(MAGIC_BYTES);
	if (memcmp(data, MAGIC_TEXT, MIN(len, (size_t)MAGIC_BYTES - 1)) != 0)
		return cookie(data, len);
	if (len < MAGIC_BYTES)
		return more(MAGIC_BYTES);
	switch (data[MAGIC_BYTES - 1]) {
	case MAGIC_CONTROL:
		return of_kind(SNIFF_CONTROL);
	case MAGIC_DATA:
		return len < MAGIC_DATA_BYTES ? more(MAGIC_DATA_BYTES) : flow_of(SNIFF_DATA, data);
	default:
		/* No cookie of iperf3 begins so: it has no capitals. */
		return of_kind(SNIFF_BAD);
	}
}

struct sniff sniff_datagram(const uint8_t *data, size_t len)
{
	/* Ref: iperf 3.21 src/iperf.h UDP_CONNECT_MSG: 0x36373839, little endian */
	static const uint8_t now[4] = {0x39, 0x38, 0x37, 0x36};
	/* 123456789, before 3.11 */
	static const uint8_t old[4] = {0x15, 0xcd, 0x5b, 0x07};
	uint8_t magic[MAGIC_BYTES];

	if (len == sizeof(now) && (memcmp(data, now, len) == 0 || memcmp(data, old, len) == 0))
		return of_kind(SNIFF_IPERF_HELLO);
	magic_put(magic, MAGIC_HELLO);
	if (len == MAGIC_DATA_BYTES && memcmp(data, magic, sizeof(magic)) == 0)
		return flow_of(SNIFF_HELLO, data);
	return of_kind(SNIFF_BAD);
}
