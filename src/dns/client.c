#include "dns/client.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MAX_EVENTS 64
/* Waking up takes longer than that, so times so near are waited for by looking. */
#define SPIN_NS (20 * NSEC_PER_USEC)
/* Longest wait without a look at stop and at what has timed out. */
#define LOOK_NS (5 * NSEC_PER_MSEC)
/* How often that is done while there is always something to do. */
#define EXPIRE_NS (1 * NSEC_PER_MSEC)
/*
 * A thread that did not run for a while makes up for it by at most so many queries at once, and
 * then by a quarter more than its share of the rate. A server's socket holds some 200 queries: all
 * that came due in 10 ms at once would overflow it, and count as the server's loss.
 */
#define BURST    64U
#define CATCH_UP 1.25
/* So many leave with one call then: a call for each would make it fall behind more. */
#define CATCH_UP_BATCH 16U

static bool is_open_loop(const struct dns_thread *t)
{
	return t->ns_each > 0;
}

static uint64_t due_of(const struct dns_thread *t, uint64_t number)
{
	return t->begin_ns + (uint64_t)((double)number * t->ns_each);
}

void dns_thread_take(struct dns_thread *t, struct dns_sock *s, const uint8_t *data, size_t have,
	size_t len, uint64_t now_ns)
{
	struct dns_count *c = &t->count;
	struct dns_answer a;
	struct dns_slot *slot;
	const uint8_t *query;
	uint32_t query_len;

	if (!dns_answer_parse(&a, data, have)) {
		c->garbage++;
		return;
	}
	slot = dns_pending_find(&s->pending, a.id);
	query = slot ? dns_query(t->queries, slot->query, &query_len) : NULL;
	if (!slot || !dns_answer_fits(data, have, query, query_len)) {
		c->unexpected++;
		return;
	}
	if (slot->fate != DNS_WAITING) {
		c->duplicates += slot->fate == DNS_ANSWERED;
		c->late += slot->fate == DNS_LOST;
		return;
	}
	/* Past its time, but not yet looked at. */
	if (now_ns > slot->due_ns + t->cfg->timeout_ns) {
		slot->fate = DNS_LOST;
		t->waiting--;
		c->timeouts++;
		c->late++;
		return;
	}
	slot->fate = DNS_ANSWERED;
	t->waiting--;
	c->answered++;
	c->truncated += a.truncated;
	c->rcode[a.rcode]++;
	c->answer_bytes += len;
	t->answer_min_bytes = MIN(t->answer_min_bytes, (uint64_t)len);
	t->answer_max_bytes = MAX(t->answer_max_bytes, (uint64_t)len);
	hist_add(&t->hist, now_ns - slot->due_ns);
}

/* Between this thread's queries while it catches up. */
static double ns_each_late(const struct dns_thread *t)
{
	return t->ns_each * t->cfg->threads / CATCH_UP;
}

/* When all that was sent by then would have left, catching up, but for @n queries. */
static uint64_t paced_ns(const struct dns_thread *t, uint32_t n)
{
	return (uint64_t)fmax(ceil(t->paced_ns - n * ns_each_late(t)), 0);
}

/* Open loop: how many queries may leave now, were they due. */
static uint32_t allowance(const struct dns_thread *t, uint64_t now_ns)
{
	double used = fmax((t->paced_ns - (double)now_ns) / ns_each_late(t), 0);

	return used <= BURST - CATCH_UP_BATCH ? (uint32_t)(BURST - used) : 0;
}

/*
 * Open loop: passes over what is too late to be sent. It is the server's doing if that took no more
 * at any time since the oldest of it was due.
 */
static void drop_overdue(struct dns_thread *t, uint64_t now_ns)
{
	bool blocked = t->blocked_ns && now_ns - t->blocked_ns <= t->cfg->slip_max_ns;

	while (t->next < t->n_total && due_of(t, t->next) + t->cfg->slip_max_ns < now_ns) {
		t->count.tried++;
		t->count.unsent++;
		t->count.blocked += blocked;
		t->next += t->cfg->threads;
	}
}

