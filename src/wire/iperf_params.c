/*
 * The parameter block, and the server's limits for it.
 */
#include "wire/iperf.h"

#include "base/str.h"
#include "wire/iperf_keys.h"

#include <errno.h>
#include <string.h>

#define P      struct iperf_params
#define ALWAYS .always = true

static const char *const proto_key[] = {
	[IPERF_TCP] = "tcp",
	[IPERF_UDP] = "udp",
};
static_assert(ARRAY_SIZE(proto_key) == IPERF_PROTO_N);

static const struct iperf_key keys[] = {
	IPERF_U32(P, omit, ALWAYS),
	IPERF_U32(P, time, ALWAYS),
	IPERF_U64(P, num, ALWAYS),
	IPERF_U64(P, blockcount, ALWAYS),
	IPERF_U32(P, parallel, ALWAYS),
	IPERF_U32(P, len),
	IPERF_U64(P, bandwidth),
	IPERF_U64(P, fqrate),
	IPERF_U32(P, pacing_timer, ALWAYS),
	IPERF_U32(P, burst),
	IPERF_TRUE(P, reverse),
	IPERF_TRUE(P, bidirectional),
	IPERF_U32(P, window),
	IPERF_U32(P, MSS),
	IPERF_TRUE(P, nodelay),
	IPERF_U32(P, TOS),
	IPERF_U32(P, flowlabel),
	IPERF_STR(P, congestion),
	IPERF_STR(P, title),
	IPERF_TEXT(P, extra_data),
	IPERF_I32(P, server_affinity, -1, INT32_MAX),
	IPERF_ONE(P, get_server_output),
	IPERF_ONE(P, udp_counters_64bit),
	IPERF_ONE(P, repeating_payload),
	IPERF_ONE(P, zerocopy),
	IPERF_ONE(P, dont_fragment),
	IPERF_ONE(P, skip_rx_copy),
	IPERF_TRUE(P, mptcp),
	IPERF_STR(P, authtoken),
	IPERF_STR(P, client_version, ALWAYS),
	{.name = NULL},
};

/* iperf3 3.21 sends all of them with UDP, even if it has neither. */
static const struct iperf_key udp_keys[] = {
	IPERF_ONE(P, gso, ALWAYS),
	IPERF_U32(P, gso_dg_size, ALWAYS),
	IPERF_U32(P, gso_bf_size, ALWAYS),
	IPERF_ONE(P, gro, ALWAYS),
	IPERF_U32(P, gro_bf_size, ALWAYS),
	{.name = NULL},
};

/* What an old client that omits the key means by it. */
static const struct iperf_params defaults = {
	.time = 10,
	.parallel = 1,
	.pacing_timer = 1000,
	.server_affinity = -1,
};
static const uint32_t default_len[] = {
	[IPERF_TCP] = 128 << 10,
	[IPERF_UDP] = 1460,
};
static_assert(ARRAY_SIZE(default_len) == IPERF_PROTO_N);

struct doc *iperf_params_pack(const struct iperf_params *p)
{
	struct doc *d = doc_object();

	assert(p->proto < IPERF_PROTO_N);
	doc_put_bool(d, proto_key[p->proto], true);
	iperf_keys_put(d, keys, p);
	if (p->proto == IPERF_UDP)
		iperf_keys_put(d, udp_keys, p);
	return d;
}

static int get_proto(const struct doc *d, enum iperf_proto *ret, struct err *e)
{
	static const char *const known[] = {"tcp", "udp", "sctp"};
	int found = -1;
	bool yes;

	for (int i = 0; i < (int)ARRAY_SIZE(known); i++) {
		if (!doc_get(d, known[i]))
			continue;
		if (!doc_is_bool(doc_get(d, known[i]), &yes))
			return err_say(e, EPROTO, "member '%s' is not true or false", known[i]);
		if (yes && found >= 0)
			return err_say(e, EPROTO, "both '%s' and '%s' are asked for", known[found],
				known[i]);
		if (yes)
			found = i;
	}
	if (found < 0)
		return err_say(e, EPROTO, "neither 'tcp' nor 'udp' is asked for");
	if (found >= IPERF_PROTO_N)
		return err_say(e, EPROTO, "'%s' is not supported", known[found]);
	*ret = (enum iperf_proto)found;
	return 0;
}

int iperf_params_unpack(const struct doc *d, struct iperf_params *ret, struct err *e)
{
	struct iperf_params p = defaults;
	int r = get_proto(d, &p.proto, e);

	if (r == 0)
		r = iperf_keys_get(d, keys, &p, e);
	if (r == 0 && p.proto == IPERF_UDP)
		r = iperf_keys_get(d, udp_keys, &p, e);
	if (r < 0) {
		(void)err_wrap(e, "parameters of the test");
		return r;
	}
	if (p.len == 0)
		p.len = default_len[p.proto];
	*ret = p;
	return 0;
}

/* Ref: iperf3(1) and the limits that iperf3's server enforces. */
static const struct limit {
	const char *what;
	size_t offset; /* of an uint32_t */
	uint32_t min, max;
	enum iperf_code code;
} limits[] = {
	{"time", offsetof(P, time), 0, 86400, IPERF_E_DURATION},
	{"omit", offsetof(P, omit), 0, 600, IPERF_E_OMIT},
	{"parallel", offsetof(P, parallel), 1, IPERF_MAX_STREAMS, IPERF_E_STREAMS},
	{"burst", offsetof(P, burst), 0, 1000, IPERF_E_BURST},
	{"window", offsetof(P, window), 0, 512U << 20, IPERF_E_BUFSIZE},
	{"MSS", offsetof(P, MSS), 0, 32767, IPERF_E_MSS},
	{"TOS", offsetof(P, TOS), 0, 255, IPERF_E_TOS},
	{"flowlabel", offsetof(P, flowlabel), 0, 0xfffff, IPERF_E_PARAMS},
	{"gso_dg_size", offsetof(P, gso_dg_size), 0, 65507, IPERF_E_PARAMS},
	{"gso_bf_size", offsetof(P, gso_bf_size), 0, 1U << 20, IPERF_E_PARAMS},
	{"gro_bf_size", offsetof(P, gro_bf_size), 0, 1U << 20, IPERF_E_PARAMS},
};
static const struct limit len_limit[] = {
	[IPERF_TCP] = {"len", offsetof(P, len), 1, 1U << 20, IPERF_E_BLOCK},
	[IPERF_UDP] = {"len", offsetof(P, len), 16, 65507, IPERF_E_UDP_BLOCK},
};
static_assert(ARRAY_SIZE(len_limit) == IPERF_PROTO_N);

static int check(const struct iperf_params *p, const struct limit *l, struct err *e)
{
	uint32_t v = *(const uint32_t *)((const char *)p + l->offset);

	if (v >= l->min && v <= l->max)
		return 0;
	(void)err_say(e, EINVAL, "'%s' is %u, not within %u to %u", l->what, v, l->min, l->max);
	return (int)l->code;
}

int iperf_params_check(const struct iperf_params *p, struct err *e)
{
	int r = check(p, &len_limit[p->proto], e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(limits); i++)
		r = check(p, &limits[i], e);
	if (r)
		return r;
	if (p->server_affinity > 1024) {
		(void)err_say(e, EINVAL, "'server_affinity' is %d, not within 0 to 1024",
			p->server_affinity);
		return IPERF_E_AFFINITY;
	}
	if (p->reverse && p->bidirectional) {
		(void)err_say(e, EINVAL, "both 'reverse' and 'bidirectional' are asked for");
		return IPERF_E_PARAMS;
	}
	return 0;
}
