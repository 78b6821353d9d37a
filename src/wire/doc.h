/*
 * JSON values, made and read by the descriptions in base/field.h and base/opt.h. The only user of
 * libjansson. Making cannot fail; reading checks type and range of everything, since the other
 * side of a control channel may be anybody.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "base/field.h"
#include "base/opt.h"
#include "stat/hist.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct doc;

struct doc *doc_object(void);
struct doc *doc_array(void);
void doc_free(struct doc *d);
DEFINE_CLEANUP(struct doc *, doc_free, doc_freep)

/* Parses strict JSON, an object at the top. */
int doc_parse(struct doc **ret, const char *text, size_t len, struct err *e) must_check_;

/*
 * As doc_parse(), but these are no errors.
 * DOC_BIG_NUMBERS: a whole number beyond 64 bits; all numbers of such a text are kept as doubles
 * DOC_KEYS_TWICE: a key twice in an object; the last one wins
 */
enum doc_lax {
	DOC_BIG_NUMBERS = 1 << 0,
	DOC_KEYS_TWICE = 1 << 1,
};
int doc_parse_lax(struct doc **ret, const char *text, size_t len, unsigned int lax, struct err *e)
	must_check_;

/* Another owner of the same value. */
struct doc *doc_ref(const struct doc *d) must_check_;

/* Compact text, to be freed by the caller. */
char *doc_text(const struct doc *d);

/* Indented text and a newline. Return: 0, or negative errno of the write. */
int doc_write(const struct doc *d, FILE *out) must_check_;

/*
 * The same text while it grows, with one item of it in memory: doc_begin() writes the members of
 * @head and begins the array @key, doc_item() writes an item, doc_end() ends the array and writes
 * the members of @rest. Both have members. Each returns as doc_write().
 */
struct doc_growing {
	FILE *out;
	bool has_items;
};
int doc_begin(struct doc_growing *ret, const struct doc *head, const char *key, FILE *out)
	must_check_;
int doc_item(struct doc_growing *g, const struct doc *item) must_check_;
int doc_end(struct doc_growing *g, const struct doc *rest) must_check_;

/*
 * Members of an object, written in the order they were first put; the last one of a name wins.
 * doc_put() takes @child over.
 */
void doc_put(struct doc *d, const char *key, struct doc *child);
void doc_put_str(struct doc *d, const char *key, const char *v);
void doc_put_u64(struct doc *d, const char *key, uint64_t v);
void doc_put_i64(struct doc *d, const char *key, int64_t v);
void doc_put_double(struct doc *d, const char *key, double v); /* not finite: null */
void doc_put_number(struct doc *d, const char *key, double v); /* the same, but 1, not 1.0 */
void doc_put_bool(struct doc *d, const char *key, bool v);
void doc_put_null(struct doc *d, const char *key);
void doc_put_fields(struct doc *d, const struct field *fields, const void *strct);
void doc_put_opts(struct doc *d, const struct opt *opts, const void *cfg);
void doc_put_hist(struct doc *d, const char *key, const struct hist *h);

/* Items of an array. doc_append() takes @child over. */
void doc_append(struct doc *d, struct doc *child);
void doc_append_str(struct doc *d, const char *v);
size_t doc_len(const struct doc *d);

/* Member or item, borrowed from @d; NULL when absent or of another type than asked for. */
const struct doc *doc_get(const struct doc *d, const char *key);
const struct doc *doc_at(const struct doc *d, size_t i);
/* Keys of an object in the order they stand: the first, and the one after @key; NULL: no more. */
const char *doc_first_key(const struct doc *d);
const char *doc_next_key(const struct doc *d, const char *key);
bool doc_is_array(const struct doc *d);
bool doc_is_str(const struct doc *d, const char *s);
bool doc_is_object(const struct doc *d);
bool doc_is_null(const struct doc *d);
bool doc_is_bool(const struct doc *d, bool *ret);
bool doc_is_u64(const struct doc *d, uint64_t *ret);
/* Text of a string, borrowed; NULL for any other type. */
const char *doc_str(const struct doc *d);

/* Each: 0, or -EPROTO with the member named. */
int doc_get_str(const struct doc *d, const char *key, char *ret, size_t size, struct err *e)
	must_check_;
int doc_get_u64(const struct doc *d, const char *key, uint64_t max, uint64_t *ret, struct err *e)
	must_check_;
/* A whole number, which others may write as 10.0 or 1e1. */
int doc_get_i64(const struct doc *d, const char *key, int64_t min, int64_t max, int64_t *ret,
	struct err *e) must_check_;
/* Any number within the range; null is none. */
int doc_get_real(const struct doc *d, const char *key, double min, double max, double *ret,
	struct err *e) must_check_;
int doc_get_bool(const struct doc *d, const char *key, bool *ret, struct err *e) must_check_;
int doc_get_fields(const struct doc *d, const struct field *fields, void *strct, struct err *e)
	must_check_;
/* Takes the same text forms as a command line, so the same limits hold. */
int doc_get_opts(const struct doc *d, const struct opt *opts, void *cfg, struct err *e) must_check_;
int doc_get_hist(const struct doc *d, const char *key, struct hist *ret, struct err *e) must_check_;