/* Fills @due with what is to be sent now. */
static void find_due(const struct dns_thread *t, uint64_t now_ns, struct dns_due *due)
{
	uint64_t room;

	due->n = 0;
	if (is_open_loop(t)) {
		room = MIN(allowance(t, now_ns), (uint32_t)DNS_SEND_BATCH);
		for (uint64_t g = t->next; due->n < room && g < t->n_total; g += t->cfg->threads) {
			due->at_ns[due->n] = due_of(t, g);
			if (due->at_ns[due->n] > now_ns)
				break;
			due->n++;
		}
		return;
	}
	if (now_ns < t->begin_ns || now_ns >= t->end_ns)
		return;
	room = t->outstanding - MIN((uint64_t)t->outstanding, t->waiting);
	due->n = (uint32_t)MIN(room, (uint64_t)DNS_SEND_BATCH);
	for (uint32_t i = 0; i < due->n; i++)
		due->at_ns[i] = now_ns;
}

/* The next client in turn that can take queries; NULL: none can. */
static struct dns_sock *find_sock(struct dns_thread *t, uint32_t *ret_room)
{
	for (uint32_t i = 0; i < t->n_socks; i++) {
		struct dns_sock *s = &t->sock[t->turn];

		t->turn = t->turn + 1 < t->n_socks ? t->turn + 1 : 0;
		*ret_room = dns_pending_room(&s->pending);
		if (s->state == DNS_SOCK_READY && *ret_room)
			return s;
	}
	return NULL;
}

static void note_sent(struct dns_thread *t, const struct dns_due *due, uint32_t n, uint64_t now_ns)
{
	for (uint32_t i = 0; i < n; i++)
		t->count.slip_sum_ns += now_ns - due->at_ns[i];
	if (n)
		t->slip_max_ns = MAX(t->slip_max_ns, now_ns - due->at_ns[0]);
	t->count.tried += n;
	t->count.sent += n;
	t->waiting += n;
	t->next += (uint64_t)n * t->cfg->threads;
	if (is_open_loop(t))
		t->paced_ns = fmax(t->paced_ns, (double)now_ns) + n * ns_each_late(t);
}

/* Was it the server that took less than was due, not this machine's own queue? */
static bool is_blocked(const struct dns_thread *t, const struct dns_sock *s, uint32_t sent,
	uint32_t due)
{
	return sent < due && (!s || t->cfg->protocol == DNS_TCP);
}

/* Return: how many were sent, or negative errno. */
static int send_due(struct dns_thread *t, uint64_t now_ns)
{
	struct dns_sock *s;
	struct dns_due due;
	uint32_t room = 0, wanted;
	int n;

	if (is_open_loop(t))
		drop_overdue(t, now_ns);
	find_due(t, now_ns, &due);
	wanted = due.n;
	if (!wanted)
		return 0;
	s = find_sock(t, &room);
	due.n = MIN(due.n, room);
	n = s ? t->transport->send(t, s, &due) : 0;
	if (n < 0)
		return n;
	note_sent(t, &due, (uint32_t)n, now_ns);
	if (is_blocked(t, s, (uint32_t)n, wanted))
		t->blocked_ns = now_ns;
	return n;
}

static int look(struct dns_thread *t, uint64_t now_ns)
{
	int r = 0;

	t->looked_ns = now_ns;
	for (uint32_t i = 0; r == 0 && i < t->n_socks; i++) {
		uint32_t n = dns_pending_expire(&t->sock[i].pending,
			now_ns - MIN(now_ns, t->cfg->timeout_ns));

		t->count.timeouts += n;
		t->waiting -= n;
		if (t->transport->look)
			r = t->transport->look(t, &t->sock[i], now_ns);
	}
	atomic_store_explicit(&t->live_sent, t->count.sent, memory_order_relaxed);
	atomic_store_explicit(&t->live_answered, t->count.answered, memory_order_relaxed);
	atomic_store_explicit(&t->live_lost, t->count.tried - t->count.answered - t->waiting,
		memory_order_relaxed);
	return r;
}

