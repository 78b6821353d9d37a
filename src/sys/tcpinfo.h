/* What the kernel knows of one TCP connection. Ref: net/ipv4/tcp.c tcp_get_info, v6.1. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct tcpinfo {
	uint64_t retransmits, bytes_retrans; /* since the connection was made */
	uint64_t busy_ns, rwnd_limited_ns, sndbuf_limited_ns;
	uint64_t delivery_rate_bps;
	uint32_t rtt_us, rttvar_us, min_rtt_us;
	uint32_t snd_cwnd_segs, snd_mss_bytes, pmtu_bytes;
	uint32_t snd_wnd_bytes; /* 0: the kernel (before 5.4) does not say */
	uint32_t reordering;    /* segments: how far reordering is tolerated */
	uint32_t reord_seen;    /* times reordering was seen */
};

int tcpinfo_read(int fd, struct tcpinfo *ret, struct err *e) must_check_;
