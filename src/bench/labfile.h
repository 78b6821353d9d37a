/*
 * What to measure, in a file: a JSON object with the words and options of tare compare's command
 * line. Its schema is docs/schema/tare-lab-1.json.
 *
 *	{"title": "...", "paths": ["nat", {"path": "vm-virtio", "options": {"vcpus": 2}}],
 *	 "loads": ["rr:proto=tcp", {"load": "stream", "options": {"flows": 8}}],
 *	 "options": {"time": "1s", "wire-rate": "1Gbps", "quick": true}}
 *
 * A value is the text that the command line takes, a number for it, or true for a flag; so units
 * and ranges are the command line's. Each error names its place: "paths[1].options.vcpus: ...".
 */
#pragma once

#include "bench/result.h"
#include "wire/doc.h"

#define LABFILE_MAX_BYTES ((size_t)1 << 20)

/* Of the command line's options, what a file says elsewhere, or can't say. NULL-terminated */
extern const char *const labfile_not_options[];

/* Reads a file; checks its keys and the kinds of its values. */
int labfile_read(struct doc **ret, const char *path, struct err *e) must_check_;
int labfile_parse(struct doc **ret, const char *text, size_t len, struct err *e) must_check_;

/* Sets its options, which are rows of @groups. */
int labfile_options(const struct doc *lab, const struct opt_group *groups, struct err *e)
	must_check_;

/* Does it say which paths, or loads? */
bool labfile_has(const struct doc *lab, const char *key);

/* Adds its paths, to be built on run->path_cfg; or its loads, as plan_load() does. */
int labfile_paths(const struct doc *lab, struct run *run, struct err *e) must_check_;
int labfile_loads(const struct doc *lab, struct run *run, const struct load_cfg *base,
	struct err *e) must_check_;
