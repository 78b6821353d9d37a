/* The token that a server gives a session, and what an opener makes of it: see wire/magic.h. */
#pragma once

#include "load/load.h"
#include "wire/magic.h"

#include <stdbool.h>
#include <stdint.h>

/* What is said first on a data socket: "TARE", 'D' or 'U', the token, the flow's number. */
void token_fill(struct load_token *ret, bool udp, const uint8_t token[static MAGIC_TOKEN_BYTES]);

/* Hexadecimal, lower case. Return: false when @hex is not exactly a token. */
bool token_parse(uint8_t ret[static MAGIC_TOKEN_BYTES], const char *hex);
void token_hex(char ret[static 2 * MAGIC_TOKEN_BYTES + 1],
	const uint8_t token[static MAGIC_TOKEN_BYTES]);
