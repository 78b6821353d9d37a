#include "wire/doc.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <jansson.h>

/* 12 significant digits: more than any meter resolves, and no 0.30000000000000004. */
#define DOC_REAL_DIGITS 12

static json_t *js(const struct doc *d)
{
	/* jansson counts references even through const users; struct doc is only its new name. */
	return (json_t *)(uintptr_t)d;
}

static struct doc *own(json_t *j)
{
	if (!j)
		abort(); /* out of memory, or text that is not UTF-8: see string() */
	return (struct doc *)j;
}

/* Kernel and peer strings may hold any bytes; JSON may not. */
static json_t *string(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("(not UTF-8)");
}

struct doc *doc_object(void)
{
	return own(json_object());
}

struct doc *doc_array(void)
{
	return own(json_array());
}

void doc_free(struct doc *d)
{
	json_decref(js(d));
}

int doc_parse_lax(struct doc **ret, const char *text, size_t len, unsigned int lax, struct err *e)
{
	const size_t flags = lax & DOC_KEYS_TWICE ? 0 : JSON_REJECT_DUPLICATES;
	json_error_t why;
	json_t *j = json_loadb(text, len, flags, &why);

	if (!j && lax & DOC_BIG_NUMBERS && json_error_code(&why) == json_error_numeric_overflow)
		j = json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &why);
	if (!j && why.line > 1)
		return err_say(e, EPROTO, "not JSON: line %d: %s", why.line, why.text);
	if (!j)
		return err_say(e, EPROTO, "not JSON: %s", why.text);
	if (!json_is_object(j)) {
		json_decref(j);
		return err_say(e, EPROTO, "not a JSON object");
	}
	*ret = (struct doc *)j;
	return 0;
}

int doc_parse(struct doc **ret, const char *text, size_t len, struct err *e)
{
	return doc_parse_lax(ret, text, len, 0, e);
}

struct doc *doc_ref(const struct doc *d)
{
	return (struct doc *)json_incref(js(d));
}

char *doc_text(const struct doc *d)
{
	char *text = json_dumps(js(d), JSON_COMPACT | JSON_REAL_PRECISION(DOC_REAL_DIGITS));

	if (!text)
		abort();
	return text;
}

/* As it is read by people. */
#define INDENTED (JSON_INDENT(1) | JSON_REAL_PRECISION(DOC_REAL_DIGITS))

static int flush(FILE *out)
{
	if (ferror(out) || fflush(out) == EOF)
		return errno ? -errno : -EIO;
	return 0;
}

int doc_write(const struct doc *d, FILE *out)
{
	(void)json_dumpf(js(d), out, INDENTED); /* flush() says so */
	fputc('\n', out);
	return flush(out);
}

/* Two levels down. Within strings a newline is no newline. */
static void write_below(const struct doc *d, FILE *out)
{
	_cleanup_(freep) char *text = json_dumps(js(d), INDENTED);

	if (!text)
		abort();
	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (line != text)
			fprintf(out, "\n  ");
		line += line != text;
		fwrite(line, 1, strcspn(line, "\n"), out);
	}
}

/* "\n <members>", without a newline after the last. */
static void write_members(const struct doc *d, FILE *out)
{
	_cleanup_(freep) char *text = json_dumps(js(d), INDENTED | JSON_EMBED);

	if (!text)
		abort();
	fwrite(text, 1, strlen(text) - 1, out);
}

int doc_begin(struct doc_growing *ret, const struct doc *head, const char *key, FILE *out)
{
	*ret = (struct doc_growing){.out = out};
	fputc('{', out);
	write_members(head, out);
	fprintf(out, ",\n \"%s\": [", key);
	return flush(out);
}

int doc_item(struct doc_growing *g, const struct doc *item)
{
	fputs(g->has_items ? ",\n  " : "\n  ", g->out);
	g->has_items = true;
	write_below(item, g->out);
	return flush(g->out);
}

int doc_end(struct doc_growing *g, const struct doc *rest)
{
	fputs(g->has_items ? "\n ]," : "],", g->out);
	write_members(rest, g->out);
	fputs("\n}\n", g->out);
	return flush(g->out);
}

void doc_put(struct doc *d, const char *key, struct doc *child)
{
	if (json_object_set_new(js(d), key, js(child)) < 0)
		abort();
}

static void put(struct doc *d, const char *key, json_t *v)
{
	doc_put(d, key, own(v));
}

