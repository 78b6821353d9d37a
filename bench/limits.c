/*
 * tare-limits: what the machine can do at best, for peers.py to hold its numbers against. Prints
 * one line of NAME=VALUE words, each the best of ROUNDS short runs: a limit is what is possible,
 * and everything that disturbs a run makes it slower.
 *
 *	memcpy_Bpns		bytes per ns, one CPU, buffers of 4 times the L2 cache
 *	memcpy_l2_Bpns		the same from and to 64 KiB, which stay in a cache
 *	syscall_ns		the cheapest system call, getppid()
 *	rtt_unix_ns		1 byte there and back over a socketpair, two threads on SHARED_CPU
 *	rtt_tcp_ns, rtt_udp_ns	the same over loopback
 *	rtt_tcp_2cpu_ns		over loopback TCP, a thread on NEAR_CPU and one on FAR_CPU
 *	rtt_tcp_nowake_ns	over loopback TCP by one thread: 4 system calls, nobody waits
 *	connection_ns		connect, accept, 1 byte there and back, close: by one thread
 *	udpN_send_ns		per datagram of N bytes: sendmmsg() of 64 over loopback
 *	udpN_recv_ns		recvmmsg() of these
 *	udpN_gso_ns, udpN_gro_ns	one sendmsg(UDP_SEGMENT), and its reception with UDP_GRO
 *
 * Loopback delivers in the sender's context: send costs have the receiving half of the stack in
 * them, as those of a veth pair have. It is the loopback of a network namespace made here, so that
 * no rule of the host's is on the way.
 */
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/macro.h"
#include "base/mem.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS           5
#define ROUND_NS         (20 * NSEC_PER_MSEC)
#define BATCH            64 /* datagrams per call; UDP_MAX_SEGMENTS of kernels before v6.7 */
#define L2_UNKNOWN_BYTES (2 << 20)
#define SMALL_BYTES      (64 << 10)
#define AGGREGATE_BYTES  65536

static void die(const char *what)
{
	fprintf(stderr, "tare-limits: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int r, const char *what)
{
	if (r < 0)
		die(what);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

/* ns of one call of @op, the best of ROUNDS averages over ROUND_NS. @op does @per things a call. */
static double best_ns(void (*op)(void *), void *arg, double per)
{
	double best = 1e18;

	op(arg);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = clock_now_ns(), now = begin, n = 0;

		/* The clock is read once for 16 calls: it must not show in the shortest of them. */
		for (; now - begin < ROUND_NS; now = clock_now_ns()) {
			for (int k = 0; k < 16; k++)
				op(arg);
			n += 16;
		}
		best = MIN(best, (double)(now - begin) / (double)n / per);
	}
	return best;
}

static void op_syscall(void *arg)
{
	(void)arg;
	(void)syscall(SYS_getppid);
}

struct copy {
	char *to, *from;
	size_t bytes;
};

static void op_copy(void *arg)
{
	const struct copy *c = arg;

	memcpy(c->to, c->from, c->bytes);
	/* The compiler must believe that somebody reads it. */
	__asm__ volatile("" ::"r"(c->to) : "memory");
}

static double copy_Bpns(size_t bytes)
{
	struct copy c = {.to = xcalloc(1, bytes), .from = xcalloc(1, bytes), .bytes = bytes};
	double ns;

	memset(c.to, 1, bytes);
	memset(c.from, 2, bytes);
	ns = best_ns(op_copy, &c, 1);
	free(c.to);
	free(c.from);
	return (double)bytes / ns;
}

static double big_copy_Bpns(void)
{
	long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);

	return copy_Bpns(4 * (size_t)(l2 > 0 ? l2 : L2_UNKNOWN_BYTES));
}

static struct sockaddr_in any_loopback(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	must(getsockname(fd, (struct sockaddr *)&a, &len), "getsockname");
	return a;
}

static int bound(int type)
{
	const struct sockaddr_in a = any_loopback();
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	must(fd, "socket");
	must(bind(fd, (const struct sockaddr *)&a, sizeof(a)), "bind");
	return fd;
}

static void join(int fd, int to)
{
	const struct sockaddr_in a = name_of(to);

	must(connect(fd, (const struct sockaddr *)&a, sizeof(a)), "connect");
}

static void set(int fd, int level, int name, int value)
{
	must(setsockopt(fd, level, name, &value, sizeof(value)), "setsockopt");
}

static int listening(void)
{
	int fd = bound(SOCK_STREAM);

	must(listen(fd, 16), "listen");
	return fd;
}

static void unix_pair(int fd[2])
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), "socketpair");
}

