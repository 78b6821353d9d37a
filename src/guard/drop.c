#include "guard/drop.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "guard/drop_priv.h"
#include "sys/ebpf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <drop.skel.h>

const char *const drop_hook_name[] = {
	[DROP_XDP_NATIVE] = "xdp-native",
	[DROP_XDP_GENERIC] = "xdp-generic",
	[DROP_TC_INGRESS] = "tc-ingress",
	[DROP_TC_EGRESS] = "tc-egress",
	[DROP_TC_INSIDE] = "tc-inside",
};
static_assert(ARRAY_SIZE(drop_hook_name) == DROP_HOOK_N);

/* Of early_ns, so that the program's products fit into 64 bits. */
#define EARLY_MAX_NS (1LL << 40)

/* Maps that the accounting has, too: where its own one is, and how many entries one of ours has. */
static int share(struct drop *d, const struct softirq_shared *shared)
{
	const struct {
		struct bpf_map *map;
		int fd;
		uint32_t n;
	} maps[] = {
		{d->skel->maps.slices, shared ? shared->slices_fd : -1, d->n_cpus},
		{d->skel->maps.accounts, shared ? shared->accounts_fd : -1, d->cfg.n_owners},
		{d->skel->maps.budgets, shared ? shared->budgets_fd : -1, d->cfg.n_owners},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = shared ? bpf_map__reuse_fd(maps[i].map, maps[i].fd)
			   : bpf_map__set_max_entries(maps[i].map, maps[i].n);
	d->skel->rodata->n_owners = d->cfg.n_owners;
	d->skel->rodata->enforce = shared && shared->enforce;
	d->skel->rodata->irq_time = shared && shared->irq_time;
	d->skel->rodata->precise = shared && shared->precise;
	return r;
}

static int prepare_maps(struct drop *d, const struct softirq_shared *shared, struct err *e)
{
	struct bpf_map *const own[] = {d->skel->maps.policies, d->skel->maps.by_owner};
	int r = share(d, shared);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(own); i++)
		r = bpf_map__set_max_entries(own[i], d->cfg.n_owners);
	return r < 0 ? err_set(e, -r, "cannot prepare the maps of the drop programs") : 0;
}

/* What only says that it can't be had here is no failure. */
static int load(struct drop *d, struct err *e)
{
	int r = drop_bpf__load(d->skel);

	if (r == 0)
		return 0;
	r = ebpf_refused(r, e);
	return r == -EPERM || r == -ENOSYS || r == -EOPNOTSUPP ? DROP_UNAVAILABLE : r;
}

int drop_open(struct drop **ret, const struct drop_cfg *cfg, const struct softirq_shared *shared,
	struct err *e)
{
	_cleanup_(drop_closep) struct drop *d = xcalloc(1, sizeof(*d));
	int r;

	d->cfg = *cfg;
	d->is_alone = !shared;
	d->ahead_ns = clock_ahead_ns();
	if (shared)
		d->cfg.n_owners = shared->n_owners;
	assert(d->cfg.n_owners > SOFTIRQ_FIRST && d->cfg.n_owners <= SOFTIRQ_MAX_OWNERS);
	ebpf_quiet();
	r = libbpf_num_possible_cpus();
	if (r < 0)
		return err_set(e, -r, "cannot find out how many CPUs there may be");
	d->n_cpus = (uint32_t)r;
	d->skel = drop_bpf__open();
	if (!d->skel)
		return err_set(e, errno, "cannot open the drop programs");
	r = prepare_maps(d, shared, e);
	if (r == 0)
		r = load(d, e);
	if (r != 0)
		return r;
	drop_beat(d);
	*ret = take_ptr(d);
	return 0;
}

void drop_close(struct drop *d)
{
	if (!d)
		return;
	drop_detach_all(d);
	drop_bpf__destroy(d->skel);
	free(d->on);
	free(d);
}

int drop_probe(struct err *e)
{
	const struct drop_cfg cfg = {.n_owners = SOFTIRQ_FIRST + 1};
	_cleanup_(drop_closep) struct drop *d = NULL;

	return drop_open(&d, &cfg, NULL, e);
}

