/* Parts that JSON Schemas are made of. */
#pragma once

#include "wire/doc.h"

/* An object schema under construction: every key added is required, no other is allowed. */
struct schema_object {
	struct doc *schema, *properties, *required;
};

struct schema_object schema_object_new(void);
/* Of a whole document, which begins with what schema_put_head() puts. @name: "tare-run" */
struct schema_object schema_document_new(const char *name, uint32_t version, const char *title);
/* What a document is, and by whom. */
void schema_put_head(struct doc *d, const char *name, uint32_t version);
void schema_object_add(struct schema_object *o, const char *key, struct doc *schema);
/* The schema, the caller's. */
struct doc *schema_object_end(struct schema_object *o);

struct doc *schema_type(const char *name);
struct doc *schema_array_of(struct doc *items);
struct doc *schema_one_of(const char *const *names, uint32_t n);
struct doc *schema_constant(const char *v);
struct doc *schema_constant_u64(uint64_t v);
struct doc *schema_count(void);
struct doc *schema_number_or_null(void);
struct doc *schema_or_null(struct doc *schema);
/* What doc_put_hist() writes. */
struct doc *schema_histogram(void);

/* @unit: "" for none */
void schema_describe(struct doc *schema, const char *text, const char *unit);

/* What doc_put_fields() and doc_put_opts() write: as further keys of an object, as one. */
void schema_add_fields(struct schema_object *o, const struct field *fields);
void schema_add_fields_or_null(struct schema_object *o, const struct field *fields);
void schema_add_opts(struct schema_object *o, const struct opt *opts);
struct doc *schema_of_fields(const struct field *fields);
struct doc *schema_of_opts(const struct opt *opts);
/* What doc_put_hist() writes. */
struct doc *schema_histogram(void);
