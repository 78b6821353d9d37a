/*
 * Resources as axes: where the SUT's processes and a competing load run, what memory and how many
 * queues they have, and how often the SUT is built anew. Ref: draft-ietf-bmwg-containerized-infra
 * (CPU isolation as Intel's CPU manager for Kubernetes has it: none, shared, exclusive; NUMA;
 * hugepages; multi-queue; offloads), its version 05: repeated instantiation.
 *
 * Each axis is a row of resources_axis_table, which says whether this machine can vary it. What
 * forwards in the kernel has no process: it runs where frames come in (--place, RPS).
 */
#pragma once

#include "base/cleanup.h"
#include "base/field.h"
#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

enum resources_pin {
	RESOURCES_PIN_NONE,      /* functions and load where the scheduler likes */
	RESOURCES_PIN_SHARED,    /* both on the same CPUs */
	RESOURCES_PIN_EXCLUSIVE, /* each function a CPU, which the load may not have */
	RESOURCES_PIN_N,
};
extern const char *const resources_pin_name[RESOURCES_PIN_N];

enum resources_offloads {
	RESOURCES_OFFLOADS_ON, /* as the path has them */
	RESOURCES_OFFLOADS_OFF,
	RESOURCES_OFFLOADS_N,
};
extern const char *const resources_offloads_name[RESOURCES_OFFLOADS_N];

#define RESOURCES_MAX_HOGS    64
#define RESOURCES_MAX_REBUILD 100
#define RESOURCES_MAX_REPEAT  100

struct resources_cfg {
	uint32_t pin;       /* enum resources_pin */
	char pin_cpus[128]; /* CPU list; "": all that the tester does not use, or else all */
	uint32_t hog;       /* processes of the competing load */
	char numa[8];       /* "": not asked for */
	bool hugepages;
	uint32_t queues;   /* of the wire and of pods; 0: as they are */
	uint32_t offloads; /* enum resources_offloads, of the SUT's devices */
	uint32_t rebuild;  /* instantiations; 0: one, and no spread is asked for */
	uint32_t repeat;   /* of each instantiation; 0: as many as is usual */
};
extern const struct opt resources_opts[];

/* What an axis was, during trials: part of each result. */
struct resources_info {
	char by[16]; /* "cpuset", "affinity"; "": nothing was placed */
	uint32_t n_functions;
	char functions[256]; /* CPUs of each function: "1 0"; "" none */
	char hogs[128];      /* CPUs of the load; "": there is none */
	bool tester_first;   /* its threads go before all others (nice -20) */
	char numa[16];
	char offloads[64];
	char note[512]; /* what could not be as it was asked; "": nothing */
};
extern const struct field resources_info_fields[];

/* Instantiations, and numbers of each. */
uint32_t resources_rebuilds(const struct resources_cfg *cfg);
uint32_t resources_repeats(const struct resources_cfg *cfg);

struct path_cfg;
struct subject;
struct resources;

/* What needs nothing of the machine. Also hands on what is the path's. Return: 0 or -EINVAL. */
int resources_check(const struct resources_cfg *cfg, struct err *e) must_check_;

/* Is any of it asked of what takes CPU time? Not --rebuild and --repeat: a model can that. */
bool resources_are_real(const struct resources_cfg *cfg);

/* What is built differently for it. */
void resources_to_path(const struct resources_cfg *cfg, struct path_cfg *path);

/*
 * resources_open() - what is asked for is there: CPU sets, the load (asleep), the tester's priority
 *                    (where there is a load, it must not slow the tester). Before the SUT is built.
 *
 * Return: 0; RESOURCES_UNAVAILABLE with the reason, when this machine can't vary it; or negative
 * errno. -EINVAL: wrong words.
 */
#define RESOURCES_UNAVAILABLE 1
int resources_open(struct resources **ret, const struct resources_cfg *cfg, struct err *e)
	must_check_;
/* After the subject is closed: processes may still be in its CPU sets. */
void resources_close(struct resources *x);
DEFINE_CLEANUP(struct resources *, resources_close, resources_closep)

/*
 * resources_place() - puts the subject's processes where they belong, and lets the load run. Once
 *                     after it was opened, and after each time that it was built anew.
 */
int resources_place(struct resources *x, const struct subject *s, struct err *e) must_check_;

const struct resources_info *resources_info(const struct resources *x);

/* An axis, and whether it can be varied here. */
struct resources_axis {
	const char *name;
	const char *option;
	const char *summary;
	/* Return: 0; RESOURCES_UNAVAILABLE with the reason; or negative errno. NULL: always */
	int (*probe)(struct err *e);
};
extern const struct resources_axis resources_axis_table[]; /* ends with a name of NULL */
