#include "sys/tcpinfo.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int tcpinfo_read(int fd, struct tcpinfo *ret, struct err *e)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	memset(&i, 0, sizeof(i)); /* an older kernel fills less */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len) < 0)
		return err_set(e, errno, "cannot read TCP_INFO");
	*ret = (struct tcpinfo){
		.retransmits = i.tcpi_total_retrans,
		.bytes_retrans = i.tcpi_bytes_retrans,
		.busy_ns = i.tcpi_busy_time * NSEC_PER_USEC,
		.rwnd_limited_ns = i.tcpi_rwnd_limited * NSEC_PER_USEC,
		.sndbuf_limited_ns = i.tcpi_sndbuf_limited * NSEC_PER_USEC,
		.delivery_rate_bps = i.tcpi_delivery_rate * 8,
		.rtt_us = i.tcpi_rtt,
		.rttvar_us = i.tcpi_rttvar,
		.min_rtt_us = i.tcpi_min_rtt,
		.snd_cwnd_segs = i.tcpi_snd_cwnd,
		.snd_mss_bytes = i.tcpi_snd_mss,
		.pmtu_bytes = i.tcpi_pmtu,
		.snd_wnd_bytes = i.tcpi_snd_wnd,
		.reordering = i.tcpi_reordering,
		.reord_seen = i.tcpi_reord_seen,
	};
	return 0;
}
