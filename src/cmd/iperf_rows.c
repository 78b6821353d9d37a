/*
 * One row per option. Rows that only store a value name a member; the others have a function of
 * their own. Numbers are read as loosely as iperf3 does: see cmd/iperf_opts.h.
 */
#include "cmd/iperf_rows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* Limits of iperf3 3.21's own command line. */
#define MAX_WINDOW_BYTES (512U << 20)
#define MAX_TIME_S       86400
#define MAX_OMIT_S       600
#define MAX_BURST        1000
#define MAX_MSS_BYTES    32767
#define MAX_CPU          1024

/* Short, so that a row fits on its line. */
#define BOTH   IPERF_BOTH
#define SERVER IPERF_SERVER
#define CLIENT IPERF_CLIENT

#define MEMBER(m)                                                                                  \
	.offset = offsetof(struct iperf_args, m), .size = MEMBER_SIZE(struct iperf_args, m)
#define PARAM(m) MEMBER(cfg.params.m)

static void *member(struct iperf_args *a, const struct iperf_row *o)
{
	return (char *)a + o->offset;
}

static int bad(const struct iperf_row *o, const char *text, const char *why, struct err *e)
{
	return err_say(e, EINVAL, "--%s %s: %s", o->name, text, why);
}

static void store(struct iperf_args *a, const struct iperf_row *o, uint64_t v)
{
	if (o->size == sizeof(uint16_t))
		*(uint16_t *)member(a, o) = (uint16_t)v;
	else if (o->size == sizeof(uint32_t))
		*(uint32_t *)member(a, o) = (uint32_t)v;
	else
		*(uint64_t *)member(a, o) = v;
}

static int out_of_range(const struct iperf_row *o, const char *text, struct err *e)
{
	return err_say(e, EINVAL, "--%s %s: must be %llu to %llu", o->name, text,
		(unsigned long long)o->min, (unsigned long long)o->max);
}

static int whole_number(const struct iperf_row *o, const char *text, int base, uint64_t *ret,
	struct err *e)
{
	char *end;
	long long v = strtoll(text, &end, base);

	if (end == text)
		return bad(o, text, "not a number", e);
	if (v < 0 || (uint64_t)v < o->min || (uint64_t)v > o->max)
		return out_of_range(o, text, e);
	*ret = (uint64_t)v;
	return 0;
}

/* A number and one letter of scale; what follows the letter is ignored, as iperf3 does. */
static int scaled(const struct iperf_row *o, const char *text, double kilo, double *ret,
	struct err *e)
{
	static const char suffix[] = "kmgt";
	const char *at;
	char *end;
	double v = strtod(text, &end);

	if (end == text || !isfinite(v) || v < 0)
		return bad(o, text, "not a number", e);
	if (*end) {
		at = strchr(suffix, *end | 0x20);
		if (!at || !*at)
			return bad(o, text, "unknown unit, use K, M, G or T", e);
		for (; at >= suffix; at--)
			v *= kilo;
	}
	*ret = v;
	return 0;
}

static int scaled_number(const struct iperf_row *o, const char *text, double kilo, uint64_t *ret,
	struct err *e)
{
	double v = 0;
	int r = scaled(o, text, kilo, &v, e);

	if (r < 0)
		return r;
	if (v < (double)o->min || v > (double)o->max)
		return out_of_range(o, text, e);
	*ret = (uint64_t)v;
	return 0;
}

static int set_constant(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	(void)text;
	(void)e;
	store(a, o, o->min);
	return 0;
}

static int set_true(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	(void)text;
	(void)e;
	*(bool *)member(a, o) = true;
	return 0;
}

static int set_number(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	uint64_t v = 0;
	int r = whole_number(o, text, 10, &v, e);

	if (r == 0)
		store(a, o, v);
	return r;
}

/* Decimal, 0x hexadecimal or 0 octal. */
static int set_any_base(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	uint64_t v = 0;
	int r = whole_number(o, text, 0, &v, e);

	if (r == 0)
		store(a, o, v);
	return r;
}

