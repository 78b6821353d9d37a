#include "bench/plan.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct bench_cfg bench_cfg_default = {
	.time_ns = 500 * NSEC_PER_MSEC,
	.warmup_ns = 100 * NSEC_PER_MSEC,
	.width_ppm = 50000,
	.repeat_min = 4,
	.repeat_max = 8,
	.time_max_ns = 75 * NSEC_PER_SEC,
	.softirq = BENCH_SOFTIRQ_EXTRA,
};

const struct bench_cfg bench_cfg_quick = {
	.time_ns = 200 * NSEC_PER_MSEC,
	.warmup_ns = 50 * NSEC_PER_MSEC,
	.width_ppm = 50000,
	.repeat_min = 3,
	.repeat_max = 3,
};

const struct opt bench_opts[] = {
	OPT_U64(struct bench_cfg, time_ns, "time", 't', "<time>", "counted span of each trial",
		.unit = NUM_DURATION, .min = 50 * NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct bench_cfg, warmup_ns, "warmup", 'O', "<time>",
		"load before the counted span, in no number", .unit = NUM_DURATION,
		.min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_U32(struct bench_cfg, width_ppm, "width", 0, "<percent>",
		"repeat until the 95 % interval of the ratio to native is narrower",
		.unit = NUM_PERCENT, .min = 100, .max = 1000000),
	OPT_U32(struct bench_cfg, repeat_min, "repeat-min", 0, "<n>", "fewest trials of each cell",
		.min = 2, .max = 1000),
	OPT_U32(struct bench_cfg, repeat_max, "repeat-max", 0, "<n>", "most trials of each cell",
		.min = 2, .max = 1000),
	OPT_U64(struct bench_cfg, time_max_ns, "time-max", 0, "<time>",
		"begin no round that would end later; 0: no limit", .unit = NUM_DURATION,
		.min = NSEC_PER_SEC, .max = 24 * 3600 * NSEC_PER_SEC, .zero_ok = true),
	OPT_ENUM(struct bench_cfg, pin, "pin", 0, bench_pin_name,
		"where threads run: apart, on half of the CPUs each; together, on one; none, "
		"anywhere; auto, together for rr and crr with one transaction at a time, else "
		"apart"),
	BENCH_SOFTIRQ_OPT,
	OPT_END,
};

static bool has_path(const struct run *run, const char *name)
{
	for (uint32_t i = 0; i < run->n_paths; i++)
		if (strcmp(run->path[i].spec.name, name) == 0)
			return true;
	return false;
}

int plan_path(struct run *run, const struct path_spec *spec, struct err *e)
{
	if (has_path(run, spec->name))
		return 0;
	if (run->n_paths == RUN_MAX_PATHS)
		return err_say(e, E2BIG, "more than %d paths", RUN_MAX_PATHS);
	run->path[run->n_paths++] = (struct path_result){.spec = *spec};
	return 0;
}

/* All of a family ("all": of every one) that need no argument and fit the configuration. */
static int add_set(struct run *run, int set, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && path_table[i]; i++) {
		struct path_spec spec = path_spec_of(path_table[i], &run->path_cfg);

		if ((set < 0 || (int)path_table[i]->set == set) && !path_table[i]->arg &&
			path_check(&spec, NULL) == 0)
			r = plan_path(run, &spec, e);
	}
	return r;
}

/*
 * "veth,vm-virtio:vcpus=2,queues=2,cni:FILE": a part with "=" and no ":" before that belongs
 * to the path before it, and so does one of its flags.
 */
static bool goes_on(const char *before, const char *part)
{
	const struct path_ops *ops;
	char name[64];

	if (!*before)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(before, ":"), before);
	ops = path_find(name);
	/* "far=netns:b" goes on, "cni:a=b" does not. */
	return part[strcspn(part, ":=")] == '=' ||
	       (ops && ops->opts && opt_find(ops->opts, part)) ||
	       (ops && strchr(before, ':') && opt_find(path_opts, part));
}

int plan_named(struct run *run, const char *text, struct err *e)
{
	int set = str_index(text, path_set_name, PATH_SET_N);
	struct path_spec spec;
	int r;

	if (set >= 0 || strcmp(text, "all") == 0)
		return add_set(run, set, e);
	r = path_parse(&spec, text, &run->path_cfg, e);
	return r < 0 ? r : plan_path(run, &spec, e);
}

static int unknown(const char *what, const char *name, struct err *e)
{
	return err_say(e, EINVAL, "unknown %s '%s' (see tare list)", what, name);
}

