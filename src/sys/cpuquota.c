#include "sys/cpuquota.h"

#include "base/macro.h"
#include "sys/file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define V1_QUOTA  "cpu.cfs_quota_us"
#define V1_PERIOD "cpu.cfs_period_us"
#define V2_BOTH   "cpu.max"
#define STAT      "cpu.stat"

bool cpuquota_same(const struct cpuquota *a, const struct cpuquota *b)
{
	return a->quota_us == b->quota_us && a->period_us == b->period_us;
}

struct cpuquota cpuquota_kept(const struct cpuquota *was, const struct cpuquota *last,
	const struct cpuquota *now)
{
	return (struct cpuquota){.quota_us = now->quota_us != last->quota_us ? now->quota_us
									     : was->quota_us,
		.period_us = now->period_us != last->period_us ? now->period_us : was->period_us};
}

static bool has(const char *dir, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

static int missing(const char *dir, struct err *e)
{
	if (!has(dir, "cgroup.procs"))
		return err_say(e, ENOENT, "the cgroup %s is gone", dir);
	return err_say(e, EOPNOTSUPP, "the cgroup %s has neither " V1_QUOTA " nor " V2_BOTH, dir);
}

/* A file that was there a moment ago goes with its cgroup. */
static int forward(const char *dir, int r, struct err *e)
{
	return r == -ENOENT || r == -ENODEV ? missing(dir, e) : r;
}

static int read_file(const char *dir, const char *file, char *ret, size_t size, struct err *e)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	r = file_read(path, ret, size, e);
	return r < 0 ? forward(dir, r, e) : 0;
}

static int read_number(const char *dir, const char *file, int64_t *ret, struct err *e)
{
	char text[64];
	int r = read_file(dir, file, text, sizeof(text), e);

	if (r < 0)
		return r;
	if (sscanf(text, "%" SCNd64, ret) != 1)
		return err_say(e, EPROTO, "%s/%s: '%s' is no number", dir, file, text);
	return 0;
}

static int read_v1(const char *dir, struct cpuquota *ret, struct err *e)
{
	int64_t quota = 0, period = 0;
	int r = read_number(dir, V1_QUOTA, &quota, e);

	if (r == 0)
		r = read_number(dir, V1_PERIOD, &period, e);
	if (r == 0)
		*ret = (struct cpuquota){.quota_us = quota < 0 ? CPUQUOTA_NONE : quota,
			.period_us = (uint64_t)period};
	return r;
}

static int read_v2(const char *dir, struct cpuquota *ret, struct err *e)
{
	struct cpuquota q = {.quota_us = CPUQUOTA_NONE};
	char text[64];
	int r = read_file(dir, V2_BOTH, text, sizeof(text), e);

	if (r < 0)
		return r;
	if (sscanf(text, "max %" SCNu64, &q.period_us) != 1 &&
		sscanf(text, "%" SCNd64 " %" SCNu64, &q.quota_us, &q.period_us) != 2)
		return err_say(e, EPROTO, "%s/" V2_BOTH ": '%s' is no quota and period", dir, text);
	*ret = q;
	return 0;
}

int cpuquota_read(const char *dir, struct cpuquota *ret, struct err *e)
{
	if (has(dir, V1_QUOTA))
		return read_v1(dir, ret, e);
	if (has(dir, V2_BOTH))
		return read_v2(dir, ret, e);
	return missing(dir, e);
}

int cpuquota_throttled(const char *dir, uint64_t *ret, struct err *e)
{
	static const char key[] = "nr_throttled ";
	char text[1024];
	int r = read_file(dir, STAT, text, sizeof(text), e);
	const char *at = r < 0 ? NULL : strstr(text, key);

	if (r < 0)
		return r;
	if (!at || sscanf(at + strlen(key), "%" SCNu64, ret) != 1)
		return err_say(e, EPROTO, "%s/" STAT " has no nr_throttled", dir);
	return 0;
}

static int write_file(const char *dir, const char *file, const char *text, struct err *e)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	r = file_write(path, text, e);
	return r < 0 ? forward(dir, r, e) : 0;
}

/* One of v1's files. */
struct step {
	const char *file;
	int64_t from, to;
};

static int take_step(const char *dir, const struct step *s, int64_t value, struct err *e)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64 "\n", value);
	return s->from == s->to ? 0 : write_file(dir, s->file, text, e);
}

/* Both, or none. */
static int take_steps(const char *dir, const struct step *first, const struct step *second,
	struct err *e)
{
	int r = take_step(dir, first, first->to, e);

	if (r < 0)
		return r;
	r = take_step(dir, second, second->to, e);
	if (r < 0)
		(void)take_step(dir, first, first->from, NULL); /* the error is the other one */
	return r;
}

/*
 * Between the two writes the ratio of both counts, which may be neither above that of a cgroup
 * above nor below that of one below. Lower in between is the usual way; where that is refused,
 * higher. Ref: kernel/sched/core.c tg_cfs_schedulable_down, v6.18
 */
static int write_v1(const char *dir, const struct cpuquota *was, const struct cpuquota *q,
	struct err *e)
{
	const struct step quota = {V1_QUOTA, was->quota_us, q->quota_us};
	const struct step period = {V1_PERIOD, (int64_t)was->period_us, (int64_t)q->period_us};
	const bool quota_first = q->quota_us == CPUQUOTA_NONE ||
				 (was->quota_us != CPUQUOTA_NONE && q->period_us < was->period_us);
	int r = take_steps(dir, quota_first ? &quota : &period, quota_first ? &period : &quota, e);

	if (r == -EINVAL)
		r = take_steps(dir, quota_first ? &period : &quota, quota_first ? &quota : &period,
			e);
	return r;
}

static int write_v2(const char *dir, const struct cpuquota *q, struct err *e)
{
	char text[64];

	if (q->quota_us == CPUQUOTA_NONE)
		snprintf(text, sizeof(text), "max %" PRIu64 "\n", q->period_us);
	else
		snprintf(text, sizeof(text), "%" PRId64 " %" PRIu64 "\n", q->quota_us,
			q->period_us);
	return write_file(dir, V2_BOTH, text, e);
}

int cpuquota_write(const char *dir, const struct cpuquota *q, struct err *e)
{
	struct cpuquota was = {0};
	int r = cpuquota_read(dir, &was, e);

	if (r < 0 || cpuquota_same(&was, q))
		return r;
	return has(dir, V1_QUOTA) ? write_v1(dir, &was, q, e) : write_v2(dir, q, e);
}