void doc_put_str(struct doc *d, const char *key, const char *v)
{
	put(d, key, string(v));
}

void doc_put_u64(struct doc *d, const char *key, uint64_t v)
{
	put(d, key, json_integer((json_int_t)v));
}

void doc_put_i64(struct doc *d, const char *key, int64_t v)
{
	put(d, key, json_integer(v));
}

void doc_put_double(struct doc *d, const char *key, double v)
{
	put(d, key, isfinite(v) ? json_real(v) : json_null());
}

/* Beyond 2^53 a double has no fraction to lose, but readers may have no such integers. */
void doc_put_number(struct doc *d, const char *key, double v)
{
	if (v == trunc(v) && fabs(v) < 9007199254740992.0)
		doc_put_i64(d, key, (int64_t)v);
	else
		doc_put_double(d, key, v);
}

void doc_put_bool(struct doc *d, const char *key, bool v)
{
	put(d, key, json_boolean(v));
}

void doc_put_null(struct doc *d, const char *key)
{
	put(d, key, json_null());
}

static uint32_t count_of(const struct field *f, const void *strct)
{
	return *(const uint32_t *)((const char *)strct + f->count_offset);
}

static struct doc *u64s(const struct field *f, const void *strct)
{
	const uint64_t *v = (const uint64_t *)((const char *)strct + f->offset);
	struct doc *d = doc_array();

	for (uint32_t i = 0; i < count_of(f, strct); i++)
		doc_append(d, own(json_integer((json_int_t)v[i])));
	return d;
}

void doc_put_fields(struct doc *d, const struct field *fields, const void *strct)
{
	for (const struct field *f = fields; f->name; f++) {
		const void *m = (const char *)strct + f->offset;

		switch (f->type) {
		case FIELD_T_BOOL:
			doc_put_bool(d, f->name, *(const bool *)m);
			break;
		case FIELD_T_U32:
			doc_put_u64(d, f->name, *(const uint32_t *)m);
			break;
		case FIELD_T_U64:
			doc_put_u64(d, f->name, *(const uint64_t *)m);
			break;
		case FIELD_T_I64:
			doc_put_i64(d, f->name, *(const int64_t *)m);
			break;
		case FIELD_T_DOUBLE:
			doc_put_double(d, f->name, *(const double *)m);
			break;
		case FIELD_T_STR:
			doc_put_str(d, f->name, m);
			break;
		case FIELD_T_U64S:
			doc_put(d, f->name, u64s(f, strct));
			break;
		case FIELD_TYPE_N:
			assert(false);
		}
	}
}

void doc_put_opts(struct doc *d, const struct opt *opts, const void *cfg)
{
	for (const struct opt *o = opts; o->name; o++) {
		const void *m = (const char *)cfg + o->offset;

		switch (o->type) {
		case OPT_T_FLAG:
			doc_put_bool(d, o->field, *(const bool *)m);
			break;
		case OPT_T_U32:
			doc_put_u64(d, o->field, *(const uint32_t *)m);
			break;
		case OPT_T_U64:
			doc_put_u64(d, o->field, *(const uint64_t *)m);
			break;
		case OPT_T_STR:
			doc_put_str(d, o->field, m);
			break;
		case OPT_T_ENUM:
			doc_put_str(d, o->field, o->names[*(const uint32_t *)m]);
			break;
		case OPT_TYPE_N:
			assert(false);
		}
	}
}

/* Most buckets are empty: [index, samples, index, samples, ...]. */
void doc_put_hist(struct doc *d, const char *key, const struct hist *h)
{
	struct doc *o = doc_object();
	struct doc *buckets = doc_array();

	doc_put_u64(o, "count", h->count);
	doc_put_u64(o, "sum_ns", h->sum_ns);
	doc_put_u64(o, "min_ns", h->count ? h->min_ns : 0);
	doc_put_u64(o, "max_ns", h->max_ns);
	for (uint32_t i = 0; i < HIST_N_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		doc_append(buckets, own(json_integer(i)));
		doc_append(buckets, own(json_integer(h->bucket[i])));
	}
	doc_put(o, "buckets", buckets);
	doc_put(d, key, o);
}

void doc_append(struct doc *d, struct doc *child)
{
	if (json_array_append_new(js(d), js(child)) < 0)
		abort();
}

void doc_append_str(struct doc *d, const char *v)
{
	doc_append(d, own(string(v)));
}

