#include "dns/engine.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dns/client.h"
#include "sys/signals.h"
#include "sys/sock.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* Places for queries in flight, of all clients: 64 MiB. */
#define MAX_SLOTS (1 << 22)
/* From the start of the first thread to the first query. */
#define LEAD_NS (2 * NSEC_PER_MSEC)

struct dns_engine {
	const struct dns_cfg *cfg;
	const struct dns_queries *queries;
	struct dns_server server;
	struct dns_thread *thread; /* [cfg->threads] */
	struct dns_sock *sock;     /* [cfg->clients] */
	atomic_bool stop;
	int done_fd;
};

static const struct dns_transport *const transports[] = {
	[DNS_UDP] = &dns_udp,
	[DNS_TCP] = &dns_tcp,
};
static_assert(ARRAY_SIZE(transports) == DNS_PROTOCOL_N);

const char *dns_engine_ip(const struct dns_engine *x)
{
	return x->server.ip;
}

void dns_engine_close(struct dns_engine *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < x->cfg->clients; i++) {
		transports[x->cfg->protocol]->close(&x->sock[i]);
		dns_pending_fini(&x->sock[i].pending);
	}
	for (uint32_t i = 0; i < x->cfg->threads; i++) {
		closep(&x->thread[i].epoll_fd);
		free(x->thread[i].batch);
	}
	closep(&x->done_fd);
	free(x->thread);
	free(x->sock);
	free(x);
}

static uint32_t slots_per_client(uint32_t clients)
{
	uint32_t n = 65536;

	while (n * (uint64_t)clients > MAX_SLOTS)
		n /= 2;
	return n;
}

static struct dns_engine *allocate(const struct dns_cfg *cfg, const struct dns_queries *queries)
{
	struct dns_engine *x = xcalloc(1, sizeof(*x));

	*x = (struct dns_engine){.cfg = cfg, .queries = queries, .done_fd = -1};
	x->sock = xcalloc(cfg->clients, sizeof(*x->sock));
	x->thread = aligned_alloc(_Alignof(struct dns_thread), cfg->threads * sizeof(*x->thread));
	if (!x->thread)
		abort();
	memset(x->thread, 0, cfg->threads * sizeof(*x->thread));
	for (uint32_t i = 0; i < cfg->clients; i++)
		x->sock[i].fd = -1;
	for (uint32_t i = 0; i < cfg->threads; i++)
		x->thread[i].epoll_fd = -1;
	return x;
}

static int find_server(struct dns_engine *x, const char *host, struct err *e)
{
	struct dns_server *s = &x->server;
	int r = sock_resolve(host, AF_UNSPEC, s->ip, e);

	if (r < 0)
		return r;
	s->port = (uint16_t)x->cfg->port;
	r = sock_addr(&s->addr, s->ip, s->port, e);
	if (r < 0)
		return r;
	s->addr_len = (socklen_t)r;
	return 0;
}

static int open_thread(struct dns_engine *x, uint32_t i, struct err *e)
{
	const struct dns_cfg *cfg = x->cfg;
	struct dns_thread *t = &x->thread[i];
	uint32_t first = (uint32_t)((uint64_t)cfg->clients * i / cfg->threads);
	uint32_t end = (uint32_t)((uint64_t)cfg->clients * (i + 1) / cfg->threads);
	int r = 0;

	t->cfg = cfg;
	t->queries = x->queries;
	t->server = &x->server;
	t->transport = transports[cfg->protocol];
	t->index = i;
	t->sock = &x->sock[first];
	t->n_socks = end - first;
	t->stop = &x->stop;
	t->done_fd = x->done_fd;
	t->batch = dns_batch_new();
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->epoll_fd < 0)
		return err_set(e, errno, "cannot create an epoll descriptor");
	for (uint32_t k = first; r == 0 && k < end; k++) {
		dns_pending_init(&x->sock[k].pending, slots_per_client(cfg->clients));
		r = t->transport->open(t, &x->sock[k],
			(uint16_t)(cfg->client_port ? cfg->client_port + k : 0), e);
		if (r < 0)
			err_wrap(e, "client %u", k + 1);
	}
	return r;
}

int dns_engine_open(struct dns_engine **ret, const struct dns_cfg *cfg, const char *host,
	const struct dns_queries *queries, struct err *e)
{
	_cleanup_(dns_engine_closep) struct dns_engine *x = allocate(cfg, queries);
	int r = find_server(x, host, e);

	if (r < 0)
		return r;
	x->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (x->done_fd < 0)
		return err_set(e, errno, "cannot create an event descriptor");
	for (uint32_t i = 0; r == 0 && i < cfg->threads; i++)
		r = open_thread(x, i, e);
	if (r < 0)
		return r;
	*ret = take_ptr(x);
	return 0;
}

static void prepare(struct dns_engine *x, const struct dns_ask *ask, uint64_t begin_ns)
{
	uint32_t n = x->cfg->threads;

	atomic_store(&x->stop, false);
	for (uint32_t i = 0; i < n; i++) {
		struct dns_thread *t = &x->thread[i];

		t->begin_ns = begin_ns;
		t->end_ns = begin_ns + ask->duration_ns;
		t->ns_each = ask->rate_qps > 0 ? (double)NSEC_PER_SEC / ask->rate_qps : 0;
		t->n_total =
			ask->rate_qps > 0
				? (uint64_t)llround(ask->rate_qps * (double)ask->duration_ns * 1e-9)
				: 0;
		t->outstanding = ask->outstanding / n + (i < ask->outstanding % n);
	}
}

