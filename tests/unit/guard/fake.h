/* Directories that look like cgroups: the kernel's files, without the kernel. */
#pragma once

#include "sys/cpuquota.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FAKE_PATH (PATH_MAX / 4)

struct fake {
	char top[32], state[FAKE_PATH];
};

static inline void fake_put(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	out = fopen(path, "we");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static inline void fake_init(struct fake *f)
{
	snprintf(f->top, sizeof(f->top), "/tmp/tare-guard-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(f->state, sizeof(f->state), "%s/state", f->top);
}

static inline void fake_cgroup(const struct fake *f, const char *name, int64_t quota_us,
	uint64_t period_us, char ret[static FAKE_PATH])
{
	char text[32];

	snprintf(ret, FAKE_PATH, "%s/%s", f->top, name);
	assert_int_equal(mkdir(ret, 0755), 0);
	fake_put(ret, "cgroup.procs", "");
	snprintf(text, sizeof(text), "%" PRId64 "\n", quota_us);
	fake_put(ret, "cpu.cfs_quota_us", text);
	snprintf(text, sizeof(text), "%" PRIu64 "\n", period_us);
	fake_put(ret, "cpu.cfs_period_us", text);
}

static inline uint64_t fake_id(const char *dir)
{
	struct stat st;

	assert_int_equal(stat(dir, &st), 0);
	return st.st_ino;
}

static inline void fake_remove(const char *dir)
{
	static const char *const file[] = {"cgroup.procs", "cpu.cfs_quota_us", "cpu.cfs_period_us",
		"cpu.max", "cpu.stat"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, file[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* All but the lock is gone from where state was kept. */
static inline void fake_fini(const struct fake *f)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", f->state);
	(void)unlink(path);
	(void)rmdir(f->state);
	assert_int_equal(rmdir(f->top), 0);
}

static inline void assert_quota(const char *dir, int64_t quota_us, uint64_t period_us)
{
	struct cpuquota q;
	struct err e = {0};

	if (cpuquota_read(dir, &q, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(q.quota_us, quota_us);
	assert_int_equal(q.period_us, period_us);
}

static inline void set_quota(const char *dir, int64_t quota_us, uint64_t period_us)
{
	const struct cpuquota q = {quota_us, period_us};
	struct err e = {0};

	if (cpuquota_write(dir, &q, &e) < 0)
		fail_msg("%s", e.text);
}
