/*
 * What cgroups' quotas and devices' moderation were before the guard: a text with a checksum, kept
 * in a file by guard/state.h.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "sys/cpuquota.h"
#include "sys/napi.h"

#include <stddef.h>
#include <stdint.h>

struct guard_entry {
	char dir[1024];
	uint64_t id; /* inode of the directory: a cgroup of the same name later is another one */
	struct cpuquota was;
	struct err failed; /* why it could not be put back; not in the text */
};

/* A device is known by namespace and number: another one has another number. */
struct guard_device {
	uint32_t netns; /* inode */
	int ifindex;
	struct napi_moderation was, set; /* what the guard sets: what is another is somebody's */
	struct err failed;               /* as of an entry */
};

struct guard_record {
	char boot[40]; /* the kernel's boot id: after another boot there is nothing to put back */
	uint32_t n;
	struct guard_entry *item; /* [n] */
	uint32_t n_devices;
	struct guard_device *device; /* [n_devices] */
};
void guard_record_fini(struct guard_record *r); /* for the attribute, too */

/* The entry of this cgroup, or NULL. Its directory may be of another name by now. */
struct guard_entry *guard_record_find(const struct guard_record *r, uint64_t id);
void guard_record_add(struct guard_record *r, const struct guard_entry *x);
void guard_record_remove(struct guard_record *r, struct guard_entry *x);
void guard_record_add_device(struct guard_record *r, const struct guard_device *x);
void guard_record_remove_device(struct guard_record *r, struct guard_device *x);

/* To be freed by the caller. */
char *guard_record_text(const struct guard_record *r) must_check_;
/* Return: 0, or -EBADMSG with what is wrong: then nothing of it may be believed. */
int guard_record_parse(struct guard_record *ret, const char *text, size_t len, struct err *e)
	must_check_;
