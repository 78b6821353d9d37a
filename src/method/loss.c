/*
 * Frame loss: the highest rate, then less and less of it, until nothing is lost twice in a row.
 * Ref: RFC 2544 s.26.3.
 */
#include "method/rfc2544_priv.h"
#include "method/rfc2544_table.h"

static const struct field fields[] = {
	FIELD_DOUBLE(struct rfc_loss, load, "", "of the highest rate"),
	FIELD_DOUBLE(struct rfc_loss, fps, "frames/s", "load of a port"),
	FIELD_U64(struct rfc_loss, tried, "frames", "intended, of all ports"),
	FIELD_U64(struct rfc_loss, lost, "frames", "of them"),
	FIELD_DOUBLE(struct rfc_loss, loss_ratio, "", "lost / tried"),
	FIELD_END,
};

static uint32_t units(const struct rfc *c, uint32_t size)
{
	(void)size;
	return 1000000 / c->cfg.loss_step_ppm;
}

/* Two in a row that lost nothing, or one that could not be made, end it. */
static bool more(const struct rfc *c, uint32_t size, uint32_t i)
{
	uint32_t zero = 0;

	for (uint32_t k = 0; k < i; k++) {
		const struct rfc_unit *u = rfc_unit_at(c, RFC_LOSS, size, k);

		if (!u || u->n_trials == 0)
			return false;
		zero = u->row[0].loss.lost == 0 ? zero + 1 : 0;
		if (zero == 2)
			return false;
	}
	/* The last step may be a load of nothing: 100 % in steps of 10 % ends at 10 %. */
	return i < units(c, size);
}

static int run(struct rfc *c, struct rfc_unit *u, struct err *e)
{
	double load = 1 - u->index * (c->cfg.loss_step_ppm / 1e6);
	double fps = c->size[u->size].max_fps * load;
	struct rfc_one one = {.fps = fps, .n_frames = rfc_frames(fps, c->cfg.time.loss_ns)};
	struct subject_trial t;
	struct rfc_row *row;
	int r = rfc_trial_one(c, u, &one, &t, e);

	if (r < 0)
		return r;
	row = rfc_row_add(u);
	row->loss = (struct rfc_loss){.load = load,
		.fps = fps,
		.tried = t.tried,
		.lost = t.lost,
		.loss_ratio = t.tried ? (double)t.lost / (double)t.tried : 0};
	if (t.received == 0 && t.tried)
		rfc_verdict(row, RFC_FAILED, "no frame passes");
	else if (u->trial[0].own_lost)
		rfc_verdict(row, RFC_TESTER_LIMITED, "%llu of %llu lost by the tester itself",
			(unsigned long long)u->trial[0].own_lost, (unsigned long long)t.lost);
	return 0;
}

static double unit_s(const struct rfc *c, uint32_t size)
{
	(void)size;
	return (double)c->cfg.time.loss_ns / 1e9 + rfc_overhead_s(c);
}

const struct rfc_test rfc_test_loss = {
	.name = "loss",
	.title = "Frame loss rate (RFC 2544 s.26.3)",
	.plain = "Frame loss",
	.summary = "share of frames lost at 100 %, 90 %, ... of the highest rate",
	.fields = fields,
	.fields_offset = offsetof(struct rfc_row, loss),
	.more = more,
	.units = units,
	.unit_s = unit_s,
	.run = run,
};
