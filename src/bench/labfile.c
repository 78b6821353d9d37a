#include "bench/labfile.h"

#include "base/mem.h"
#include "base/str.h"
#include "bench/plan.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const labfile_not_options[] = {"path", "load", "file", NULL};

enum kind {
	KIND_ANY_STRING,
	KIND_STRINGS_OR_OBJECTS,
	KIND_OBJECT,
	KIND_N,
};

static const char *const kind_words[] = {
	[KIND_ANY_STRING] = "a string",
	[KIND_STRINGS_OR_OBJECTS] = "a list",
	[KIND_OBJECT] = "an object",
};
static_assert(ARRAY_SIZE(kind_words) == KIND_N);

/* The keys that an object may have. */
struct key {
	const char *name; /* NULL ends a table */
	enum kind kind;
};

static const struct key lab_keys[] = {
	{"$schema", KIND_ANY_STRING},
	{"title", KIND_ANY_STRING},
	{"paths", KIND_STRINGS_OR_OBJECTS},
	{"loads", KIND_STRINGS_OR_OBJECTS},
	{"options", KIND_OBJECT},
	{NULL},
};
static const struct key path_keys[] = {
	{"path", KIND_ANY_STRING},
	{"argument", KIND_ANY_STRING},
	{"options", KIND_OBJECT},
	{NULL},
};
static const struct key load_keys[] = {
	{"load", KIND_ANY_STRING},
	{"options", KIND_OBJECT},
	{NULL},
};

static bool is_kind(const struct doc *d, enum kind kind)
{
	return kind == KIND_ANY_STRING ? doc_str(d) != NULL
	       : kind == KIND_OBJECT   ? doc_is_object(d)
				       : doc_is_array(d);
}

static int unknown_key(const struct key *keys, const char *place, const char *name, struct err *e)
{
	char known[128] = "";

	for (const struct key *k = keys; k->name; k++)
		str_addf(known, sizeof(known), "%s%s", k == keys ? "" : ", ", k->name);
	return err_say(e, EINVAL, "%s%.60s: unknown key, not one of: %s", place, name, known);
}

/* @place: "" or "paths[1]." */
static int check_keys(const struct doc *d, const struct key *keys, const char *place, struct err *e)
{
	for (const char *name = doc_first_key(d); name; name = doc_next_key(d, name)) {
		const struct key *k = keys;

		while (k->name && strcmp(k->name, name) != 0)
			k++;
		if (!k->name)
			return unknown_key(keys, place, name, e);
		if (!is_kind(doc_get(d, name), k->kind))
			return err_say(e, EINVAL, "%s%s: not %s", place, name, kind_words[k->kind]);
	}
	return 0;
}

static int check_items(const struct doc *lab, const char *list, const char *key,
	const struct key *keys, struct err *e)
{
	const struct doc *items = doc_get(lab, list);
	int r = 0;

	if (items && doc_len(items) == 0)
		return err_say(e, EINVAL, "%s: an empty list", list);
	for (size_t i = 0; r == 0 && i < doc_len(items); i++) {
		const struct doc *d = doc_at(items, i);
		char place[64];

		snprintf(place, sizeof(place), "%s[%zu].", list, i);
		if (doc_str(d))
			continue;
		if (!doc_is_object(d))
			return err_say(e, EINVAL, "%s[%zu]: neither a string nor an object", list,
				i);
		r = check_keys(d, keys, place, e);
		if (r == 0 && !doc_get(d, key))
			return err_say(e, EINVAL, "%s[%zu]: no key '%s'", list, i, key);
	}
	return r;
}

int labfile_parse(struct doc **ret, const char *text, size_t len, struct err *e)
{
	_cleanup_(doc_freep) struct doc *d = NULL;
	int r = doc_parse(&d, text, len, e);

	if (r == 0)
		r = check_keys(d, lab_keys, "", e);
	if (r == 0)
		r = check_items(d, "paths", "path", path_keys, e);
	if (r == 0)
		r = check_items(d, "loads", "load", load_keys, e);
	if (r == 0)
		*ret = take_ptr(d);
	return r;
}

