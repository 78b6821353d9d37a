/* Small compile-time helpers used everywhere. */
#pragma once

#include <assert.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		typeof(a) min_a_ = (a);                                                            \
		typeof(b) min_b_ = (b);                                                            \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		typeof(a) max_a_ = (a);                                                            \
		typeof(b) max_b_ = (b);                                                            \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

#define must_check_        __attribute__((warn_unused_result))
#define printf_(fmt, args) __attribute__((format(printf, fmt, args)))

/* Evaluates to 0 and fails to compile unless the member has exactly this type. */
#define CHECK_MEMBER_TYPE(strct, member, type)                                                     \
	(0 * sizeof(char[__builtin_types_compatible_p(typeof(((strct *)0)->member), type) ? 1      \
											  : -1]))
#define MEMBER_SIZE(strct, member) sizeof(((strct *)0)->member)
