/* What is said of a real wire: --wire-addr and the options beside it. */
#include "base/mem.h"
#include "base/str.h"
#include "path/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct opt wire_opts[] = {
	OPT_STR(struct path_cfg, wire_dev, "wire", 0, "<device>",
		"put the paths on this device of the machine, and native on the machine as it is"),
	OPT_STR(struct path_cfg, wire_peer, "peer", 0, "<host>",
		"the machine at the other end of --wire, where a tare server runs"),
	OPT_STR(struct path_cfg, wire_addr, "wire-addr", 0, "<list>",
		"free addresses of the device's network, one for each path: 192.0.2.20/24,... or "
		"192.0.2.20-192.0.2.29/24"),
	OPT_STR(struct path_cfg, wire_gateway, "wire-gateway", 0, "<address>",
		"the router to --peer, if that is in another network"),
	OPT_END,
};

int wire_parse_addr(const char *text, uint32_t *ret, struct err *e)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		return err_say(e, EINVAL, "'%s' is not an IPv4 address", text);
	*ret = ntohl(a.s_addr);
	return 0;
}

/* "24": a network that has room for two machines. */
static int parse_len(const char *text, unsigned *ret)
{
	unsigned len = 0;

	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || len > 30)
			return -EINVAL;
		len = len * 10 + (unsigned)(*p - '0');
	}
	*ret = len;
	return len < 1 || len > 30 ? -EINVAL : 0;
}

/* "192.0.2.20/24" or "192.0.2.20-192.0.2.29/24"; @text is taken apart. */
static int parse_range(char *text, struct wire_range *ret, struct err *e)
{
	char *rest = text, *addrs = strsep(&rest, "/"), *len = rest;
	char *last = addrs, *first = strsep(&last, "-");
	int r = wire_parse_addr(first, &ret->first, e);

	if (r == 0)
		r = wire_parse_addr(last ?: first, &ret->last, e);
	if (r < 0)
		return r;
	if (!len || parse_len(len, &ret->len) < 0)
		return err_say(e, EINVAL, "'%s' needs the length of its network, as in %s/24",
			first, first);
	ret->mask = ~0U << (32 - ret->len);
	if (ret->first > ret->last || (ret->first ^ ret->last) & ret->mask)
		return err_say(e, EINVAL, "'%s-%s' is no range of one network", first, last);
	if (!(ret->first & ~ret->mask) || !(~ret->last & ~ret->mask))
		return err_say(e, EINVAL, "'%s%s%s' has the network's own address or its broadcast",
			first, last ? "-" : "", last ?: "");
	return 0;
}

int wire_each_range(const struct path_cfg *cfg, int (*f)(const struct wire_range *x, void *ctx),
	void *ctx, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(cfg->wire_addr);
	char *rest = copy, *part;
	int r = 0;

	while (r == 0 && (part = strsep(&rest, ","))) {
		struct wire_range x = {0};

		r = parse_range(part, &x, e);
		if (r == 0 && f)
			r = f(&x, ctx);
	}
	return r;
}

struct nth {
	uint32_t n;
	char *text;
	size_t size;
};

static int count_to(const struct wire_range *x, void *ctx)
{
	struct nth *want = ctx;
	uint32_t here = x->last - x->first + 1;
	struct in_addr a;
	char addr[INET_ADDRSTRLEN];

	if (want->n >= here) {
		want->n -= here;
		return 0;
	}
	a.s_addr = htonl(x->first + want->n);
	inet_ntop(AF_INET, &a, addr, sizeof(addr));
	snprintf(want->text, want->size, "%s/%u", addr, x->len);
	return 1;
}

void wire_give(struct path_spec *spec, uint32_t *n)
{
	char *own = spec->cfg.wire_own;
	struct nth want = {*n, own, sizeof(spec->cfg.wire_own)};

	*own = '\0';
	if (spec->ops->wire != PATH_WIRE_NO &&
		wire_each_range(&spec->cfg, count_to, &want, NULL) > 0)
		(*n)++;
}

int wire_check(const struct path_cfg *cfg, struct err *e)
{
	uint32_t gateway;
	int r;

	if (!*cfg->wire_peer || !*cfg->wire_addr)
		return err_say(e, EINVAL, "--wire needs --%s",
			*cfg->wire_peer ? "wire-addr: free addresses for the paths"
					: "peer: the machine at its other end");
	if (cfg->ipv6)
		return err_say(e, EINVAL, "--wire works with IPv4 only");
	if (cfg->between == PATH_BETWEEN_PODS || cfg->wire_rate_bps)
		return err_say(e, EINVAL, "--wire and --%s exclude each other",
			cfg->wire_rate_bps ? "wire-rate" : "between pods");
	r = wire_each_range(cfg, NULL, NULL, e);
	if (r < 0)
		return err_wrap(e, "--wire-addr");
	r = *cfg->wire_gateway ? wire_parse_addr(cfg->wire_gateway, &gateway, e) : 0;
	return r < 0 ? err_wrap(e, "--wire-gateway") : 0;
}
