/* Options of a penalty, the tables of its results, and what its words mean. */
#include "base/str.h"
#include "method/penalty.h"
#include "base/clock.h"
#include "guard/moderate.h"
#include "method/penalty_priv.h"
#include "sys/affinity.h"
#include "sys/cpuquota.h"

#include <errno.h>
#include <string.h>

const char *const penalty_kind_name[] = {
	[PENALTY_COMPUTE] = "compute",
	[PENALTY_UDP_RX] = "udp-rx",
	[PENALTY_GSO_RX] = "gso-rx",
	[PENALTY_TCP_RX] = "tcp-rx",
	[PENALTY_UDP_TX] = "udp-tx",
	[PENALTY_TCP_TX] = "tcp-tx",
};
static_assert(ARRAY_SIZE(penalty_kind_name) == PENALTY_KIND_N);

const char *const penalty_guard_name[] = {
	[PENALTY_GUARD_OFF] = "off",
	[PENALTY_GUARD_CHARGE] = "charge",
	[PENALTY_GUARD_CHARGE_DROP] = "charge+drop",
	[PENALTY_GUARD_CHARGE_DROP_MODERATE] = "charge+drop+moderate",
};
static_assert(ARRAY_SIZE(penalty_guard_name) == PENALTY_GUARD_N);

const char *const penalty_status_name[] = {
	[PENALTY_OK] = "ok",
	[PENALTY_DISTURBED] = "disturbed",
	[PENALTY_FAILED] = "failed",
};
static_assert(ARRAY_SIZE(penalty_status_name) == PENALTY_STATUS_N);

/* A period of 20 ms: with longer ones the ends of a trial of one second cut off too much of one. */
const struct penalty_cfg penalty_cfg_default = {
	.shares = "60/20/20,50/50,80/20",
	.neighbours = "udp-rx",
	.guards = "off",
	.burst = 64,
	.mtu = 1500,
	.bystander_pps = 1000,
	.time_ns = NSEC_PER_SEC,
	.warmup_ns = 200 * NSEC_PER_MSEC,
	/* Means that forget in 0.3 s, debts in a second (guard/control.c); TCP finds its rate. */
	.settle_ns = 2 * NSEC_PER_SEC,
	.period_ns = 20 * NSEC_PER_MSEC,
	.repeat_min = 3,
	.repeat_max = 10,
	.width_ppm = 50000,
	.foreign_ppm = 50000,
	.retries = 3,
	.irq = "auto",
	.bucket_ns = 150 * NSEC_PER_MSEC,
	.moderate_ns = MODERATE_NS,
};

