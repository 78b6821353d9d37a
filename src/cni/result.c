#include "cni/result.h"

#include "base/mem.h"
#include "base/str.h"
#include "cni/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Whole numbers only: "24", not "24x". Return: -1 when it is none up to @max. */
static int prefix_of(const char *text, int max)
{
	int n = 0;

	if (!*text || strlen(text) > 3 || strspn(text, "0123456789") != strlen(text))
		return -1;
	for (; *text; text++)
		n = n * 10 + (*text - '0');
	return n <= max ? n : -1;
}

static bool is_address(const char *text, bool ipv6)
{
	uint8_t bytes[16];

	return inet_pton(ipv6 ? AF_INET6 : AF_INET, text, bytes) == 1;
}

/* "10.1.0.5/16" */
static int cidr(struct cni_ip *ret, const char *text, struct err *e)
{
	size_t len = strcspn(text, "/");
	int prefix = -1;

	if (text[len] && len < sizeof(ret->addr)) {
		memcpy(ret->addr, text, len);
		ret->addr[len] = '\0';
		ret->ipv6 = strchr(ret->addr, ':');
		prefix = prefix_of(text + len + 1, ret->ipv6 ? 128 : 32);
	}
	if (prefix < 0 || !is_address(ret->addr, ret->ipv6))
		return err_say(e, EINVAL, "'%.60s' is not an address with a prefix length", text);
	ret->prefix = (uint32_t)prefix;
	return 0;
}

static int gateway(struct cni_ip *ret, const json_t *ip, struct err *e)
{
	const char *text;
	int r = json_text(ip, "gateway", &text, e);

	if (r < 0)
		return r;
	if (*text && (!is_address(text, ret->ipv6) || strlen(text) >= sizeof(ret->gateway)))
		return err_say(e, EINVAL, "gateway '%.60s' is not an address of its family", text);
	str_set(ret->gateway, text);
	return 0;
}

/* Addresses may be the host's: those of interfaces without a sandbox. */
static int of_container(const json_t *ip, const json_t *interfaces, bool *ret, struct err *e)
{
	const json_t *index = json_object_get(ip, "interface"), *interface;
	const char *sandbox;
	int r;

	*ret = true;
	if (!index || json_is_null(index))
		return 0;
	interface = json_is_integer(index) && json_integer_value(index) >= 0
			    ? json_array_get(interfaces, (size_t)json_integer_value(index))
			    : NULL;
	if (!json_is_object(interface))
		return err_say(e, EINVAL, "\"interface\" is not the number of an interface");
	r = json_text(interface, "sandbox", &sandbox, e);
	*ret = r == 0 && *sandbox;
	return r;
}

static int ip_parse(struct cni_result *ret, const json_t *ip, const json_t *interfaces,
	struct err *e)
{
	struct cni_ip *to = &ret->ip[ret->n_ips];
	const char *text;
	bool mine;
	int r;

	if (!json_is_object(ip))
		return err_say(e, EINVAL, "not an object");
	r = json_text(ip, "address", &text, e);
	if (r == 0)
		r = cidr(to, text, e);
	if (r == 0)
		r = gateway(to, ip, e);
	if (r == 0)
		r = of_container(ip, interfaces, &mine, e);
	if (r == 0)
		ret->n_ips += mine;
	return r;
}

static int route_parse(struct cni_result *ret, const json_t *route, struct err *e)
{
	const char *dst;
	int r;

	if (!json_is_object(route))
		return err_say(e, EINVAL, "not an object");
	r = json_text(route, "dst", &dst, e);
	if (r < 0)
		return r;
	ret->default_v4 |= strcmp(dst, "0.0.0.0/0") == 0;
	ret->default_v6 |= strcmp(dst, "::/0") == 0;
	return 0;
}

/* A member that is a list, or not there. */
static int list(const json_t *top, const char *key, const json_t **ret, struct err *e)
{
	*ret = json_object_get(top, key);
	if (json_is_null(*ret))
		*ret = NULL;
	return !*ret || json_is_array(*ret) ? 0 : err_say(e, EINVAL, "\"%s\" is not a list", key);
}

static int top_parse(struct cni_result *ret, const json_t *top, struct err *e)
{
	const json_t *interfaces, *ips, *routes;
	int r = list(top, "interfaces", &interfaces, e);

	if (r == 0)
		r = list(top, "ips", &ips, e);
	if (r == 0)
		r = list(top, "routes", &routes, e);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_array_size(ips); i++) {
		if (ret->n_ips == CNI_MAX_IPS)
			return err_say(e, EINVAL, "more than %d addresses", CNI_MAX_IPS);
		r = ip_parse(ret, json_array_get(ips, i), interfaces, e);
		if (r < 0)
			return err_wrap(e, "ips[%zu]", i);
	}
	for (size_t i = 0; r == 0 && i < json_array_size(routes); i++) {
		r = route_parse(ret, json_array_get(routes, i), e);
		if (r < 0)
			return err_wrap(e, "routes[%zu]", i);
	}
	return 0;
}

int cni_result_parse(struct cni_result *ret, const char *text, size_t len, struct err *e)
{
	_cleanup_(json_freep) json_t *top = NULL;
	struct cni_result result = CNI_RESULT_NONE;
	int r = json_load_object(&top, text, len, 0, e);

	if (r == 0)
		r = top_parse(&result, top, e);
	if (r < 0)
		return r;
	result.json = take_ptr(top);
	*ret = result;
	return 0;
}

void cni_result_fini(struct cni_result *r)
{
	json_decref(r->json);
	*r = (struct cni_result)CNI_RESULT_NONE;
}

/* Plugin loopback reports them as any other. */
static bool is_loopback(const struct cni_ip *ip)
{
	return strncmp(ip->addr, "127.", 4) == 0 || strcmp(ip->addr, "::1") == 0;
}

const struct cni_ip *cni_result_ip(const struct cni_result *r, bool ipv6)
{
	for (uint32_t i = 0; i < r->n_ips; i++)
		if (r->ip[i].ipv6 == ipv6 && !is_loopback(&r->ip[i]))
			return &r->ip[i];
	return NULL;
}

bool cni_error_text(const char *text, size_t len, char *ret, size_t size)
{
	_cleanup_(json_freep) json_t *top = NULL;
	const json_t *code;
	const char *msg, *details;

	if (json_load_object(&top, text, len, 0, NULL) < 0)
		return false;
	code = json_object_get(top, "code");
	if (!json_is_integer(code) || json_text(top, "msg", &msg, NULL) < 0 ||
		json_text(top, "details", &details, NULL) < 0)
		return false;
	snprintf(ret, size, "%s%s%s (code %lld)", *msg ? msg : "it failed", *details ? ": " : "",
		details, (long long)json_integer_value(code));
	str_one_line(ret);
	return true;
}
