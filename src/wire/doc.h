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
/* The same document once more, to be put where doc_put() takes it over; change neither then. */
struct doc *doc_share(const struct doc *d);

/* Parses strict JSON, an object at the top. */
int doc_parse(struct doc **ret, const char *text, size_t len, struct err *e) must_check_;

/* Compact text, to be freed by the caller. */
char *doc_text(const struct doc *d);

/* Indented text and a newline. Return: 0, or negative errno of the write. */
int doc_write(const struct doc *d, FILE *out) must_check_;

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
bool doc_is_array(const struct doc *d);
bool doc_is_str(const struct doc *d, const char *s);

/* Each: 0, or -EPROTO with the member named. */
int doc_get_str(const struct doc *d, const char *key, char *ret, size_t size, struct err *e)
	must_check_;
int doc_get_u64(const struct doc *d, const char *key, uint64_t max, uint64_t *ret, struct err *e)
	must_check_;
int doc_get_bool(const struct doc *d, const char *key, bool *ret, struct err *e) must_check_;
int doc_get_fields(const struct doc *d, const struct field *fields, void *strct, struct err *e)
	must_check_;
/* Takes the same text forms as a command line, so the same limits hold. */
int doc_get_opts(const struct doc *d, const struct opt *opts, void *cfg, struct err *e) must_check_;
int doc_get_hist(const struct doc *d, const char *key, struct hist *ret, struct err *e) must_check_;
