/*
 * Between load_start() and load_stop() the worker threads allocate nothing. Linked with
 * --wrap=malloc and the like, so that every call of ours passes here first.
 *
 *	near (198.18.0.1) ====== host ------ veth ------ far (198.18.1.2)
 */
#include "net.h"

#include "base/mem.h"
#include "load/table.h"
#include "path/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define SPAN_NS (50 * NSEC_PER_MSEC)

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static atomic_bool watching;
static atomic_uint n_others; /* calls on threads other than the main one, while watched */

static void note(void)
{
	if (atomic_load(&watching) && gettid() != getpid())
		atomic_fetch_add(&n_others, 1);
}

void *__wrap_malloc(size_t size)
{
	note();
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	note();
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	note();
	return __real_realloc(p, size);
}

void __wrap_free(void *p)
{
	note();
	__real_free(p);
}

static void *allocate(void *arg)
{
	(void)arg;
	free(xcalloc(1, 1));
	return NULL;
}

/* What the other test relies on: the library's own calls on a thread are seen, if watched. */
static void the_watch_sees_allocations(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(n_others, 0);
	watching = true;
	assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
	pthread_join(thread, NULL);
	watching = false;
	assert_int_equal(n_others, 2);
	n_others = 0;
}

static void watch(struct path *path, const struct load_ops *ops, const struct load_cfg *cfg)
{
	struct load_count c;
	uint64_t end_ns;
	struct pair p;

	must(pair_open(&p, path, ops, cfg, &e_));
	must(pair_connect(&p, net_deadline(), &e_));
	watching = true;
	end_ns = clock_now_ns() + SPAN_NS;
	must(pair_start(&p, clock_now_ns(), end_ns, &e_));
	net_wait_until(end_ns);
	must(pair_stop(&p, &e_));
	watching = false;
	load_count(p.near, &c);
	pair_close(&p);
	assert_true(c.bytes_tx > 0);
	assert_int_equal(n_others, 0);
}

static void workers_allocate_nothing(void **state)
{
	struct path *path = NULL;

	(void)state;
	must(net_path_open(&path, &path_veth, &path_cfg_default, &e_));
	for (uint32_t flows = 1; flows <= 3; flows += 2) {
		struct load_cfg cfg = *load_stream.defaults;

		cfg.flows = flows;
		cfg.threads = 1; /* blocking with one flow, epoll with three */
		cfg.dir = LOAD_DIR_BOTH;
		watch(path, &load_stream, &cfg);
		cfg = *load_rr.defaults;
		cfg.flows = flows;
		cfg.threads = 1;
		for (cfg.proto = LOAD_PROTO_TCP; cfg.proto < LOAD_PROTO_N; cfg.proto++)
			watch(path, &load_rr, &cfg);
		/* By the clock, and several in flight. */
		cfg.rate_tps = 5000;
		for (cfg.proto = LOAD_PROTO_TCP; cfg.proto < LOAD_PROTO_N; cfg.proto++)
			watch(path, &load_rr, &cfg);
		cfg = *load_crr.defaults;
		cfg.flows = flows;
		watch(path, &load_crr, &cfg);
		cfg = *load_udp.defaults;
		cfg.flows = flows;
		cfg.threads = 1;
		cfg.dir = LOAD_DIR_BOTH;
		watch(path, &load_udp, &cfg);
		cfg.rate_bps = 10000000;
		for (cfg.pace = LOAD_PACE_OWN; cfg.pace < LOAD_PACE_N; cfg.pace++)
			watch(path, &load_udp, &cfg);
	}
	path_close(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_watch_sees_allocations),
		cmocka_unit_test(workers_allocate_nothing),
	};

	return net_begin() < 0 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