int labfile_read(struct doc **ret, const char *path, struct err *e)
{
	const size_t size = LABFILE_MAX_BYTES + 2; /* one more than allowed, and the NUL */
	_cleanup_(freep) char *text = xcalloc(1, size);
	int r = file_read(path, text, size, e);

	if (r > (int)LABFILE_MAX_BYTES)
		return err_say(e, EFBIG, "%s: longer than 1 MiB", path);
	if (r < 0)
		return r;
	r = labfile_parse(ret, text, (size_t)r, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

bool labfile_has(const struct doc *lab, const char *key)
{
	return doc_get(lab, key) != NULL;
}

/* The text for a command line that means the same. Return: 0 or -EINVAL. */
static int value_text(const struct doc *value, char *ret, size_t size)
{
	const char *s = doc_str(value);
	uint64_t n;

	if (s)
		return str_copy(ret, size, s) < 0 ? -EINVAL : 0;
	if (!doc_is_u64(value, &n))
		return -EINVAL;
	snprintf(ret, size, "%" PRIu64, n);
	return 0;
}

/* opt_set()'s words without the name, which the place has already. */
static int say_at(struct err *e, const char *place, const char *name)
{
	char text[sizeof(e->text)], start[80];

	if (!e)
		return -EINVAL;
	snprintf(start, sizeof(start), "--%.70s: ", name);
	str_set(text, e->text);
	return err_say(e, -e->code, "%s%s: %s", place, name,
		text + (strncmp(text, start, strlen(start)) == 0 ? strlen(start) : 0));
}

/* @place: "options." */
static int set_option(const struct opt_group *groups, const char *place, const char *name,
	const struct doc *value, struct err *e)
{
	const struct opt *o = NULL;
	char text[2048];
	bool on = false;
	int r;

	for (const struct opt_group *g = groups; g->opts && !o; g++)
		o = opt_find(g->opts, name);
	if (!o)
		return err_say(e, EINVAL, "%s%.60s: no such option", place, name);
	if (o->type == OPT_T_FLAG && !doc_is_bool(value, &on))
		return err_say(e, EINVAL, "%s%s: neither true nor false", place, name);
	if (o->type == OPT_T_FLAG && !on)
		return 0;
	if (o->type != OPT_T_FLAG && value_text(value, text, sizeof(text)) < 0)
		return err_say(e, EINVAL, "%s%s: neither a string nor a whole number", place, name);
	r = opt_set_groups(groups, name, on ? NULL : text, e);
	return r < 0 ? say_at(e, place, name) : 0;
}

static int set_options(const struct opt_group *groups, const char *place, const struct doc *options,
	struct err *e)
{
	int r = 0;

	for (const char *name = doc_first_key(options); r == 0 && name;
		name = doc_next_key(options, name))
		r = set_option(groups, place, name, doc_get(options, name), e);
	return r;
}

int labfile_options(const struct doc *lab, const struct opt_group *groups, struct err *e)
{
	const struct doc *options = doc_get(lab, "options");

	for (const char *const *not = labfile_not_options; *not ; not ++)
		if (doc_get(options, *not ))
			return err_say(e, EINVAL, "options.%s: not an option of a file", *not );
	return set_options(groups, "options.", options, e);
}

/* "vm-virtio:vcpus=2,queues=2", as a command line would have said it. */
static int name_path(struct path_spec *spec, const struct doc *d, const char *place, struct err *e)
{
	const struct doc *options = doc_get(d, "options");
	const char *comma = ":";
	char text[2048], name[4096] = "";

	str_addf(name, sizeof(name), "%s", spec->ops->name);
	if (*spec->arg) {
		str_addf(name, sizeof(name), ":%s", spec->arg);
		comma = ",";
	}
	for (const char *key = doc_first_key(options); key; key = doc_next_key(options, key)) {
		bool flag = false, is_flag = doc_is_bool(doc_get(options, key), &flag);

		if (is_flag && !flag)
			continue;
		str_addf(name, sizeof(name), "%s%s", comma, key);
		if (!is_flag && value_text(doc_get(options, key), text, sizeof(text)) == 0)
			str_addf(name, sizeof(name), "=%s", text);
		comma = ",";
	}
	if (strlen(name) >= sizeof(spec->name))
		return err_say(e, EINVAL, "%s: its options are too long", place);
	str_set(spec->name, name);
	return 0;
}

static int set_argument(struct path_spec *spec, const char *arg, const char *place, struct err *e)
{
	if (!spec->ops->arg && arg)
		return err_say(e, EINVAL, "%sargument: path '%s' takes none", place,
			spec->ops->name);
	if (spec->ops->arg && (!arg || !*arg))
		return err_say(e, EINVAL, "%sargument: path '%s' needs its %s", place,
			spec->ops->name, spec->ops->arg);
	if (arg && str_copy(spec->arg, sizeof(spec->arg), arg) < 0)
		return err_say(e, EINVAL, "%sargument: too long", place);
	return 0;
}

static int add_path_object(struct run *run, const struct doc *d, const char *place, struct err *e)
{
	struct path_spec spec = {.ops = path_find(doc_str(doc_get(d, "path"))),
		.cfg = run->path_cfg};
	const struct opt_group groups[] = {
		{"", spec.ops && spec.ops->opts ? spec.ops->opts : path_opts, &spec.cfg},
		{"", spec.ops && spec.ops->kin_opts ? spec.ops->kin_opts : path_opts, &spec.cfg},
		{"", path_opts, &spec.cfg},
		{0},
	};
	char options[80];
	int r;

	if (!spec.ops)
		return err_say(e, EINVAL, "%spath: unknown path '%.60s' (see tare list)", place,
			doc_str(doc_get(d, "path")));
	snprintf(options, sizeof(options), "%soptions.", place);
	r = set_argument(&spec, doc_str(doc_get(d, "argument")), place, e);
	if (r == 0)
		r = set_options(groups, options, doc_get(d, "options"), e);
	if (r == 0)
		r = name_path(&spec, d, place, e);
	if (r < 0)
		return r;
	r = path_check(&spec, e);
	if (r == 0)
		r = plan_path(run, &spec, e);
	return r < 0 ? err_wrap(e, "%.*s", (int)strlen(place) - 1, place) : 0;
}

int labfile_paths(const struct doc *lab, struct run *run, struct err *e)
{
	const struct doc *paths = doc_get(lab, "paths");
	int r = plan_named(run, path_table[0]->name, e);

	for (size_t i = 0; r == 0 && i < doc_len(paths); i++) {
		const struct doc *d = doc_at(paths, i);
		char place[64];

		snprintf(place, sizeof(place), "paths[%zu].", i);
		if (!doc_str(d)) {
			r = add_path_object(run, d, place, e);
			continue;
		}
		r = plan_named(run, doc_str(d), e);
		if (r < 0)
			return err_wrap(e, "paths[%zu]", i);
	}
	return r;
}

static int add_load_object(struct run *run, const struct doc *d, const struct load_cfg *base,
	const char *place, struct err *e)
{
	const char *name = doc_str(doc_get(d, "load"));
	struct opt_group groups[2] = {0};
	struct load_cfg cfg;
	char options[80];
	uint32_t row = 0;
	int r;

	while (load_table[row] && strcmp(load_table[row]->name, name) != 0)
		row++;
	if (!load_table[row])
		return err_say(e, EINVAL, "%sload: unknown load '%.60s' (see tare list)", place,
			name);
	cfg = base[row];
	groups[0] = (struct opt_group){"", load_table[row]->opts, &cfg, .stored = true};
	snprintf(options, sizeof(options), "%soptions.", place);
	r = set_options(groups, options, doc_get(d, "options"), e);
	if (r < 0)
		return r;
	r = plan_load_of(run, load_table[row], &cfg, e);
	return r < 0 ? err_wrap(e, "%.*s", (int)strlen(place) - 1, place) : 0;
}

int labfile_loads(const struct doc *lab, struct run *run, const struct load_cfg *base,
	struct err *e)
{
	const struct doc *loads = doc_get(lab, "loads");
	int r = 0;

	for (size_t i = 0; r == 0 && i < doc_len(loads); i++) {
		const struct doc *d = doc_at(loads, i);
		char place[64];

		snprintf(place, sizeof(place), "loads[%zu].", i);
		if (!doc_str(d)) {
			r = add_load_object(run, d, base, place, e);
			continue;
		}
		r = plan_load(run, doc_str(d), base, e);
		if (r < 0)
			return err_wrap(e, "loads[%zu]", i);
	}
	return r;
}
