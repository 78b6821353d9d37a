#include "base/opt.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void *member(const struct opt *o, void *cfg)
{
	return (char *)cfg + o->offset;
}

static int wrong_range(const struct opt *o, const char *text, struct err *e)
{
	uint64_t max = o->max ? o->max : (o->type == OPT_T_U32 ? UINT32_MAX : INT64_MAX);
	char lo[32], hi[32];

	num_format(o->min, o->unit, lo, sizeof(lo));
	num_format(max, o->unit, hi, sizeof(hi));
	return err_say(e, ERANGE, "--%s: '%s' is out of range (%s%s to %s)", o->name, text,
		o->zero_ok ? "0, or " : "", lo, hi);
}

static int set_number(const struct opt *o, void *cfg, const char *text, struct err *e)
{
	uint64_t max = o->max ? o->max : (o->type == OPT_T_U32 ? UINT32_MAX : INT64_MAX);
	struct err why;
	uint64_t v;
	int r;

	/* "0" needs no unit: nothing is nothing. */
	if (o->zero_ok && strcmp(text, "0") == 0) {
		v = 0;
	} else {
		r = num_parse(text, o->unit, &v, &why);
		if (r == -ERANGE)
			return wrong_range(o, text, e);
		if (r < 0)
			return err_say(e, EINVAL, "--%s: %s", o->name, why.text);
	}
	if (!(o->zero_ok && v == 0) && (v < o->min || v > max))
		return wrong_range(o, text, e);

	if (o->type == OPT_T_U32)
		*(uint32_t *)member(o, cfg) = (uint32_t)v;
	else
		*(uint64_t *)member(o, cfg) = v;
	return 0;
}

static int set_enum(const struct opt *o, void *cfg, const char *text, struct err *e)
{
	char known[256] = "";
	int i = str_index(text, o->names, o->n_names);

	if (i >= 0) {
		*(uint32_t *)member(o, cfg) = (uint32_t)i;
		return 0;
	}
	for (uint32_t k = 0; k < o->n_names; k++)
		str_addf(known, sizeof(known), "%s%s", k ? ", " : "", o->names[k]);
	return err_say(e, EINVAL, "--%s: '%s' is not one of: %s", o->name, text, known);
}

static int set_str(const struct opt *o, void *cfg, const char *text, struct err *e)
{
	if (strlen(text) >= o->size)
		return err_say(e, EINVAL, "--%s: longer than %zu characters", o->name, o->size - 1);
	return str_copy(member(o, cfg), o->size, text);
}

int opt_set(const struct opt *o, void *cfg, const char *text, struct err *e)
{
	if (o->type == OPT_T_FLAG) {
		if (text)
			return err_say(e, EINVAL, "--%s takes no value", o->name);
		*(bool *)member(o, cfg) = true;
		return 0;
	}
	if (!text)
		return err_say(e, EINVAL, "--%s needs a value", o->name);
	if (o->type == OPT_T_ENUM)
		return set_enum(o, cfg, text, e);
	if (o->type == OPT_T_STR)
		return set_str(o, cfg, text, e);
	return set_number(o, cfg, text, e);
}

void opt_get(const struct opt *o, const void *cfg, char *ret, size_t size)
{
	const void *m = (const char *)cfg + o->offset;

	ret[0] = '\0';
	switch (o->type) {
	case OPT_T_FLAG:
		str_addf(ret, size, "%s", *(const bool *)m ? "on" : "off");
		break;
	case OPT_T_U32:
		num_format(*(const uint32_t *)m, o->unit, ret, size);
		break;
	case OPT_T_U64:
		num_format(*(const uint64_t *)m, o->unit, ret, size);
		break;
	case OPT_T_STR:
		str_addf(ret, size, "%s", (const char *)m);
		break;
	case OPT_T_ENUM:
		assert(*(const uint32_t *)m < o->n_names);
		str_addf(ret, size, "%s", o->names[*(const uint32_t *)m]);
		break;
	case OPT_TYPE_N:
		assert(false);
	}
}