void drop_beat(struct drop *d)
{
	__atomic_store_n(&d->skel->bss->beat_ns, clock_now_ns() - (uint64_t)d->ahead_ns,
		__ATOMIC_RELAXED);
}

static int prefix_parse(struct drop_prefix *ret, const char *text, struct err *e)
{
	char addr[INET6_ADDRSTRLEN] = "";
	const char *slash = strchrnul(text, '/');
	const uint32_t base = memchr(text, ':', (size_t)(slash - text)) ? 0 : DROP_V4_BITS;
	uint64_t len = 128 - base;
	bool ok;

	*ret = (struct drop_prefix){0};
	if ((size_t)(slash - text) < sizeof(addr))
		memcpy(addr, text, (size_t)(slash - text));
	if (base)
		ret->addr[2] = htonl(0xffff);
	ok = base ? inet_pton(AF_INET, addr, &ret->addr[3]) == 1
		  : inet_pton(AF_INET6, addr, ret->addr) == 1;
	if (!ok || (*slash && num_parse(slash + 1, NUM_COUNT, &len, NULL) < 0) || len > 128 - base)
		return err_say(e, EINVAL, "'%s' is no IP address or prefix", text);
	ret->len = base + (uint32_t)len;
	return 0;
}

static int check_owner(const struct drop *d, uint32_t owner, struct err *e)
{
	if (owner < d->cfg.n_owners)
		return 0;
	return err_say(e, EINVAL, "there is no room for owner %u", owner);
}

/* One entry of a map whose value is an owner. */
static int set_owner(struct drop *d, const struct bpf_map *map, const void *key, uint32_t owner,
	struct err *e)
{
	int r = check_owner(d, owner, e);

	if (r < 0)
		return r;
	r = bpf_map__update_elem(map, key, bpf_map__key_size(map), &owner, sizeof(owner), BPF_ANY);
	return r < 0 ? err_set(e, -r, "cannot tell the drop programs of owner %u", owner) : 0;
}

/* What is not there is gone already. */
static void unset(const struct bpf_map *map, const void *key)
{
	(void)bpf_map__delete_elem(map, key, bpf_map__key_size(map), 0);
}

int drop_set_addr(struct drop *d, uint32_t owner, const char *prefix, struct err *e)
{
	struct drop_prefix key;
	int r = prefix_parse(&key, prefix, e);

	if (r == 0)
		r = set_owner(d, d->skel->maps.addrs, &key, owner, e);
	ebpf_changed(&d->skel->data->addr_generation);
	return r;
}

void drop_unset_addr(struct drop *d, const char *prefix)
{
	struct drop_prefix key;

	if (prefix_parse(&key, prefix, NULL) == 0)
		unset(d->skel->maps.addrs, &key);
	ebpf_changed(&d->skel->data->addr_generation);
}

int drop_set_port(struct drop *d, uint32_t owner, uint8_t proto, uint16_t port, struct err *e)
{
	const struct drop_publish key = {.port = htons(port), .proto = proto};

	return set_owner(d, d->skel->maps.ports, &key, owner, e);
}

void drop_unset_port(struct drop *d, uint8_t proto, uint16_t port)
{
	const struct drop_publish key = {.port = htons(port), .proto = proto};

	unset(d->skel->maps.ports, &key);
}

int drop_set_dev(struct drop *d, uint32_t owner, int ifindex, struct err *e)
{
	return set_owner(d, d->skel->maps.devs, &ifindex, owner, e);
}

void drop_unset_dev(struct drop *d, int ifindex)
{
	unset(d->skel->maps.devs, &ifindex);
}

static int policy_get(const struct drop *d, uint32_t owner, struct drop_policy *ret, struct err *e)
{
	int r = check_owner(d, owner, e);

	if (r < 0)
		return r;
	r = bpf_map__lookup_elem(d->skel->maps.policies, &owner, sizeof(owner), ret, sizeof(*ret),
		0);
	return r < 0 ? err_set(e, -r, "cannot read how packets of owner %u are dropped", owner) : 0;
}

