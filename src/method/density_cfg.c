/* What a matrix is asked for: options, profiles, and what its numbers may be called. */
#include "base/mem.h"
#include "base/str.h"
#include "method/density_priv.h"
#include "method/campaign.h"
#include "method/goals.h"
#include "path/nf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const density_topology_name[] = {
	[DENSITY_CHAIN] = "chain",
	[DENSITY_PIPELINE] = "pipeline",
};
static_assert(ARRAY_SIZE(density_topology_name) == DENSITY_TOPOLOGY_N);

const char *const density_search_name[] = {
	[DENSITY_MRR] = "mrr",
	[DENSITY_MLR] = "mlr",
};
static_assert(ARRAY_SIZE(density_search_name) == DENSITY_SEARCH_N);

/* Ref: FD.io CSIT: MRR of 10 trials of 1 s, 0.5 s between trials, 5 s for latency. */
const struct density_time density_time_profile[] = {
	[RFC_PROFILE_STANDARD] =
		{
			.trial_ns = NSEC_PER_SEC,
			.trials = 10,
			.latency_ns = 5 * NSEC_PER_SEC,
			.settle_ns = 500 * NSEC_PER_MSEC,
		},
	[RFC_PROFILE_QUICK] =
		{
			.trial_ns = 200 * NSEC_PER_MSEC,
			.trials = 5,
			.latency_ns = 500 * NSEC_PER_MSEC,
		},
};
static_assert(ARRAY_SIZE(density_time_profile) == RFC_PROFILE_N);

const uint64_t density_drain_profile_ns[] = {
	[RFC_PROFILE_STANDARD] = 500 * NSEC_PER_MSEC,
	[RFC_PROFILE_QUICK] = 30 * NSEC_PER_MSEC,
};
static_assert(ARRAY_SIZE(density_drain_profile_ns) == RFC_PROFILE_N);

/* Rows and columns of the draft, up to what a small machine builds in seconds. */
const struct density_cfg density_cfg_default = {
	.topologies = "chain,pipeline",
	.instances = "1,2,4",
	.nfs = "1,2,4",
	.goals = "ndr/pdr",
	.rebuild = 1,
};

const struct opt density_opts[] = {
	OPT_STR(struct density_cfg, topologies, "topology", 't', "<list>",
		"chain (the host's switch between all functions), pipeline (functions linked to "
		"each other), or both"),
	OPT_STR(struct density_cfg, instances, "instances", 'M', "<list>",
		"rows: service instances beside each other, in rising order"),
	OPT_STR(struct density_cfg, nfs, "nfs", 'N', "<list>",
		"columns: functions of an instance, in rising order"),
	OPT_ENUM(struct density_cfg, profile, "profile", 0, rfc_profile_name,
		"standard: trials as CSIT makes them; quick: a second or two a cell"),
	OPT_ENUM(struct density_cfg, search, "search", 0, density_search_name,
		"what a cell is: forwarding rate at the highest load, or the goals of MLRsearch"),
	OPT_STR(struct density_cfg, goals, "goals", 0, "<list>",
		"goals of MLRsearch, separated by slashes: ndr, pdr, or "
		"loss=0.1%,exceed=50%,width=0.5%,final=1s,sum=21s"),
	OPT_STR(struct density_cfg, size, "size", 's', "<size>",
		"of frames in bytes with FCS; or a mix: imix, imix:<genome>; none: 64, with --ipv6 "
		"78"),
	OPT_U64(struct density_cfg, max_fps, "max-rate", 0, "<fps>",
		"highest load in frames a second, of all instances; 0: what the tester does "
		"without a SUT",
		.unit = NUM_PER_S, .min = 1, .max = 10000000000, .zero_ok = true),
	OPT_U32(struct density_cfg, rebuild, "rebuild", 'r', "<n>",
		"measurements of each cell, each of it built anew", .min = 1, .max = 1000),
	OPT_FLAG(struct density_cfg, latency, "latency", 0,
		"with mlr: one-way latency at 90, 50 and 10 % of the last goal's rate"),
	OPT_STR(struct density_cfg, resume, "resume", 0, "<file>",
		"keep finished work in this file, and go on from what is in it"),
	OPT_END,
};

const struct opt density_time_opts[] = {
	OPT_U64(struct density_time, trial_ns, "trial-time", 0, "<time>", "a trial of mrr",
		.unit = NUM_DURATION, .min = NSEC_PER_MSEC, .max = 3600 * NSEC_PER_SEC),
	OPT_U32(struct density_time, trials, "trials", 0, "<n>", "trials of mrr", .min = 1,
		.max = 1000),
	OPT_U64(struct density_time, latency_ns, "latency-time", 0, "<time>",
		"a stream for latency", .unit = NUM_DURATION, .min = NSEC_PER_MSEC,
		.max = 3600 * NSEC_PER_SEC),
	OPT_U64(struct density_time, settle_ns, "settle", 0, "<time>", "rest after each trial",
		.unit = NUM_DURATION, .max = 3600 * NSEC_PER_SEC),
	OPT_END,
};

