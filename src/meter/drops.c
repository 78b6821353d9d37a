/*
 * All counters are the kernel's own, of everything in the namespace, not of the load alone. Their
 * files are small; a kernel that lacks one of them reads as never having dropped there.
 * Ref: net/ipv4/proc.c, net/ipv6/proc.c, net/core/net-procfs.c softnet_seq_show,
 * net/netfilter/nf_conntrack_standalone.c ct_cpu_seq_show.
 */
#include "meter/drops.h"

#include "meter/table.h"
#include "sys/file.h"
#include "sys/procnet.h"
#include "sys/rtnl.h"

#include <stdlib.h>
#include <string.h>

/* /proc/net/snmp is 2 KiB, snmp6 5 KiB, softnet_stat 150 bytes a CPU. */
#define DROPS_FILE_BYTES ((size_t)128 << 10)

struct drops_state {
	struct rt *rt;
	struct drops_reading begin;
	char text[DROPS_FILE_BYTES];
};

static const struct field drops_fields[] = {
	FIELD_U64(struct drops_reading, udp_in_errors, "",
		"datagrams that UDP could not deliver, all reasons but a missing socket"),
	FIELD_U64(struct drops_reading, udp_rcvbuf_errors, "",
		"of these, for a full socket buffer; an aggregate of GRO counts once"),
	FIELD_U64(struct drops_reading, udp_csum_errors, "", "of these, for a wrong checksum"),
	FIELD_U64(struct drops_reading, udp_mem_errors, "", "of these, for UDP's memory limit"),
	FIELD_U64(struct drops_reading, udp_no_ports, "",
		"datagrams for which there was no socket"),
	FIELD_U64(struct drops_reading, udp_sndbuf_errors, "",
		"send calls that found no room; nothing was sent, so nothing was lost"),
	FIELD_U64(struct drops_reading, ip_in_discards, "", "packets IP dropped on the way in"),
	FIELD_U64(struct drops_reading, ip_in_errors, "",
		"packets with a bad header, address or length"),
	FIELD_U64(struct drops_reading, ip_out_discards, "", "packets IP dropped on the way out"),
	FIELD_U64(struct drops_reading, ip_out_no_routes, "", "packets without a route"),
	FIELD_U64(struct drops_reading, ip_reasm_fails, "",
		"packets whose fragments did not all come"),
	FIELD_U64(struct drops_reading, ip_reasm_reqds, "",
		"fragments that came and had to be put together; nothing is lost by that"),
	FIELD_U64(struct drops_reading, ip_frag_creates, "",
		"fragments made; nothing is lost by that"),
	FIELD_U64(struct drops_reading, ip_frag_oks, "", "packets these were made of"),
	FIELD_U64(struct drops_reading, ip_frag_fails, "",
		"packets too long for the next link that must not be fragmented, or could not be"),
	FIELD_U64(struct drops_reading, qdisc_drops, "",
		"packets that queueing disciplines dropped, all devices of the namespace"),
	FIELD_U64(struct drops_reading, dev_rx_drops, "", "packets devices dropped on the way in"),
	FIELD_U64(struct drops_reading, dev_tx_drops, "", "packets devices dropped on the way out"),
	FIELD_U64(struct drops_reading, conntrack_drops, "",
		"packets connection tracking dropped, as when its table is full"),
	FIELD_U64(struct drops_reading, conntrack_early_drops, "",
		"unanswered or closing connections it forgot early, to make room for new ones"),
	FIELD_U64(struct drops_reading, conntrack_insert_failed, "",
		"new connections it could not enter, as one with the same addresses was there"),
	FIELD_U64(struct drops_reading, softnet_drops, "",
		"packets the CPUs' backlogs dropped, whole machine"),
	FIELD_U64(struct drops_reading, softnet_squeezed, "",
		"times softirq ended with work left, whole machine; nothing is lost by that"),
	FIELD_END,
};

static int read_text(struct drops_state *s, const char *path)
{
	int r = file_read(path, s->text, sizeof(s->text), NULL);

	if (r < 0)
		s->text[0] = '\0';
	return r < 0 ? 0 : r;
}

