/*
 * Description of a struct's members: one row per member, from which the wire format, the JSON
 * document, the CSV header, the JSON Schema and the man page are all made. The macro takes the
 * member's own name, so struct field = JSON key = CSV column = man page term by construction.
 */
#pragma once

#include "base/macro.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
	FIELD_T_BOOL,
	FIELD_T_U32,
	FIELD_T_U64,
	FIELD_T_I64,
	FIELD_T_DOUBLE, /* NaN means "not measured" and is written as null */
	FIELD_T_STR,    /* char[size], NUL-terminated */
	FIELD_T_U64S,   /* uint64_t[size / 8]; the used length is in the uint32_t at count_offset */
	FIELD_TYPE_N,
};

struct field {
	const char *name; /* NULL ends a table */
	enum field_type type;
	size_t offset;
	size_t size;
	size_t count_offset;
	const char *unit; /* as in the man page: "ns", "bytes", "bit/s", "" for none */
	const char *doc;
};

#define FIELD_(strct, member, t, ctype, u, d)                                                      \
	{                                                                                          \
		.name = #member, .type = t,                                                        \
		.offset = offsetof(strct, member) + CHECK_MEMBER_TYPE(strct, member, ctype),       \
		.size = MEMBER_SIZE(strct, member), .unit = u, .doc = d                            \
	}

#define FIELD_BOOL(strct, member, doc)      FIELD_(strct, member, FIELD_T_BOOL, bool, "", doc)
#define FIELD_U32(strct, member, unit, doc) FIELD_(strct, member, FIELD_T_U32, uint32_t, unit, doc)
#define FIELD_U64(strct, member, unit, doc) FIELD_(strct, member, FIELD_T_U64, uint64_t, unit, doc)
#define FIELD_I64(strct, member, unit, doc) FIELD_(strct, member, FIELD_T_I64, int64_t, unit, doc)
#define FIELD_DOUBLE(strct, member, unit, doc)                                                     \
	FIELD_(strct, member, FIELD_T_DOUBLE, double, unit, doc)
#define FIELD_STR(strct, member, doc)                                                              \
	FIELD_(strct, member, FIELD_T_STR, char[MEMBER_SIZE(strct, member)], "", doc)
#define FIELD_U64S(strct, member, count, u, d)                                                     \
	{                                                                                          \
		.name = #member, .type = FIELD_T_U64S, .offset = offsetof(strct, member),          \
		.size = MEMBER_SIZE(strct, member),                                                \
		.count_offset =                                                                    \
			offsetof(strct, count) + CHECK_MEMBER_TYPE(strct, count, uint32_t),        \
		.unit = u, .doc = d                                                                \
	}
#define FIELD_END                                                                                  \
	{                                                                                          \
		.name = NULL                                                                       \
	}
