/* What comes through under the highest load, a search that does not search. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "stat/search.h"

int search_mrr(struct estimate *ret, struct search_log *log, double load, uint64_t duration_ns,
	uint32_t n, const struct search_ops *ops, struct err *e)
{
	_cleanup_(freep) double *rate = xcalloc(n, sizeof(*rate));
	uint32_t done = 0;
	int r = 0;

	while (done < n && r == 0) {
		r = search_measure(log, ops, load, duration_ns, e);
		if (r == 0)
			rate[done++] = search_forwarded(&log->trial[log->n - 1]);
	}
	*ret = estimate_mean(rate, done);
	return r;
}
