/*
 * A simulated SUT: a server of a certain rate behind a queue, with faults, so that anyone can check
 * a search without a network. Deterministic: the same model and seed lose the same frames. Loss is
 * in whole frames.
 */
#pragma once

#include "base/opt.h"
#include "stat/search.h"

struct sut_cfg {
	uint64_t rate;        /* served in a second; the hard limit */
	uint64_t queue;       /* frames that wait */
	uint32_t slope_ppm;   /* loss ratio that grows to this at the hard limit, from no load on */
	uint64_t collapse;    /* above this load the rate falls to half; 0: never */
	uint64_t inversion;   /* a load around which frames get lost; 0: none */
	uint32_t noise_every; /* each so-manieth trial loses noise_ppm more; 0: none */
	uint32_t chance_ppm;  /* any trial loses noise_ppm more with this chance */
	uint32_t noise_ppm;   /* at least one frame */
	uint64_t latency_ns;  /* of an empty queue */
	uint64_t duplicate_every; /* each so-manieth frame comes twice; 0: none */
	uint64_t overhead_ns;     /* a trial takes so much longer than it sends */
	uint64_t seed;

	/* What is about phases of a trial: method/subject_model.c does it. */
	uint64_t recovery_ns;  /* once frames were lost, nothing passes for so long after that */
	uint64_t reset_ns;     /* how long nothing passes when it is reset */
	uint32_t broken_every; /* each so-manieth trial can't be made; 0: none */
	uint32_t uneven_ppm;   /* each second instantiation serves so much less */
};
extern const struct sut_cfg sut_cfg_default;
extern const struct opt sut_opts[];

/* Loads this near to inversion, and the part of their frames that is lost there. */
#define SUT_INVERSION_PPM      50000
#define SUT_INVERSION_LOSS_PPM 100000

/* "rate=1e6,queue=1000,...", or "": the default. Return: 0, or -EINVAL or -ERANGE. */
int sut_parse(struct sut_cfg *ret, const char *text, struct err *e) must_check_;

struct sut_sim {
	struct sut_cfg cfg;
	uint64_t n_trials;
	uint64_t random;
};
void sut_init(struct sut_sim *s, const struct sut_cfg *cfg);

/* What became of a burst or a trial. */
struct sut_outcome {
	uint64_t tried, lost, duplicated;
	uint64_t latency_max_ns; /* 0: nothing came through */
};
/* Offers @n frames at @load a second, INFINITY included, to the idle SUT. */
void sut_offer(struct sut_sim *s, double load, uint64_t n, struct sut_outcome *ret);
/* For struct search_ops. @ctx: struct sut_sim */
int sut_trial(void *ctx, double load, uint64_t duration_ns, struct search_trial *ret,
	struct err *e);
