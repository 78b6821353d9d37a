/*
 * A device whose interrupts are moderated has one for all packets that come meanwhile. The
 * interrupts are those that RPS sends, which the kernel counts.
 *
 *	peer == wire == host: bridge -- neighbour      what comes by the wire is another CPU's work
 */
#include "net.h"
#include "path/tenants.h"
#include "sys/affinity.h"
#include "sys/file.h"
#include "sys/napi.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT    7001
#define BURSTS  20
#define PACKETS 8 /* of a burst */
#define GAP_NS  (100 * NSEC_PER_USEC)
/* Far longer than a burst is. */
#define FLUSH_NS (10 * NSEC_PER_MSEC)
/* Who is not let onto his CPU for long sees packets together that came one by one. */
#define TRIES 5

static uint32_t cpu[AFFINITY_MAX_CPUS], n_cpus;

/* Of the last CPU. Ref: net/core/net-procfs.c softnet_seq_show: the 10th number, the 13th: whose */
static uint64_t rps_interrupts(void)
{
	char text[65536], *rest = text, *line;

	must(file_read("/proc/net/softnet_stat", text, sizeof(text), &e_));
	while ((line = strsep(&rest, "\n")) && *line) {
		unsigned x[13];

		assert_int_equal(sscanf(line, "%x %x %x %x %x %x %x %x %x %x %x %x %x", &x[0],
					 &x[1], &x[2], &x[3], &x[4], &x[5], &x[6], &x[7], &x[8],
					 &x[9], &x[10], &x[11], &x[12]),
			13);
		if (x[12] == cpu[n_cpus - 1])
			return x[9];
	}
	fail_msg("CPU %u has no line in softnet_stat", cpu[n_cpus - 1]);
	return 0;
}

static int bind_at(const struct tenants_end *end)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;

	must(ns_scope_enter(&scope, end->netns_fd, &e_));
	return must(sock_bind(SOCK_DGRAM, end->ip, PORT, &e_));
}

/* None is lost: the wire holds far more than a burst. Return: the interrupts that it took. */
static uint64_t send_all(int tx, int rx)
{
	const uint64_t before = rps_interrupts();
	char word[PACKETS] = "";

	for (int b = 0; b < BURSTS; b++) {
		for (int i = 0; i < PACKETS; i++) {
			assert_int_equal(send(tx, word, 1, 0), 1);
			net_wait_until(clock_now_ns() + GAP_NS);
		}
		for (int i = 0; i < PACKETS; i++)
			assert_int_equal(recv(rx, word, 1, 0), 1);
	}
	return rps_interrupts() - before;
}

static void moderated(void **state)
{
	static const struct napi_moderation none, some = {FLUSH_NS, 2};
	const struct tenants_args args = {.mtu = 1500,
		.cpu = cpu[n_cpus - 1],
		.peer_cpu = cpu[0],
		.polls = true};
	_cleanup_(tenants_closep) struct tenants *t = NULL;
	_cleanup_(closep) int rx = -1, tx = -1, napi_fd = -1;
	const struct timeval deadline = {.tv_sec = 10};
	struct napi_moderation now;
	uint64_t each = 0, together = 0;

	(void)state;
	must(tenants_open(&t, &args, &e_));
	napi_fd = must(napi_open(t->host_fd, &e_));
	rx = bind_at(&t->tenant[TENANT_NEIGHBOUR]);
	tx = bind_at(&t->peer);
	must(sock_connect(tx, t->tenant[TENANT_NEIGHBOUR].ip, PORT, net_deadline(), &e_));
	assert_int_equal(setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)), 0);
	must(affinity_pin(cpu[0], &e_));
	for (int i = 0; i < TRIES; i++) {
		must(napi_set_moderation(napi_fd, "wire", &none, &e_));
		each = send_all(tx, rx);
		must(napi_set_moderation(napi_fd, "wire", &some, &e_));
		must(napi_moderation(napi_fd, "wire", &now, &e_));
		assert_true(now.flush_ns == FLUSH_NS && now.defer == 2);
		together = send_all(tx, rx);
		print_message("# %d packets: %u interrupts, moderated %u\n", BURSTS * PACKETS,
			(unsigned)each, (unsigned)together);
		if (together * 2 < each)
			return;
	}
	fail_msg("moderation makes no fewer of them");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(moderated)};

	n_cpus = affinity_allowed(cpu);
	if (n_cpus < 2) {
		puts("1..0 # SKIP there is one CPU only");
		return 0;
	}
	if (net_begin() != 0)
		return 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
