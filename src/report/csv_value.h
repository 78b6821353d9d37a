/* Cells of CSV. RFC 4180. */
#pragma once

#include "base/field.h"

#include <stdio.h>

/* A text in quotes. */
void csv_quoted(const char *s, FILE *out);

/* A struct's member; nothing for a number that is not finite. */
void csv_value(const struct field *f, const void *strct, FILE *out);
