/* Parts that JSON Schemas are made of. */
#pragma once

#include "wire/doc.h"

/* An object schema under construction: every key added is required, no other is allowed. */
struct schema_object {
	struct doc *schema, *properties, *required;
};

struct schema_object schema_object_new(void);
void schema_object_add(struct schema_object *o, const char *key, struct doc *schema);
/* The schema, the caller's. */
struct doc *schema_object_end(struct schema_object *o);

struct doc *schema_type(const char *name);
struct doc *schema_array_of(struct doc *items);
struct doc *schema_one_of(const char *const *names, uint32_t n);
struct doc *schema_constant(const char *v);

/* @unit: "" for none */
void schema_describe(struct doc *schema, const char *text, const char *unit);
