/*
 * The results that both sides exchange.
 */
#include "wire/iperf.h"

#include "base/mem.h"
#include "wire/iperf_keys.h"

#include <errno.h>
#include <string.h>

#define R    struct iperf_results
#define S    struct iperf_stream_result
#define BOTH .always = true, .must = true

/* Percent of a CPU may be negative where a peer's clock() has wrapped. */
static const struct iperf_key keys[] = {
	IPERF_REAL(R, cpu_util_total, -INT32_MAX, BOTH),
	IPERF_REAL(R, cpu_util_user, -INT32_MAX, BOTH),
	IPERF_REAL(R, cpu_util_system, -INT32_MAX, BOTH),
	IPERF_I32(R, sender_has_retransmits, -1, 1, BOTH),
	IPERF_STR(R, congestion_used),
	{.name = NULL},
};

/* A peer's count of lost packets may fall below 0: a late packet is taken off again. */
static const struct iperf_key stream_keys[] = {
	IPERF_KEY_(S, id, IPERF_KEY_U32, uint32_t, 1, 2 * IPERF_MAX_STREAMS + 1, BOTH),
	IPERF_U64(S, bytes, BOTH),
	IPERF_I64(S, retransmits, -1, BOTH),
	IPERF_REAL(S, jitter, 0, BOTH),
	IPERF_I64(S, errors, -IPERF_MAX_NUMBER, BOTH),
	IPERF_I64(S, omitted_errors, -IPERF_MAX_NUMBER, .always = true),
	IPERF_I64(S, packets, -1, BOTH),
	IPERF_I64(S, omitted_packets, -1, .always = true),
	IPERF_REAL(S, start_time, 0, .always = true),
	IPERF_REAL(S, end_time, 0, .always = true),
	{.name = NULL},
};

void iperf_results_fini(struct iperf_results *r)
{
	doc_freep(&r->server_output_json);
	free(take_ptr(r->server_output_text));
}

struct doc *iperf_results_pack(const struct iperf_results *r)
{
	struct doc *d = doc_object();
	struct doc *streams = doc_array();

	assert(r->n_streams <= ARRAY_SIZE(r->stream));
	iperf_keys_put(d, keys, r);
	for (uint32_t i = 0; i < r->n_streams; i++) {
		struct doc *s = doc_object();

		iperf_keys_put(s, stream_keys, &r->stream[i]);
		doc_append(streams, s);
	}
	doc_put(d, "streams", streams);
	if (r->server_output_text)
		doc_put_str(d, "server_output_text", r->server_output_text);
	if (r->server_output_json)
		doc_put(d, "server_output_json", doc_ref(r->server_output_json));
	return d;
}

static int get_stream(const struct doc *d, struct iperf_results *r, struct err *e)
{
	struct iperf_stream_result *s = &r->stream[r->n_streams];
	int rc;

	if (!doc_is_object(d))
		return err_say(e, EPROTO, "item %u of 'streams' is not an object", r->n_streams);
	rc = iperf_keys_get(d, stream_keys, s, e);
	if (rc < 0) {
		(void)err_wrap(e, "item %u of 'streams'", r->n_streams);
		return rc;
	}
	if (!doc_get(d, "omitted_errors") != !doc_get(d, "omitted_packets"))
		return err_say(e, EPROTO,
			"item %u of 'streams' has one of 'omitted_errors' and "
			"'omitted_packets'",
			r->n_streams);
	for (uint32_t i = 0; i < r->n_streams; i++)
		if (r->stream[i].id == s->id)
			return err_say(e, EPROTO, "id %u stands twice in 'streams'", s->id);
	r->n_streams++;
	return 0;
}

static int get_streams(const struct doc *d, struct iperf_results *r, struct err *e)
{
	const struct doc *list = doc_get(d, "streams");
	size_t n = doc_len(list);

	if (!doc_is_array(list))
		return err_say(e, EPROTO, "member 'streams' is missing or not a list");
	if (n > ARRAY_SIZE(r->stream))
		return err_say(e, EPROTO, "member 'streams' has %zu items, more than %zu", n,
			ARRAY_SIZE(r->stream));
	for (size_t i = 0; i < n; i++) {
		int rc = get_stream(doc_at(list, i), r, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* It goes to a terminal: of control characters only line feed and tab stay. */
static char *clean_copy(const char *s)
{
	char *copy = xstrdup(s);

	for (char *c = copy; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 0x7f)
			*c = '?';
	return copy;
}

static int get_output(const struct doc *d, struct iperf_results *r, struct err *e)
{
	const struct doc *text = doc_get(d, "server_output_text");
	const struct doc *json = doc_get(d, "server_output_json");

	if (text && !doc_str(text))
		return err_say(e, EPROTO, "member 'server_output_text' is not a string");
	if (json && !doc_is_object(json))
		return err_say(e, EPROTO, "member 'server_output_json' is not an object");
	if (text)
		r->server_output_text = clean_copy(doc_str(text));
	if (json)
		r->server_output_json = doc_ref(json);
	return 0;
}

int iperf_results_unpack(const struct doc *d, struct iperf_results *ret, struct err *e)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	r = iperf_keys_get(d, keys, ret, e);
	if (r == 0)
		r = get_streams(d, ret, e);
	if (r == 0)
		r = get_output(d, ret, e);
	if (r < 0)
		(void)err_wrap(e, "results of the test");
	return r;
}
