#include "method/resources.h"

#include "base/str.h"
#include "method/resources_priv.h"
#include "path/path.h"
#include "sys/affinity.h"
#include "sys/file.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

const char *const resources_pin_name[] = {
	[RESOURCES_PIN_NONE] = "none",
	[RESOURCES_PIN_SHARED] = "shared",
	[RESOURCES_PIN_EXCLUSIVE] = "exclusive",
};
static_assert(ARRAY_SIZE(resources_pin_name) == RESOURCES_PIN_N);

const char *const resources_offloads_name[] = {
	[RESOURCES_OFFLOADS_ON] = "on",
	[RESOURCES_OFFLOADS_OFF] = "off",
};
static_assert(ARRAY_SIZE(resources_offloads_name) == RESOURCES_OFFLOADS_N);

const struct opt resources_opts[] = {
	OPT_ENUM(struct resources_cfg, pin, "pin", 0, resources_pin_name,
		"where functions of the SUT that are processes run: anywhere (none), on CPUs that "
		"they share with the competing load, or each on a CPU that the load may not have"),
	OPT_STR(struct resources_cfg, pin_cpus, "pin-cpus", 0, "<list>",
		"CPUs for shared and exclusive; none: those that the tester does not use, or else "
		"all"),
	OPT_U32(struct resources_cfg, hog, "hog", 0, "<n>",
		"competing load: processes that never sleep; the tester then goes before others "
		"(nice -20), as if it were another machine",
		.max = RESOURCES_MAX_HOGS),
	OPT_STR(struct resources_cfg, numa, "numa", 0, "<node>",
		"NUMA node that functions have their CPUs and memory of"),
	OPT_FLAG(struct resources_cfg, hugepages, "hugepages", 0,
		"functions on AF_XDP sockets have their frames in huge pages"),
	OPT_U32(struct resources_cfg, queues, "queues", 0, "<n>",
		"queues each way of the wire and of links to pods; 0: as they are, of a pair one",
		.min = 1, .max = 8, .zero_ok = true),
	OPT_ENUM(struct resources_cfg, offloads, "offloads", 0, resources_offloads_name,
		"of the SUT's devices; on: as the path has them"),
	OPT_U32(struct resources_cfg, rebuild, "rebuild", 0, "<n>",
		"build the SUT so many times, and tell the spread between instantiations from "
		"that within; 0: once",
		.min = 2, .max = RESOURCES_MAX_REBUILD, .zero_ok = true),
	OPT_U32(struct resources_cfg, repeat, "repeat", 0, "<n>",
		"measure each instantiation so many times; 0: once, or three times with --rebuild",
		.min = 1, .max = RESOURCES_MAX_REPEAT, .zero_ok = true),
	OPT_END,
};

const struct field resources_info_fields[] = {
	FIELD_STR(struct resources_info, by,
		"what placed processes: cpuset or affinity; empty: nothing was placed"),
	FIELD_U32(struct resources_info, n_functions, "",
		"functions of the SUT that are processes"),
	FIELD_STR(struct resources_info, functions, "CPUs of each, with blanks between"),
	FIELD_STR(struct resources_info, hogs, "CPUs of the competing load; empty: there is none"),
	FIELD_BOOL(struct resources_info, tester_first,
		"the tester's threads went before all others"),
	FIELD_STR(struct resources_info, numa, "what is known of NUMA nodes"),
	FIELD_STR(struct resources_info, offloads, "what was done about the SUT's devices"),
	FIELD_STR(struct resources_info, note, "what could not be as asked; or empty"),
	FIELD_END,
};

#define USUAL_REPEAT 3

uint32_t resources_rebuilds(const struct resources_cfg *cfg)
{
	return MAX(cfg->rebuild, 1U);
}

uint32_t resources_repeats(const struct resources_cfg *cfg)
{
	if (cfg->repeat)
		return cfg->repeat;
	return cfg->rebuild ? USUAL_REPEAT : 1;
}

