/* Where packets died at one end, over the counted span. */
#pragma once

#include "meter/meter.h"

struct drops_reading {
	/* Of the network namespace, IPv4 and IPv6 together. */
	uint64_t udp_in_errors, udp_rcvbuf_errors, udp_csum_errors, udp_mem_errors;
	uint64_t udp_no_ports, udp_sndbuf_errors;
	uint64_t ip_in_discards, ip_in_errors, ip_out_discards, ip_out_no_routes;
	uint64_t ip_reasm_fails, ip_reasm_reqds;
	uint64_t ip_frag_creates, ip_frag_oks, ip_frag_fails;
	uint64_t qdisc_drops, dev_rx_drops, dev_tx_drops;
	uint64_t conntrack_drops, conntrack_early_drops, conntrack_insert_failed;
	/* Of the whole machine. */
	uint64_t softnet_drops, softnet_squeezed;
};
