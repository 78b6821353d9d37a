/* TCP_INFO of the sending end, whichever end that is. */
#pragma once

#include "meter/meter.h"

struct tcp_reading {
	uint32_t n_flows;
	uint64_t retransmits, bytes_retrans;
	uint64_t busy_ns, rwnd_limited_ns, sndbuf_limited_ns;
	uint64_t rtt_ns, min_rtt_ns;
	uint32_t cwnd_segs, mss_bytes;
	uint64_t delivery_rate_bps;
};
