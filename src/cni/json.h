/* libjansson inside this folder; none of its functions are called elsewhere in it than by these. */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

DEFINE_CLEANUP(json_t *, json_decref, json_freep)

/* An object at the top, else -EINVAL with line and column. @flags: of json_loadb */
int json_load_object(json_t **ret, const char *text, size_t len, size_t flags, struct err *e)
	must_check_;

/* A member that is a string: *ret is borrowed; "" when there is none. Else -EINVAL. */
int json_text(const json_t *object, const char *key, const char **ret, struct err *e) must_check_;

/* Member that is true or false; @ret stays as it is when there is none. */
int json_flag(const json_t *object, const char *key, bool *ret, struct err *e) must_check_;

/* Sets a member and takes @v over; memory is the only thing that can be missing. */
void json_put(json_t *object, const char *key, json_t *v);
