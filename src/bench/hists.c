#include "bench/hists.h"

#include "base/mem.h"

void hists_init(struct hist **h, uint32_t which)
{
	for (uint32_t i = 0; i < LOAD_HIST_N; i++) {
		if (!(which & 1U << i))
			continue;
		if (!h[i])
			h[i] = xcalloc(1, sizeof(*h[i]));
		hist_init(h[i]);
	}
}

void hists_fini(struct hist **h)
{
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		free(take_ptr(h[i]));
}

void hists_merge(struct hist **into, struct hist *const *from)
{
	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		if (from[i])
			hist_merge(into[i], from[i]);
}

const struct hist *hists_at(struct hist *const *h, enum load_hist id)
{
	static const struct hist empty = {.min_ns = UINT64_MAX};

	return h[id] ? h[id] : &empty;
}

struct doc *hists_pack(struct hist *const *h)
{
	struct doc *d = doc_object();

	for (uint32_t i = 0; i < LOAD_HIST_N; i++)
		if (h[i])
			doc_put_hist(d, load_hist_name[i], h[i]);
	return d;
}

int hists_unpack(const struct doc *d, struct hist **h, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < LOAD_HIST_N; i++)
		if (h[i])
			r = doc_get_hist(d, load_hist_name[i], h[i], e);
	return r;
}
