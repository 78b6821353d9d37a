#include "dns/answer.h"

#include "dns/query.h"

#include <string.h>

/* Ref: RFC 1035 s.4.1.1: QR, OPCODE, TC and RCODE in bytes 2 and 3; four counts from byte 4 on. */
#define FLAG_RESPONSE  0x80
#define OPCODE_MASK    0x78
#define FLAG_TRUNCATED 0x02
#define RCODE_MASK     0x0f
#define TYPE_CLASS     4

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

bool dns_answer_parse(struct dns_answer *ret, const uint8_t *data, size_t len)
{
	if (len < DNS_HEADER_BYTES || !(data[2] & FLAG_RESPONSE) || data[2] & OPCODE_MASK)
		return false;
	*ret = (struct dns_answer){.id = (uint16_t)get16(data),
		.rcode = data[3] & RCODE_MASK,
		.truncated = data[2] & FLAG_TRUNCATED};
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Lengths of labels are below 64, so they are no letters. Ref: RFC 1035 s.3.1 */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool dns_answer_fits(const uint8_t *data, size_t len, const uint8_t *query, size_t query_len)
{
	size_t n = query_len - DNS_HEADER_BYTES - (get16(query + 10) ? DNS_OPT_BYTES : 0);
	const uint8_t *mine = query + DNS_HEADER_BYTES, *theirs = data + DNS_HEADER_BYTES;

	if (get16(data + 4) == 0)
		return data[3] & RCODE_MASK;
	if (get16(data + 4) != 1 || len < DNS_HEADER_BYTES + n)
		return false;
	if (memcmp(mine, theirs, n) == 0)
		return true;
	return memcmp(mine + n - TYPE_CLASS, theirs + n - TYPE_CLASS, TYPE_CLASS) == 0 &&
	       same_name(mine, theirs, n - TYPE_CLASS);
}