static void tcp_pair(int fd[2])
{
	_cleanup_(closep) int l = listening();

	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd[0], "socket");
	join(fd[0], l);
	fd[1] = accept(l, NULL, NULL);
	must(fd[1], "accept");
	set(fd[0], IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd[1], IPPROTO_TCP, TCP_NODELAY, 1);
}

static void udp_pair(int fd[2])
{
	fd[0] = bound(SOCK_DGRAM);
	fd[1] = bound(SOCK_DGRAM);
	join(fd[0], fd[1]);
	join(fd[1], fd[0]);
}

static void close_pair(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static void pass(int from, int to)
{
	char c = 0;

	if (send(from, &c, 1, 0) != 1 || recv(to, &c, 1, 0) != 1)
		die("message");
}

static void op_nowake(void *arg)
{
	const int *fd = arg;

	pass(fd[0], fd[1]);
	pass(fd[1], fd[0]);
}

struct echo {
	int fd, cpu;
};

/* Answers until it is told 'q': the socket of UDP has no end of file. */
static void *echo(void *arg)
{
	const struct echo *a = arg;
	char c = 0;

	pin(a->cpu);
	while (recv(a->fd, &c, 1, 0) == 1 && c != 'q')
		if (send(a->fd, &c, 1, 0) != 1)
			break;
	return NULL;
}

static void op_ask(void *arg)
{
	const int *fd = arg;
	char c = 0;

	if (send(*fd, &c, 1, 0) != 1 || recv(*fd, &c, 1, 0) != 1)
		die("round trip");
}

static double rtt_ns(void (*pair)(int *), int cpu, int peer_cpu)
{
	struct echo a = {.cpu = peer_cpu};
	pthread_t thread;
	double ns;
	int fd[2];

	pair(fd);
	a.fd = fd[1];
	pin(cpu);
	if (pthread_create(&thread, NULL, echo, &a) != 0)
		die("pthread_create");
	ns = best_ns(op_ask, &fd[0], 1);
	if (send(fd[0], "q", 1, 0) != 1)
		die("send");
	pthread_join(thread, NULL);
	close_pair(fd);
	return ns;
}

static double rtt_nowake_ns(void)
{
	double ns;
	int fd[2];

	tcp_pair(fd);
	ns = best_ns(op_nowake, fd, 1);
	close_pair(fd);
	return ns;
}

/* The answering end closes first, by a reset: neither is left in TIME_WAIT. */
static void op_connection(void *arg)
{
	const struct linger reset = {.l_onoff = 1};
	const int *l = arg;
	int fd[2];

	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fd[0], "socket");
	join(fd[0], *l);
	fd[1] = accept4(*l, NULL, NULL, SOCK_CLOEXEC);
	must(fd[1], "accept");
	op_nowake(fd);
	must(setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "SO_LINGER");
	close(fd[1]);
	close(fd[0]);
}

static double connection_ns(void)
{
	_cleanup_(closep) int l = listening();

	return best_ns(op_connection, &l, 1);
}

/* Sending and receiving take turns; each is timed by itself, none waits. */
struct datagrams {
	int fd[2];
	size_t bytes;
	char *buf;
	struct mmsghdr tx[BATCH], rx[BATCH];
	struct iovec iov[BATCH];
};

