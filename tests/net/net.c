#include "net.h"

#include "base/str.h"
#include "bench/bench.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

int net_begin(void)
{
	static struct ns_scope scope = NS_SCOPE_NONE; /* never left */
	struct err e = {0};
	bool rootless;
	int fd = -1;
	int r = bench_privilege(&rootless, &e);

	if (r == 0)
		r = ns_net_new(&fd, &e);
	if (r == 0)
		r = ns_scope_enter(&scope, fd, &e);
	closep(&fd);
	if (r < 0)
		printf("1..0 # SKIP %s\n", e.text);
	return r;
}

void net_skip(const char *what, const struct err *e)
{
	print_message("# skipped %s: %s\n", what, e->text);
}

uint32_t net_count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint32_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void net_wait_until(uint64_t at_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(at_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(at_ns % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static const char *any(const struct path *p)
{
	return p->cfg.ipv6 ? "::" : "0.0.0.0";
}

int net_bind(const struct path *p, const struct path_end *end, int type, uint16_t port,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	return r < 0 ? r : sock_bind(type, any(p), port, e);
}

static int end_open(struct load **ret, const struct pair *p, bool near, const struct load_ops *ops,
	const struct load_cfg *cfg, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct path_end *end = near ? &p->path->near : &p->path->far;
	const struct load_args args = {.ops = ops, .cfg = cfg, .near = near};
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	if (r == 0)
		r = load_open(ret, &args, e);
	return r < 0 ? r : load_listen(*ret, any(p->path), end->port, e);
}

int pair_open(struct pair *ret, const struct path *p, const struct load_ops *ops,
	const struct load_cfg *cfg, struct err *e)
{
	int r;

	*ret = (struct pair){.path = p};
	r = end_open(&ret->near, ret, true, ops, cfg, e);
	return r < 0 ? r : end_open(&ret->far, ret, false, ops, cfg, e);
}

void pair_close(struct pair *p)
{
	load_close(p->near);
	load_close(p->far);
	*p = (struct pair){0};
}

static int end_connect(const struct pair *p, bool near, uint64_t deadline_ns, struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct path_end *end = near ? &p->path->near : &p->path->far;
	const struct path_end *other = near ? &p->path->far : &p->path->near;
	struct load_peer peer = {.port = other->port};
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	str_set(peer.addr, other->addr);
	return r < 0 ? r : load_connect(near ? p->near : p->far, &peer, deadline_ns, e);
}

struct far_connect {
	const struct pair *pair;
	uint64_t deadline_ns;
	struct err e;
	int r;
};

static void *far_connect(void *arg)
{
	struct far_connect *f = arg;

	f->r = end_connect(f->pair, false, f->deadline_ns, &f->e);
	return NULL;
}

int pair_connect(struct pair *p, uint64_t deadline_ns, struct err *e)
{
	struct far_connect f = {.pair = p, .deadline_ns = deadline_ns};
	pthread_t thread;
	int r = pthread_create(&thread, NULL, far_connect, &f);

	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	r = end_connect(p, true, deadline_ns, e);
	pthread_join(thread, NULL);
	if (r == 0 && f.r < 0)
		*e = f.e;
	return r < 0 ? r : f.r;
}

/* Threads that open sockets as they run do so in the namespace they were started in. */
static int end_start(const struct pair *p, bool near, uint64_t begin_ns, uint64_t end_ns,
	struct err *e)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	const struct path_end *end = near ? &p->path->near : &p->path->far;
	int r = ns_scope_enter(&scope, end->netns_fd, e);

	return r < 0 ? r : load_start(near ? p->near : p->far, begin_ns, end_ns, e);
}

int pair_start(struct pair *p, uint64_t begin_ns, uint64_t end_ns, struct err *e)
{
	int r = end_start(p, false, begin_ns, end_ns, e);

	return r < 0 ? r : end_start(p, true, begin_ns, end_ns, e);
}

int pair_stop(struct pair *p, struct err *e)
{
	int near = load_stop(p->near, e);
	int far = load_stop(p->far, near < 0 ? NULL : e);

	return near < 0 ? near : far;
}

int net_receive_ttl(int fd)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&byte, sizeof(byte)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	int ttl;

	assert_int_equal(sock_wait_readable(fd, net_deadline()), 0);
	assert_int_equal(recvmsg(fd, &msg, 0), 1);
	c = CMSG_FIRSTHDR(&msg);
	assert_non_null(c);
	memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
	return ttl;
}

int net_path_open_as(struct path **ret, const char *text, bool ipv6)
{
	struct path_cfg cfg = path_cfg_default;
	struct path_spec spec;
	struct err e = {0};
	int r;

	cfg.ipv6 = ipv6;
	must(path_parse(&spec, text, &cfg, &e_));
	r = path_open(ret, &spec, -1, &e);
	if (r == PATH_UNAVAILABLE)
		net_skip(text, &e);
	else if (r < 0)
		fail_msg("%s: %s", text, e.text);
	return r;
}

int net_path_open(struct path **ret, const struct path_ops *ops, const struct path_cfg *cfg,
	struct err *e)
{
	const struct path_spec spec = path_spec_of(ops, cfg);

	return path_open(ret, &spec, -1, e);
}

int net_path_check(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
{
	const struct path_spec spec = path_spec_of(ops, cfg);

	return path_check(&spec, e);
}

int net_path_probe(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
{
	const struct path_spec spec = path_spec_of(ops, cfg);

	return path_probe(&spec, e);
}

void net_push(int tx, int rx, size_t bytes)
{
	static char buf[65536];
	uint64_t deadline_ns = net_deadline();
	size_t sent = 0, got = 0;

	while (got < bytes) {
		struct pollfd pfd[] = {{rx, POLLIN, 0}, {tx, POLLOUT, 0}};
		ssize_t n;

		if (poll(pfd, sent < bytes ? 2 : 1, clock_left_ms(deadline_ns)) <= 0)
			fail_msg("TCP stands still after %zu bytes", got);
		if (sent < bytes && (pfd[1].revents & POLLOUT)) {
			n = send(tx, buf, MIN(sizeof(buf), bytes - sent), MSG_DONTWAIT);
			sent += n > 0 ? (size_t)n : 0;
		}
		n = recv(rx, buf, sizeof(buf), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
}
