/* Who may connect: a list of networks in CIDR form, IPv4 and IPv6. */
#pragma once

#include "base/err.h"
#include "serve/peer.h"

#define ACCESS_MAX_NETS 64

struct access_list {
	uint32_t n; /* 0: everybody */
	struct {
		uint8_t ip[16]; /* IPv4 mapped into IPv6 */
		uint8_t bits;   /* of the 128 */
	} net[ACCESS_MAX_NETS];
};

/* "10.0.0.0/8,2001:db8::/32,::1"; "": everybody. -EINVAL names the part that is wrong. */
int access_parse(struct access_list *ret, const char *text, struct err *e) must_check_;
bool access_allows(const struct access_list *a, const struct peer *p);