/* How long to wait for answers, at most, before something is to be done. */
static uint64_t wait_ns(const struct dns_thread *t, int sent, uint64_t now_ns)
{
	uint64_t due_ns = UINT64_MAX;

	if (is_open_loop(t)) {
		if (t->next < t->n_total)
			due_ns = MAX(due_of(t, t->next), paced_ns(t, BURST - CATCH_UP_BATCH));
	} else if (now_ns < t->begin_ns) {
		due_ns = t->begin_ns;
	} else if (now_ns < t->end_ns) {
		due_ns = t->waiting < t->outstanding ? now_ns : t->end_ns;
	}
	/* What is due and can't leave waits for room, not for the time. */
	if (due_ns <= now_ns + SPIN_NS)
		return sent || due_ns > now_ns ? 0 : SPIN_NS;
	return MIN(due_ns - now_ns - SPIN_NS, (uint64_t)LOOK_NS);
}

static int receive(struct dns_thread *t, uint64_t max_ns)
{
	const struct timespec ts = {.tv_nsec = (long)max_ns};
	struct epoll_event ev[MAX_EVENTS];
	int n = epoll_pwait2(t->epoll_fd, ev, MAX_EVENTS, &ts, NULL);
	int r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : err_set(&t->error, errno, "cannot wait for answers");
	for (int i = 0; r == 0 && i < n; i++)
		r = t->transport->ready(t, ev[i].data.ptr, ev[i].events);
	return r;
}

/* The user wants an end: what has not left by now is not intended any more. */
static void stop_sending(struct dns_thread *t, uint64_t now_ns)
{
	t->stopping = true;
	t->end_ns = MIN(t->end_ns, now_ns);
	t->n_total = MIN(t->n_total, t->next);
}

static bool is_over(const struct dns_thread *t, uint64_t now_ns)
{
	if (t->waiting)
		return false;
	return is_open_loop(t) ? t->next >= t->n_total : now_ns >= t->end_ns;
}

static int run(struct dns_thread *t)
{
	uint64_t now_ns = clock_now_ns();
	int r = 0;

	while (r >= 0 && !is_over(t, now_ns)) {
		int sent = send_due(t, now_ns);

		r = sent < 0 ? sent : receive(t, wait_ns(t, sent, now_ns));
		now_ns = clock_now_ns();
		if (r >= 0 && now_ns - t->looked_ns >= EXPIRE_NS) {
			r = look(t, now_ns);
			if (!t->stopping && atomic_load_explicit(t->stop, memory_order_relaxed))
				stop_sending(t, now_ns);
		}
	}
	return r < 0 ? r : look(t, now_ns);
}

static uint64_t own_cpu_ns(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_THREAD, &u) < 0)
		return 0;
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NSEC_PER_SEC +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * NSEC_PER_USEC;
}

static void *thread_main(void *arg)
{
	struct dns_thread *t = arg;
	const uint64_t one = 1;

	prctl(PR_SET_NAME, "tare-dns");
	/* Times in a schedule are met to the timer's precision, not to the default 50 us. */
	prctl(PR_SET_TIMERSLACK, 1);
	t->error.code = 0;
	if (run(t) < 0) {
		assert(t->error.code < 0);
		/* The others' trial has failed, too. */
		atomic_store_explicit(t->stop, true, memory_order_relaxed);
	}
	t->cpu_ns = own_cpu_ns();
	(void)!write(t->done_fd, &one, sizeof(one)); /* of an eventfd that is read until the end */
	return NULL;
}

int dns_thread_start(struct dns_thread *t, struct err *e)
{
	int r;

	t->count = (struct dns_count){0};
	hist_init(&t->hist);
	t->next = t->index;
	t->answer_min_bytes = UINT64_MAX;
	t->answer_max_bytes = t->slip_max_ns = t->waiting = 0;
	t->paced_ns = 0;
	t->blocked_ns = 0;
	t->stopping = false;
	t->live_sent = t->live_answered = t->live_lost = 0;
	r = pthread_create(&t->thread, NULL, thread_main, t);
	if (r != 0)
		return err_set(e, r, "cannot start a thread");
	t->running = true;
	return 0;
}

void dns_thread_join(struct dns_thread *t)
{
	if (t->running)
		pthread_join(t->thread, NULL);
	t->running = false;
}
