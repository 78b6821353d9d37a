/*
 * A simulated SUT (stat/sut.h) as a subject, on a simulated clock: no trial takes any time. What
 * comes of it is known by arithmetic, so anyone can see what a campaign makes of a SUT.
 *
 * Its tester has no limit but one to begin with: twice the SUT's rate.
 */
#include "base/mem.h"
#include "base/str.h"
#include "method/subject.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SELF_FACTOR 2

/* In how many pieces the latencies of a queue that grows are put into a histogram. */
#define N_PIECES 1024

struct model {
	struct subject s;
	struct sut_sim sim;
	uint32_t n_trials, n_rebuilt;
	uint64_t rate; /* of the first instantiation */
	bool reset;    /* in the next trial */
};

static double load_of(const struct subject *s, double fps)
{
	return isfinite(fps) ? fps : s->self_fps;
}

/* Frames of an overload wait longer and longer until the queue is full; others don't wait. */
static void add_latencies(const struct model *m, double load, const struct sut_outcome *out,
	struct hist *hist)
{
	uint64_t came = out->tried - out->lost, least = m->sim.cfg.latency_ns;
	uint64_t left = came;

	if (load <= (double)m->sim.cfg.rate) {
		hist_add_n(hist, least, came);
		return;
	}
	for (uint32_t i = 0; i < N_PIECES && left; i++) {
		uint64_t n = i + 1 < N_PIECES ? came / N_PIECES : left;

		hist_add_n(hist, least + (out->latency_max_ns - least) * i / N_PIECES, n);
		left -= n;
	}
}

static void lose(struct subject_trial *t, uint64_t lost, double first_s, double last_s)
{
	if (lost == 0)
		return;
	t->lost += lost;
	t->first_lost_ns = MIN(t->first_lost_ns, (uint64_t)(first_s * 1e9));
	t->last_lost_ns = MAX(t->last_lost_ns, (uint64_t)(last_s * 1e9));
}

/* Of the frames due in [at, at + for], of a phase that begins at @begin_s. */
static uint64_t frames_in(double load, uint64_t n, double offset_s, double for_s)
{
	double first = load * offset_s, last = load * (offset_s + for_s);

	return (uint64_t)(fmin(last, (double)n) - fmin(first, (double)n) + 0.5);
}

/* @down_s: nothing passes in the first so many seconds of the phase. Return: its end. */
static double run_phase(struct model *m, double load, uint64_t n, double begin_s, double down_s,
	struct subject_trial *t)
{
	double end_s = begin_s + (double)n / load;
	uint64_t down = frames_in(load, n, 0, down_s);
	struct sut_outcome out;

	sut_offer(&m->sim, load, n - down, &out);
	lose(t, down, begin_s, begin_s + fmin(down_s, end_s - begin_s));
	lose(t, out.lost, begin_s + down_s, end_s);
	t->tried += n;
	t->duplicated += out.duplicated;
	if (t->hist)
		add_latencies(m, load, &out, t->hist);
	return end_s;
}

/* In the middle of the trial's frames. */
static void run_reset(struct model *m, double load, uint64_t n, struct subject_trial *t)
{
	double middle_s = (double)n / load / 2, reset_s = (double)m->sim.cfg.reset_ns / 1e9;
	double after_s = middle_s + reset_s;
	uint64_t down = frames_in(load, n, middle_s, reset_s);

	m->reset = false;
	lose(t, MIN(down, n - t->lost), middle_s, fmin(after_s, 2 * middle_s));
}

static int model_trial(struct subject *s, const struct subject_ask *ask, struct subject_trial *ret,
	struct err *e)
{
	struct model *m = s->state;
	const struct sut_cfg *cfg = &m->sim.cfg;
	double at_s = 0;

	m->n_trials++;
	if (cfg->broken_every && m->n_trials % cfg->broken_every == 0)
		return err_say(e, ENODEV, "the model broke in trial %u", m->n_trials);
	*ret = (struct subject_trial){.hist = ret->hist, .first_lost_ns = UINT64_MAX};
	for (uint32_t i = 0; i < ask->n_phases; i++) {
		double down_s = ret->lost ? (double)cfg->recovery_ns / 1e9 : 0;

		at_s = run_phase(m, load_of(s, ask->phase[i].fps), ask->phase[i].n_frames, at_s,
			down_s, ret);
	}
	if (m->reset)
		run_reset(m, load_of(s, ask->phase[0].fps), ask->phase[0].n_frames, ret);
	ret->sent = ret->tried;
	ret->received = ret->tried - ret->lost;
	/* From the first frame to the last. */
	ret->sending_ns = (uint64_t)(at_s * 1e9 * (1 - 1 / (double)ret->tried));
	ret->effective_ns = (uint64_t)(at_s * 1e9) + cfg->overhead_ns;
	return 0;
}

static int model_rebuild(struct subject *s, struct err *e)
{
	struct model *m = s->state;
	double less = ++m->n_rebuilt % 2 ? m->sim.cfg.uneven_ppm / 1e6 : 0;

	(void)e;
	m->sim.cfg.rate = (uint64_t)((double)m->rate * (1 - less));
	return 0;
}

static int model_reset(struct subject *s, struct err *e)
{
	struct model *m = s->state;

	(void)e;
	m->reset = true;
	return 0;
}

static void model_close(struct subject *s)
{
	free(s->state);
}

static const struct subject_ops model_ops = {
	.trial = model_trial,
	.rebuild = model_rebuild,
	.reset = model_reset,
	.close = model_close,
};

/* "model:rate=1M,queue=1000": what differs from the default, as it can be asked for. */
static void name_of(const struct sut_cfg *cfg, char *ret, size_t size)
{
	const char *between = ":";
	char now[64], usual[64];

	str_addf(ret, size, "model");
	for (const struct opt *o = sut_opts; o->name; o++) {
		opt_get(o, cfg, now, sizeof(now));
		opt_get(o, &sut_cfg_default, usual, sizeof(usual));
		if (strcmp(now, usual) == 0 && o != sut_opts)
			continue;
		str_addf(ret, size, "%s%s=%s", between, o->name, now);
		between = ",";
	}
}

int subject_model(struct subject **ret, const struct sut_cfg *cfg, struct err *e)
{
	struct model *m = xcalloc(1, sizeof(*m));

	(void)e;
	m->s = (struct subject){.ops = &model_ops,
		.simulated = true,
		.n_ways = 1,
		.n_ports_tx = 1,
		.self_fps = SELF_FACTOR * (double)cfg->rate,
		.cancel_fd = -1,
		.state = m,
		.n_notes = 1};
	m->rate = cfg->rate;
	name_of(cfg, m->s.name, sizeof(m->s.name));
	str_set(m->s.info.tx, "model");
	str_set(m->s.info.rx, "model");
	str_set(m->s.note[0], "simulated: no frame was ever sent, and no time passed");
	sut_init(&m->sim, cfg);
	*ret = &m->s;
	return 0;
}
