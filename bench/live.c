#include "live.h"

#include "base/clock.h"
#include "base/str.h"
#include "must.h"
#include "sys/ns.h"
#include "sys/sock.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

/* Before the first frame: what is there to be set up is. */
#define LEAD_NS (3 * NSEC_PER_MSEC)
#define MOST_NS (5 * NSEC_PER_SEC)

struct frame_tx *live_open(const struct live_end *from, const struct live_end *to)
{
	static const struct frame_form form;
	const struct frame_vary vary = {.flows = 1, .networks = 1, .macs = 1};
	struct frame_port port = {.netns_fd = from->netns_fd,
		.ifindex = (uint32_t)from->id->ifindex,
		.mtu = from->id->mtu};
	struct frame_addr addr = {0};
	struct frame_stream *stream;
	struct frame_mix mix;
	const struct frame_stream_args args = {&form, &addr, &vary, &mix, 1};
	struct frame_tx *tx;

	str_set(port.dev, from->dev);
	memcpy(port.mac, from->id->mac, 6);
	memcpy(addr.src_mac, from->id->mac, 6);
	memcpy(addr.dst_mac, to->id->mac, 6);
	(void)inet_pton(AF_INET, from->ip, addr.src_ip);
	(void)inet_pton(AF_INET, to->ip, addr.dst_ip);
	must(frame_mix_parse(&mix, "64", 1500, &e_));
	must(frame_stream_new(&stream, &args, &e_));
	must(frame_tx_find("live")->open(&tx, &port, stream, &e_));
	return tx;
}

uint64_t live_send(struct frame_tx *tx, uint64_t n_frames, uint64_t gap_q16, uint32_t burst)
{
	const uint64_t begin_ns = clock_now_ns() + LEAD_NS;
	const struct frame_plan plan = {.magic = FRAME_MAGIC_TEST,
		.trial = 1,
		.begin_ns = begin_ns,
		.end_ns = begin_ns + MOST_NS,
		.burst = burst,
		.n_phases = 1,
		.phase = {{.n_frames = n_frames, .gap_q16 = gap_q16}}};
	const atomic_bool stop = false;
	struct frame_sent sent;

	must(frame_tx_find("live")->run(tx, &plan, &stop, &sent, &e_));
	return sent.sent;
}

void live_fill_sink(int netns_fd)
{
	_cleanup_(ns_scope_leave) struct ns_scope scope = NS_SCOPE_NONE;
	int fd;

	must(ns_scope_enter(&scope, netns_fd, &e_));
	must(fd = sock_bind(SOCK_DGRAM, "0.0.0.0", 7, &e_));
	must(sock_set_int(fd, SOL_SOCKET, SO_RCVBUF, 1, "receive buffer", &e_));
}