const struct opt penalty_opts[] = {
	OPT_STR(struct penalty_cfg, shares, "shares", 's', "<list>",
		"per cent of the CPU for victim, neighbour and, if there is a third, bystander: "
		"60/20/20,80/20"),
	OPT_STR(struct penalty_cfg, neighbours, "neighbour", 'n', "<list>",
		"what it does: udp-rx, gso-rx, tcp-rx, udp-tx, tcp-tx; compute, as a control"),
	OPT_STR(struct penalty_cfg, guards, "guard", 0, "<list>",
		"off, charge, charge+drop, charge+drop+moderate: as charge+drop, with fewer "
		"interrupts of the wire"),
	OPT_STR(struct penalty_cfg, irq, "irq", 0, "<time>",
		"with a guard: what an interrupt costs, as of tare guard; auto: measured before "
		"each trial"),
	OPT_U64(struct penalty_cfg, bucket_ns, "bucket", 0, "<time>", "the same of --bucket",
		.unit = NUM_DURATION, .min = 5 * NSEC_PER_MSEC, .max = 10 * NSEC_PER_SEC),
	OPT_U64(struct penalty_cfg, moderate_ns, "moderate", 0, "<time>",
		"charge+drop+moderate: how often the wire is polled while packets come, as of "
		"--moderate of tare guard",
		.unit = NUM_DURATION, .min = MODERATE_LEAST_NS, .max = MODERATE_MOST_NS),
	OPT_U64(struct penalty_cfg, rate_pps, "rate", 'r', "<n>",
		"packets a second to or from a UDP neighbour, of gso-rx those of 64 datagrams; "
		"0: 300k of udp-rx, 30k of gso-rx, all that goes of udp-tx",
		.unit = NUM_PER_S, .min = 1, .max = 20000000, .zero_ok = true),
	OPT_U32(struct penalty_cfg, burst, "burst", 0, "<n>", "packets of udp-rx sent together",
		.min = 1, .max = 256),
	OPT_U32(struct penalty_cfg, flows, "flows", 'F', "<n>",
		"connections of TCP, source ports of udp-rx; 0: 16 of TCP, 1 of UDP", .min = 1,
		.max = 256, .zero_ok = true),
	OPT_U32(struct penalty_cfg, mtu, "mtu", 0, "<bytes>", "of wire and containers", .min = 256,
		.max = 9000),
	OPT_FLAG(struct penalty_cfg, tso, "tso", 0,
		"TCP segments larger than the MTU cross the wire whole"),
	OPT_U64(struct penalty_cfg, bystander_pps, "bystander-rate", 0, "<n>",
		"datagrams a second to the bystander", .unit = NUM_PER_S, .min = 1, .max = 10000),
	OPT_U64(struct penalty_cfg, time_ns, "time", 't', "<time>", "counted span of each trial",
		.unit = NUM_DURATION, .min = 50 * NSEC_PER_MSEC, .max = 60 * NSEC_PER_SEC),
	OPT_U64(struct penalty_cfg, warmup_ns, "warmup", 'O', "<time>",
		"traffic before the counted span", .unit = NUM_DURATION, .min = NSEC_PER_MSEC,
		.max = 60 * NSEC_PER_SEC),
	OPT_U64(struct penalty_cfg, settle_ns, "settle", 0, "<time>",
		"with a guard: traffic before the warm-up, until the guard has found its way",
		.unit = NUM_DURATION, .min = NSEC_PER_MSEC, .max = 60 * NSEC_PER_SEC,
		.zero_ok = true),
	OPT_U64(struct penalty_cfg, period_ns, "period", 0, "<time>", "of the quotas",
		.unit = NUM_DURATION, .min = 10 * NSEC_PER_MSEC, .max = NSEC_PER_SEC),
	OPT_U32(struct penalty_cfg, repeat_min, "repeat-min", 0, "<n>", "fewest rounds", .min = 1,
		.max = 1000),
	OPT_U32(struct penalty_cfg, repeat_max, "repeat-max", 0, "<n>", "most rounds", .min = 1,
		.max = 1000),
	OPT_U32(struct penalty_cfg, width_ppm, "width", 0, "<percent>",
		"repeat until the 95 % interval of the penalty is narrower, +-",
		.unit = NUM_PERCENT, .min = 1000, .max = 1000000),
	OPT_U32(struct penalty_cfg, foreign_ppm, "foreign", 0, "<percent>",
		"a trial is done again when other processes had more of the CPU",
		.unit = NUM_PERCENT, .min = 1000, .max = 1000000),
	OPT_U32(struct penalty_cfg, retries, "retries", 0, "<n>", "how often at most", .min = 1,
		.max = 100, .zero_ok = true),
	OPT_STR(struct penalty_cfg, cpu, "cpu", 0, "<cpu>",
		"that the containers share; default: the last allowed"),
	OPT_STR(struct penalty_cfg, peer_cpu, "peer-cpu", 0, "<cpu>",
		"of the traffic's other end; default: the first allowed"),
	OPT_END,
};

const struct field penalty_trial_fields[] = {
	FIELD_U32(struct penalty_trial, round, "", "From 0; pairs are of one round."),
	FIELD_BOOL(struct penalty_trial, baseline, "The neighbour computes, without a guard."),
	FIELD_U32(struct penalty_trial, retries, "", "Tries before, with too much foreign time."),
	FIELD_STR(struct penalty_trial, reason, "Why it failed or was disturbed."),
	FIELD_DOUBLE(struct penalty_trial, victim_share, "",
		"Of the span, what the victim's loop really had."),
	FIELD_DOUBLE(struct penalty_trial, victim_cpu_share, "",
		"Of the span, what the kernel charged the victim's process."),
	FIELD_DOUBLE(struct penalty_trial, neighbour_cpu_share, "",
		"The same of the neighbour's process."),
	FIELD_DOUBLE(struct penalty_trial, bystander_cpu_share, "",
		"The same of the bystander's process."),
	FIELD_DOUBLE(struct penalty_trial, ksoftirqd_share, "", "The same of ksoftirqd."),
	FIELD_DOUBLE(struct penalty_trial, foreign_share, "", "The same of everybody else."),
	FIELD_U64(struct penalty_trial, span_ns, "ns", "Counted span."),
	FIELD_U64(struct penalty_trial, victim_ns, "ns", "Of it, without gaps."),
	FIELD_U64(struct penalty_trial, step_ns, "ns", "A turn of the victim's loop, the median."),
	FIELD_U64(struct penalty_trial, least_gap_ns, "ns", "What is shorter is no gap."),
	FIELD_U64(struct penalty_trial, n_gaps, "", "Times the victim was interrupted."),
	FIELD_U64(struct penalty_trial, longest_gap_ns, "ns", "The longest of them."),
	FIELD_DOUBLE(struct penalty_trial, sent_pps, "1/s", "Datagrams that the sender sent."),
	FIELD_DOUBLE(struct penalty_trial, received_pps, "1/s",
		"Datagrams that the receiving program got."),
	FIELD_DOUBLE(struct penalty_trial, received_bps, "bit/s",
		"Payload that the receiving program got."),
	FIELD_DOUBLE(struct penalty_trial, device_pps, "1/s",
		"Packets through the neighbour's device, both ways; a GSO packet is one."),
	FIELD_U64(struct penalty_trial, bystander_sent, "", "Datagrams to the bystander."),
	FIELD_U64(struct penalty_trial, bystander_received, "", "Of them, those it got."),
	FIELD_DOUBLE(struct penalty_trial, bystander_delivery, "", "received / sent."),
	FIELD_DOUBLE(struct penalty_trial, neighbour_used_share, "",
		"Of the span, CPU time that the neighbour caused, by the guard's accounting."),
	FIELD_DOUBLE(struct penalty_trial, victim_gained_share, "",
		"Of the span, what others' softirqs took of the victim's time, by the same."),
	FIELD_U64(struct penalty_trial, irq_ns, "ns",
		"What the guard took an interrupt for, beside its softirq."),
	FIELD_U64(struct penalty_trial, victim_irqs, "",
		"Interrupts that others' softirqs came with in the victim's time, by the same."),
	FIELD_U64(struct penalty_trial, neighbour_dropped, "packets",
		"To the neighbour, dropped by the guard."),
	FIELD_U64(struct penalty_trial, bystander_dropped, "packets",
		"To the bystander, dropped by the guard."),
	FIELD_END,
};

