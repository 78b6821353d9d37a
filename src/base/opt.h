/*
 * Options as rows bound to the members of a plain config struct. From the same row come parsing,
 * range checks, --help, the man page, shell completion, the config stored with each result and
 * the config sent to an agent. Defaults live in the struct, never in a help text.
 */
#pragma once

#include "base/err.h"
#include "base/num.h"

#include <stdbool.h>
#include <stdint.h>

enum opt_type {
	OPT_T_FLAG, /* bool, no argument */
	OPT_T_U32,
	OPT_T_U64,
	OPT_T_STR,  /* char[size] */
	OPT_T_ENUM, /* uint32_t index into names */
	OPT_TYPE_N,
};

struct opt {
	const char *name; /* NULL ends a table */
	char short_name;  /* 0 = none */
	enum opt_type type;
	const char *field; /* name of the config member: the JSON key */
	size_t offset;
	size_t size;
	const char *arg; /* "<n>"; NULL for flags */
	const char *help;
	enum num_unit unit;
	uint64_t min, max; /* max 0: no upper limit but the type's own */
	bool zero_ok;      /* 0 is allowed below min and means "none" or "automatic" */
	const char *const *names;
	uint32_t n_names;
};

#define OPT_(strct, member, t, ctype, long_name, c, a, h, ...)                                     \
	{                                                                                          \
		.name = long_name, .short_name = c, .type = t, .field = #member,                   \
		.offset = offsetof(strct, member) + CHECK_MEMBER_TYPE(strct, member, ctype),       \
		.size = MEMBER_SIZE(strct, member), .arg = a, .help = h, __VA_ARGS__               \
	}
#define OPT_FLAG(strct, member, name, c, help)                                                     \
	OPT_(strct, member, OPT_T_FLAG, bool, name, c, NULL, help)
#define OPT_U32(strct, member, name, c, arg, help, ...)                                            \
	OPT_(strct, member, OPT_T_U32, uint32_t, name, c, arg, help, __VA_ARGS__)
#define OPT_U64(strct, member, name, c, arg, help, ...)                                            \
	OPT_(strct, member, OPT_T_U64, uint64_t, name, c, arg, help, __VA_ARGS__)
#define OPT_STR(strct, member, name, c, arg, help)                                                 \
	OPT_(strct, member, OPT_T_STR, char[MEMBER_SIZE(strct, member)], name, c, arg, help)
#define OPT_ENUM(strct, member, name, c, table, help)                                              \
	OPT_(strct, member, OPT_T_ENUM, uint32_t, name, c, NULL, help, .names = (table),           \
		.n_names = ARRAY_SIZE(table))
#define OPT_END                                                                                    \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* A titled table and the struct it fills. */
struct opt_group {
	const char *title;
	const struct opt *opts;
	void *cfg;
	bool stored; /* the struct is kept with each result, each member under its row's field */
};

/*
 * opt_set() - set one member from text, with the row's unit and range.
 * @text: NULL for flags
 *
 * Return: 0, or negative errno; @cfg is untouched on failure.
 */
int opt_set(const struct opt *o, void *cfg, const char *text, struct err *e) must_check_;

/* Prints the member's value so that opt_set() would give it back; a flag, as "on" or "off". */
void opt_get(const struct opt *o, const void *cfg, char *ret, size_t size);

/* The row of @opts with this long name, or NULL. */
const struct opt *opt_find(const struct opt *opts, const char *name);

/*
 * opt_set_pairs() - apply "name=value,name=value" (a flag is just its name) to @cfg.
 *
 * Return: 0, -EINVAL or -ERANGE with the offending part named; pairs before it are applied.
 */
int opt_set_pairs(const struct opt *opts, void *cfg, const char *pairs, struct err *e) must_check_;

/*
 * opt_parse() - parse a command line strictly: no abbreviations, no permutation past "--".
 * @groups: tables, the last one with opts = NULL. A name that stands in several groups sets all.
 * @argv:   [argc], argv[0] is skipped
 * @ret_args: [argc], receives the positional arguments; @ret_n_args how many
 *
 * Return: 0, OPT_HELP when --help or -h was met, -EINVAL or -ERANGE.
 */
#define OPT_HELP 1
int opt_parse(const struct opt_group *groups, int argc, char **argv, char **ret_args,
	int *ret_n_args, struct err *e) must_check_;

/* Is this option on a command line that opt_parse() has accepted? */
bool opt_given(const struct opt_group *groups, int argc, char **argv, const char *name);

/* opt_set() of the option @name in every group that has it; 0 when none has. */
int opt_set_groups(const struct opt_group *groups, const char *name, const char *text,
	struct err *e) must_check_;
