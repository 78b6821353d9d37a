#include "guard/control.h"

#include "base/macro.h"

#include <assert.h>
#include <math.h>

/* Long enough that a mean over a few periods does not jump, short against what a person notices. */
#define MEAN_NS (0.3 * NSEC_PER_SEC)
/* A debt is paid back at the rate of its size in this time, and never is more than a budget's. */
#define DEBT_NS (1.0 * NSEC_PER_SEC)
/* Of its budget so much may be owed to it: enough for bursts of a tenth of the time. */
#define SHORT_NS (0.25 * NSEC_PER_SEC)
/*
 * With a period of 20 ms ten writes a second let 0.25 of a CPU through instead of 0.20, and fifty
 * 0.45 (measured, Linux 6.18): as few as do.
 */
#define WRITE_NS     (NSEC_PER_SEC / 10)
#define WRITE_CHANGE 0.03
/* A mean that only decays is nothing at last. */
#define NOTHING 0.005

/* Of a microsecond: what the product of two such numbers may be short of a whole one. */
#define ROUNDING 1e-6

uint64_t control_quota(const struct control_cfg *cfg, double rate)
{
	return (uint64_t)(MAX(rate, 0.0) * (double)cfg->period_us + ROUNDING);
}

void control_init(struct control *c, const struct control_cfg *cfg)
{
	assert(cfg->budget > 0 && cfg->period_us > 0);
	*c = (struct control){.cfg = *cfg, .due = cfg->budget};
	c->quota_us = control_quota(&c->cfg, cfg->budget);
	assert(cfg->floor_us <= c->quota_us);
}

static void mean_add(const struct control *c, double *mean, uint64_t ns, double dt_ns)
{
	*mean += (1 - exp(-dt_ns / MEAN_NS)) * ((double)ns / dt_ns - *mean);
	if (ns == 0 && *mean < NOTHING * c->cfg.budget)
		*mean = 0;
}

static double jitter_ns(const struct control *c)
{
	return c->cfg.budget * (double)c->cfg.period_us * NSEC_PER_USEC;
}

/* What it may still have later, CPU time per time. */
static double owed(const struct control *c)
{
	return MAX(-c->debt_ns - jitter_ns(c), 0.0) / DEBT_NS;
}

/* Who does not want its quota is not short of it. */
static void forget_short(struct control *c, double dt_ns)
{
	const double jitter = jitter_ns(c), beyond = -c->debt_ns - jitter;

	if (beyond <= 0)
		return;
	c->debt_ns = -jitter - beyond * exp(-dt_ns / DEBT_NS);
	if (owed(c) < NOTHING * c->cfg.budget)
		c->debt_ns = -jitter;
}

/*
 * Intervals are not whole periods, so a use may be a quota too little and then one too much. If
 * only the second counted, jitter were a debt.
 */
static void debt_add(struct control *c, const struct control_reading *x, double dt_ns)
{
	const double least_ns = x->throttled ? -c->cfg.budget * SHORT_NS : c->debt_ns;

	c->debt_ns += (double)x->process_ns - c->due * dt_ns;
	c->debt_ns = MAX(c->debt_ns, MIN(least_ns, -jitter_ns(c)));
	c->debt_ns = MIN(c->debt_ns, c->cfg.budget * DEBT_NS);
	if (!x->throttled)
		forget_short(c, dt_ns);
}

static uint64_t wanted_quota(const struct control *c)
{
	const double most = MIN(c->cfg.budget + c->credited + owed(c), c->cfg.ceiling);
	const double rate = MIN(c->due + owed(c) - MAX(c->debt_ns, 0.0) / DEBT_NS, most);

	return MAX(control_quota(&c->cfg, rate), c->cfg.floor_us);
}

/* Beyond the budget with nothing to give back is no small change. */
static bool differs(const struct control *c, uint64_t quota_us)
{
	const double change = fabs((double)quota_us - (double)c->quota_us);

	if (c->credited + owed(c) == 0 && c->quota_us > control_quota(&c->cfg, c->cfg.budget))
		return true;
	return change > WRITE_CHANGE * (double)c->quota_us;
}

bool control_step(struct control *c, const struct control_reading *x, uint64_t *ret_quota_us)
{
	const double dt_ns = (double)x->dt_ns;

	if (x->dt_ns == 0)
		return false;
	debt_add(c, x, dt_ns);
	mean_add(c, &c->charged, x->charged_ns, dt_ns);
	mean_add(c, &c->credited, x->credited_ns, dt_ns);
	c->due = c->cfg.budget - c->charged + c->credited;
	*ret_quota_us = wanted_quota(c);
	return differs(c, *ret_quota_us) &&
	       (c->written_ns == 0 || x->at_ns - c->written_ns >= WRITE_NS);
}

void control_wrote(struct control *c, uint64_t quota_us, uint64_t at_ns)
{
	c->quota_us = quota_us;
	c->written_ns = at_ns;
	c->n_writes++;
}