const struct opt *opt_find(const struct opt *opts, const char *name)
{
	for (const struct opt *o = opts; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static int unknown_pair(const struct opt *opts, const char *name, struct err *e)
{
	char known[256] = "";

	for (const struct opt *o = opts; o->name; o++)
		str_addf(known, sizeof(known), "%s%s", o == opts ? "" : ", ", o->name);
	return err_say(e, EINVAL, "unknown option '%s', not one of: %s", name, known);
}

int opt_set_pairs(const struct opt *opts, void *cfg, const char *pairs, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(pairs);
	char *rest = copy, *p;

	while ((p = strsep(&rest, ","))) {
		char *value = strchr(p, '=');
		const struct opt *o;
		int r;

		if (value)
			*value++ = '\0';
		o = opt_find(opts, p);
		if (!o)
			return unknown_pair(opts, p, e);
		r = opt_set(o, cfg, value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool row_matches(const struct opt *o, const char *name, char c)
{
	return name ? strcmp(o->name, name) == 0 : o->short_name == c;
}

/* The first row of this name in any group: it tells whether a value follows. */
static const struct opt *find_in_groups(const struct opt_group *groups, const char *name, char c)
{
	for (const struct opt_group *g = groups; g->opts; g++)
		for (const struct opt *o = g->opts; o->name; o++)
			if (row_matches(o, name, c))
				return o;
	return NULL;
}

/* A word that means something else in another group, as a rate in bits and one in transactions. */
static int ambiguous(const struct opt_group *groups, const struct opt *refused, int r,
	struct err *e)
{
	for (const struct opt_group *g = groups; g->opts; g++) {
		const struct opt *o = opt_find(g->opts, refused->name);

		if (o && o->unit != refused->unit)
			return err_wrap(e, "--%s is %s to one part and %s to another: set it there",
				o->name, refused->arg, o->arg);
	}
	return r;
}

int opt_set_groups(const struct opt_group *groups, const char *name, const char *text,
	struct err *e)
{
	for (const struct opt_group *g = groups; g->opts; g++) {
		const struct opt *o = opt_find(g->opts, name);
		int r = o ? opt_set(o, g->cfg, text, e) : 0;

		if (r < 0)
			return ambiguous(groups, o, r, e);
	}
	return 0;
}

/*
 * The row that argv[*i] names, "--name", "--name=value", "-c" or "-cvalue", with its value if one
 * follows; *i is moved to the last word of it.
 */
static const struct opt *next_option(const struct opt_group *groups, int argc, char **argv, int *i,
	const char **ret_value)
{
	const char *word = argv[*i], *value = NULL;
	const struct opt *o;

	if (word[1] == '-') {
		_cleanup_(freep) char *name = xstrdup(word + 2);
		size_t len = strcspn(name, "=");

		value = name[len] ? word + 2 + len + 1 : NULL;
		name[len] = '\0';
		o = find_in_groups(groups, name, 0);
	} else {
		o = find_in_groups(groups, NULL, word[1]);
		value = word[2] ? word + 2 : NULL;
	}
	if (o && !value && o->type != OPT_T_FLAG && *i + 1 < argc)
		value = argv[++*i];
	*ret_value = value;
	return o;
}

static int parse_one(const struct opt_group *groups, int argc, char **argv, int *i, struct err *e)
{
	const char *word = argv[*i], *value;
	const struct opt *o = next_option(groups, argc, argv, i, &value);

	if (!o)
		return err_say(e, EINVAL, "unknown option '%.*s' (see --help)",
			(int)(word[1] == '-' ? strcspn(word, "=") : strlen(word)), word);
	return opt_set_groups(groups, o->name, value, e);
}

bool opt_given(const struct opt_group *groups, int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const struct opt *o;
		const char *value;

		if (argv[i][0] != '-' || !argv[i][1])
			continue;
		o = next_option(groups, argc, argv, &i, &value);
		if (o && strcmp(o->name, name) == 0)
			return true;
	}
	return false;
}

int opt_parse(const struct opt_group *groups, int argc, char **argv, char **ret_args,
	int *ret_n_args, struct err *e)
{
	bool only_args = false;
	int n = 0;

	for (int i = 1; i < argc; i++) {
		int r;

		if (only_args || argv[i][0] != '-' || !argv[i][1]) {
			ret_args[n++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_args = true;
			continue;
		}
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return OPT_HELP;
		r = parse_one(groups, argc, argv, &i, e);
		if (r < 0)
			return r;
	}
	*ret_n_args = n;
	return 0;
}