int plan_paths(struct run *run, const char *names, struct err *e)
{
	const struct path_spec native = path_spec_of(path_table[0], &run->path_cfg);
	_cleanup_(freep) char *copy = xstrdup(names);
	char *rest = copy, *part;
	const size_t size = strlen(names) + 1;
	_cleanup_(freep) char *one = xcalloc(1, size);
	int r = plan_path(run, &native, e);

	while (r == 0 && (part = strsep(&rest, ","))) {
		bool more = goes_on(one, part);

		if (!*part)
			return err_say(e, EINVAL, "--path: '%s' names an empty path", names);
		if (*one && !more)
			r = plan_named(run, one, e);
		if (!more)
			one[0] = '\0';
		str_addf(one, size, "%s%s", more ? "," : "", part);
	}
	return r < 0 ? r : plan_named(run, one, e);
}

/* "stream-tx", "rr-tcp-idle", "crr": the load's name and the value of its telling option. */
static void name_load(struct load_spec *spec)
{
	const struct opt *o = spec->ops->each ? opt_find(spec->ops->opts, spec->ops->each) : NULL;
	char value[32];

	str_set(spec->id, spec->ops->name);
	if (o) {
		opt_get(o, &spec->cfg, value, sizeof(value));
		str_addf(spec->id, sizeof(spec->id), "-%s", value);
	}
	if (spec->cfg.under == LOAD_UNDER_IDLE)
		str_addf(spec->id, sizeof(spec->id), "-idle");
	if (spec->cfg.under == LOAD_UNDER_STREAM)
		str_addf(spec->id, sizeof(spec->id), "-under-stream");
}

static int add_load(struct run *run, const struct load_ops *ops, const struct load_cfg *cfg,
	struct err *e)
{
	struct load_spec spec = {.ops = ops, .cfg = *cfg};
	int r = ops->check(cfg, e);

	if (r < 0)
		return r;
	name_load(&spec);
	for (uint32_t i = 0; i < run->n_loads; i++)
		if (strcmp(run->load[i].id, spec.id) == 0)
			return err_say(e, EINVAL, "load '%s' is asked for twice", spec.id);
	if (run->n_loads == RUN_MAX_LOADS)
		return err_say(e, E2BIG, "more than %d loads", RUN_MAX_LOADS);
	run->load[run->n_loads++] = spec;
	return 0;
}

/* A load under another one comes right after the same one alone, which run_idle_of() relies on. */
static int add_with_idle(struct run *run, const struct load_ops *ops, const struct load_cfg *cfg,
	struct err *e)
{
	struct load_cfg idle = *cfg;
	int r = 0;

	idle.under = LOAD_UNDER_IDLE;
	if (cfg->under == LOAD_UNDER_STREAM)
		r = add_load(run, ops, &idle, e);
	return r < 0 ? r : add_load(run, ops, cfg, e);
}

/* One load per value that "each" stands for: the ones a trial can run, short of "both". */
int plan_load_of(struct run *run, const struct load_ops *ops, const struct load_cfg *cfg,
	struct err *e)
{
	const struct opt *o = ops->each ? opt_find(ops->opts, ops->each) : NULL;
	uint32_t each = o ? *(const uint32_t *)((const char *)cfg + o->offset) : 0;

	if (!o || strcmp(o->names[each], "each") != 0)
		return add_with_idle(run, ops, cfg, e);
	for (uint32_t i = 0; i < o->n_names; i++) {
		struct load_cfg one = *cfg;
		int r;

		if (strcmp(o->names[i], "each") == 0 || strcmp(o->names[i], "both") == 0)
			continue;
		*(uint32_t *)((char *)&one + o->offset) = i;
		r = add_with_idle(run, ops, &one, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int plan_load(struct run *run, const char *text, const struct load_cfg *base, struct err *e)
{
	_cleanup_(freep) char *name = xstrdup(text);
	char *pairs = strchr(name, ':');
	struct load_cfg cfg;
	uint32_t i = 0;
	int r;

	if (pairs)
		*pairs++ = '\0';
	while (load_table[i] && strcmp(load_table[i]->name, name) != 0)
		i++;
	if (!load_table[i])
		return unknown("load", name, e);
	cfg = base[i];
	r = pairs ? opt_set_pairs(load_table[i]->opts, &cfg, pairs, e) : 0;
	if (r < 0)
		return err_wrap(e, "load '%s'", name);
	return plan_load_of(run, load_table[i], &cfg, e);
}

int plan_check(const struct run *run, struct err *e)
{
	const struct bench_cfg *c = &run->bench;

	if (c->repeat_min > c->repeat_max)
		return err_say(e, EINVAL, "--repeat-min %u is more than --repeat-max %u",
			c->repeat_min, c->repeat_max);
	return 0;
}