const struct field penalty_cell_fields[] = {
	FIELD_U32(struct penalty_cell, n_disturbed, "",
		"Trials with too much foreign time in every try; they count."),
	FIELD_U32(struct penalty_cell, n_failed, "", "Trials that failed; they do not."),
	FIELD_DOUBLE(struct penalty_cell, baseline_share, "",
		"What the victim had beside a neighbour that computes, mean."),
	FIELD_DOUBLE(struct penalty_cell, victim_share, "", "What it had beside this one, mean."),
	FIELD_DOUBLE(struct penalty_cell, neighbour_cpu_share, "",
		"What the kernel charged the neighbour's process, mean."),
	FIELD_DOUBLE(struct penalty_cell, slowdown, "", "The penalty less 1."),
	FIELD_DOUBLE(struct penalty_cell, neighbour_used_share, "",
		"CPU time that the neighbour caused, by the guard's accounting, mean."),
	FIELD_DOUBLE(struct penalty_cell, neighbour_got, "",
		"Of the neighbour's share, what it caused; without a guard what it was charged."),
	FIELD_DOUBLE(struct penalty_cell, dropped_pps, "1/s",
		"To the neighbour, dropped by the guard, mean."),
	FIELD_DOUBLE(struct penalty_cell, victim_irqs_hz, "1/s",
		"Interrupts that others' softirqs came with in the victim's time, by the guard's "
		"accounting, mean."),
	FIELD_DOUBLE(struct penalty_cell, sent_pps, "1/s", "Mean; as of a trial."),
	FIELD_DOUBLE(struct penalty_cell, received_pps, "1/s", "Mean; as of a trial."),
	FIELD_DOUBLE(struct penalty_cell, received_bps, "bit/s", "Mean; as of a trial."),
	FIELD_DOUBLE(struct penalty_cell, device_pps, "1/s", "Mean; as of a trial."),
	FIELD_DOUBLE(struct penalty_cell, bystander_delivery, "",
		"Received of sent, all trials together."),
	FIELD_STR(struct penalty_cell, reason, "Why the first trial that failed did."),
	FIELD_END,
};

static int parse_one_shares(const char *word, struct penalty_shares *ret, struct err *e)
{
	uint32_t sum = 0;

	*ret = (struct penalty_shares){0};
	if (str_copy(ret->name, sizeof(ret->name), word) < 0)
		return err_say(e, EINVAL, "--shares: '%s' is too long", word);
	for (const char *s = word;; s++) {
		char text[8] = "";
		const size_t len = strcspn(s, "/");
		uint64_t pct = 0;

		if (ret->n == TENANT_N)
			return err_say(e, EINVAL, "--shares: '%s' has more than %d parts", word,
				TENANT_N);
		memcpy(text, s, MIN(len, sizeof(text) - 1));
		if (num_parse(text, NUM_COUNT, &pct, NULL) < 0 || pct < 1 || pct > 99)
			return err_say(e, EINVAL,
				"--shares: '%s' is not 1 to 99 per cent for each, such as 60/20/20",
				word);
		ret->pct[ret->n++] = (uint32_t)pct;
		sum += (uint32_t)pct;
		s += len;
		if (!*s)
			break;
	}
	if (ret->n < 2)
		return err_say(e, EINVAL, "--shares: '%s' has no neighbour", word);
	if (sum > 100)
		return err_say(e, EINVAL, "--shares: '%s' is more than one CPU", word);
	return 0;
}

