/* Descriptions of the result structs, for JSON, CSV, schema and man page. */
#pragma once

#include "base/field.h"

extern const struct field run_fields[];
extern const struct field path_result_fields[];
extern const struct field trial_fields[];
extern const struct field cell_fields[];
extern const struct field estimate_fields[];
