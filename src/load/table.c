#include "load/table.h"

#include <string.h>

const struct load_ops *const load_table[] = {
	&load_stream,
	&load_rr,
	&load_udp,
	&load_crr,
	NULL,
};

const char *const load_dir_name[] = {
	[LOAD_DIR_EACH] = "each",
	[LOAD_DIR_TX] = "tx",
	[LOAD_DIR_RX] = "rx",
	[LOAD_DIR_BOTH] = "both",
};
static_assert(ARRAY_SIZE(load_dir_name) == LOAD_DIR_N);

const char *const load_proto_name[] = {
	[LOAD_PROTO_EACH] = "each",
	[LOAD_PROTO_TCP] = "tcp",
	[LOAD_PROTO_UDP] = "udp",
};
static_assert(ARRAY_SIZE(load_proto_name) == LOAD_PROTO_N);

const char *const load_send_name[] = {
	[LOAD_SEND_COPY] = "copy",
	[LOAD_SEND_ZEROCOPY] = "zerocopy",
	[LOAD_SEND_SENDFILE] = "sendfile",
};
static_assert(ARRAY_SIZE(load_send_name) == LOAD_SEND_N);

const char *const load_recv_name[] = {
	[LOAD_RECV_COPY] = "copy",
	[LOAD_RECV_TRUNC] = "trunc",
};
static_assert(ARRAY_SIZE(load_recv_name) == LOAD_RECV_N);

const char *const load_switch_name[] = {
	[LOAD_SWITCH_OFF] = "off",
	[LOAD_SWITCH_ON] = "on",
	[LOAD_SWITCH_AUTO] = "auto",
};
static_assert(ARRAY_SIZE(load_switch_name) == LOAD_SWITCH_N);

const char *const load_pace_name[] = {
	[LOAD_PACE_AUTO] = "auto",
	[LOAD_PACE_OWN] = "own",
	[LOAD_PACE_FQ] = "fq",
	[LOAD_PACE_TXTIME] = "txtime",
};
static_assert(ARRAY_SIZE(load_pace_name) == LOAD_PACE_N);
const char *const load_under_name[] = {
	[LOAD_UNDER_NONE] = "none",
	[LOAD_UNDER_IDLE] = "idle",
	[LOAD_UNDER_STREAM] = "stream",
};
static_assert(ARRAY_SIZE(load_under_name) == LOAD_UNDER_N);

const char *const load_hist_name[] = {
	[LOAD_HIST_LATENCY] = "latency",
	[LOAD_HIST_GAP_TX] = "gap_tx",
	[LOAD_HIST_GAP_RX] = "gap_rx",
	[LOAD_HIST_PDV] = "pdv",
	[LOAD_HIST_SLIP] = "slip",
	[LOAD_HIST_CONNECT] = "connect",
	[LOAD_HIST_RESPONSE] = "response",
	[LOAD_HIST_CLOSE] = "close",
};
static_assert(ARRAY_SIZE(load_hist_name) == LOAD_HIST_N);

const char *const load_hist_doc[] = {
	[LOAD_HIST_LATENCY] = "histogram of all transactions of all trials, or null",
	[LOAD_HIST_GAP_TX] = "histogram of the times between sendings of a paced sender that keeps "
			     "the schedule itself, or null",
	[LOAD_HIST_GAP_RX] = "histogram of the times between arrivals of paced datagrams, or null",
	[LOAD_HIST_PDV] = "histogram of packet delay variation (RFC 5481) of paced datagrams, or "
			  "null",
	[LOAD_HIST_SLIP] = "histogram of how late an open loop sent what was due, or null",
	[LOAD_HIST_CONNECT] = "histogram of crr's connecting, or null",
	[LOAD_HIST_RESPONSE] = "histogram from connected to the whole response, of crr, or null",
	[LOAD_HIST_CLOSE] = "histogram from the response to the other end's close, of crr, or null",
};
static_assert(ARRAY_SIZE(load_hist_doc) == LOAD_HIST_N);

const struct load_ops *load_find(const char *name)
{
	for (size_t i = 0; load_table[i]; i++)
		if (strcmp(load_table[i]->name, name) == 0)
			return load_table[i];
	return NULL;
}
