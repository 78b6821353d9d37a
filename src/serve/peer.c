#include "serve/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void peer_from(struct peer *ret, const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)addr;

	*ret = (struct peer){0};
	if (addr->ss_family == AF_INET) {
		memcpy(ret->ip, mapped, sizeof(mapped));
		memcpy(&ret->ip[12], &v4->sin_addr, 4);
		ret->port = ntohs(v4->sin_port);
		return;
	}
	memcpy(ret->ip, &v6->sin6_addr, sizeof(ret->ip));
	ret->port = ntohs(v6->sin6_port);
	ret->scope = IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ? v6->sin6_scope_id : 0;
}

socklen_t peer_sockaddr(const struct peer *p, int family, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&v4->sin_addr, &p->ip[12], 4);
		v4->sin_port = htons(p->port);
		return sizeof(*v4);
	}
	memcpy(&v6->sin6_addr, p->ip, sizeof(p->ip));
	v6->sin6_port = htons(p->port);
	v6->sin6_scope_id = p->scope;
	return sizeof(*v6);
}

bool peer_same_host(const struct peer *a, const struct peer *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 && a->scope == b->scope;
}

bool peer_same_site(const struct peer *a, const struct peer *b)
{
	if (memcmp(a->ip, mapped, sizeof(mapped)) == 0 || a->scope || b->scope)
		return peer_same_host(a, b);
	return memcmp(a->ip, b->ip, 8) == 0 && memcmp(b->ip, mapped, sizeof(mapped)) != 0;
}

void peer_host(const struct peer *p, char ret[static SOCK_ADDR_LEN])
{
	if (memcmp(p->ip, mapped, sizeof(mapped)) == 0)
		(void)inet_ntop(AF_INET, &p->ip[12], ret, SOCK_ADDR_LEN);
	else
		(void)inet_ntop(AF_INET6, p->ip, ret, SOCK_ADDR_LEN);
}