const struct opt density_path_opts[] = {
	OPT_ENUM(struct path_cfg, nf, "nf", 0, nf_kind_name,
		"the forwarding function, as of paths chain and pipeline"),
	OPT_ENUM(struct path_cfg, nf_poll, "nf-poll", 0, nf_poll_name,
		"afxdp: how its process waits for frames"),
	OPT_END,
};

static int plan_topologies(struct density *d, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(d->cfg.topologies);
	char *rest = copy, *word;

	while ((word = strsep(&rest, ","))) {
		int i = str_index(word, density_topology_name, DENSITY_TOPOLOGY_N);

		if (i < 0)
			return err_say(e, EINVAL, "--topology: '%s' is neither chain nor pipeline",
				word);
		d->topology[i] = true;
	}
	return 0;
}

/* "1,2,4". Return: how many, or negative errno. */
static int parse_axis(uint32_t *ret, uint32_t max, const char *text, struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *rest = copy, *word;
	uint32_t n = 0;

	while ((word = strsep(&rest, ","))) {
		uint64_t v;
		int r = num_parse(word, NUM_COUNT, &v, e);

		if (r < 0)
			return r;
		if (v < 1 || v > max)
			return err_say(e, ERANGE, "%s is not between 1 and %u", word, max);
		if (n > 0 && v <= ret[n - 1])
			return err_say(e, EINVAL, "'%s' is not in rising order", text);
		ret[n++] = (uint32_t)v;
	}
	return (int)n;
}

static int plan_axes(struct density *d, struct err *e)
{
	int m = parse_axis(d->instances, PATH_MAX_INSTANCES, d->cfg.instances, e), n;

	if (m < 0)
		return err_wrap(e, "--instances");
	n = parse_axis(d->nfs, PATH_MAX_NFS, d->cfg.nfs, e);
	if (n < 0)
		return err_wrap(e, "--nfs");
	d->n_instances = (uint32_t)m;
	d->n_nfs = (uint32_t)n;
	return 0;
}

static void overrides(const struct density *d, char *ret, size_t size)
{
	const struct campaign_times times = {.opts = density_time_opts,
		.now = &d->cfg.time,
		.usual = &density_time_profile[d->cfg.profile],
		.drain_ns = d->tester.drain_ns,
		.usual_drain_ns = density_drain_profile_ns[d->cfg.profile]};

	campaign_overrides(&times, ret, size);
}

/* What these numbers are, in a line that every output has. */
static void set_label(struct density *d)
{
	const struct density_time *t = &d->cfg.time;
	char changed[256] = "", each[32];

	overrides(d, changed, sizeof(changed));
	num_format(t->trial_ns, NUM_DURATION, each, sizeof(each));
	str_addf(d->label, sizeof(d->label), "%s profile%s%s%s", rfc_profile_name[d->cfg.profile],
		*changed ? ", modified (" : "", changed, *changed ? ")" : "");
	if (d->cfg.search == DENSITY_MRR)
		str_addf(d->label, sizeof(d->label),
			": forwarding rate at the highest load, mean of %u trials of %s", t->trials,
			each);
	else
		str_addf(d->label, sizeof(d->label), ": goals of MLRsearch (RFC 9971)");
	if (d->cfg.profile == RFC_PROFILE_QUICK)
		str_addf(d->label, sizeof(d->label), ", shorter than CSIT's");
}

/* What the first cell can't be with, no cell can. Others may be impossible by themselves. */
static int check_first(const struct density *d, struct err *e)
{
	struct path_spec spec;
	char text[64];

	snprintf(text, sizeof(text), "%s:instances=%u,nfs=%u",
		density_topology_name[d->topology[DENSITY_CHAIN] ? DENSITY_CHAIN
								 : DENSITY_PIPELINE],
		d->instances[0], d->nfs[0]);
	return path_parse(&spec, text, &d->path, e);
}

int density_plan(struct density *d, struct err *e)
{
	/* The smallest that carry a mark. Ref: RFC 2544 s.9, RFC 5180 s.5 */
	const char *size = *d->cfg.size ? d->cfg.size : d->path.ipv6 ? "78" : "64";
	int r = plan_topologies(d, e);

	if (r == 0)
		r = plan_axes(d, e);
	if (r == 0)
		r = goals_parse(d->cfg.goals, d->cfg.profile == RFC_PROFILE_QUICK, d->goal,
			&d->n_goals, e);
	if (r == 0 && frame_mix_parse(&d->mix, size, 1500, e) < 0)
		r = err_wrap(e, "--size");
	if (r < 0)
		return r;
	if (d->cfg.latency && d->cfg.search != DENSITY_MLR)
		return err_say(e, EINVAL,
			"--latency is taken at shares of a goal's rate: it needs --search mlr");
	for (uint32_t i = 0; i < d->mix.n; i++)
		d->tester.max_bytes = MAX(d->tester.max_bytes, (uint32_t)d->mix.size[i]);
	r = check_first(d, e);
	if (r < 0)
		return r;
	d->self_fps = d->max_fps = NAN;
	set_label(d);
	return 0;
}
