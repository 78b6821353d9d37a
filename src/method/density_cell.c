/* What the measurements of a matrix come to: cells, relations between them, and their cores. */
#include "base/mem.h"
#include "base/str.h"
#include "method/density_priv.h"
#include "path/nf.h"
#include "stat/estimate.h"
#include "sys/affinity.h"

#include <math.h>
#include <stdio.h>

const struct field density_cell_fields[] = {
	FIELD_U32(struct density_cell, n, "", "measurements, each of a cell that was built anew"),
	FIELD_U32(struct density_cell, retries, "", "made anew after something went wrong"),
	FIELD_DOUBLE(struct density_cell, fps, "frames/s",
		"mean, of all instances, one direction; null: not measured"),
	FIELD_DOUBLE(struct density_cell, low_fps, "frames/s",
		"95 % interval of the mean over rebuilds; of one measurement, that one's own"),
	FIELD_DOUBLE(struct density_cell, high_fps, "frames/s", "the same"),
	FIELD_DOUBLE(struct density_cell, min_fps, "frames/s", "least of all measurements"),
	FIELD_DOUBLE(struct density_cell, max_fps, "frames/s", "most"),
	FIELD_END,
};

static void add_unit(struct density_cell *c, const struct density_unit *u)
{
	c->retries += u->retries;
	if (u->status < c->status || !*u->reason)
		return;
	c->status = u->status;
	c->reason = u->reason;
}

bool density_cell(const struct density *d, const struct density_unit *which, uint32_t row,
	struct density_cell *ret)
{
	_cleanup_(freep) double *fps = xcalloc(d->cfg.rebuild, sizeof(*fps));
	const struct density_row *one = NULL;
	bool any = false;
	struct estimate x;

	*ret = (struct density_cell){.reason = "",
		.fps = NAN,
		.low_fps = NAN,
		.high_fps = NAN,
		.min_fps = NAN,
		.max_fps = NAN};
	for (uint32_t i = 0; i < d->cfg.rebuild; i++) {
		const struct density_unit *u = density_unit_at(d, which, i);

		if (!u)
			continue;
		any = true;
		add_unit(ret, u);
		if (row >= u->n_rows || !isfinite(u->row[row].fps))
			continue;
		one = &u->row[row];
		ret->min_fps = fmin(ret->min_fps, one->fps);
		ret->max_fps = fmax(ret->max_fps, one->fps);
		fps[ret->n++] = one->fps;
	}
	if (ret->n == 0)
		return any;
	x = estimate_mean(fps, ret->n);
	ret->fps = x.mean;
	ret->low_fps = ret->n > 1 ? x.ci_low : one->low_fps;
	ret->high_fps = ret->n > 1 ? x.ci_high : one->high_fps;
	return true;
}

static void fill_matrix(const struct density *d, uint32_t topology, uint32_t row,
	struct density_matrix *ret)
{
	*ret = (struct density_matrix){.n_instances = d->n_instances, .n_nfs = d->n_nfs};
	for (uint32_t k = 0; k < d->n_nfs; k++)
		ret->nfs[k] = d->nfs[k];
	for (uint32_t i = 0; i < d->n_instances; i++) {
		ret->instances[i] = d->instances[i];
		for (uint32_t k = 0; k < d->n_nfs; k++) {
			const struct density_unit which = {.topology = topology,
				.instances = d->instances[i],
				.nfs = d->nfs[k]};
			struct density_cell c;

			(void)density_cell(d, &which, row, &c); /* NAN: not there */
			ret->cell[i][k] = (struct density_value){c.fps, c.low_fps, c.high_fps};
		}
	}
}

void density_relate(const struct density *d, uint32_t row, struct density_relation *ret)
{
	struct density_matrix m[DENSITY_TOPOLOGY_N];

	for (uint32_t i = 0; i < DENSITY_TOPOLOGY_N; i++)
		fill_matrix(d, i, row, &m[i]);
	density_relations(&m[DENSITY_CHAIN], &m[DENSITY_PIPELINE], ret);
}

uint32_t density_crossings(uint32_t topology, uint32_t nfs)
{
	return nf_row_crossings(topology == DENSITY_PIPELINE, nfs);
}

uint32_t density_ports(uint32_t topology, uint32_t instances, uint32_t nfs)
{
	return instances * nf_row_ports(topology == DENSITY_PIPELINE, nfs);
}

/*
 * A veth pair hands a frame over to the receiving half's NAPI on the CPU that sent it, so all that
 * the kernel does for a frame, from the sender to the last device, is done on the sender's CPU.
 * Ref: drivers/net/veth.c veth_xmit, __veth_xdp_flush; net/core/dev.c __napi_schedule, v6.18.
 */
void density_cores(const struct density *d, struct density_cores *ret)
{
	uint32_t allowed[AFFINITY_MAX_CPUS], n = affinity_allowed(allowed);

	*ret = (struct density_cores){.cores = d->n_ports_tx > 1 ? MIN(n, 2U) : 1};
	if (d->path.nf == NF_AFXDP) {
		ret->cores = n;
		snprintf(ret->text, sizeof(ret->text),
			"functions are processes with one thread each, which the scheduler puts on "
			"the %u CPUs that the tester has, too; the switch is done in softirq on "
			"the CPU that sends. pc = pcdr x data threads + pcmr x main threads: no "
			"main threads, pcdr = %u / (M N) at most 1, so pc = min(M N, %u)",
			n, n, n);
		return;
	}
	snprintf(ret->text, sizeof(ret->text),
		"the switch and all functions are work of the kernel, in softirq on the CPU that "
		"sends: CPU %s%s%s, which the tester's sender is on, too. Receiving is done: %s. "
		"pc = pcdr x data threads + pcmr x main threads does not apply: functions have no "
		"threads",
		d->info.tx_cpu, d->n_ports_tx > 1 ? " and CPU " : "",
		d->n_ports_tx > 1 ? d->info.rx_cpu : "", d->info.place);
}
