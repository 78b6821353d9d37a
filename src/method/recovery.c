/*
 * System recovery: how long frames go on being lost once an overload is over: 110 % of throughput
 * (or the highest rate, if that is less), then half of that. Ref: RFC 2544 s.26.5.
 */
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"

#include <math.h>

#define OVERLOAD 1.1
#define RELIEF   0.5

static const struct field fields[] = {
	FIELD_DOUBLE(struct rfc_recovery, overload_fps, "frames/s", "load of a port at first"),
	FIELD_DOUBLE(struct rfc_recovery, relief_fps, "frames/s", "and from then on"),
	FIELD_U64(struct rfc_recovery, lost, "frames", "in all"),
	FIELD_DOUBLE(struct rfc_recovery, recovery_s, "s",
		"from the change of load to the last lost frame; 0: none was lost after it"),
	FIELD_END,
};

/* Frames that were never sent are the last ones, and say nothing of when the SUT lost its last. */
static void judge_tester(const struct subject_trial *t, const struct rfc_trial *made,
	struct rfc_row *row)
{
	bool unsent = t->sent < t->tried;

	if (unsent || made->own_lost == t->lost)
		row->recovery.recovery_s = NAN;
	rfc_verdict(row, RFC_TESTER_LIMITED, "%s%llu of %llu frames were lost by the tester itself",
		isnan(row->recovery.recovery_s) ? "" : "<=: ", (unsigned long long)made->own_lost,
		(unsigned long long)t->lost);
}

static void judge(const struct subject_trial *t, const struct rfc_trial *made, double over_s,
	double all_s, struct rfc_row *row)
{
	double last_s = (double)t->last_lost_ns / 1e9;

	if (t->lost == 0) {
		rfc_verdict(row, RFC_NOT_APPLICABLE, "%.0f fps lost no frame: no overload",
			row->recovery.overload_fps);
		return;
	}
	row->recovery.recovery_s = fmax(0, last_s - over_s);
	if (made->own_lost) {
		judge_tester(t, made, row);
		return;
	}
	/* The last frame, to within what is due together. */
	if (last_s > all_s * 0.999)
		rfc_verdict(row, RFC_FAILED, "still losing frames %.3g s after the overload",
			last_s - over_s);
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	const struct rfc_throughput *base = rfc_base(c, u->size, false);
	struct subject_ask ask = {.n_phases = 2};
	double max_fps = c->size[u->size].max_fps;
	struct subject_trial t = {0};
	struct rfc_row *row;
	double over_s;
	int r;

	if (!base) {
		rfc_no_base(u);
		return 0;
	}
	if (base->fps >= max_fps) {
		rfc_verdict(rfc_row_add(u), RFC_NOT_APPLICABLE,
			"forwards at the highest rate: it can't be overloaded");
		return 0;
	}
	ask.phase[0].fps = fmin(base->fps * OVERLOAD, max_fps);
	ask.phase[1].fps = ask.phase[0].fps * RELIEF;
	for (uint32_t i = 0; i < 2; i++)
		ask.phase[i].n_frames = rfc_frames(ask.phase[i].fps, c->cfg.time.recovery_ns);
	r = rfc_trial_fair(c, u, &ask, &t, e);
	if (r < 0)
		return r;
	row = rfc_row_add(u);
	row->recovery.overload_fps = ask.phase[0].fps;
	row->recovery.relief_fps = ask.phase[1].fps;
	row->recovery.lost = t.lost;
	over_s = (double)ask.phase[0].n_frames / ask.phase[0].fps;
	judge(&t, &u->trial[u->n_trials - 1], over_s,
		over_s + (double)ask.phase[1].n_frames / ask.phase[1].fps, row);
	return 0;
}

static uint32_t units(const struct rfc *c, uint32_t size)
{
	(void)size;
	return c->cfg.time.recovery_repeat;
}

static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	const struct rfc_unit *first = rfc_unit_at(c, RFC_RECOVERY, size, 0);

	return i < units(c, size) && (i == 0 || (first && first->n_trials));
}

static double unit_s(const struct rfc *c, uint32_t size)
{
	(void)size;
	return 2 * (double)c->cfg.time.recovery_ns / 1e9 + rfc_overhead_s(c);
}

double rfc_recovery_mean_s(const struct rfc *c, uint32_t size)
{
	double sum = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < units(c, size); i++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_RECOVERY, size, i);

		if (!u || u->row[0].status != RFC_OK)
			continue;
		sum += u->row[0].recovery.recovery_s;
		n++;
	}
	return n ? sum / n : NAN;
}

const struct rfc_test rfc_test_recovery = {
	.name = "recovery",
	.title = "System recovery (RFC 2544 s.26.5)",
	.plain = "Recovery from overload",
	.summary = "how long frames are lost once an overload is over",
	.fields = fields,
	.fields_offset = offsetof(struct rfc_row, recovery),
	.needs_throughput = true,
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
