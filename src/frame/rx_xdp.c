/*
 * Test frames counted inside the kernel, by an XDP program on the device
 * (src/bpf/frame_rx.bpf.c): in native mode before an skb is made of them. It drops test frames and
 * passes all else, so ARP and the like work as before.
 *
 * The bits of numbers are in a map whose pages this side sees, too; counts and latencies are in
 * per-CPU maps. Where the work is done is the device's affair: frame/tester.h.
 */
#include "base/mem.h"
#include "bpf/frame.h"
#include "frame/io.h"
#include "sys/ebpf.h"

#include <errno.h>
#include <frame_rx.skel.h>
#include <string.h>
#include <sys/mman.h>

/* The program fills a struct hist in. */
static_assert(FRAME_RX_HIST_BUCKETS == HIST_N_BUCKETS);
static_assert(sizeof(struct frame_rx_hist) == sizeof(struct hist));
static_assert(offsetof(struct frame_rx_hist, min_ns) == offsetof(struct hist, min_ns));
static_assert(offsetof(struct frame_rx_hist, bucket) == offsetof(struct hist, bucket));

struct frame_rx {
	struct frame_rx_bpf *skel;
	int link_fd;
	uint64_t *seen; /* [(max_frames + 63) / 64]: the map's own pages */
	size_t seen_bytes;
	uint64_t max_frames, used; /* numbers below it may have their bits set */
	uint32_t n_cpus;
	struct frame_rx_count *count; /* [n_cpus] */
	struct hist *hist;            /* [n_cpus] */
};

static void xdp_close(struct frame_rx *rx)
{
	if (!rx)
		return;
	closep(&rx->link_fd);
	if (rx->seen)
		munmap(rx->seen, rx->seen_bytes);
	frame_rx_bpf__destroy(rx->skel);
	free(rx->count);
	free(rx->hist);
	free(rx);
}
DEFINE_CLEANUP(struct frame_rx *, xdp_close, xdp_closep)

static int load(struct frame_rx *rx, const struct frame_rx_args *args, struct err *e)
{
	int r;

	ebpf_quiet();
	rx->skel = frame_rx_bpf__open();
	if (!rx->skel)
		return err_set(e, errno, "cannot open the receiving XDP program");
	rx->skel->rodata->key = args->key;
	rx->skel->rodata->verify = args->verify;
	rx->skel->rodata->max_frames = args->max_frames;
	r = bpf_map__set_max_entries(rx->skel->maps.seen, (uint32_t)(rx->seen_bytes / 8));
	if (r == 0)
		r = frame_rx_bpf__load(rx->skel);
	return r < 0 ? ebpf_refused(r, e) : 0;
}

static int map_seen(struct frame_rx *rx, struct err *e)
{
	void *p = mmap(NULL, rx->seen_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(rx->skel->maps.seen), 0);

	if (p == MAP_FAILED)
		return err_set(e, errno, "cannot see the receiver's table of numbers");
	rx->seen = p;
	return 0;
}

/* A device whose driver has no XDP, or not for its MTU, has it in generic mode. */
static int attach(struct frame_rx *rx, const struct frame_port *port, struct err *e)
{
	int r = -EOPNOTSUPP;

	for (uint32_t mode = EBPF_XDP_NATIVE; mode < EBPF_XDP_MODE_N; mode++) {
		r = ebpf_xdp_attach(&rx->link_fd, port->netns_fd, (int)port->ifindex,
			bpf_program__fd(rx->skel->progs.frame_rx), mode, e);
		if (r != -EOPNOTSUPP && r != -ERANGE)
			break;
	}
	return r < 0 ? err_wrap(e, "'%s'", port->dev) : 0;
}

static int xdp_open(struct frame_rx **ret, const struct frame_port *port,
	const struct frame_rx_args *args, struct err *e)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (args->max_frames + 63) / 64 * 8;
	_cleanup_(xdp_closep) struct frame_rx *rx = xcalloc(1, sizeof(*rx));
	int r;

	rx->link_fd = -1;
	rx->max_frames = args->max_frames;
	rx->seen_bytes = MAX((bytes + page - 1) / page, 1U) * page;
	rx->n_cpus = (uint32_t)libbpf_num_possible_cpus();
	rx->count = xcalloc(rx->n_cpus, sizeof(*rx->count));
	rx->hist = xcalloc(rx->n_cpus, sizeof(*rx->hist));
	r = load(rx, args, e);
	if (r == 0)
		r = map_seen(rx, e);
	if (r == 0)
		r = attach(rx, port, e);
	if (r == 0)
		*ret = take_ptr(rx);
	return r;
}

