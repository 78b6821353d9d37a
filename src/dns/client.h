/*
 * One thread with its sockets. In open loop query number g of all threads is due at begin + g /
 * rate and belongs to thread g mod n_threads; in closed loop the next query leaves when there are
 * fewer than outstanding. Nothing is allocated between the first query and the last answer.
 */
#pragma once

#include "dns/pending.h"
#include "dns/query.h"
#include "dns/trial.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* Queries and answers of one system call; of one client, so that ports take turns. */
#define DNS_SEND_BATCH 32
#define DNS_RECV_BATCH 64

enum dns_sock_state {
	DNS_SOCK_READY,
	DNS_SOCK_CONNECTING,
	DNS_SOCK_CLOSED, /* to be connected again at retry_ns */
};

struct dns_sock {
	int fd;
	enum dns_sock_state state;
	struct dns_pending pending;
	uint64_t drops; /* of earlier trials */
	/* TCP: what is to be sent, and what came in of a message; with their lengths in front. */
	uint8_t *out, *in; /* [TCP_OUT_BYTES], [TCP_IN_BYTES] */
	uint32_t out_at, out_len, in_len;
	uint32_t watched;
	uint64_t retry_ns;
};

struct dns_server {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	char ip[46];
	uint16_t port;
};

struct dns_batch;

struct dns_thread {
	const struct dns_cfg *cfg;
	const struct dns_queries *queries;
	const struct dns_server *server;
	const struct dns_transport *transport;
	struct dns_sock *sock; /* [n_socks], a slice of the engine's */
	struct dns_batch *batch;
	uint32_t index, n_socks, turn;
	int epoll_fd;

	/* The trial. */
	double ns_each;       /* between queries of all threads; 0: closed loop */
	uint32_t outstanding; /* of this thread */
	uint64_t begin_ns, end_ns;
	uint64_t n_total; /* open loop: queries of all threads */
	uint64_t next;    /* number of this thread's next query among those of all */
	uint64_t waiting; /* sent, and neither answered nor lost */
	uint64_t looked_ns;
	double paced_ns;     /* open loop: when all that was sent would have left, catching up */
	uint64_t blocked_ns; /* when the server last took less than was due; 0: never */
	bool stopping;
	atomic_bool *stop; /* of all threads; one that fails sets it */
	int done_fd;

	pthread_t thread;
	bool running;
	struct err error;
	uint64_t cpu_ns, slip_max_ns, answer_min_bytes, answer_max_bytes;
	struct dns_count count;
	struct hist hist;
	/* For a look from outside while it runs. */
	_Alignas(64) atomic_uint_fast64_t live_sent, live_answered, live_lost;
};

/* A batch that is due: the first is the thread's next query. */
struct dns_due {
	uint32_t n;
	uint64_t at_ns[DNS_SEND_BATCH];
};

struct dns_transport {
	int (*open)(struct dns_thread *t, struct dns_sock *s, uint16_t port, struct err *e);
	/* Return: how many of @due were taken, or negative errno. */
	int (*send)(struct dns_thread *t, struct dns_sock *s, const struct dns_due *due);
	/* @events: of epoll. Return: 0 or negative errno. */
	int (*ready)(struct dns_thread *t, struct dns_sock *s, uint32_t events);
	/* When it is time. NULL: never. */
	int (*look)(struct dns_thread *t, struct dns_sock *s, uint64_t now_ns);
	void (*close)(struct dns_sock *s);
};
extern const struct dns_transport dns_udp, dns_tcp;

struct dns_batch *dns_batch_new(void);

/* What is common to all transports. */
static inline uint32_t dns_thread_query(const struct dns_thread *t, uint32_t i)
{
	return (uint32_t)((t->next + (uint64_t)i * t->cfg->threads) % t->queries->n);
}
/* A message of @len bytes, of which @have are at @data, came in by @s. */
void dns_thread_take(struct dns_thread *t, struct dns_sock *s, const uint8_t *data, size_t have,
	size_t len, uint64_t now_ns);

/* Starts the trial that the members say. */
int dns_thread_start(struct dns_thread *t, struct err *e) must_check_;
void dns_thread_join(struct dns_thread *t);