static void join_all(struct dns_engine *x)
{
	uint64_t n;

	for (uint32_t i = 0; i < x->cfg->threads; i++)
		dns_thread_join(&x->thread[i]);
	(void)!read(x->done_fd, &n, sizeof(n)); /* set back for the next trial */
}

static void tell(struct dns_engine *x, const struct dns_ask *ask, struct dns_interval *all,
	uint64_t end_ns)
{
	struct dns_interval now = {.begin_ns = all->end_ns, .end_ns = end_ns}, one;

	for (uint32_t i = 0; i < x->cfg->threads; i++) {
		now.sent += x->thread[i].live_sent;
		now.answered += x->thread[i].live_answered;
		now.lost += x->thread[i].live_lost;
	}
	one = now;
	one.sent -= all->sent;
	one.answered -= all->answered;
	one.lost -= all->lost;
	ask->told(ask->ctx, &one);
	*all = now;
}

/* Waits until all threads are done, and tells of intervals meanwhile; the last may be shorter. */
static void wait_done(struct dns_engine *x, const struct dns_ask *ask, struct dns_trial *ret,
	uint64_t begin_ns)
{
	struct pollfd p[2] = {{.fd = x->done_fd, .events = POLLIN},
		{.fd = ask->cancel_fd, .events = POLLIN}};
	struct dns_interval all = {0};
	uint64_t step_ns = ask->told ? ask->interval_ns : 0, next_ns = begin_ns + step_ns;
	uint64_t n_done = 0, n;

	while (n_done < x->cfg->threads) {
		int ms = step_ns && !ret->interrupted ? clock_left_ms(next_ns) : -1;

		if (poll(p, 2, ms) < 0)
			continue;
		if (p[0].revents && read(x->done_fd, &n, sizeof(n)) == sizeof(n))
			n_done += n;
		if (p[1].revents && !ret->interrupted) {
			uint64_t now_ns = MAX(clock_now_ns(), begin_ns);

			ret->interrupted = true;
			ret->duration_ns = MIN(ret->duration_ns, now_ns - begin_ns);
			p[1].fd = -1;
			atomic_store(&x->stop, true);
		}
		if (step_ns && clock_now_ns() >= next_ns) {
			tell(x, ask, &all, next_ns - begin_ns);
			next_ns += step_ns;
			if (next_ns > begin_ns + ask->duration_ns)
				step_ns = 0;
		}
	}
	if (ask->told && ask->interval_ns && all.end_ns < ret->duration_ns)
		tell(x, ask, &all, ret->duration_ns);
}

/* Answers that did not fit into the sockets' buffers, since the last call. */
static uint64_t new_drops(struct dns_engine *x)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; x->cfg->protocol == DNS_UDP && i < x->cfg->clients; i++) {
		uint64_t drops = sock_drops(x->sock[i].fd);

		sum += drops - x->sock[i].drops;
		x->sock[i].drops = drops;
	}
	return sum;
}

static int collect(struct dns_engine *x, const struct dns_ask *ask, struct dns_trial *ret,
	struct err *e)
{
	struct dns_count *c = &ret->count;

	ret->answer_min_bytes = UINT64_MAX;
	for (uint32_t i = 0; i < x->cfg->threads; i++) {
		struct dns_thread *t = &x->thread[i];

		if (t->error.code < 0) {
			*e = t->error;
			return e->code;
		}
		dns_count_add(c, &t->count);
		ret->client_cpu_ns += t->cpu_ns;
		ret->slip_max_ns = MAX(ret->slip_max_ns, t->slip_max_ns);
		ret->answer_min_bytes = MIN(ret->answer_min_bytes, t->answer_min_bytes);
		ret->answer_max_bytes = MAX(ret->answer_max_bytes, t->answer_max_bytes);
		if (ask->hist)
			hist_merge(ask->hist, &t->hist);
	}
	if (!c->answered)
		ret->answer_min_bytes = 0;
	c->overflowed = new_drops(x);
	assert(c->tried == c->sent + c->unsent);
	assert(c->sent == c->answered + c->timeouts + c->broken);
	return 0;
}

int dns_engine_trial(struct dns_engine *x, const struct dns_ask *ask, struct dns_trial *ret,
	struct err *e)
{
	uint64_t start_ns = clock_now_ns(), begin_ns = start_ns + LEAD_NS;
	int r = 0;

	*ret = (struct dns_trial){.rate_qps = ask->rate_qps > 0 ? ask->rate_qps : NAN,
		.duration_ns = ask->duration_ns};
	prepare(x, ask, begin_ns);
	for (uint32_t i = 0; r == 0 && i < x->cfg->threads; i++)
		r = dns_thread_start(&x->thread[i], e);
	if (r == 0)
		wait_done(x, ask, ret, begin_ns);
	else
		atomic_store(&x->stop, true);
	join_all(x);
	if (r < 0)
		return r;
	ret->effective_ns = clock_now_ns() - start_ns;
	return collect(x, ask, ret, e);
}
