/* What the net tests share: rights, sockets at the ends of a path, a load at both of them. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "load/load.h"
#include "path/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Everything waited for comes in milliseconds; only a broken program makes us wait this long. */
#define NET_DEADLINE_NS (10 * NSEC_PER_SEC)

/* Fails the test in the words of the error unless @call succeeds; has its value. */
#define must(call)                                                                                 \
	({                                                                                         \
		struct err e_ = {0};                                                               \
		int r_ = (call);                                                                   \
                                                                                                   \
		if (r_ < 0)                                                                        \
			fail_msg("%s: %s (%d)", #call, e_.text, r_);                               \
		r_;                                                                                \
	})

/*
 * net_begin() - get the rights to build namespaces and enter a fresh network namespace, so that
 * nothing here meets the machine's own network.
 *
 * Return: 0; or non-zero when there are none to be had, which is printed as a TAP skip.
 */
int net_begin(void) must_check_;

/* Says that part of a test can't be run here (cmocka 1.1.5 calls its own skips "not ok"). */
void net_skip(const char *what, const struct err *e);

/* Entries of /proc/self/fd. */
uint32_t net_count_fds(void);

static inline uint64_t net_deadline(void)
{
	return clock_now_ns() + NET_DEADLINE_NS;
}

void net_wait_until(uint64_t at_ns);

/* A socket of @type at @end, bound to @port; it stays in that namespace. */
int net_bind(const struct path *p, const struct path_end *end, int type, uint16_t port,
	struct err *e) must_check_;

/* @bytes from one socket to the other; this thread is both ends. */
void net_push(int tx, int rx, size_t bytes);

/* Waits for a datagram of one byte. Return: the hops it had left, of a socket that is told them. */
int net_receive_ttl(int fd);

/*
 * A path as on the command line, which fails the test if it can't be opened. Return: 0, or
 * PATH_UNAVAILABLE after saying what is skipped.
 */
int net_path_open_as(struct path **ret, const char *text, bool ipv6) must_check_;

/* The path functions on a path without options of its own. */
int net_path_open(struct path **ret, const struct path_ops *ops, const struct path_cfg *cfg,
	struct err *e) must_check_;
int net_path_check(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
	must_check_;
int net_path_probe(const struct path_ops *ops, const struct path_cfg *cfg, struct err *e)
	must_check_;

/* A load at both ends of a path, in this process. */
struct pair {
	const struct path *path;
	struct load *near, *far;
};

/* Opens and listens; pair_close() is due even if this fails. */
int pair_open(struct pair *ret, const struct path *p, const struct load_ops *ops,
	const struct load_cfg *cfg, struct err *e) must_check_;
void pair_close(struct pair *p);

/* Both ends at once, as two agents would. */
int pair_connect(struct pair *p, uint64_t deadline_ns, struct err *e) must_check_;
int pair_start(struct pair *p, uint64_t begin_ns, uint64_t end_ns, struct err *e) must_check_;
/* Before the end of the span it may fail or not, as the shutdown meets the flows. */
int pair_stop(struct pair *p, struct err *e);
