/*
 * The path nat on a host whose connection table is full, as by many clients that never hang up:
 * the entries are established connections of others, which the kernel does not forget to make
 * room. What is open goes on, and what is new is dropped ("nf_conntrack: table full, dropping
 * packet"): crr fails, rr and stream do not. A few entries are left free: every trial opens its
 * connections anew, so without them nothing at all could be measured. crr uses them up at once,
 * and they come back when the kernel forgets closed connections, 2 minutes later.
 *
 * The table is filled after a packet each way has shown that the path works. The entries are in
 * the host's namespace and go with it. The hash they lie in is the machine's, though: while such a
 * path stands, look-ups of other paths that track pass one more entry, on average.
 */
#include "base/clock.h"
#include "base/macro.h"
#include "path/nat.h"
#include "path/table.h"
#include "path/verify.h"
#include "sys/conntrack.h"

#include <errno.h>

/* Entries left for the connections of trials: an rr's for 64 trials; crr's for its warm-up. */
#define NATFULL_SPARE 64
/* An entry is 256 bytes of kernel memory, its extensions 128: 200 MB, and some 4 s to fill. */
#define NATFULL_MAX_ENTRIES (512U << 10)

static const struct opt natfull_opts[] = {
	OPT_U32(struct path_cfg, conntrack_fill_pct, "conntrack-fill", 0, "<percent>",
		"how much of the host's connection table is taken before a trial", .min = 1,
		.max = 100),
	OPT_END,
};

/* Return: entries to add, or negative errno. */
static int64_t wanted(const struct path *p, struct conntrack_size *size, struct err *e)
{
	int r = conntrack_size(p->lab->host_fd, size, e);
	uint64_t total;

	if (r < 0)
		return r;
	if (size->max <= NATFULL_SPARE)
		return err_say(e, EOPNOTSUPP, "nf_conntrack_max is %llu: there is nothing to fill",
			(unsigned long long)size->max);
	total = MIN(size->max * p->cfg.conntrack_fill_pct / 100, size->max - NATFULL_SPARE);
	if (total > NATFULL_MAX_ENTRIES)
		return err_say(e, EOPNOTSUPP,
			"nf_conntrack_max is %llu: filling it would take too much kernel memory; "
			"set it to at most %u, or conntrack-fill lower",
			(unsigned long long)size->max, NATFULL_MAX_ENTRIES);
	return (int64_t)(total - MIN(total, size->count));
}

static int natfull_fill(struct path *p, struct err *e)
{
	uint64_t begin_ns = clock_now_ns(), added = 0;
	struct conntrack_size size;
	int64_t n = wanted(p, &size, e);
	int r = n < 0 ? (int)n
		      : conntrack_fill(p->lab->host_fd, (uint64_t)n, p->cancel_fd, &added, e);

	if (r == 0)
		r = conntrack_size(p->lab->host_fd, &size, e);
	if (r == -EOPNOTSUPP)
		return PATH_UNAVAILABLE;
	if (r < 0)
		return r;
	path_note(p,
		"the host's connection table holds %llu of %llu entries: %llu established ones of "
		"others added in %.2f s",
		(unsigned long long)size.count, (unsigned long long)size.max,
		(unsigned long long)added, (double)(clock_now_ns() - begin_ns) / NSEC_PER_SEC);
	return 0;
}

static int natfull_verify(struct path *p, struct err *e)
{
	int r = path_verify(p, e);

	return r < 0 ? r : natfull_fill(p, e);
}

const struct path_ops path_natfull = {
	.name = "nat-full",
	.summary = "nat on a host whose connection table is full",
	.hops = "peer, wire, host NAT (conntrack, full), bridge, veth pair, container",
	.crosses = "nf_conntrack_in, __nf_conntrack_alloc, early_drop, ip_forward, br_forward",
	.needs = "CONFIG_NF_CT_NETLINK",
	.set = PATH_SET_NAT,
	.pods_ok = true,
	.opts = natfull_opts,
	.opts_title = "A full connection table",
	.build = nat_build,
	.verify = natfull_verify,
};
