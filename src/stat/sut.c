/*
 * Frames come evenly spaced and are served at the rate; those that the queue can't hold are lost.
 * In closed form: of n frames at a load above the rate, n * rate / load are served while they come,
 * and as many as the queue holds after that.
 */
#include "stat/sut.h"

#include <errno.h>
#include <math.h>

#define PPM 1000000U

const struct sut_cfg sut_cfg_default = {
	.rate = 1000000,
	.noise_ppm = 100000,
	.latency_ns = 10 * NSEC_PER_USEC,
	.seed = 1,
	.reset_ns = 100 * NSEC_PER_MSEC,
};

/* Rates and counts that a double holds to the frame, for as long as a trial may last. */
#define MAX_RATE 10000000000

const struct opt sut_opts[] = {
	OPT_U64(struct sut_cfg, rate, "rate", 0, "<n>", "frames it serves in a second",
		.unit = NUM_PER_S, .min = 1, .max = MAX_RATE),
	OPT_U64(struct sut_cfg, queue, "queue", 0, "<n>", "frames that wait, the rest is lost",
		.max = MAX_RATE),
	OPT_U32(struct sut_cfg, slope_ppm, "slope", 0, "<%>",
		"loss ratio that grows to this at its rate, from no load on", .unit = NUM_PERCENT,
		.max = PPM),
	OPT_U64(struct sut_cfg, collapse, "collapse", 0, "<n>",
		"load above which it serves half of its rate; 0: never", .zero_ok = true,
		.unit = NUM_PER_S, .max = MAX_RATE),
	OPT_U64(struct sut_cfg, inversion, "inversion", 0, "<n>",
		"load around which, by 5 %, it loses 10 % of the frames; 0: none", .zero_ok = true,
		.unit = NUM_PER_S, .max = MAX_RATE),
	OPT_U32(struct sut_cfg, noise_every, "noise-every", 0, "<n>",
		"each so-manieth trial loses noise more; 0: none"),
	OPT_U32(struct sut_cfg, chance_ppm, "noise-chance", 0, "<%>",
		"chance of any trial to lose noise more", .unit = NUM_PERCENT, .max = PPM),
	OPT_U32(struct sut_cfg, noise_ppm, "noise", 0, "<%>",
		"what such a trial loses, one frame at least", .unit = NUM_PERCENT, .max = PPM),
	OPT_U64(struct sut_cfg, latency_ns, "latency", 0, "<time>", "of an empty queue",
		.unit = NUM_DURATION, .zero_ok = true, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct sut_cfg, duplicate_every, "duplicate-every", 0, "<n>",
		"each so-manieth frame comes twice; 0: none"),
	OPT_U64(struct sut_cfg, overhead_ns, "overhead", 0, "<time>",
		"a trial takes so much longer than it sends", .unit = NUM_DURATION, .zero_ok = true,
		.max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct sut_cfg, seed, "seed", 0, "<n>", "of all chance"),
	OPT_U64(struct sut_cfg, recovery_ns, "recovery", 0, "<time>",
		"for how long nothing passes after an overload", .unit = NUM_DURATION,
		.zero_ok = true, .max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct sut_cfg, reset_ns, "reset", 0, "<time>",
		"for how long nothing passes when it is reset", .unit = NUM_DURATION,
		.zero_ok = true, .max = 3600 * NSEC_PER_SEC),
	OPT_U32(struct sut_cfg, broken_every, "broken-every", 0, "<n>",
		"each so-manieth trial can't be made; 0: none"),
	OPT_U32(struct sut_cfg, uneven_ppm, "uneven", 0, "<percent>",
		"each second instantiation serves so much less", .unit = NUM_PERCENT,
		.max = 900000),
	OPT_END,
};

int sut_parse(struct sut_cfg *ret, const char *text, struct err *e)
{
	struct sut_cfg cfg = sut_cfg_default;
	int r = *text ? opt_set_pairs(sut_opts, &cfg, text, e) : 0;

	if (r < 0)
		return r;
	*ret = cfg;
	return 0;
}

void sut_init(struct sut_sim *s, const struct sut_cfg *cfg)
{
	*s = (struct sut_sim){.cfg = *cfg, .random = cfg->seed};
}

/* Ref: Steele, Lea & Flood, "Fast splittable pseudorandom number generators": SplitMix64 */
static uint64_t next_random(struct sut_sim *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A part of @n frames, rounded down. */
static uint64_t part(uint64_t n, double ratio)
{
	return (uint64_t)((double)n * ratio);
}

static double rate_at(const struct sut_cfg *cfg, double load)
{
	const double rate = (double)cfg->rate;

	return cfg->collapse && load > (double)cfg->collapse ? rate / 2 : rate;
}

/* Frames that find the queue full; @ret_waiting are in it when the last one comes. */
static uint64_t overflow(const struct sut_cfg *cfg, double load, uint64_t n, uint64_t *ret_waiting)
{
	const double rate = rate_at(cfg, load);
	const uint64_t beyond = load > rate ? n - part(n, rate / load) : 0;

	*ret_waiting = MIN(beyond, cfg->queue);
	return beyond - *ret_waiting;
}

static bool is_inverted(const struct sut_cfg *cfg, double load)
{
	const double at = (double)cfg->inversion;

	return at > 0 && fabs(load - at) <= at * SUT_INVERSION_PPM / PPM;
}

/* Of @n frames that found room, those which get lost all the same. */
static uint64_t mislaid(struct sut_sim *s, double load, uint64_t n)
{
	const struct sut_cfg *cfg = &s->cfg;
	const bool by_turn = cfg->noise_every && (s->n_trials + cfg->seed) % cfg->noise_every == 0;
	const bool by_chance = next_random(s) % PPM < cfg->chance_ppm;
	uint64_t lost = part(n, (double)cfg->slope_ppm / PPM * fmin(load / (double)cfg->rate, 1));

	if (is_inverted(cfg, load))
		lost += part(n, (double)SUT_INVERSION_LOSS_PPM / PPM);
	if (by_turn || by_chance)
		lost += MAX(part(n, (double)cfg->noise_ppm / PPM), 1U);
	return MIN(lost, n);
}

void sut_offer(struct sut_sim *s, double load, uint64_t n, struct sut_outcome *ret)
{
	const struct sut_cfg *cfg = &s->cfg;
	uint64_t waiting, came;

	s->n_trials++;
	ret->tried = n;
	ret->lost = overflow(cfg, load, n, &waiting);
	ret->lost += mislaid(s, load, n - ret->lost);
	came = n - ret->lost;
	ret->duplicated = cfg->duplicate_every ? came / cfg->duplicate_every : 0;
	ret->latency_max_ns =
		came ? cfg->latency_ns + (uint64_t)((double)waiting / rate_at(cfg, load) *
						    (double)NSEC_PER_SEC)
		     : 0;
}

int sut_trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret, struct err *e)
{
	struct sut_sim *s = ctx;
	const double n = load * (double)duration_ns / (double)NSEC_PER_SEC;
	struct sut_outcome out;

	if (!(n < (double)INT64_MAX))
		return err_say(e, ERANGE, "a trial of %g frames is too long", n);
	sut_offer(s, load, (uint64_t)fmax(n, 1), &out);
	ret->tried = out.tried;
	ret->lost = out.lost;
	ret->effective_ns = duration_ns + s->cfg.overhead_ns;
	return 0;
}
