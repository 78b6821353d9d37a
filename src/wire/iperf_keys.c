#include "wire/iperf_keys.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool is_set(const struct iperf_key *k, const void *m)
{
	switch (k->type) {
	case IPERF_KEY_U32:
		return *(const uint32_t *)m;
	case IPERF_KEY_I32:
		return *(const int32_t *)m >= 0;
	case IPERF_KEY_U64:
		return *(const uint64_t *)m;
	case IPERF_KEY_I64:
		return *(const int64_t *)m;
	case IPERF_KEY_REAL:
		return *(const double *)m != 0;
	case IPERF_KEY_TRUE:
	case IPERF_KEY_ONE:
		return *(const bool *)m;
	case IPERF_KEY_STR:
	case IPERF_KEY_TEXT:
		return *(const char *)m;
	case IPERF_KEY_TYPE_N:
		break;
	}
	assert(false);
	return false;
}

static void put(struct doc *d, const struct iperf_key *k, const void *m)
{
	switch (k->type) {
	case IPERF_KEY_U32:
		doc_put_u64(d, k->name, *(const uint32_t *)m);
		break;
	case IPERF_KEY_I32:
		doc_put_i64(d, k->name, *(const int32_t *)m);
		break;
	case IPERF_KEY_U64:
		doc_put_u64(d, k->name, *(const uint64_t *)m);
		break;
	case IPERF_KEY_I64:
		doc_put_i64(d, k->name, *(const int64_t *)m);
		break;
	case IPERF_KEY_REAL:
		doc_put_double(d, k->name, *(const double *)m);
		break;
	case IPERF_KEY_TRUE:
		doc_put_bool(d, k->name, *(const bool *)m);
		break;
	case IPERF_KEY_ONE:
		doc_put_u64(d, k->name, *(const bool *)m);
		break;
	case IPERF_KEY_STR:
	case IPERF_KEY_TEXT:
		doc_put_str(d, k->name, m);
		break;
	case IPERF_KEY_TYPE_N:
		assert(false);
	}
}

void iperf_keys_put(struct doc *d, const struct iperf_key *keys, const void *strct)
{
	for (const struct iperf_key *k = keys; k->name; k++) {
		const void *m = (const char *)strct + k->offset;

		if (k->always || is_set(k, m))
			put(d, k, m);
	}
}

/* Peers print strings on terminals, and so do we: no control characters. */
static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int get_str(const struct doc *d, const struct iperf_key *k, char *m, struct err *e)
{
	const char *s = doc_str(doc_get(d, k->name));

	if (!s)
		return err_say(e, EPROTO, "member '%s' is not a string", k->name);
	if (strlen(s) >= k->size)
		return err_say(e, EPROTO, "member '%s' is longer than %zu bytes", k->name,
			k->size - 1);
	if (k->type == IPERF_KEY_STR && !is_printable(s))
		return err_say(e, EPROTO, "member '%s' holds control characters", k->name);
	return str_copy(m, k->size, s);
}

/* -1 from peers that write it as an unsigned number, 18446744073709551615. */
static bool is_unsigned_minus_one(const struct doc *d, const char *key)
{
	double v;

	return doc_get_real(d, key, 0x1p64, 0x1p64, &v, NULL) == 0;
}

static int get_whole(const struct doc *d, const struct iperf_key *k, int64_t *v, struct err *e)
{
	bool yes;

	if ((k->type == IPERF_KEY_TRUE || k->type == IPERF_KEY_ONE) &&
		doc_is_bool(doc_get(d, k->name), &yes)) {
		*v = yes;
		return 0;
	}
	if (k->min == -1 && is_unsigned_minus_one(d, k->name)) {
		*v = -1;
		return 0;
	}
	return doc_get_i64(d, k->name, k->min, k->max, v, e);
}

/* A peer's library writes null for what is not finite: the ratio of two zeros. */
static int get_real(const struct doc *d, const struct iperf_key *k, double *m, struct err *e)
{
	if (doc_is_null(doc_get(d, k->name))) {
		*m = 0;
		return 0;
	}
	return doc_get_real(d, k->name, (double)k->min, (double)k->max, m, e);
}

static int get(const struct doc *d, const struct iperf_key *k, void *m, struct err *e)
{
	int64_t v;
	int r;

	if (k->type == IPERF_KEY_REAL)
		return get_real(d, k, m, e);
	if (k->type == IPERF_KEY_STR || k->type == IPERF_KEY_TEXT)
		return get_str(d, k, m, e);
	r = get_whole(d, k, &v, e);
	if (r < 0)
		return r;
	if (k->type == IPERF_KEY_U32)
		*(uint32_t *)m = (uint32_t)v;
	else if (k->type == IPERF_KEY_I32)
		*(int32_t *)m = (int32_t)v;
	else if (k->type == IPERF_KEY_U64)
		*(uint64_t *)m = (uint64_t)v;
	else if (k->type == IPERF_KEY_I64)
		*(int64_t *)m = v;
	else
		*(bool *)m = v != 0;
	return 0;
}

int iperf_keys_get(const struct doc *d, const struct iperf_key *keys, void *strct, struct err *e)
{
	for (const struct iperf_key *k = keys; k->name; k++) {
		int r;

		if (!doc_get(d, k->name) && !k->must)
			continue;
		if (!doc_get(d, k->name))
			return err_say(e, EPROTO, "member '%s' is missing", k->name);
		r = get(d, k, (char *)strct + k->offset, e);
		if (r < 0)
			return r;
	}
	return 0;
}
