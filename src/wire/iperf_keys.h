/*
 * Description of iperf3's JSON objects: one row per key, from which they are packed and unpacked.
 * iperf3 ignores a key of another JSON type than it expects, so the type is part of the row.
 */
#pragma once

#include "base/err.h"
#include "wire/doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Its JSON library keeps numbers as doubles: larger whole ones are not exact. */
#define IPERF_MAX_NUMBER (1LL << 53)

enum iperf_key_type {
	IPERF_KEY_U32,
	IPERF_KEY_I32,
	IPERF_KEY_U64,
	IPERF_KEY_I64,
	IPERF_KEY_REAL, /* double */
	IPERF_KEY_TRUE, /* bool, written as true */
	IPERF_KEY_ONE,  /* bool, written as 1, or 0 when always sent */
	IPERF_KEY_STR,  /* char[size] of printable characters */
	IPERF_KEY_TEXT, /* char[size] of any characters */
	IPERF_KEY_TYPE_N,
};

struct iperf_key {
	const char *name; /* NULL ends a table */
	enum iperf_key_type type;
	bool always; /* packed even if it is 0 or "" (or, IPERF_KEY_I32: negative) */
	bool must;   /* unpacking fails without it */
	size_t offset, size;
	int64_t min, max; /* of a number */
};

#define IPERF_KEY_(strct, member, t, ctype, lo, hi, ...)                                           \
	{                                                                                          \
		.name = #member, .type = t,                                                        \
		.offset = offsetof(strct, member) + CHECK_MEMBER_TYPE(strct, member, ctype),       \
		.size = MEMBER_SIZE(strct, member), .min = lo, .max = hi, __VA_ARGS__              \
	}
/* The member has the key's name; further designated members may follow. */
#define IPERF_U32(strct, member, ...)                                                              \
	IPERF_KEY_(strct, member, IPERF_KEY_U32, uint32_t, 0, UINT32_MAX, __VA_ARGS__)
#define IPERF_I32(strct, member, lo, hi, ...)                                                      \
	IPERF_KEY_(strct, member, IPERF_KEY_I32, int32_t, lo, hi, __VA_ARGS__)
#define IPERF_U64(strct, member, ...)                                                              \
	IPERF_KEY_(strct, member, IPERF_KEY_U64, uint64_t, 0, IPERF_MAX_NUMBER, __VA_ARGS__)
#define IPERF_I64(strct, member, lo, ...)                                                          \
	IPERF_KEY_(strct, member, IPERF_KEY_I64, int64_t, lo, IPERF_MAX_NUMBER, __VA_ARGS__)
#define IPERF_REAL(strct, member, lo, ...)                                                         \
	IPERF_KEY_(strct, member, IPERF_KEY_REAL, double, lo, INT32_MAX, __VA_ARGS__)
#define IPERF_TRUE(strct, member, ...)                                                             \
	IPERF_KEY_(strct, member, IPERF_KEY_TRUE, bool, 0, UINT8_MAX, __VA_ARGS__)
#define IPERF_ONE(strct, member, ...)                                                              \
	IPERF_KEY_(strct, member, IPERF_KEY_ONE, bool, 0, UINT8_MAX, __VA_ARGS__)
#define IPERF_STR(strct, member, ...)                                                              \
	IPERF_KEY_(strct, member, IPERF_KEY_STR, char[MEMBER_SIZE(strct, member)], 0, 0,           \
		__VA_ARGS__)
#define IPERF_TEXT(strct, member, ...)                                                             \
	IPERF_KEY_(strct, member, IPERF_KEY_TEXT, char[MEMBER_SIZE(strct, member)], 0, 0,          \
		__VA_ARGS__)

void iperf_keys_put(struct doc *d, const struct iperf_key *keys, const void *strct);
/* Members of keys that @d has not got stay as they are. Return: 0, or -EPROTO naming the key. */
int iperf_keys_get(const struct doc *d, const struct iperf_key *keys, void *strct, struct err *e)
	must_check_;
