/* Defaults, option table and key file of the server. */
#pragma once

#include "serve/serve.h"
#include "wire/greet.h"

struct key {
	uint8_t data[GREET_KEY_MAX];
	size_t len; /* 0: none */
};

/* Surrounding white space is no part of a key. The file must not be accessible to others. */
int cfg_key_read(struct key *ret, const char *path, struct err *e) must_check_;