int resources_check(const struct resources_cfg *cfg, struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];
	int r = *cfg->pin_cpus ? affinity_parse(cfg->pin_cpus, cpu, e) : 0;

	if (r < 0)
		return err_wrap(e, "--pin-cpus");
	if (*cfg->pin_cpus && cfg->pin == RESOURCES_PIN_NONE)
		return err_say(e, EINVAL, "--pin-cpus belongs to --pin shared and exclusive");
	if (strspn(cfg->numa, "0123456789") != strlen(cfg->numa))
		return err_say(e, EINVAL, "--numa: '%s' is no number of a node", cfg->numa);
	return 0;
}

bool resources_are_real(const struct resources_cfg *cfg)
{
	return resources_place_asked(cfg) || cfg->hugepages || cfg->queues ||
	       cfg->offloads != RESOURCES_OFFLOADS_ON;
}

bool resources_place_asked(const struct resources_cfg *cfg)
{
	return cfg->pin != RESOURCES_PIN_NONE || cfg->hog || *cfg->numa;
}

void resources_to_path(const struct resources_cfg *cfg, struct path_cfg *path)
{
	path->veth_queues = cfg->queues;
	path->nf_hugepages = cfg->hugepages;
}

static int count(const char *pattern)
{
	glob_t found = {0};
	int n = glob(pattern, 0, NULL, &found) == 0 ? (int)found.gl_pathc : 0;

	globfree(&found);
	return n;
}

/* Ref: Documentation/ABI/stable/sysfs-devices-node */
#define NODES "/sys/devices/system/node/node[0-9]*"

uint32_t resources_n_nodes(void)
{
	return (uint32_t)MAX(count(NODES), 1);
}

static int numa_probe(struct err *e)
{
	if (resources_n_nodes() > 1)
		return 0;
	err_say(e, EOPNOTSUPP, "this machine has one NUMA node");
	return RESOURCES_UNAVAILABLE;
}

/* Pages that somebody has set aside: how many there are is the whole machine's business. */
static int hugepages_probe(struct err *e)
{
	char text[32] = "";

	if (file_read("/proc/sys/vm/nr_hugepages", text, sizeof(text), NULL) > 0 &&
		strcmp(text, "0") != 0)
		return 0;
	err_say(e, EOPNOTSUPP, "this machine has no huge pages set aside (vm.nr_hugepages is 0)");
	return RESOURCES_UNAVAILABLE;
}

static int pin_probe(struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];

	if (affinity_allowed(cpu) > 1)
		return 0;
	err_say(e, EOPNOTSUPP, "one CPU is allowed here: all share it");
	return RESOURCES_UNAVAILABLE;
}

static int smt_probe(struct err *e)
{
	char text[32] = "";

	if (file_read("/sys/devices/system/cpu/smt/active", text, sizeof(text), NULL) > 0 &&
		strcmp(text, "1") == 0)
		return 0;
	err_say(e, EOPNOTSUPP, "CPUs here have no siblings, or they are off");
	return RESOURCES_UNAVAILABLE;
}

const struct resources_axis resources_axis_table[] = {
	{"CPU isolation", "--pin", "none, shared or exclusive CPUs for functions: cpusets",
		pin_probe},
	{"competing load", "--hog", "processes that never sleep", NULL},
	{"NUMA", "--numa", "CPUs and memory of a node", numa_probe},
	{"hugepages", "--hugepages", "frames of functions on AF_XDP sockets", hugepages_probe},
	{"siblings", "--pin-cpus", "functions on two threads of a core, or on two cores",
		smt_probe},
	{"queues", "--queues", "of the wire and of links to pods", NULL},
	{"offloads", "--offloads", "of the SUT's devices", NULL},
	{"receiving work", "--place", "in line, in NAPI threads, or steered by RPS", NULL},
	{"busy poll", "--busy-poll", "of the tester; of functions: nf-poll=busy", NULL},
	{"instantiation", "--rebuild", "the SUT built anew, and the spread that comes of it", NULL},
	{NULL, NULL, NULL, NULL},
};

int resources_probe(const struct resources_cfg *cfg, struct err *e)
{
	int r = *cfg->numa ? numa_probe(e) : 0;

	if (r != 0) {
		err_wrap(e, "--numa %s", cfg->numa);
		return r;
	}
	r = cfg->hugepages ? hugepages_probe(e) : 0;
	if (r != 0)
		err_wrap(e, "--hugepages");
	return r;
}
