/* Keys and peers of WireGuard devices, by its generic netlink family. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define WG_KEY_BYTES 32

struct wg_keys {
	uint8_t private_key[WG_KEY_BYTES], public_key[WG_KEY_BYTES];
};
int wg_keys_make(struct wg_keys *ret, struct err *e) must_check_;

struct wg_peer {
	const uint8_t *public_key;
	const char *addr;    /* of the machine; its port is WireGuard's usual one */
	const char *allowed; /* the one prefix behind it */
};

/* Gives the device @dev of @netns_fd its private key and its only peer. */
int wg_set(int netns_fd, const char *dev, const uint8_t *private_key, const struct wg_peer *peer,
	struct err *e) must_check_;
