/* What a run shall measure: words of the command line made into paths and loads. */
#pragma once

#include "bench/result.h"

/*
 * plan_paths() - set run->path from "bridge,vm-virtio:vcpus=2,overlay" (a family stands for its
 *                paths, "all" for every one that needs no argument). native comes first in any
 * case, for it is the baseline.
 *
 * Return: 0, or -EINVAL (unknown name, or nothing that fits run->path_cfg).
 */
int plan_paths(struct run *run, const char *names, struct err *e) must_check_;

/* One more path, once. Return: 0, or -E2BIG. */
int plan_path(struct run *run, const struct path_spec *spec, struct err *e) must_check_;
/* One part of what plan_paths() takes: a path, a family or "all". */
int plan_named(struct run *run, const char *text, struct err *e) must_check_;

/*
 * plan_load() - add "name" or "name:option=value,..." to run->load, one entry for each value that
 * an option set to "each" stands for.
 * @base: the options to start from, one per row of load_table
 */
int plan_load(struct run *run, const char *text, const struct load_cfg *base, struct err *e)
	must_check_;

/* The same of a load with all its options. */
int plan_load_of(struct run *run, const struct load_ops *ops, const struct load_cfg *cfg,
	struct err *e) must_check_;

/* Checks what only shows when all is known (times, repeats). */
int plan_check(const struct run *run, struct err *e) must_check_;