static int policy_put(const struct drop *d, uint32_t owner, const struct drop_policy *policy,
	struct err *e)
{
	int r = bpf_map__update_elem(d->skel->maps.policies, &owner, sizeof(owner), policy,
		sizeof(*policy), BPF_ANY);

	return r < 0 ? err_set(e, -r, "cannot say how packets of owner %u are dropped", owner) : 0;
}

int drop_set_how(struct drop *d, uint32_t owner, const struct drop_how *how, struct err *e)
{
	struct drop_policy policy;
	int r = policy_get(d, owner, &policy, e);

	if (r < 0)
		return r;
	if (how->early_ns > EARLY_MAX_NS || how->early_ns < -EARLY_MAX_NS)
		return err_say(e, ERANGE, "packets can't be dropped from %lld ns on",
			(long long)how->early_ns);
	policy.early_ns = how->early_ns;
	policy.keep = how->keep;
	return policy_put(d, owner, &policy, e);
}

int drop_protect(struct drop *d, uint32_t owner, uint8_t proto, uint16_t port, uint8_t side,
	struct err *e)
{
	const struct drop_port new = {.port = htons(port), .proto = proto, .side = side};
	struct drop_policy policy;
	int r = policy_get(d, owner, &policy, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < policy.n_ports; i++)
		if (memcmp(&policy.port[i], &new, sizeof(new)) == 0)
			return 0;
	if (policy.n_ports == DROP_PORTS_PER_OWNER)
		return err_say(e, ENOSPC, "a container can have %d protected ports",
			DROP_PORTS_PER_OWNER);
	policy.port[policy.n_ports++] = new;
	return policy_put(d, owner, &policy, e);
}

int drop_set_budget(struct drop *d, uint32_t owner, const struct softirq_budget *b, struct err *e)
{
	int r = check_owner(d, owner, e);

	assert(d->is_alone);
	if (r == 0)
		r = bpf_map__update_elem(d->skel->maps.budgets, &owner, sizeof(owner), b,
			sizeof(*b), BPF_ANY);
	return r < 0 ? err_set(e, -r, "cannot set the budget of owner %u", owner) : 0;
}

/* All CPUs' counts of one entry added up; the map has it, so this can't fail. */
static void sum(const struct drop *d, const struct bpf_map *map, uint32_t key,
	struct drop_count *ret)
{
	_cleanup_(freep) struct drop_count *cpu = xcalloc(d->n_cpus, sizeof(*cpu));
	int r = bpf_map__lookup_elem(map, &key, sizeof(key), cpu, d->n_cpus * sizeof(*cpu), 0);

	assert(r == 0);
	*ret = (struct drop_count){0};
	for (uint32_t i = 0; i < d->n_cpus; i++) {
		ret->dropped += cpu[i].dropped;
		ret->marked += cpu[i].marked;
		ret->kept += cpu[i].kept;
		ret->stale += cpu[i].stale;
	}
}

void drop_read(const struct drop *d, uint32_t owner, struct drop_count *ret)
{
	assert(owner < d->cfg.n_owners);
	sum(d, d->skel->maps.by_owner, owner, ret);
}

void drop_read_hook(const struct drop *d, uint32_t hook, struct drop_count *ret)
{
	assert(hook < DROP_HOOK_N);
	sum(d, d->skel->maps.by_hook, hook, ret);
}

void drop_clear(struct drop *d, uint32_t owner)
{
	_cleanup_(freep) struct drop_count *none = xcalloc(d->n_cpus, sizeof(*none));
	const struct drop_policy policy = {0};
	int r;

	assert(owner < d->cfg.n_owners);
	r = bpf_map__update_elem(d->skel->maps.by_owner, &owner, sizeof(owner), none,
		d->n_cpus * sizeof(*none), BPF_ANY);
	if (r == 0)
		r = policy_put(d, owner, &policy, NULL);
	assert(r == 0);
}
