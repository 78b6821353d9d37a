#include "bench/remote.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "sys/affinity.h"
#include "sys/file.h"
#include "sys/ns.h"
#include "sys/nsref.h"
#include "sys/sock.h"
#include "wire/greet.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define REMOTE_CONNECT_NS (5 * NSEC_PER_SEC)

const struct remote_cfg remote_cfg_default = {
	.port = 5201,
	.interval_ns = NSEC_PER_SEC,
};

const struct opt remote_opts[] = {
	OPT_U32(struct remote_cfg, port, "port", 'p', "<port>", "port of the server", .min = 1,
		.max = 65535),
	OPT_FLAG(struct remote_cfg, ipv4, "ipv4", '4', "only over IPv4"),
	OPT_FLAG(struct remote_cfg, ipv6, "ipv6", '6', "only over IPv6"),
	OPT_STR(struct remote_cfg, key_file, "key-file", 0, "<file>",
		"file with the key that the server wants"),
	OPT_STR(struct remote_cfg, near_ns, "near", 0, "<where>",
		"go from a namespace that is there: netns:NAME, pid:N, container:ID or host"),
	OPT_STR(struct remote_cfg, cpus, "cpus", 0, "<list/list>",
		"CPUs for the threads of near and far, as 0-3/4-7; either may be empty"),
	OPT_U64(struct remote_cfg, interval_ns, "interval", 'i', "<time>",
		"length of an interval, reported while the load runs; 0: none",
		.unit = NUM_DURATION, .min = INTERVAL_MIN_NS, .max = 3600 * NSEC_PER_SEC,
		.zero_ok = true),
	OPT_END,
};

const struct field remote_fields[] = {
	FIELD_STR(struct remote_info, host, "the server, as it was named"),
	FIELD_STR(struct remote_info, addr, "its address"),
	FIELD_U32(struct remote_info, port, "", "its port"),
	FIELD_STR(struct remote_info, version, "version of its tare"),
	FIELD_BOOL(struct remote_info, same_machine, "it is this machine"),
	FIELD_END,
};

/* Never built: it is there, or it is not. */
static int remote_build(struct path *p, struct err *e)
{
	(void)p;
	return err_say(e, EOPNOTSUPP, "a network between machines can't be built");
}

const struct path_ops path_remote = {
	.name = "remote",
	.summary = "from this machine to a tare server on another",
	.hops = "near, network, far",
	.build = remote_build,
};

void remote_cpus(const struct remote_cfg *cfg, bool far, char *ret, size_t size)
{
	const char *slash = strchr(cfg->cpus, '/');

	ret[0] = '\0';
	if (far && slash)
		str_addf(ret, size, "%s", slash + 1);
	else if (!far)
		str_addf(ret, size, "%.*s", (int)strcspn(cfg->cpus, "/"), cfg->cpus);
}

int remote_check(const struct remote_cfg *cfg, struct err *e)
{
	uint32_t cpus[AFFINITY_MAX_CPUS];

	for (int far = 0; far < 2; far++) {
		char list[sizeof(cfg->cpus)];
		int r;

		remote_cpus(cfg, far, list, sizeof(list));
		r = *list ? affinity_parse(list, cpus, e) : 0;
		if (r < 0)
			return err_wrap(e, "--cpus '%s'", cfg->cpus);
		/* No longer than an agent takes. */
		if (strlen(list) >= REMOTE_CPUS_BYTES)
			return err_say(e, EINVAL, "--cpus '%s' is too long", cfg->cpus);
	}
	if (cfg->ipv4 && cfg->ipv6)
		return err_say(e, EINVAL, "-4 and -6 exclude each other");
	if (*cfg->near_ns && nsref_check(cfg->near_ns, e) < 0)
		return err_wrap(e, "--near");
	return 0;
}

/* The text of the file, without the newline that editors add. */
static int read_key(struct remote *x, struct err *e)
{
	char text[sizeof(x->key) + 1];
	int r;

	if (!*x->cfg->key_file)
		return 0;
	r = file_read(x->cfg->key_file, text, sizeof(text), e);
	if (r < 0)
		return r;
	x->key_bytes = strlen(text);
	if (!x->key_bytes)
		return err_say(e, EINVAL, "the key file '%s' is empty", x->cfg->key_file);
	memcpy(x->key, text, x->key_bytes);
	return 0;
}

static int find_near(struct remote *x, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r;

	if (!*x->cfg->near_ns)
		return 0;
	r = nsref_open(x->cfg->near_ns, &x->near_fd, e);
	if (r == 0)
		r = ns_scope_enter(&scope, x->near_fd, e);
	return r < 0 ? err_wrap(e, "--near '%s'", x->cfg->near_ns) : 0;
}

int remote_init(struct remote *x, const struct remote_cfg *cfg, struct err *e)
{
	int family = cfg->ipv4 ? AF_INET : cfg->ipv6 ? AF_INET6 : AF_UNSPEC;
	int r;

	*x = (struct remote){.cfg = cfg, .near_fd = -1};
	r = find_near(x, e);
	if (r == 0)
		r = read_key(x, e);
	return r < 0 ? r : sock_resolve(cfg->host, family, x->addr, e);
}

int remote_begin_at(struct remote *x, int netns_fd, struct err *e)
{
	closep(&x->near_fd);
	x->near_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 0);
	return x->near_fd < 0 ? err_set(e, errno, "cannot keep a namespace") : 0;
}

void remote_fini(struct remote *x)
{
	closep(&x->near_fd);
}

/* From near's namespace: a server takes data from where its control connection comes from. */
static int open_control(const struct remote *x, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	uint64_t deadline_ns = clock_now_ns() + REMOTE_CONNECT_NS;
	_cleanup_(closep) int fd = -1;
	int r = x->near_fd >= 0 ? ns_scope_enter(&scope, x->near_fd, e) : 0;

	if (r < 0)
		return r;
	fd = sock_open(SOCK_STREAM, x->addr, e);
	if (fd < 0)
		return fd;
	r = sock_connect(fd, x->addr, (uint16_t)x->cfg->port, deadline_ns, e);
	if (r == 0)
		r = sock_set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", e);
	return r < 0 ? r : take_fd(fd);
}

int remote_connect(struct remote *x, struct endpoint *ep, struct err *e)
{
	uint8_t token[MAGIC_TOKEN_BYTES];
	int r = open_control(x, e);

	if (r < 0)
		return r;
	ep->chan.fd = r;
	str_set(ep->chan.who, "server");
	r = greet_client(&ep->chan, x->key_bytes ? x->key : NULL, x->key_bytes, token,
		clock_now_ns() + REMOTE_CONNECT_NS, e);
	if (r < 0)
		return r;
	token_hex(x->token, token);
	str_set(ep->chan.who, "agent far");
	return endpoint_hello(ep, e);
}
