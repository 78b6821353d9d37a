/* The histograms of one end, trial or cell: one per enum load_hist, those that its load fills. */
#pragma once

#include "load/load.h"
#include "wire/doc.h"

/*
 * hists_init() - make the histograms of bits @which empty; those there are not are allocated.
 * @h: [LOAD_HIST_N], NULL where there is none
 */
void hists_init(struct hist **h, uint32_t which);
void hists_fini(struct hist **h);

/* Adds all of @from to those of @into, which has them too. */
void hists_merge(struct hist **into, struct hist *const *from);

/* The histogram, or an empty one where there is none. */
const struct hist *hists_at(struct hist *const *h, enum load_hist id);

/* {"latency": {...}, ...}, by load_hist_name. */
struct doc *hists_pack(struct hist *const *h);
/* Reads those that @h has; each must be there. */
int hists_unpack(const struct doc *d, struct hist **h, struct err *e) must_check_;