static int put(const struct bpf_map *map, const void *values, size_t size, struct err *e)
{
	const uint32_t zero = 0;
	int r = bpf_map__update_elem(map, &zero, sizeof(zero), values, size, BPF_ANY);

	return r < 0 ? err_set(e, -r, "cannot clear the receiver's counts") : 0;
}

static int get(const struct bpf_map *map, void *values, size_t size, struct err *e)
{
	const uint32_t zero = 0;
	int r = bpf_map__lookup_elem(map, &zero, sizeof(zero), values, size, 0);

	return r < 0 ? err_set(e, -r, "cannot read the receiver's counts") : 0;
}

static int xdp_begin(struct frame_rx *rx, uint8_t trial, bool latency, struct err *e)
{
	const uint64_t used = MIN(MAX(rx->used, rx->skel->bss->next_seq), rx->max_frames);
	int r;

	/* First, so that what still comes of the trial before is late. */
	rx->skel->bss->trial = trial;
	rx->skel->bss->latency = latency;
	memset(rx->count, 0, rx->n_cpus * sizeof(*rx->count));
	for (uint32_t i = 0; i < rx->n_cpus; i++)
		hist_init(&rx->hist[i]);
	memset(rx->seen, 0, (used + 63) / 64 * sizeof(*rx->seen));
	rx->used = 0;
	rx->skel->bss->next_seq = 0;
	r = put(rx->skel->maps.counts, rx->count, rx->n_cpus * sizeof(*rx->count), e);
	if (r < 0)
		return r;
	return put(rx->skel->maps.hists, rx->hist, rx->n_cpus * sizeof(*rx->hist), e);
}

static void add_count(struct frame_count *to, const struct frame_rx_count *c)
{
	to->received += c->received;
	to->duplicated += c->duplicated;
	to->corrupt += c->corrupt;
	to->late += c->late;
	to->learned += c->learned;
	to->alien += c->alien;
	to->reordered += c->reordered;
	to->bytes += c->bytes;
	if (c->first_ns && (!to->first_ns || c->first_ns < to->first_ns))
		to->first_ns = c->first_ns;
	to->last_ns = MAX(to->last_ns, c->last_ns);
}

static int xdp_read(struct frame_rx *rx, uint64_t n_sent, struct frame_count *ret,
	struct hist *hist, struct err *e)
{
	int r = get(rx->skel->maps.counts, rx->count, rx->n_cpus * sizeof(*rx->count), e);

	assert(n_sent <= rx->max_frames);
	if (r < 0)
		return r;
	*ret = (struct frame_count){0};
	for (uint32_t i = 0; i < rx->n_cpus; i++)
		add_count(ret, &rx->count[i]);
	rx->used = MAX(rx->used, n_sent);
	frame_seen_lost(rx->seen, n_sent, ret);
	if (!hist)
		return 0;
	r = get(rx->skel->maps.hists, rx->hist, rx->n_cpus * sizeof(*rx->hist), e);
	for (uint32_t i = 0; r == 0 && i < rx->n_cpus; i++)
		hist_merge(hist, &rx->hist[i]);
	return r;
}

static const uint64_t *xdp_seen(const struct frame_rx *rx)
{
	return rx->seen;
}

static int xdp_rx_probe(const struct frame_port *port, struct err *e)
{
	const struct frame_rx_args args = {.key = 1, .max_frames = 64};
	struct frame_rx *rx = NULL;
	int r = xdp_open(&rx, port, &args, e);

	xdp_close(rx);
	return r == -EBUSY ? FRAME_UNAVAILABLE : frame_probed(r);
}

const struct frame_rx_ops frame_rx_xdp = {
	.name = "xdp",
	.summary = "counted in the kernel, by an XDP program on the device",
	.probe = xdp_rx_probe,
	.open = xdp_open,
	.begin = xdp_begin,
	.read = xdp_read,
	.seen = xdp_seen,
	.close = xdp_close,
};