static int set_size(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	uint64_t v = 0;
	int r = scaled_number(o, text, 1024, &v, e);

	if (r == 0)
		store(a, o, v);
	return r;
}

static int set_rate(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	uint64_t v = 0;
	int r = scaled_number(o, text, 1000, &v, e);

	if (r == 0)
		store(a, o, v);
	return r;
}

static int set_text(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	return str_copy(member(a, o), o->size, text) < 0 ? bad(o, text, "too long", e) : 0;
}

static int set_server(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	(void)o;
	(void)text;
	if (*a->cfg.host)
		return err_say(e, EINVAL, "be a server (-s) or a client (-c), not both");
	a->server = true;
	return 0;
}

/* "addr%dev" binds to dev; in a link-local IPv6 address it stays, as the scope. */
static int set_addr(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	const char *dev = strchr(text, '%');
	char addr[256];
	struct in6_addr in6;

	if (!dev || !dev[1] || dev == text)
		return set_text(a, o, text, e);
	if ((size_t)(dev - text) >= sizeof(addr))
		return bad(o, text, "too long", e);
	memcpy(addr, text, (size_t)(dev - text));
	addr[dev - text] = '\0';
	if (inet_pton(AF_INET6, addr, &in6) == 1 && IN6_IS_ADDR_LINKLOCAL(&in6))
		return set_text(a, o, text, e);
	if (str_copy(a->cfg.bind_dev, sizeof(a->cfg.bind_dev), dev + 1) < 0)
		return bad(o, text, "the device's name is too long", e);
	return set_text(a, o, addr, e);
}

static int set_client(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	if (a->server)
		return err_say(e, EINVAL, "be a server (-s) or a client (-c), not both");
	if (!*text)
		return bad(o, text, "no host", e);
	return set_addr(a, o, text, e);
}

static int set_format(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	if (!*text || !strchr("kmgtKMGT", *text))
		return bad(o, text, "a format is one of k m g t K M G T", e);
	a->output.format = *text;
	return 0;
}

static int interval(const struct iperf_row *o, const char *text, double *ret_s, struct err *e)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || !isfinite(s) || (s != 0 && (s < 0.1 || s > 60)))
		return bad(o, text, "must be 0, or 0.1 to 60 seconds", e);
	*ret_s = s;
	return 0;
}

static int set_interval(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	double s = 0;
	int r = interval(o, text, &s, e);

	if (r == 0)
		a->cfg.interval_ns = (uint64_t)(s * NSEC_PER_SEC + 0.5);
	return r;
}

static int set_json_stream(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	(void)o;
	(void)text;
	(void)e;
	a->output.json = a->output.json_stream = true;
	return 0;
}

static int set_timestamps(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	/* The locale's date and time. */
	const char *format = text ? text : "%c ";

	return str_copy(a->output.timestamps, sizeof(a->output.timestamps), format) < 0
		       ? bad(o, text, "too long", e)
		       : 0;
}

static int set_debug(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	a->debug = 4;
	return text ? set_number(a, o, text, e) : 0;
}

static int set_affinity(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	const char *comma = strchr(text, ',');
	uint64_t v = 0;
	int r = whole_number(o, text, 0, &v, e);

	if (r < 0)
		return r;
	a->cfg.affinity = (int32_t)v;
	if (!comma)
		return 0;
	r = whole_number(o, comma + 1, 10, &v, e);
	if (r == 0)
		a->cfg.params.server_affinity = (int32_t)v;
	return r;
}

/* "idle/interval/count", each may be empty: seconds, seconds, probes. */
static int set_keepalive(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	struct iperf_cfg *c = &a->cfg;
	uint32_t *part[] = {&c->keepalive_idle_s, &c->keepalive_interval_s, &c->keepalive_count};
	uint64_t v = 0;

	c->keepalive = true;
	for (uint32_t i = 0; text && i < ARRAY_SIZE(part); i++) {
		if (*text && *text != '/') {
			int r = whole_number(o, text, 10, &v, e);

			if (r < 0)
				return r;
			*part[i] = (uint32_t)v;
		}
		text = strchr(text, '/');
		text = text ? text + 1 : NULL;
	}
	if (c->keepalive_idle_s &&
		c->keepalive_idle_s <= (uint64_t)c->keepalive_interval_s * c->keepalive_count)
		return err_say(e, EINVAL, "--%s: the idle time must be longer than all probes take",
			o->name);
	return 0;
}

