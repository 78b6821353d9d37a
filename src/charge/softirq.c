#include "charge/softirq.h"

#include "base/macro.h"
#include "base/mem.h"
#include "charge/account.h"
#include "charge/softirq_kernel.h"
#include "sys/ebpf.h"

#include <errno.h>
#include <softirq.skel.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* An array map, in memory that it shares with its programs. */
struct shared_map {
	void *at;
	size_t bytes;
};

struct softirq {
	struct softirq_bpf *skel;
	struct softirq_kernel kernel;
	uint32_t n_cpus, n_owners;
	bool enforce, precise;
	struct shared_map slices, accounts, budgets;
	/* What was there when a number was given out: subtracted, as only programs may write. */
	struct softirq_account *base; /* [n_cpus][n_owners], row = possible CPU */
};

static void unshare_map(struct shared_map *m)
{
	if (m->at)
		munmap(m->at, m->bytes);
	*m = (struct shared_map){0};
}

static int share_map(struct shared_map *m, const struct bpf_map *map, struct err *e)
{
	const size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (at == MAP_FAILED)
		return err_set(e, errno, "cannot share the memory of BPF map '%s'",
			bpf_map__name(map));
	*m = (struct shared_map){at, bytes};
	return 0;
}

/* How large the maps are, which programs there are, and what these hold for constant. */
static int configure(struct softirq *s, const struct btf *btf, const struct softirq_cfg *cfg,
	struct err *e)
{
	const bool sockets = s->kernel.sk_events || (s->kernel.sk_traces && cfg->sockets);
	const struct {
		struct bpf_map *map;
		uint32_t n;
	} size[] = {
		{s->skel->maps.slices, s->n_cpus},
		{s->skel->maps.accounts, s->n_cpus * s->n_owners},
		{s->skel->maps.budgets, s->n_owners},
	};
	const struct {
		struct bpf_program *prog;
		bool wanted;
	} option[] = {
		{s->skel->progs.packet_queued, s->kernel.queues},
		{s->skel->progs.socket_ready, sockets},
		{s->skel->progs.socket_tcp, sockets},
		{s->skel->progs.socket_full,
			sockets && softirq_traces(btf, "udp_fail_queue_rcv_skb")},
		{s->skel->progs.irq_device, softirq_traces(btf, "irq_handler_entry")},
		{s->skel->progs.irq_call, softirq_traces(btf, "call_function_single_entry")},
		{s->skel->progs.process_ran, cfg->enforce},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(size); i++)
		r = bpf_map__set_max_entries(size[i].map, size[i].n);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(option); i++)
		r = bpf_program__set_autoload(option[i].prog, option[i].wanted);
	if (r < 0)
		return err_set(e, -r, "cannot configure the BPF program");
	s->skel->rodata->n_owners = s->n_owners;
	s->skel->rodata->enforce = cfg->enforce;
	s->skel->rodata->irq_time = s->kernel.irq_time;
	s->skel->rodata->precise = cfg->precise;
	s->skel->rodata->kinds = s->kernel.tunnels;
	s->skel->rodata->socket_cgroups = s->kernel.sk_events;
	return 0;
}

static int load(struct softirq *s, const struct softirq_cfg *cfg, struct err *e)
{
	struct btf *btf = NULL;
	int r = softirq_ask(&s->kernel, &btf, e);

	if (r != 0)
		return r;
	s->skel = softirq_bpf__open();
	r = s->skel ? configure(s, btf, cfg, e)
		    : err_set(e, errno, "cannot open the BPF program 'softirq'");
	btf__free(btf);
	if (r < 0)
		return r;
	r = softirq_bpf__load(s->skel);
	return r < 0 ? softirq_refused(r, e) : 0;
}

static int share_maps(struct softirq *s, struct err *e)
{
	struct softirq_slice *slice;
	int r = share_map(&s->slices, s->skel->maps.slices, e);

	if (r == 0)
		r = share_map(&s->accounts, s->skel->maps.accounts, e);
	if (r == 0)
		r = share_map(&s->budgets, s->skel->maps.budgets, e);
	if (r < 0)
		return r;
	slice = s->slices.at;
	for (uint32_t cpu = 0; cpu < s->n_cpus; cpu++)
		slice[cpu].first_account = cpu * s->n_owners;
	return 0;
}

