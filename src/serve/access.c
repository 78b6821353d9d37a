#include "serve/access.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Bits of a prefix, strictly: digits only. Return: 0..@max, or -1. */
static int prefix_bits(const char *s, int max)
{
	int v = 0;

	if (!*s || strlen(s) > 3 || strspn(s, "0123456789") != strlen(s))
		return -1;
	for (; *s; s++)
		v = 10 * v + *s - '0';
	return v <= max ? v : -1;
}

static bool equal_bits(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	const uint32_t whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Bits after the prefix must be 0: "10.0.0.1/8" is more likely a slip than a wish. */
static bool host_bits(const uint8_t *ip, uint32_t bits)
{
	for (uint32_t i = bits; i < 128; i++)
		if (ip[i / 8] & 0x80 >> i % 8)
			return true;
	return false;
}

static int add_net(struct access_list *a, const char *text, struct err *e)
{
	struct sockaddr_storage addr;
	struct peer p;
	char ip[64];
	char *slash;
	int width, bits;

	if (a->n == ACCESS_MAX_NETS)
		return err_say(e, EINVAL, "more than %d networks", ACCESS_MAX_NETS);
	if (str_copy(ip, sizeof(ip), text) < 0)
		return err_say(e, EINVAL, "'%.80s' is not a network", text);
	slash = strchr(ip, '/');
	if (slash)
		*slash++ = '\0';
	if (sock_addr(&addr, ip, 0, NULL) < 0)
		return err_say(e, EINVAL, "'%s' is not a network like 10.0.0.0/8", text);
	width = addr.ss_family == AF_INET ? 32 : 128;
	bits = slash ? prefix_bits(slash, width) : width;
	if (bits < 0)
		return err_say(e, EINVAL, "'%s' has no prefix of 0 to %d bits", text, width);
	bits += 128 - width;
	peer_from(&p, &addr);
	if (host_bits(p.ip, (uint32_t)bits))
		return err_say(e, EINVAL, "'%s' has bits set after its prefix", text);
	memcpy(a->net[a->n].ip, p.ip, sizeof(p.ip));
	a->net[a->n++].bits = (uint8_t)bits;
	return 0;
}

int access_parse(struct access_list *ret, const char *text, struct err *e)
{
	struct access_list a = {0};
	const char *end;
	char one[64];

	for (; *text; text = *end ? end + 1 : end) {
		int r;

		end = strchrnul(text, ',');
		if ((size_t)(end - text) >= sizeof(one))
			return err_say(e, EINVAL, "'%.40s...' is not a network", text);
		memcpy(one, text, (size_t)(end - text));
		one[end - text] = '\0';
		r = add_net(&a, one, e);
		if (r < 0)
			return r;
		if (*end && !end[1])
			return err_say(e, EINVAL, "a network is missing after the last comma");
	}
	*ret = a;
	return 0;
}

bool access_allows(const struct access_list *a, const struct peer *p)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (equal_bits(a->net[i].ip, p->ip, a->net[i].bits))
			return true;
	return a->n == 0;
}