static int set_bitrate(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	const struct iperf_row burst = {.name = o->name, .min = 1, .max = MAX_BURST};
	const char *slash = strchr(text, '/');
	char rate[64];
	uint64_t v = 0;
	int r;

	if ((size_t)snprintf(rate, sizeof(rate), "%.*s",
		    slash ? (int)(slash - text) : (int)strlen(text), text) >= sizeof(rate))
		return bad(o, text, "too long", e);
	r = set_rate(a, o, rate, e);
	if (r < 0 || !slash)
		return r;
	r = whole_number(&burst, slash + 1, 10, &v, e);
	if (r == 0)
		a->cfg.params.burst = (uint32_t)v;
	return r;
}

static int set_server_limit(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	const char *slash = strchr(text, '/');
	char rate[64];
	double s = 0;
	int r = slash ? interval(o, slash + 1, &s, e) : 0;

	if (r < 0)
		return r;
	if ((size_t)snprintf(rate, sizeof(rate), "%.*s",
		    slash ? (int)(slash - text) : (int)strlen(text), text) >= sizeof(rate))
		return bad(o, text, "too long", e);
	return set_rate(a, o, rate, e);
}

static int set_max_duration(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	uint64_t s = 0;
	int r = whole_number(o, text, 10, &s, e);

	if (r == 0)
		a->limits.max_duration_ns = s * NSEC_PER_SEC;
	return r;
}

static int set_mptcp(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	a->cfg.params.proto = IPERF_TCP;
	return set_true(a, o, text, e);
}

/*
 * Names of differentiated services code points, as values of the whole TOS byte. Ref: RFC 2597 s.6
 * (af), RFC 2474 s.4.2.2 (cs), RFC 3246 (ef), RFC 5865 (va); the last three: RFC 791 s.3.1
 */
static const struct {
	const char *name;
	uint32_t tos;
} dscp[] = {
	{"af11", 0x28},
	{"af12", 0x30},
	{"af13", 0x38},
	{"af21", 0x48},
	{"af22", 0x50},
	{"af23", 0x58},
	{"af31", 0x68},
	{"af32", 0x70},
	{"af33", 0x78},
	{"af41", 0x88},
	{"af42", 0x90},
	{"af43", 0x98},
	{"cs0", 0x00},
	{"cs1", 0x20},
	{"cs2", 0x40},
	{"cs3", 0x60},
	{"cs4", 0x80},
	{"cs5", 0xa0},
	{"cs6", 0xc0},
	{"cs7", 0xe0},
	{"ef", 0xb8},
	{"va", 0xb0},
	{"lowdelay", 0x10},
	{"throughput", 0x08},
	{"reliability", 0x04},
};

static int set_dscp(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	char *end;
	long long v;

	for (size_t i = 0; i < ARRAY_SIZE(dscp); i++) {
		if (strcasecmp(text, dscp[i].name) == 0) {
			a->cfg.params.TOS = dscp[i].tos;
			return 0;
		}
	}
	v = strtoll(text, &end, 0);
	if (end == text || *end || v < 0 || v > 63)
		return bad(o, text, "neither 0 to 63 nor the name of a code point", e);
	a->cfg.params.TOS = (uint32_t)v << 2;
	return 0;
}

static int set_gsro(struct iperf_args *a, const struct iperf_row *o, const char *text,
	struct err *e)
{
	(void)o;
	(void)text;
	(void)e;
	a->cfg.params.gso = a->cfg.params.gro = true;
	return 0;
}

#define WITH(n)     .arg = IPERF_ARG_NEEDED, .arg_name = (n)
#define OPTIONAL(n) .arg = IPERF_ARG_OPTIONAL, .arg_name = (n)
#define MAX_MS      (MAX_TIME_S * 1000ULL)
#define ANY         INT64_MAX
#define NO_SCTP     "tare speaks TCP and UDP"