/* softirq_entry last, so that no softirq is seen to begin that isn't seen to end. */
static int attach(struct softirq *s, struct err *e)
{
	int r;

	bpf_program__set_autoattach(s->skel->progs.softirq_begin, false);
	r = softirq_bpf__attach(s->skel);
	if (r < 0)
		return softirq_refused(r, e);
	s->skel->links.softirq_begin = bpf_program__attach(s->skel->progs.softirq_begin);
	return s->skel->links.softirq_begin ? 0 : softirq_refused(-errno, e);
}

static int new (struct softirq **ret, const struct softirq_cfg *cfg, struct err *e)
{
	_cleanup_(softirq_closep) struct softirq *s = xcalloc(1, sizeof(*s));
	int r = libbpf_num_possible_cpus();

	assert(cfg->n_owners >= SOFTIRQ_FIRST && cfg->n_owners <= SOFTIRQ_MAX_OWNERS);
	ebpf_quiet();
	if (r < 0)
		return err_set(e, -r, "cannot count the CPUs");
	s->n_cpus = (uint32_t)r;
	s->n_owners = cfg->n_owners;
	s->enforce = cfg->enforce;
	s->precise = cfg->precise;
	r = load(s, cfg, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

int softirq_probe(struct err *e)
{
	const struct softirq_cfg cfg = {.n_owners = SOFTIRQ_FIRST};
	_cleanup_(softirq_closep) struct softirq *s = NULL;

	return new (&s, &cfg, e);
}

int softirq_open(struct softirq **ret, const struct softirq_cfg *cfg, struct err *e)
{
	_cleanup_(softirq_closep) struct softirq *s = NULL;
	int r = new (&s, cfg, e);

	if (r != 0)
		return r;
	s->base = xcalloc((size_t)s->n_cpus * s->n_owners, sizeof(*s->base));
	r = share_maps(s, e);
	if (r == 0)
		r = attach(s, e);
	if (r == 0)
		*ret = take_ptr(s);
	return r;
}

void softirq_close(struct softirq *s)
{
	if (!s)
		return;
	unshare_map(&s->slices);
	unshare_map(&s->accounts);
	unshare_map(&s->budgets);
	softirq_bpf__destroy(s->skel);
	free(s->base);
	free(s);
}

const struct softirq_kernel *softirq_kernel(const struct softirq *s)
{
	return &s->kernel;
}

uint32_t softirq_n_cpus(const struct softirq *s)
{
	return s->n_cpus;
}

/* @owner: SOFTIRQ_TAP may be set */
static int set(const struct softirq *s, struct bpf_map *map, const void *key, uint32_t owner,
	struct err *e)
{
	int r;

	assert((owner & ~SOFTIRQ_TAP) < s->n_owners);
	r = bpf_map_update_elem(bpf_map__fd(map), key, &owner, BPF_ANY);
	if (r == -E2BIG) /* Ref: kernel/bpf/hashtab.c alloc_htab_elem */
		return err_say(e, ENOSPC, "table '%s' of owners is full: %u entries",
			bpf_map__name(map), bpf_map__max_entries(map));
	return r < 0 ? err_set(e, -r, "cannot set an entry of BPF map '%s'", bpf_map__name(map))
		     : 0;
}

static void unset(struct bpf_map *map, const void *key)
{
	(void)bpf_map_delete_elem(bpf_map__fd(map), key); /* fine if it is not there */
}

int softirq_set_netns(struct softirq *s, uint32_t netns, uint32_t owner, struct err *e)
{
	return set(s, s->skel->maps.netns_owner, &netns, owner, e);
}

int softirq_set_dev(struct softirq *s, const struct softirq_dev *dev, uint32_t owner, struct err *e)
{
	return set(s, s->skel->maps.dev_owner, dev, owner, e);
}

int softirq_set_tap(struct softirq *s, const struct softirq_dev *dev, uint32_t owner, struct err *e)
{
	return set(s, s->skel->maps.dev_owner, dev, owner | SOFTIRQ_TAP, e);
}

int softirq_set_cgroup(struct softirq *s, uint64_t cgroup_id, uint32_t owner, struct err *e)
{
	return set(s, s->skel->maps.cgroup_owner, &cgroup_id, owner, e);
}

void softirq_unset_netns(struct softirq *s, uint32_t netns)
{
	unset(s->skel->maps.netns_owner, &netns);
}

void softirq_unset_dev(struct softirq *s, const struct softirq_dev *dev)
{
	unset(s->skel->maps.dev_owner, dev);
}

void softirq_unset_cgroup(struct softirq *s, uint64_t cgroup_id)
{
	unset(s->skel->maps.cgroup_owner, &cgroup_id);
}

void softirq_changed(struct softirq *s)
{
	ebpf_changed(&s->skel->data->generation);
}

/* Structs of counters only, which the programs write one by one. */
static void load_words(uint64_t *ret, const uint64_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void read_raw(const struct softirq *s, uint32_t cpu, uint32_t owner,
	struct softirq_account *ret)
{
	const struct softirq_account *accounts = s->accounts.at;

	load_words((uint64_t *)ret, (const uint64_t *)&accounts[(size_t)cpu * s->n_owners + owner],
		sizeof(*ret) / sizeof(uint64_t));
}

void softirq_read(const struct softirq *s, uint32_t cpu, uint32_t owner,
	struct softirq_account *ret)
{
	const uint64_t *base = (const uint64_t *)&s->base[(size_t)cpu * s->n_owners + owner];
	uint64_t *word = (uint64_t *)ret;

	assert(cpu < s->n_cpus && owner < s->n_owners);
	read_raw(s, cpu, owner, ret);
	for (size_t i = 0; i < sizeof(*ret) / sizeof(*word); i++)
		word[i] -= base[i];
}

void softirq_read_sum(const struct softirq *s, uint32_t owner, struct softirq_account *ret)
{
	*ret = (struct softirq_account){0};
	for (uint32_t cpu = 0; cpu < s->n_cpus; cpu++) {
		struct softirq_account one;

		softirq_read(s, cpu, owner, &one);
		account_add(ret, &one);
	}
}

static const struct softirq_slice *slice_of(const struct softirq *s, uint32_t cpu)
{
	const struct softirq_slice *slices = s->slices.at;

	assert(cpu < s->n_cpus);
	return &slices[cpu];
}

void softirq_read_cpu(const struct softirq *s, uint32_t cpu, struct softirq_cpu *ret)
{
	load_words((uint64_t *)ret, (const uint64_t *)&slice_of(s, cpu)->sum,
		sizeof(*ret) / sizeof(uint64_t));
}

uint32_t softirq_seq(const struct softirq *s, uint32_t cpu)
{
	uint32_t seq;

	/* What is read before must not be read after, and the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	seq = __atomic_load_n(&slice_of(s, cpu)->seq, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return seq;
}

void softirq_clear(struct softirq *s, uint32_t owner)
{
	assert(owner < s->n_owners);
	for (uint32_t cpu = 0; cpu < s->n_cpus; cpu++)
		read_raw(s, cpu, owner, &s->base[(size_t)cpu * s->n_owners + owner]);
}

struct softirq_budget *softirq_budget(const struct softirq *s, uint32_t owner)
{
	struct softirq_budget *budgets = s->budgets.at;

	assert(owner < s->n_owners);
	return s->enforce ? &budgets[owner] : NULL;
}

void softirq_set_irq_cost(struct softirq *s, uint64_t ns)
{
	__atomic_store_n(&s->skel->bss->irq_ns, ns, __ATOMIC_RELAXED);
}

void softirq_share(const struct softirq *s, struct softirq_shared *ret)
{
	*ret = (struct softirq_shared){
		.slices_fd = bpf_map__fd(s->skel->maps.slices),
		.accounts_fd = bpf_map__fd(s->skel->maps.accounts),
		.budgets_fd = bpf_map__fd(s->skel->maps.budgets),
		.n_cpus = s->n_cpus,
		.n_owners = s->n_owners,
		.enforce = s->enforce,
		.irq_time = s->kernel.irq_time,
		.precise = s->precise,
	};
}