static void datagrams_init(struct datagrams *d, size_t bytes)
{
	udp_pair(d->fd);
	/* A batch's bookkeeping is more than its payload; root may go beyond rmem_max. */
	set(d->fd[1], SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
	d->bytes = bytes;
	d->buf = xcalloc(BATCH, MAX(bytes, (size_t)AGGREGATE_BYTES));
	for (int i = 0; i < BATCH; i++) {
		d->iov[i] =
			(struct iovec){.iov_base = d->buf + (size_t)i * bytes, .iov_len = bytes};
		d->tx[i].msg_hdr = (struct msghdr){.msg_iov = &d->iov[i], .msg_iovlen = 1};
		d->rx[i] = d->tx[i];
	}
}

static void datagrams_fini(struct datagrams *d)
{
	close_pair(d->fd);
	free(d->buf);
}

/* Best ns per datagram of sending, and of receiving, a batch by these two. */
static void turns(struct datagrams *d, void (*tx)(struct datagrams *),
	void (*rx)(struct datagrams *), double ret_ns[2])
{
	uint64_t end = clock_now_ns() + ROUNDS * ROUND_NS, now;
	double n = BATCH;

	ret_ns[0] = ret_ns[1] = 1e18;
	for (now = clock_now_ns(); now < end;) {
		uint64_t sum[2] = {0};

		/* A round's mean: the luckiest single batch is not what can be kept up. */
		for (int i = 0; i < 64; i++) {
			uint64_t t0 = clock_now_ns(), t1;

			tx(d);
			t1 = clock_now_ns();
			rx(d);
			now = clock_now_ns();
			sum[0] += t1 - t0;
			sum[1] += now - t1;
		}
		for (int i = 0; i < 2; i++)
			ret_ns[i] = MIN(ret_ns[i], (double)sum[i] / 64 / n);
	}
}

static void send_each(struct datagrams *d)
{
	if (sendmmsg(d->fd[0], d->tx, BATCH, 0) != BATCH)
		die("sendmmsg");
}

static void recv_each(struct datagrams *d)
{
	int got = 0;

	while (got < BATCH) {
		int n = recvmmsg(d->fd[1], d->rx, (unsigned int)(BATCH - got), MSG_DONTWAIT, NULL);

		must(n, "recvmmsg");
		got += n;
	}
}

/* As many calls as it takes: one carries no more than an IP packet. */
static void send_gso(struct datagrams *d)
{
	size_t room = (AGGREGATE_BYTES - 1024) / d->bytes, left = BATCH;

	while (left) {
		size_t n = MIN(room, left);

		if (send(d->fd[0], d->buf, n * d->bytes, 0) != (ssize_t)(n * d->bytes))
			die("send with UDP_SEGMENT");
		left -= n;
	}
}

static void recv_gro(struct datagrams *d)
{
	size_t got = 0;

	while (got < BATCH * d->bytes) {
		ssize_t n = recv(d->fd[1], d->buf, AGGREGATE_BYTES, MSG_DONTWAIT);

		must((int)n, "recv with UDP_GRO");
		got += (size_t)n;
	}
}

static void say_datagrams(size_t bytes)
{
	_cleanup_(freep) struct datagrams *d = xcalloc(1, sizeof(*d));
	double ns[2];

	datagrams_init(d, bytes);
	turns(d, send_each, recv_each, ns);
	printf(" udp%zu_send_ns=%.1f udp%zu_recv_ns=%.1f", bytes, ns[0], bytes, ns[1]);
	set(d->fd[0], IPPROTO_UDP, UDP_SEGMENT, (int)bytes);
	set(d->fd[1], IPPROTO_UDP, UDP_GRO, 1);
	turns(d, send_gso, recv_gro, ns);
	printf(" udp%zu_gso_ns=%.1f udp%zu_gro_ns=%.1f", bytes, ns[0], bytes, ns[1]);
	datagrams_fini(d);
}

static void own_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_(closep) int fd = -1;

	must(unshare(CLONE_NEWNET), "unshare");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd, "socket");
	must(ioctl(fd, SIOCSIFFLAGS, &lo), "SIOCSIFFLAGS");
}

static int cpu_of(const char *word)
{
	struct err e = {0};
	uint64_t cpu;

	if (num_parse(word, NUM_COUNT, &cpu, &e) < 0 || cpu >= CPU_SETSIZE) {
		fprintf(stderr, "tare-limits: not a CPU: %s\n", word);
		exit(2);
	}
	return (int)cpu;
}

int main(int argc, char **argv)
{
	int near_cpu, far_cpu, shared_cpu;

	if (argc != 4) {
		fputs("usage: tare-limits NEAR_CPU FAR_CPU SHARED_CPU\n", stderr);
		return 2;
	}
	near_cpu = cpu_of(argv[1]);
	far_cpu = cpu_of(argv[2]);
	shared_cpu = cpu_of(argv[3]);
	own_loopback();
	pin(near_cpu);
	printf("memcpy_Bpns=%.3f memcpy_l2_Bpns=%.3f", big_copy_Bpns(), copy_Bpns(SMALL_BYTES));
	printf(" syscall_ns=%.1f", best_ns(op_syscall, NULL, 1));
	printf(" rtt_unix_ns=%.0f", rtt_ns(unix_pair, shared_cpu, shared_cpu));
	printf(" rtt_tcp_ns=%.0f", rtt_ns(tcp_pair, shared_cpu, shared_cpu));
	printf(" rtt_udp_ns=%.0f", rtt_ns(udp_pair, shared_cpu, shared_cpu));
	printf(" rtt_tcp_2cpu_ns=%.0f", rtt_ns(tcp_pair, near_cpu, far_cpu));
	pin(near_cpu);
	printf(" rtt_tcp_nowake_ns=%.0f", rtt_nowake_ns());
	printf(" connection_ns=%.0f", connection_ns());
	say_datagrams(64);
	say_datagrams(1472);
	puts("");
	return 0;
}