/* Calls @add for each word of a list. */
typedef int add_fn(struct penalty *p, const char *word, struct err *e);

static int each_word(struct penalty *p, const char *list, add_fn *add, struct err *e)
{
	char text[128], *rest = text, *word;
	int r = 0;

	str_set(text, list);
	while (r == 0 && (word = strsep(&rest, ",")))
		r = add(p, word, e);
	return r;
}

static int add_shares(struct penalty *p, const char *word, struct err *e)
{
	int r;

	if (p->n_shares == PENALTY_MAX_SHARES)
		return err_say(e, EINVAL, "--shares: more than %d", PENALTY_MAX_SHARES);
	r = parse_one_shares(word, &p->shares[p->n_shares], e);
	for (uint32_t i = 0; r == 0 && i < p->n_shares; i++)
		if (strcmp(p->shares[i].name, word) == 0)
			return err_say(e, EINVAL, "--shares: '%s' stands twice", word);
	p->n_shares += r == 0;
	return r;
}

/* One of @names, not in @list yet. */
static int add_name(uint32_t *list, uint32_t *n, const char *const *names, uint32_t n_names,
	const char *word)
{
	const int i = str_index(word, names, n_names);

	for (uint32_t k = 0; i >= 0 && k < *n; k++)
		if (list[k] == (uint32_t)i)
			return -EEXIST;
	if (i < 0)
		return -EINVAL;
	list[(*n)++] = (uint32_t)i;
	return 0;
}

static int say_name(int r, const char *option, const char *word, struct err *e)
{
	if (r == -EEXIST)
		return err_say(e, EINVAL, "%s: '%s' stands twice", option, word);
	return r < 0 ? err_say(e, EINVAL, "%s: there is no '%s'", option, word) : 0;
}

static int add_kind(struct penalty *p, const char *word, struct err *e)
{
	return say_name(add_name(p->kind, &p->n_kinds, penalty_kind_name, PENALTY_KIND_N, word),
		"--neighbour", word, e);
}

static int add_guard(struct penalty *p, const char *word, struct err *e)
{
	return say_name(add_name(p->guard, &p->n_guards, penalty_guard_name, PENALTY_GUARD_N, word),
		"--guard", word, e);
}

static int parse_cpu(const char *option, const char *text, uint32_t *ret, struct err *e)
{
	uint32_t cpu[AFFINITY_MAX_CPUS];

	if (!*text)
		return 0;
	if (affinity_parse(text, cpu, NULL) != 1)
		return err_say(e, EINVAL, "%s: '%s' is not one CPU", option, text);
	*ret = cpu[0];
	return 0;
}

static int check_quotas(const struct penalty *p, struct err *e)
{
	for (uint32_t i = 0; i < p->n_shares; i++)
		for (uint32_t k = 0; k < p->shares[i].n; k++)
			if (p->cfg.period_ns * p->shares[i].pct[k] / 100 <
				CPUQUOTA_LEAST_US * NSEC_PER_USEC)
				return err_say(e, EINVAL,
					"--shares: %u %% of --period is less than 1 ms, the least "
					"quota that there is",
					p->shares[i].pct[k]);
	return 0;
}

int penalty_plan(struct penalty *p, struct err *e)
{
	const struct penalty_cfg *cfg = &p->cfg;
	int r = each_word(p, cfg->shares, add_shares, e);

	if (r == 0)
		r = each_word(p, cfg->neighbours, add_kind, e);
	if (r == 0)
		r = each_word(p, cfg->guards, add_guard, e);
	if (r == 0)
		r = parse_cpu("--cpu", cfg->cpu, &p->cpu, e);
	if (r == 0)
		r = parse_cpu("--peer-cpu", cfg->peer_cpu, &p->peer_cpu, e);
	if (r == 0)
		r = check_quotas(p, e);
	if (r == 0)
		r = irq_cost_parse(cfg->irq, &p->irq.ns, e);
	if (r < 0)
		return r;
	if (*cfg->cpu && *cfg->peer_cpu && p->cpu == p->peer_cpu)
		return err_say(e, EINVAL, "--cpu and --peer-cpu are the same CPU");
	if (cfg->tso && penalty_moderates(p))
		return err_say(e, EINVAL,
			"--tso excludes charge+drop+moderate: the wire does not poll for such "
			"segments");
	if (cfg->repeat_min > cfg->repeat_max)
		return err_say(e, EINVAL, "--repeat-min %u is more than --repeat-max %u",
			cfg->repeat_min, cfg->repeat_max);
	return 0;
}