size_t doc_len(const struct doc *d)
{
	return json_array_size(js(d));
}

const struct doc *doc_get(const struct doc *d, const char *key)
{
	return (const struct doc *)json_object_get(js(d), key);
}

const struct doc *doc_at(const struct doc *d, size_t i)
{
	return (const struct doc *)json_array_get(js(d), i);
}

const char *doc_first_key(const struct doc *d)
{
	return json_object_iter_key(json_object_iter(js(d)));
}

const char *doc_next_key(const struct doc *d, const char *key)
{
	return json_object_iter_key(json_object_iter_next(js(d), json_object_iter_at(js(d), key)));
}

bool doc_is_array(const struct doc *d)
{
	return json_is_array(js(d));
}

bool doc_is_str(const struct doc *d, const char *s)
{
	return json_is_string(js(d)) && strcmp(json_string_value(js(d)), s) == 0;
}

bool doc_is_object(const struct doc *d)
{
	return json_is_object(js(d));
}

bool doc_is_null(const struct doc *d)
{
	return json_is_null(js(d));
}

bool doc_is_bool(const struct doc *d, bool *ret)
{
	if (!json_is_boolean(js(d)))
		return false;
	*ret = json_is_true(js(d));
	return true;
}

const char *doc_str(const struct doc *d)
{
	return json_string_value(js(d));
}

static int wrong(struct err *e, const char *key, const char *what)
{
	return err_say(e, EPROTO, "member '%s' is not %s", key, what);
}

int doc_get_str(const struct doc *d, const char *key, char *ret, size_t size, struct err *e)
{
	const char *s = json_string_value(js(doc_get(d, key)));

	if (!s || strlen(s) >= size)
		return wrong(e, key, "a string of the allowed length");
	return str_copy(ret, size, s);
}

static int integer(const json_t *j, uint64_t max, uint64_t *ret)
{
	if (!json_is_integer(j) || json_integer_value(j) < 0 ||
		(uint64_t)json_integer_value(j) > max)
		return -EPROTO;
	*ret = (uint64_t)json_integer_value(j);
	return 0;
}

bool doc_is_u64(const struct doc *d, uint64_t *ret)
{
	return integer(js(d), INT64_MAX, ret) == 0;
}

int doc_get_u64(const struct doc *d, const char *key, uint64_t max, uint64_t *ret, struct err *e)
{
	return integer(js(doc_get(d, key)), max, ret) < 0 ? wrong(e, key, "a whole number in range")
							  : 0;
}

int doc_get_i64(const struct doc *d, const char *key, int64_t min, int64_t max, int64_t *ret,
	struct err *e)
{
	const json_t *j = js(doc_get(d, key));
	double real = json_real_value(j);
	int64_t v;

	if (json_is_integer(j))
		v = json_integer_value(j);
	else if (json_is_real(j) && real >= -0x1p63 && real < 0x1p63 && real == trunc(real))
		v = (int64_t)real;
	else
		return wrong(e, key, "a whole number");
	if (v < min || v > max)
		return err_say(e, EPROTO,
			"member '%s' is %" PRId64 ", not within %" PRId64 " to %" PRId64, key, v,
			min, max);
	*ret = v;
	return 0;
}

int doc_get_real(const struct doc *d, const char *key, double min, double max, double *ret,
	struct err *e)
{
	const json_t *j = js(doc_get(d, key));
	double v = json_number_value(j);

	if (!json_is_number(j) || !(v >= min && v <= max))
		return wrong(e, key, "a number in range");
	*ret = v;
	return 0;
}

int doc_get_bool(const struct doc *d, const char *key, bool *ret, struct err *e)
{
	const json_t *j = js(doc_get(d, key));

	if (!json_is_boolean(j))
		return wrong(e, key, "true or false");
	*ret = json_is_true(j);
	return 0;
}

static int get_double(const struct doc *d, const char *key, double *ret, struct err *e)
{
	const json_t *j = js(doc_get(d, key));

	if (!json_is_number(j) && !json_is_null(j))
		return wrong(e, key, "a number or null");
	*ret = json_is_null(j) ? NAN : json_number_value(j);
	return 0;
}

