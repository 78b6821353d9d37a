/* Who is at the other end: IPv6 addresses, IPv4 ones mapped into them (Ref: RFC 4291 s.2.5.5.2). */
#pragma once

#include "sys/sock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer {
	uint8_t ip[16];
	uint32_t scope; /* interface, of a link-local address */
	uint16_t port;  /* host order */
};

void peer_from(struct peer *ret, const struct sockaddr_storage *addr);
/* Return: length of the address made for a socket of @family. */
socklen_t peer_sockaddr(const struct peer *p, int family, struct sockaddr_storage *ret);
bool peer_same_host(const struct peer *a, const struct peer *b);
/* One host's addresses, as far as limits are concerned: of IPv6 it has all of a /64. */
bool peer_same_site(const struct peer *a, const struct peer *b);
void peer_host(const struct peer *p, char ret[static SOCK_ADDR_LEN]);
