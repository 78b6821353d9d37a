#include "bench/token.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

void token_fill(struct load_token *ret, bool udp, const uint8_t token[static MAGIC_TOKEN_BYTES])
{
	static_assert(MAGIC_DATA_BYTES <= sizeof(ret->bytes));

	*ret = (struct load_token){.len = MAGIC_DATA_BYTES,
		.flow_at = MAGIC_BYTES + MAGIC_TOKEN_BYTES};
	magic_put_flow(ret->bytes, udp ? MAGIC_HELLO : MAGIC_DATA, token, 0);
}

bool token_parse(uint8_t ret[static MAGIC_TOKEN_BYTES], const char *hex)
{
	if (strlen(hex) != 2 * MAGIC_TOKEN_BYTES)
		return false;
	for (size_t i = 0; i < 2 * MAGIC_TOKEN_BYTES; i++) {
		const char *at = strchr(digits, hex[i]);
		uint8_t half;

		if (!at)
			return false;
		half = (uint8_t)(at - digits);
		ret[i / 2] = i & 1 ? (uint8_t)(ret[i / 2] | half) : (uint8_t)(half << 4);
	}
	return true;
}

void token_hex(char ret[static 2 * MAGIC_TOKEN_BYTES + 1],
	const uint8_t token[static MAGIC_TOKEN_BYTES])
{
	for (size_t i = 0; i < MAGIC_TOKEN_BYTES; i++) {
		ret[2 * i] = digits[token[i] >> 4];
		ret[2 * i + 1] = digits[token[i] & 15];
	}
	ret[2 * MAGIC_TOKEN_BYTES] = '\0';
}