static int get_u64s(const struct doc *d, const struct field *f, void *strct, struct err *e)
{
	const struct doc *array = doc_get(d, f->name);
	uint64_t *v = (uint64_t *)((char *)strct + f->offset);
	size_t n = doc_len(array);

	if (!json_is_array(js(array)) || n > f->size / sizeof(uint64_t))
		return wrong(e, f->name, "a list of the allowed length");
	for (size_t i = 0; i < n; i++)
		if (integer(js(doc_at(array, i)), INT64_MAX, &v[i]) < 0)
			return wrong(e, f->name, "a list of whole numbers");
	*(uint32_t *)((char *)strct + f->count_offset) = (uint32_t)n;
	return 0;
}

static int get_field(const struct doc *d, const struct field *f, void *strct, struct err *e)
{
	void *m = (char *)strct + f->offset;
	uint64_t v;
	int r;

	switch (f->type) {
	case FIELD_T_BOOL:
		return doc_get_bool(d, f->name, m, e);
	case FIELD_T_U32:
		r = doc_get_u64(d, f->name, UINT32_MAX, &v, e);
		if (r == 0)
			*(uint32_t *)m = (uint32_t)v;
		return r;
	case FIELD_T_U64:
		return doc_get_u64(d, f->name, INT64_MAX, m, e);
	case FIELD_T_I64:
		return doc_get_i64(d, f->name, INT64_MIN, INT64_MAX, m, e);
	case FIELD_T_DOUBLE:
		return get_double(d, f->name, m, e);
	case FIELD_T_STR:
		return doc_get_str(d, f->name, m, f->size, e);
	case FIELD_T_U64S:
		return get_u64s(d, f, strct, e);
	case FIELD_TYPE_N:
		break;
	}
	assert(false);
	return -EINVAL;
}

int doc_get_fields(const struct doc *d, const struct field *fields, void *strct, struct err *e)
{
	int r = 0;

	for (const struct field *f = fields; r == 0 && f->name; f++)
		r = get_field(d, f, strct, e);
	return r;
}

static int get_opt(const struct doc *d, const struct opt *o, void *cfg, struct err *e)
{
	const json_t *j = js(doc_get(d, o->field));
	struct opt plain = *o;
	char text[256];

	if (o->type == OPT_T_FLAG)
		return doc_get_bool(d, o->field, (bool *)((char *)cfg + o->offset), e);
	if (o->type == OPT_T_STR || o->type == OPT_T_ENUM) {
		int r = doc_get_str(d, o->field, text, sizeof(text), e);

		return r < 0 ? r : opt_set(o, cfg, text, e);
	}
	if (!json_is_integer(j))
		return wrong(e, o->field, "a whole number");
	plain.unit = NUM_COUNT;
	snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	return opt_set(&plain, cfg, text, e);
}

int doc_get_opts(const struct doc *d, const struct opt *opts, void *cfg, struct err *e)
{
	int r = 0;

	for (const struct opt *o = opts; r == 0 && o->name; o++)
		r = get_opt(d, o, cfg, e);
	return r;
}

/* Buckets ascend, so none stands twice; together they hold what "count" says. */
static int get_buckets(const struct doc *list, struct hist *h, struct err *e)
{
	uint64_t total = 0, next = 0, index, samples;

	for (size_t i = 0; i + 1 < doc_len(list); i += 2) {
		if (integer(js(doc_at(list, i)), HIST_N_BUCKETS - 1, &index) < 0 || index < next ||
			integer(js(doc_at(list, i + 1)), UINT32_MAX, &samples) < 0)
			return wrong(e, "buckets", "an ascending list of bucket and samples");
		h->bucket[index] = (uint32_t)samples;
		total += samples;
		next = index + 1;
	}
	if (total != h->count || (total > 0 && h->min_ns > h->max_ns))
		return err_say(e, EPROTO, "the histogram contradicts itself");
	return 0;
}

int doc_get_hist(const struct doc *d, const char *key, struct hist *ret, struct err *e)
{
	const struct doc *o = doc_get(d, key);
	int r;

	hist_init(ret);
	r = doc_get_u64(o, "count", INT64_MAX, &ret->count, e);
	if (r == 0)
		r = doc_get_u64(o, "sum_ns", INT64_MAX, &ret->sum_ns, e);
	if (r == 0)
		r = doc_get_u64(o, "min_ns", INT64_MAX, &ret->min_ns, e);
	if (r == 0)
		r = doc_get_u64(o, "max_ns", INT64_MAX, &ret->max_ns, e);
	if (r == 0)
		r = get_buckets(doc_get(o, "buckets"), ret, e);
	if (r == 0 && ret->count == 0)
		ret->min_ns = UINT64_MAX;
	return r;
}