/* /proc/thread-self/net: of the calling thread's namespace. */
static void sample_ip(struct drops_state *s, struct drops_reading *x)
{
	const char *t = s->text;

	(void)read_text(s, "/proc/thread-self/net/snmp");
	x->udp_in_errors = procnet_snmp(t, "Udp", "InErrors");
	x->udp_rcvbuf_errors = procnet_snmp(t, "Udp", "RcvbufErrors");
	x->udp_csum_errors = procnet_snmp(t, "Udp", "InCsumErrors");
	x->udp_mem_errors = procnet_snmp(t, "Udp", "MemErrors");
	x->udp_no_ports = procnet_snmp(t, "Udp", "NoPorts");
	x->udp_sndbuf_errors = procnet_snmp(t, "Udp", "SndbufErrors");
	x->ip_in_discards = procnet_snmp(t, "Ip", "InDiscards");
	x->ip_in_errors =
		procnet_snmp(t, "Ip", "InHdrErrors") + procnet_snmp(t, "Ip", "InAddrErrors");
	x->ip_out_discards = procnet_snmp(t, "Ip", "OutDiscards");
	x->ip_out_no_routes = procnet_snmp(t, "Ip", "OutNoRoutes");
	x->ip_reasm_fails = procnet_snmp(t, "Ip", "ReasmFails");
	x->ip_reasm_reqds = procnet_snmp(t, "Ip", "ReasmReqds");
	x->ip_frag_creates = procnet_snmp(t, "Ip", "FragCreates");
	x->ip_frag_oks = procnet_snmp(t, "Ip", "FragOKs");
	x->ip_frag_fails = procnet_snmp(t, "Ip", "FragFails");

	(void)read_text(s, "/proc/thread-self/net/snmp6");
	x->udp_in_errors += procnet_snmp6(t, "Udp6InErrors");
	x->udp_rcvbuf_errors += procnet_snmp6(t, "Udp6RcvbufErrors");
	x->udp_csum_errors += procnet_snmp6(t, "Udp6InCsumErrors");
	x->udp_mem_errors += procnet_snmp6(t, "Udp6MemErrors");
	x->udp_no_ports += procnet_snmp6(t, "Udp6NoPorts");
	x->udp_sndbuf_errors += procnet_snmp6(t, "Udp6SndbufErrors");
	x->ip_in_discards += procnet_snmp6(t, "Ip6InDiscards");
	x->ip_in_errors += procnet_snmp6(t, "Ip6InHdrErrors") +
			   procnet_snmp6(t, "Ip6InAddrErrors") +
			   procnet_snmp6(t, "Ip6InTruncatedPkts");
	x->ip_out_discards += procnet_snmp6(t, "Ip6OutDiscards");
	x->ip_out_no_routes += procnet_snmp6(t, "Ip6OutNoRoutes");
	x->ip_reasm_fails += procnet_snmp6(t, "Ip6ReasmFails");
	x->ip_reasm_reqds += procnet_snmp6(t, "Ip6ReasmReqds");
	x->ip_frag_creates += procnet_snmp6(t, "Ip6FragCreates");
	x->ip_frag_oks += procnet_snmp6(t, "Ip6FragOKs");
	x->ip_frag_fails += procnet_snmp6(t, "Ip6FragFails");
}

static int sample(struct drops_state *s, struct drops_reading *x, struct err *e)
{
	struct rt_drops d;
	int r = rt_drops(s->rt, &d, e);

	if (r < 0)
		return r;
	*x = (struct drops_reading){.qdisc_drops = d.qdisc,
		.dev_rx_drops = d.rx,
		.dev_tx_drops = d.tx};
	sample_ip(s, x);
	/* Columns of softnet_stat: processed, dropped, time_squeeze. */
	(void)read_text(s, "/proc/net/softnet_stat");
	x->softnet_drops = procnet_column(s->text, 1);
	x->softnet_squeezed = procnet_column(s->text, 2);
	(void)read_text(s, "/proc/thread-self/net/stat/nf_conntrack");
	x->conntrack_drops = procnet_named_column(s->text, "drop");
	x->conntrack_early_drops = procnet_named_column(s->text, "early_drop");
	x->conntrack_insert_failed = procnet_named_column(s->text, "insert_failed");
	return 0;
}

static int drops_probe(struct err *e)
{
	(void)e;
	return 0;
}

static int drops_open(void *state, struct err *e)
{
	struct drops_state *s = state;

	return rt_open_here(&s->rt, e);
}

static int drops_begin(void *state, const struct meter_scope *scope, struct err *e)
{
	struct drops_state *s = state;

	(void)scope;
	return sample(s, &s->begin, e);
}

static int drops_end(void *state, const struct meter_scope *scope, void *reading, struct err *e)
{
	struct drops_state *s = state;
	uint64_t *now = reading;
	const uint64_t *before = (const uint64_t *)&s->begin;
	int r = sample(s, reading, e);

	(void)scope;
	if (r == 0)
		meter_since(now, before, sizeof(struct drops_reading) / sizeof(*now));
	return r;
}

static void drops_close(void *state)
{
	struct drops_state *s = state;

	rt_close(s->rt);
}

const struct meter_ops meter_drops = {
	.name = "drops",
	.summary = "where packets died: UDP, IP, backlogs, qdiscs, devices, connection tracking",
	.fields = drops_fields,
	.reading_bytes = sizeof(struct drops_reading),
	.state_bytes = sizeof(struct drops_state),
	.probe = drops_probe,
	.open = drops_open,
	.begin = drops_begin,
	.end = drops_end,
	.close = drops_close,
};
