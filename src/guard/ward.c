#include "guard/ward.h"

#include "base/macro.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* A write is worth at most a period's quota: the shorter the period, the less (sys/cpuquota.h). */
#define PERIOD_US 20000
/* The kernel's least quota is to be at most half of the budget, or nothing could be charged. */
#define LEAST_BUDGET_US (2 * CPUQUOTA_LEAST_US)

static double ratio(const struct cpuquota *q)
{
	return q->quota_us == CPUQUOTA_NONE ? INFINITY : (double)q->quota_us / (double)q->period_us;
}

double ward_quota(const struct ward *w)
{
	return ratio(&w->now);
}

/* Never longer than it was. */
static uint64_t choose_period(double budget, uint64_t was_us)
{
	const uint64_t least_us = (uint64_t)ceil(LEAST_BUDGET_US / budget);

	return MIN(MAX((uint64_t)PERIOD_US, least_us), was_us);
}

static int no_budget(struct err *e)
{
	err_say(e, ENODATA,
		"it has no CPU quota, and none was given by cpus=: nothing to "
		"charge against");
	return WARD_UNAVAILABLE;
}

static int budget_too_small(double budget, uint64_t period_us, struct err *e)
{
	err_say(e, ERANGE,
		"a budget of %g CPU is less than the kernel's least quota, %d us, in a period of "
		"%llu us",
		budget, CPUQUOTA_LEAST_US, (unsigned long long)period_us);
	return WARD_UNAVAILABLE;
}

/* Takes what the kernel refuses as an outcome, and a cgroup that is gone. */
static int outcome_of(int r, struct err *e)
{
	if (r == -ENOENT || r == -ENODEV)
		return WARD_GONE;
	if (r != -EINVAL && r != -EOPNOTSUPP && r != -EPERM && r != -EACCES && r != -EROFS)
		return r;
	if (r == -EINVAL)
		err_wrap(e, "a cgroup below it has more, or it has a burst");
	return WARD_UNAVAILABLE;
}

static int write_quota(struct ward *w, const char *path, const struct cpuquota *q, struct err *e)
{
	int r = cpuquota_write(path, q, e);

	if (r == 0)
		w->now = *q;
	return r;
}

/* @was: what it has now, or would have but for the guard */
static int take_over(struct ward *w, struct guard_state *s, const char *path,
	const struct cpuquota *was, struct err *e)
{
	const double cpus = w->cpus_ppb ? (double)w->cpus_ppb / 1e9 : INFINITY;
	const double budget = MIN(ratio(was), cpus);
	struct control_cfg cfg = {.budget = budget,
		.ceiling = INFINITY,
		.floor_us = CPUQUOTA_LEAST_US};
	struct cpuquota q;
	int r;

	if (isinf(budget))
		return no_budget(e);
	cfg.period_us = choose_period(budget, was->period_us);
	q = (struct cpuquota){.quota_us = (int64_t)control_quota(&cfg, budget),
		.period_us = cfg.period_us};
	if (q.quota_us < CPUQUOTA_LEAST_US)
		return budget_too_small(budget, was->period_us, e);
	r = guard_state_note(s, w->dir, w->id, was, e);
	if (r < 0)
		return r;
	w->was = *was;
	r = write_quota(w, path, &q, e);
	if (r == 0)
		control_init(&w->control, &cfg);
	return r < 0 ? outcome_of(r, e) : 0;
}

/* Not under guard, whatever it has: nothing of ours is to stay in it. */
static int let_go(struct ward *w, struct guard_state *s, int r, struct err *e)
{
	struct err why = {0};

	if (r == 0 || guard_state_undo(s, w->id, &w->now, &why) == 0)
		return r;
	if (r == WARD_UNAVAILABLE)
		err_say(e, -why.code, "not put back as it was: %s", why.text);
	return r;
}

/* Since this was asked last. A cgroup that does not say so is not. */
static bool was_throttled(struct ward *w, const char *path)
{
	const uint64_t before = w->n_throttled;

	return cpuquota_throttled(path, &w->n_throttled, NULL) == 0 && w->n_throttled > before;
}

static int not_open(const struct ward *w, int r, struct err *e)
{
	return outcome_of(err_set(e, -r, "cannot open %s", w->dir), e);
}

int ward_begin(struct ward *w, struct guard_state *s, struct err *e)
{
	_cleanup_(closep) int fd = guard_cgroup_open(w->dir, w->id);
	char path[GUARD_FD_PATH];
	struct cpuquota was;
	int r;

	if (fd < 0)
		return not_open(w, fd, e);
	/* What one before has left in it, or this one, is none of its own to be noted. */
	if (guard_state_undo(s, w->id, NULL, e) < 0) {
		err_wrap(e, "it can't be put back as it was");
		return WARD_UNAVAILABLE;
	}
	guard_cgroup_path(fd, path);
	r = cpuquota_read(path, &was, e);
	if (r < 0)
		return outcome_of(r, e);
	w->now = was;
	(void)was_throttled(w, path); /* before it was under guard */
	return let_go(w, s, take_over(w, s, path, &was, e), e);
}

/*
 * Somebody has set a quota, of which he did not know that it would be of another period: his
 * period is the one that it had.
 */
static int changed_by_others(struct ward *w, struct guard_state *s, const char *path,
	const struct cpuquota *now, struct err *e)
{
	const struct cpuquota was = cpuquota_kept(&w->was, &w->now, now);
	int r;

	w->n_changes++;
	w->now = *now;
	/* It is what is to be put back, whether it can be guarded with it or not. */
	r = guard_state_note(s, w->dir, w->id, &was, e);
	return r < 0 ? r : take_over(w, s, path, &was, e);
}

/* What is given back may be more than a cgroup above has: then no more than it had. */
static int adjust(struct ward *w, const char *path, uint64_t quota_us, uint64_t at_ns,
	struct err *e)
{
	struct cpuquota q = {.quota_us = (int64_t)quota_us, .period_us = w->now.period_us};
	int r = write_quota(w, path, &q, e);

	if (r == -EINVAL && ratio(&q) > w->control.cfg.budget) {
		w->control.cfg.ceiling = w->control.cfg.budget;
		q.quota_us = (int64_t)control_quota(&w->control.cfg, w->control.cfg.budget);
		r = write_quota(w, path, &q, e);
	}
	if (r == 0)
		control_wrote(&w->control, (uint64_t)q.quota_us, at_ns);
	return r < 0 ? outcome_of(r, e) : 0;
}

int ward_step(struct ward *w, struct guard_state *s, const struct control_reading *x, struct err *e)
{
	_cleanup_(closep) int fd = guard_cgroup_open(w->dir, w->id);
	struct control_reading reading = *x;
	char path[GUARD_FD_PATH];
	struct cpuquota now;
	uint64_t quota_us;
	int r;

	if (fd < 0)
		return let_go(w, s, not_open(w, fd, e), e);
	guard_cgroup_path(fd, path);
	reading.throttled = was_throttled(w, path);
	if (!control_step(&w->control, &reading, &quota_us))
		return 0;
	r = cpuquota_read(path, &now, e);
	if (r < 0)
		return let_go(w, s, outcome_of(r, e), e);
	if (!cpuquota_same(&now, &w->now))
		return let_go(w, s, changed_by_others(w, s, path, &now, e), e);
	return let_go(w, s, adjust(w, path, quota_us, x->at_ns, e), e);
}

int ward_end(struct ward *w, struct guard_state *s, struct err *e)
{
	return guard_state_undo(s, w->id, &w->now, e);
}
