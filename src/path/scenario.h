/*
 * The deployment scenarios of the benchmarking drafts, and the paths that build them.
 * T: a port of the tester. S: the switching host. F: a forwarding function in a namespace of its
 * own. G: a guest. app: an end that answers by itself.
 */
#pragma once

#include "path/path.h"

enum scenario_dir {
	SCENARIO_NONE,
	SCENARIO_NS, /* north/south: in or out by a port of the machine */
	SCENARIO_EW, /* east/west: between containers or guests of one machine */
	SCENARIO_DIR_N,
};
extern const char *const scenario_dir_name[SCENARIO_DIR_N];

struct scenario {
	const char *name;
	const char *topology;
	enum scenario_dir dir;
	const char *path; /* as on the command line, "<...>" for an argument */
};
extern const struct scenario scenario_table[]; /* a NULL name ends it */

/*
 * scenario_probe() - can it be built here?
 *
 * Return: 0; PATH_UNAVAILABLE with the reason; or negative errno.
 */
int scenario_probe(const struct scenario *s, const struct path_cfg *cfg, struct err *e) must_check_;
/* The row of its path. */
const struct path_ops *scenario_ops(const struct scenario *s);