const struct iperf_row iperf_rows[] = {
	{"port", NULL, 'p', BOTH, WITH("<port>"), set_number, MEMBER(cfg.port), 1, 65535,
		"port the server listens on"},
	{"format", NULL, 'f', BOTH, WITH("<unit>"), set_format,
		.help = "unit of rates: k m g t for bits, K M G T for bytes"},
	{"interval", NULL, 'i', BOTH, WITH("<s>"), set_interval,
		.help = "seconds between reports, 0 for none"},
	{"pidfile", NULL, 'I', BOTH, WITH("<file>"), set_text, MEMBER(pidfile),
		.help = "write the process id to this file"},
	{"file", NULL, 'F', BOTH, WITH("<file>"),
		.refused = "tare sends no files, only generated data"},
	{"affinity", NULL, 'A', BOTH, WITH("<n>[,<m>]"), set_affinity, .max = MAX_CPU,
		.help = "run on CPU n; as client, have the server run on its CPU m"},
	{"bind", NULL, 'B', BOTH, WITH("<host>[%<dev>]"), set_addr, MEMBER(cfg.bind),
		.help = "use this local address, and device"},
	{"bind-dev", NULL, 0, BOTH, WITH("<dev>"), set_text, MEMBER(cfg.bind_dev),
		.help = "use this network device"},
	{"verbose", NULL, 'V', BOTH, .set = set_true, MEMBER(output.verbose), .help = "say more"},
	{"json", NULL, 'J', BOTH, .set = set_true, MEMBER(output.json),
		.help = "one JSON document instead of text"},
	{"json-stream", NULL, 0, BOTH, .set = set_json_stream,
		.help = "one line of JSON for each event"},
	{"json-stream-full-output", NULL, 0, BOTH, .set = set_true, MEMBER(output.json_full),
		.help = "after the events, the whole document"},
	{"logfile", NULL, 0, BOTH, WITH("<file>"), set_text, MEMBER(logfile),
		.help = "append the output to this file"},
	{"forceflush", NULL, 0, BOTH, .set = set_true, MEMBER(output.forceflush),
		.help = "write out the text at every interval"},
	{"timestamps", NULL, 0, BOTH, OPTIONAL("<format>"), set_timestamps,
		.help = "begin each line with the time, in a format of strftime(3)"},
	{"rcv-timeout", NULL, 0, BOTH, WITH("<ms>"), set_number, MEMBER(cfg.rcv_timeout_ms), 100,
		MAX_MS, "give up when nothing is received for so long"},
	{"snd-timeout", NULL, 0, BOTH, WITH("<ms>"), set_number, MEMBER(cfg.snd_timeout_ms), 0,
		MAX_MS, "give up when sent data is not acknowledged for so long"},
	{"cntl-ka", NULL, 0, BOTH, OPTIONAL("<idle>/<interval>/<count>"), set_keepalive,
		.max = 32767, .help = "keep-alive probes on the control connection"},
	{"mptcp", NULL, 'm', BOTH, .set = set_mptcp, PARAM(mptcp), .help = "multipath TCP"},
	{"version4", NULL, '4', BOTH, .set = set_constant, MEMBER(cfg.family), .min = AF_INET,
		.help = "only IPv4"},
	{"version6", NULL, '6', BOTH, .set = set_constant, MEMBER(cfg.family), .min = AF_INET6,
		.help = "only IPv6"},
	{"xbind", NULL, 'X', BOTH, WITH("<name>"), .refused = NO_SCTP},
	{"debug", NULL, 'd', BOTH, OPTIONAL("<level>"), set_debug, MEMBER(debug), 0, 1000,
		"accepted; tare has no debugging output"},
	{"version", NULL, 'v', BOTH, .stop = IPERF_OPTS_VERSION,
		.help = "the version, and no test"},
	{"help", NULL, 'h', BOTH, .stop = IPERF_OPTS_HELP, .help = "this text, and no test"},

	{"server", NULL, 's', SERVER, .set = set_server, .help = "be a server"},
	{"daemon", NULL, 'D', SERVER, .set = set_true, MEMBER(daemon),
		.help = "go to the background"},
	{"one-off", NULL, '1', SERVER, .set = set_true, MEMBER(one_off),
		.help = "end after one test"},
	{"server-bitrate-limit", NULL, 0, SERVER, WITH("<rate>[/<s>]"), set_server_limit,
		MEMBER(limits.total_rate_bps), 0, ANY, "bit/s that all streams may have together"},
	{"server-max-duration", NULL, 0, SERVER, WITH("<s>"), set_max_duration, .max = MAX_TIME_S,
		.help = "seconds that a test may take"},
	{"idle-timeout", NULL, 0, SERVER, WITH("<s>"), set_number, MEMBER(idle_timeout_s), 1,
		MAX_TIME_S, "accepted, and not needed: no client keeps others from being served"},
	{"rsa-private-key-path", NULL, 0, SERVER, WITH("<file>"), set_text,
		MEMBER(limits.private_key_file), .help = "key that credentials are decrypted with"},
	{"authorized-users-path", NULL, 0, SERVER, WITH("<file>"), set_text,
		MEMBER(limits.users_file), .help = "users and the digests of their passwords"},
	{"time-skew-threshold", NULL, 0, SERVER, WITH("<s>"), set_number, MEMBER(limits.skew_s), 1,
		INT32_MAX, "how far the clocks may differ when a client authenticates"},
	/* iperf3 takes it from servers only, so its clients can't choose; both may here. */
	{"use-pkcs1-padding", NULL, 0, BOTH, .set = set_true, MEMBER(cfg.pkcs1),
		.help = "the older padding of credentials, weaker than OAEP"},

	{"client", NULL, 'c', CLIENT, WITH("<host>[%<dev>]"), set_client, MEMBER(cfg.host),
		.help = "be a client of this server"},
	{"udp", NULL, 'u', CLIENT, .set = set_constant, PARAM(proto), .min = IPERF_UDP,
		.help = "UDP, not TCP"},
	{"sctp", NULL, 0, CLIENT, .refused = NO_SCTP},
	{"nstreams", NULL, 0, CLIENT, WITH("<n>"), .refused = NO_SCTP},
	{"connect-timeout", NULL, 0, CLIENT, WITH("<ms>"), set_size, MEMBER(cfg.connect_timeout_ms),
		0, INT32_MAX, "give up connecting after so long"},
	{"bitrate", "bandwidth", 'b', CLIENT, WITH("<rate>[/<n>]"), set_bitrate, PARAM(bandwidth),
		0, ANY, "bit/s of a stream, 0 for no limit; in bursts of n blocks"},
	{"pacing-timer", NULL, 0, CLIENT, WITH("<us>"), set_size, PARAM(pacing_timer), 0, INT32_MAX,
		"pacing interval that old servers are told"},
	{"fq-rate", NULL, 0, CLIENT, WITH("<rate>"), set_rate, PARAM(fqrate), 0, ANY,
		"bit/s of a stream, paced by the kernel"},
	{"no-fq-socket-pacing", NULL, 0, IPERF_CLIENT},
	{"time", NULL, 't', CLIENT, WITH("<s>"), set_number, PARAM(time), 0, MAX_TIME_S,
		"seconds to send for"},
	{"bytes", NULL, 'n', CLIENT, WITH("<n>"), set_size, PARAM(num), 0, ANY,
		"bytes to send, instead of a time"},
	{"blockcount", NULL, 'k', CLIENT, WITH("<n>"), set_size, PARAM(blockcount), 0, ANY,
		"blocks to send, instead of a time"},
	{"length", NULL, 'l', CLIENT, WITH("<n>"), set_size, PARAM(len), 0, INT32_MAX,
		"bytes of a block, or of a datagram"},
	{"cport", NULL, 0, CLIENT, WITH("<port>"), set_number, MEMBER(cfg.cport), 1, 65535,
		"local port of the first stream"},
	{"parallel", NULL, 'P', CLIENT, WITH("<n>"), set_number, PARAM(parallel), 1,
		IPERF_MAX_STREAMS, "streams at a time"},
	{"reverse", NULL, 'R', CLIENT, .set = set_true, PARAM(reverse), .help = "the server sends"},
	{"bidir", NULL, 0, CLIENT, .set = set_true, PARAM(bidirectional), .help = "both send"},
	{"window", NULL, 'w', CLIENT, WITH("<n>"), set_size, PARAM(window), 0, MAX_WINDOW_BYTES,
		"bytes of the socket buffers"},
	{"congestion", "linux-congestion", 'C', CLIENT, WITH("<name>"), set_text, PARAM(congestion),
		.help = "TCP congestion control"},
	{"set-mss", NULL, 'M', CLIENT, WITH("<n>"), set_number, PARAM(MSS), 0, MAX_MSS_BYTES,
		"bytes of a TCP segment"},
	{"no-delay", NULL, 'N', CLIENT, .set = set_true, PARAM(nodelay),
		.help = "send small segments at once (TCP_NODELAY)"},
	{"tos", NULL, 'S', CLIENT, WITH("<n>"), set_any_base, PARAM(TOS), 0, 255,
		"IP type of service, also 0x hexadecimal or 0 octal"},
	{"dscp", NULL, 0, CLIENT, WITH("<name>"), set_dscp,
		.help = "the same as a code point: 0 to 63, or a name as af11, cs1, ef"},
	{"flowlabel", NULL, 'L', CLIENT, WITH("<n>"),
		.refused = "tare leaves the IPv6 flow label to the kernel"},
	{"zerocopy", NULL, 'Z', CLIENT, .set = set_true, PARAM(zerocopy),
		.help = "send without copying"},
	{"skip-rx-copy", NULL, 0, CLIENT, .set = set_true, PARAM(skip_rx_copy),
		.help = "receive without copying (MSG_TRUNC)"},
	{"omit", NULL, 'O', CLIENT, WITH("<s>"), set_number, PARAM(omit), 0, MAX_OMIT_S,
		"seconds before the test that do not count"},
	{"title", NULL, 'T', CLIENT, WITH("<text>"), set_text, PARAM(title),
		.help = "begin each line with this text"},
	{"extra-data", NULL, 0, CLIENT, WITH("<text>"), set_text, PARAM(extra_data),
		.help = "put this text into the JSON of both sides"},
	{"get-server-output", NULL, 0, CLIENT, .set = set_true, PARAM(get_server_output),
		.help = "show what the server reports, too"},
	{"udp-counters-64bit", NULL, 0, CLIENT, .set = set_true, PARAM(udp_counters_64bit),
		.help = "64-bit sequence numbers in datagrams"},
	{"gsro", NULL, 0, CLIENT, .set = set_gsro,
		.help = "have the kernels split and join datagrams (GSO, GRO)"},
	{"repeating-payload", NULL, 0, CLIENT, .set = set_true, PARAM(repeating_payload),
		.help = "send digits instead of random bytes"},
	{"dont-fragment", NULL, 0, CLIENT, .set = set_true, PARAM(dont_fragment),
		.help = "forbid IPv4 fragments"},
	{"username", NULL, 0, CLIENT, WITH("<name>"), set_text, MEMBER(cfg.username),
		.help = "authenticate; the password is IPERF3_PASSWORD, or asked for"},
	{"rsa-public-key-path", NULL, 0, CLIENT, WITH("<file>"), set_text,
		MEMBER(cfg.public_key_file), .help = "key that credentials are encrypted with"},
};

static_assert(ARRAY_SIZE(iperf_rows) <= IPERF_MAX_ROWS, "raise IPERF_MAX_ROWS");
const size_t iperf_n_rows = ARRAY_SIZE(iperf_rows);

bool iperf_row_is_number(const struct iperf_row *o)
{
	return o->set == set_number || o->set == set_size;
}
