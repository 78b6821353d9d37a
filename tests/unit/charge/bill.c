/*
 * Bills over an accounting and containers that are made up here: every function of
 * charge/softirq.h and charge/container.h that is called, /proc/stat, and cgroups' directories.
 */
#include "charge/bill.h"

#include "base/mem.h"
#include "base/str.h"
#include "charge/bill_sum.h"
#include "charge/cfg.h"
#include "charge/container_watch.h"
#include "sys/cpustat.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define N_CPUS 2
#define N_ROOM 64 /* numbers of owners */
#define N_KEYS 4096
#define HOST   SOFTIRQ_HOST

/* A table of the kernel's: key to owner; 0: not there, which no test sets. */
struct table {
	uint32_t owner[N_KEYS];
	uint32_t n, room;
};

static struct fake {
	struct softirq_kernel kernel;
	bool open;
	int open_says, scan_says;
	uint32_t n_owners;
	struct table netns, dev, cgroup;
	struct softirq_account account[N_CPUS][N_ROOM];
	struct softirq_cpu cpu[N_CPUS];
	uint32_t n_changed;
	bool busy;    /* a softirq is always open */
	bool watched; /* the kernel says what comes and goes */

	uint32_t n; /* containers there are now */
	struct container item[N_ROOM];
	uint64_t usage_ns[N_KEYS]; /* by cgroup's id; 0: can't be read */
	uint64_t child[N_KEYS];    /* a cgroup below it; 0: none */
	const char *missing;       /* a name that is asked for and not there */

	uint32_t n_stat_cpus; /* 0: /proc/stat can't be read */
	uint64_t idle_ns;     /* of each */
} fake;

struct softirq {
	int unused;
};
static struct softirq the_softirq;

int softirq_open(struct softirq **ret, const struct softirq_cfg *cfg, struct err *e)
{
	if (fake.open_says > 0)
		return err_say(e, ENOENT, "no BTF"), fake.open_says;
	fake.open = true;
	fake.n_owners = cfg->n_owners;
	assert_true(cfg->n_owners <= N_ROOM);
	*ret = &the_softirq;
	return 0;
}

void softirq_close(struct softirq *s)
{
	fake.open = s ? false : fake.open;
}

const struct softirq_kernel *softirq_kernel(const struct softirq *s)
{
	(void)s;
	return &fake.kernel;
}

uint32_t softirq_n_cpus(const struct softirq *s)
{
	(void)s;
	return N_CPUS;
}

uint32_t softirq_seq(const struct softirq *s, uint32_t cpu)
{
	(void)s;
	return fake.busy ? 1 : 2 * (uint32_t)fake.cpu[cpu].rx_n;
}

static int table_set(struct table *t, uint64_t key, uint32_t owner, struct err *e)
{
	assert_in_range(key, 1, N_KEYS - 1);
	assert_in_range(owner, SOFTIRQ_FIRST, fake.n_owners - 1);
	if (!t->owner[key] && t->room && t->n == t->room)
		return err_say(e, ENOSPC, "full");
	t->n += !t->owner[key];
	t->owner[key] = owner;
	return 0;
}

static void table_unset(struct table *t, uint64_t key)
{
	t->n -= t->owner[key] != 0;
	t->owner[key] = 0;
}

int softirq_set_netns(struct softirq *s, uint32_t netns, uint32_t owner, struct err *e)
{
	(void)s;
	return table_set(&fake.netns, netns, owner, e);
}

int softirq_set_dev(struct softirq *s, const struct softirq_dev *dev, uint32_t owner, struct err *e)
{
	(void)s;
	return table_set(&fake.dev, dev->ifindex, owner, e);
}

int softirq_set_cgroup(struct softirq *s, uint64_t id, uint32_t owner, struct err *e)
{
	(void)s;
	return table_set(&fake.cgroup, id, owner, e);
}

void softirq_unset_netns(struct softirq *s, uint32_t netns)
{
	(void)s;
	table_unset(&fake.netns, netns);
}

void softirq_unset_dev(struct softirq *s, const struct softirq_dev *dev)
{
	(void)s;
	table_unset(&fake.dev, dev->ifindex);
}

void softirq_unset_cgroup(struct softirq *s, uint64_t id)
{
	(void)s;
	table_unset(&fake.cgroup, id);
}

void softirq_changed(struct softirq *s)
{
	(void)s;
	fake.n_changed++;
}

void softirq_read(const struct softirq *s, uint32_t cpu, uint32_t owner,
	struct softirq_account *ret)
{
	(void)s;
	*ret = fake.account[cpu][owner];
}

void softirq_read_sum(const struct softirq *s, uint32_t owner, struct softirq_account *ret)
{
	(void)s;
	*ret = (struct softirq_account){0};
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		for (size_t i = 0; i < sizeof(*ret) / sizeof(__u64); i++)
			((__u64 *)ret)[i] += ((__u64 *)&fake.account[cpu][owner])[i];
}

void softirq_read_cpu(const struct softirq *s, uint32_t cpu, struct softirq_cpu *ret)
{
	(void)s;
	*ret = fake.cpu[cpu];
}

void softirq_clear(struct softirq *s, uint32_t owner)
{
	(void)s;
	for (uint32_t cpu = 0; cpu < N_CPUS; cpu++)
		fake.account[cpu][owner] = (struct softirq_account){0};
}

static bool named(const char *const *words)
{
	for (uint32_t i = 0; words && words[i]; i++)
		if (fake.missing && strcmp(words[i], fake.missing) == 0)
			return true;
	return false;
}

int containers_scan(struct container_list *ret, const struct container_cfg *cfg, struct err *e)
{
	*ret = (struct container_list){0};
	if (fake.scan_says < 0)
		return err_say(e, -fake.scan_says, "cannot scan");
	if (!cfg->gone_ok && (named(cfg->netns) || named(cfg->cgroup)))
		return err_say(e, ENOENT, "no such");
	ret->item = xcalloc(fake.n + 1, sizeof(*ret->item));
	/* Places change from scan to scan. */
	for (uint32_t i = fake.n; i > 0 && !cfg->only; i--)
		ret->item[ret->n++] = fake.item[i - 1];
	return 0;
}

void container_list_fini(struct container_list *l)
{
	free(l->item);
	*l = (struct container_list){0};
}

bool container_same(const struct container *a, const struct container *b)
{
	return a->cgroup_id == b->cgroup_id && a->netns == b->netns;
}

int container_usage_open(const struct container *c, struct err *e)
{
	if (!fake.usage_ns[c->cgroup_id])
		return err_say(e, ENOENT, "gone");
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int container_usage_read(const struct container *c, int fd, uint64_t *ret, struct err *e)
{
	assert_true(fd > 0);
	if (!fake.usage_ns[c->cgroup_id])
		return err_say(e, ENOENT, "gone");
	*ret = fake.usage_ns[c->cgroup_id];
	return 0;
}

int container_cgroups(const struct container *c, uint64_t *ret, uint32_t max, struct err *e)
{
	(void)e;
	assert_in_range(max, 2, 65536);
	ret[0] = c->cgroup_id;
	ret[1] = fake.child[c->cgroup_id];
	return ret[1] ? 2 : 1;
}

struct container_watch {
	bool said;
};
static struct container_watch the_watch;

int container_watch_open(struct container_watch **ret, struct err *e)
{
	if (!fake.watched)
		return err_say(e, EMFILE, "no more watches");
	*ret = &the_watch;
	return 0;
}

void container_watch_close(struct container_watch *w)
{
	(void)w;
}

int container_watch_fd(const struct container_watch *w)
{
	(void)w;
	return 99;
}

bool container_watch_take_devs(struct container_watch *w)
{
	(void)w;
	return true;
}

bool container_watch_take(struct container_watch *w)
{
	bool said = w->said;

	w->said = false;
	return said;
}

int cpustat_read(struct cpustat *ret, struct err *e)
{
	for (uint32_t i = 0; i < fake.n_stat_cpus; i++)
		ret[i] = (struct cpustat){.idle_ns = fake.idle_ns};
	return fake.n_stat_cpus ? (int)fake.n_stat_cpus : err_say(e, ENOENT, "no /proc/stat");
}

/* A container with the cgroup and the namespace of this number, and a device with ifindex dev. */
static void add(uint32_t id, uint32_t netns, uint32_t dev)
{
	struct container *c = &fake.item[fake.n++];

	assert_in_range(fake.n, 1, N_ROOM);
	*c = (struct container){.kind = CONTAINER_DOCKER, .cgroup_id = id, .netns = netns};
	snprintf(c->name, sizeof(c->name), "c%u", id);
	snprintf(c->cgroup, sizeof(c->cgroup), "/docker/c%u", id);
	if (dev) {
		c->n_devs = 1;
		c->dev[0] = (struct softirq_dev){.netns = 1, .ifindex = dev};
	}
	fake.usage_ns[id] = 1000;
}

static void die(uint32_t id)
{
	for (uint32_t i = 0; i < fake.n; i++)
		if (fake.item[i].cgroup_id == id) {
			fake.item[i] = fake.item[--fake.n];
			fake.usage_ns[id] = 0;
			return;
		}
	fail();
}

/* A softirq of one owner on one CPU. */
static void work(uint32_t cpu, uint32_t owner, uint64_t rx_ns, uint64_t tx_ns, uint64_t pkts)
{
	struct softirq_account *a = &fake.account[cpu][owner];

	a->rx_ns += rx_ns;
	a->tx_ns += tx_ns;
	a->rx_pkts += pkts;
	fake.cpu[cpu].rx_ns += rx_ns;
	fake.cpu[cpu].tx_ns += tx_ns;
	fake.cpu[cpu].rx_n++;
}

static struct charge *open_with(uint32_t max, bool per_cpu)
{
	const struct charge_cfg cfg = {.find = {.max = max}, .per_cpu = per_cpu};
	struct charge *c = NULL;
	struct err e = {0};

	assert_int_equal(charge_open(&c, &cfg, &e), 0);
	return c;
}

static struct bill next(struct charge *c)
{
	struct bill b;
	struct err e = {0};

	assert_int_equal(charge_bill(c, &b, &e), 0);
	assert_int_equal(b.row[0].owner, HOST);
	assert_int_equal(b.row[1].owner, SOFTIRQ_OVERHEAD);
	return b;
}

static struct bill total(struct charge *c)
{
	struct bill b;

	charge_total(c, &b);
	return b;
}

/* The last row of this name; NULL: none. */
static const struct bill_row *row(const struct bill *b, const char *name)
{
	const struct bill_row *r = NULL;

	for (uint32_t i = 0; i < b->n_rows; i++)
		if (strcmp(b->row[i].who.name, name) == 0)
			r = &b->row[i];
	return r;
}

static uint32_t owner_of(const struct bill *b, const char *name)
{
	const struct bill_row *r = row(b, name);

	assert_non_null(r);
	return r->owner;
}

static int start(void **state)
{
	(void)state;
	fake = (struct fake){.n_stat_cpus = N_CPUS};
	return 0;
}

/* What the rows say of one container beside the host. */
static void sums(void **state)
{
	static const struct {
		bool irq_time;
		struct softirq_account a;
		uint64_t process_ns;
		int64_t total_ns;
	} t[] = {
		/* Softirqs elsewhere are added, those in its own context are in process already. */
		{false, {.rx_ns = 300, .own_ns = 100}, 1000, 1200},
		/* What others took in its context was not its work. */
		{false, {.gained_ns = 400}, 1000, 600},
		{false, {.rx_ns = 10, .tx_ns = 20, .other_ns = 30, .own_ns = 60, .gained_ns = 5},
			1000, 995},
		/* Owed more than it used: softirqs were counted, its processes' time not yet. */
		{false, {.gained_ns = 30}, 10, -20},
		{false, {.rx_ns = 5, .thread_ns = 50}, 0, 55},
		/* Kernels that keep both apart. */
		{true, {.rx_ns = 300, .own_ns = 100, .gained_ns = 400}, 1000, 1300},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct bill_row r = {.owner = SOFTIRQ_FIRST,
			.soft = t[i].a,
			.process_ns = t[i].process_ns,
			.process_known = true};

		bill_row_sum(&r, t[i].irq_time);
		assert_int_equal(r.total_ns, t[i].total_ns);
		assert_int_equal(r.softirq_ns, t[i].a.rx_ns + t[i].a.tx_ns + t[i].a.other_ns);
		assert_true(isnan(r.ns_per_pkt));
	}
}

/*
 * All totals together are what the machine was busy for: 1000 ns of processes, of which 300 are a
 * container's and 40 a NAPI thread's; softirqs of 90 ns in its context, 60 in the host's, 50 while
 * idle.
 */
static void totals_are_busy_time(void **state)
{
	(void)state;
	for (int irq_time = 0; irq_time < 2; irq_time++) {
		struct bill_row rows[] = {
			{.owner = HOST, .soft = {.rx_ns = 70}},
			{.owner = SOFTIRQ_OVERHEAD, .soft = {.rx_ns = 10}, .process_known = true},
			{.owner = 2,
				.soft = {.rx_ns = 100,
					.tx_ns = 20,
					.own_ns = 80,
					.gained_ns = 10,
					.thread_ns = 40},
				.process_ns = 300,
				.process_known = true},
		};
		struct softirq_cpu cpu = {.rx_ns = 180, .tx_ns = 20, .idle_ns = 50};
		struct bill b = {.row = rows, .n_rows = 3, .cpu = &cpu, .n_cpus = 1};
		/* Without irq_time, softirqs in processes' contexts are in these 1000. */
		uint64_t busy_ns = irq_time ? 1000 + 200 : 1000 + 50;
		int64_t sum = 0;

		bill_sum(&b, &busy_ns, irq_time);
		for (uint32_t i = 0; i < 3; i++)
			sum += rows[i].total_ns;
		assert_int_equal(sum, busy_ns);
		assert_int_equal(rows[0].process_ns, 700);
		assert_int_equal(rows[0].total_ns, irq_time ? 770 - 40 : 700 - 60 + 70 - 40);
		assert_true(b.conservation == 1);
	}
}

static void nothing_is_no_number(void **state)
{
	struct bill_row host = {.owner = HOST};
	struct bill b = {.row = &host, .n_rows = 1};

	(void)state;
	bill_sum(&b, NULL, false);
	assert_false(host.process_known);
	assert_true(isnan(b.conservation) && isnan(host.ns_per_pkt));
}

static void differences(void **state)
{
	struct charge *c;
	struct bill b, t;

	(void)state;
	add(10, 100, 7);
	work(0, SOFTIRQ_FIRST, 5000, 0, 50); /* before it began */
	c = open_with(8, true);
	assert_int_equal(fake.netns.owner[100], SOFTIRQ_FIRST);
	assert_int_equal(fake.dev.owner[7], SOFTIRQ_FIRST);
	assert_int_equal(fake.cgroup.owner[10], SOFTIRQ_FIRST);
	work(0, SOFTIRQ_FIRST, 300, 100, 4);
	work(1, SOFTIRQ_FIRST, 50, 0, 1);
	work(1, HOST, 30, 0, 1);
	fake.usage_ns[10] += 600;
	b = next(c);
	assert_int_equal(b.n_rows, 3);
	assert_int_equal(b.row[2].soft.rx_ns, 350);
	assert_int_equal(b.row[2].softirq_ns, 450);
	assert_int_equal(b.row[2].process_ns, 600);
	assert_true(b.row[2].ns_per_pkt == 450 / 5.0);
	assert_false(b.row[2].is_new || b.row[2].is_gone);
	assert_int_equal(b.row[0].soft.rx_ns, 30);
	assert_int_equal(b.cpu[0].rx_ns, 300);
	assert_int_equal(b.cpu_row[0 * 3 + 2].rx_ns, 300);
	assert_int_equal(b.cpu_row[1 * 3 + 2].rx_ns, 50);
	assert_int_equal(b.cpu_row[1 * 3 + 0].rx_ns, 30);
	assert_true(b.conservation == 1);
	assert_true(b.to_ns > b.from_ns);
	bill_fini(&b);

	work(0, SOFTIRQ_FIRST, 7, 0, 0);
	b = next(c);
	assert_int_equal(b.row[2].soft.rx_ns, 7);
	assert_int_equal(b.row[2].process_ns, 0);
	t = total(c);
	assert_int_equal(t.row[2].soft.rx_ns, 357);
	assert_int_equal(t.row[2].process_ns, 600);
	assert_int_equal(t.cpu_row[0 * 3 + 2].rx_ns, 307);
	assert_int_equal(t.cpu[1].rx_ns, 80);
	assert_true(t.from_ns < b.from_ns && t.to_ns >= b.to_ns);
	bill_fini(&b);
	bill_fini(&t);
	charge_close(c);
	assert_false(fake.open);
}

static void host_has_the_rest(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	c = open_with(8, false);
	fake.usage_ns[10] += 1;
	b = next(c);
	/* No idle time has passed, so both CPUs were busy. */
	assert_true(b.row[0].process_known);
	assert_int_equal(b.row[0].process_ns, 2 * (b.to_ns - b.from_ns) - 1);
	bill_fini(&b);
	fake.idle_ns += 3600 * NSEC_PER_SEC;
	b = next(c);
	assert_int_equal(b.row[0].process_ns, 0);
	bill_fini(&b);
	b = total(c);
	assert_true(b.row[0].process_known);
	bill_fini(&b);
	fake.n_stat_cpus = 1; /* one went offline, with its idle time */
	b = next(c);
	assert_false(b.row[0].process_known);
	bill_fini(&b);
	fake.n_stat_cpus = N_CPUS; /* it is back, and so are the bills, not the total */
	b = next(c);
	assert_false(b.row[0].process_known);
	bill_fini(&b);
	b = next(c);
	assert_true(b.row[0].process_known);
	bill_fini(&b);
	b = total(c);
	assert_false(b.row[0].process_known);
	bill_fini(&b);
	fake.idle_ns -= NSEC_PER_SEC; /* off and on within an interval: counted anew */
	b = next(c);
	assert_false(b.row[0].process_known);
	bill_fini(&b);
	fake.n_stat_cpus = 0;
	b = next(c);
	assert_false(b.row[0].process_known);
	bill_fini(&b);
	charge_close(c);
}

static void comes_and_goes(void **state)
{
	struct charge *c = open_with(8, false);
	struct bill b;
	uint32_t first;

	(void)state;
	b = next(c);
	assert_int_equal(b.n_rows, 2);
	bill_fini(&b);
	add(10, 100, 7);
	b = next(c);
	assert_true(row(&b, "c10")->is_new);
	first = owner_of(&b, "c10");
	bill_fini(&b);
	work(0, first, 100, 0, 1);
	fake.usage_ns[10] += 40;
	b = next(c);
	assert_false(row(&b, "c10")->is_new);
	assert_int_equal(row(&b, "c10")->process_ns, 40);
	bill_fini(&b);

	work(1, first, 11, 0, 1);
	die(10);
	add(11, 101, 7); /* its device's number, too, is another one's now */
	b = next(c);
	assert_true(row(&b, "c10")->is_gone);
	assert_int_equal(row(&b, "c10")->soft.rx_ns, 11);
	assert_int_not_equal(owner_of(&b, "c11"), first);
	assert_int_equal(fake.netns.owner[100], 0);
	assert_int_equal(fake.cgroup.owner[10], 0);
	assert_int_equal(fake.dev.owner[7], owner_of(&b, "c11"));
	bill_fini(&b);

	/* A CPU was still at it. */
	work(1, first, 3, 0, 0);
	b = next(c);
	assert_int_equal(row(&b, "c10")->soft.rx_ns, 3);
	assert_true(b.conservation == 1);
	bill_fini(&b);
	assert_int_equal(fake.account[1][first].rx_ns, 0);

	add(12, 102, 0);
	b = next(c);
	assert_null(row(&b, "c10"));
	assert_int_equal(owner_of(&b, "c12"), first);
	assert_int_equal(row(&b, "c12")->soft.rx_ns, 0);
	bill_fini(&b);

	b = total(c);
	assert_int_equal(b.n_rows, 5);
	assert_int_equal(row(&b, "c10")->soft.rx_ns, 114);
	assert_int_equal(row(&b, "c10")->process_ns, 40);
	assert_true(row(&b, "c10")->is_gone && row(&b, "c10")->is_new);
	assert_false(row(&b, "c12")->is_gone);
	assert_string_equal(b.row[2].who.name, "c10"); /* as they were found */
	assert_string_equal(b.row[4].who.name, "c12");
	assert_true(b.conservation == 1);
	bill_fini(&b);
	charge_close(c);
}

static void quiet_ones_are_told_gone_once(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	c = open_with(8, false);
	die(10);
	b = next(c);
	assert_true(row(&b, "c10")->is_gone);
	bill_fini(&b);
	b = next(c);
	assert_null(row(&b, "c10"));
	bill_fini(&b);
	b = total(c);
	assert_non_null(row(&b, "c10"));
	bill_fini(&b);
	charge_close(c);
}

/* More than there are numbers: they wait for one, and the first is not driven out. */
static void too_many(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	c = open_with(1, false);
	add(11, 101, 0);
	b = next(c);
	assert_int_equal(b.n_left_out, 1);
	assert_non_null(row(&b, "c10"));
	assert_int_equal(fake.netns.owner[101], 0);
	bill_fini(&b);
	die(10);
	for (uint32_t i = 0; i < 3; i++) {
		b = next(c);
		assert_int_equal(b.n_left_out, i == 2 ? 0 : 1);
		assert_int_equal(row(&b, "c11") != NULL, i == 2);
		bill_fini(&b);
	}
	charge_close(c);
}

static void kernel_tables_full(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	fake.cgroup.room = 1;
	add(10, 100, 0);
	c = open_with(8, false);
	add(11, 101, 9);
	b = next(c);
	assert_int_equal(b.n_left_out, 1);
	assert_null(row(&b, "c11"));
	assert_int_equal(fake.netns.owner[101], 0);
	assert_int_equal(fake.dev.owner[9], 0);
	bill_fini(&b);
	fake.cgroup.room = 2;
	b = next(c);
	assert_int_equal(b.n_left_out, 0);
	assert_non_null(row(&b, "c11"));
	bill_fini(&b);
	charge_close(c);
}

/* Of one that has been billed what is new waits for room: the rest of it stays its own. */
static void kernel_tables_full_for_a_part(void **state)
{
	struct charge *c;
	struct bill b;
	uint32_t owner;

	(void)state;
	add(10, 100, 7);
	c = open_with(8, false);
	b = next(c);
	owner = owner_of(&b, "c10");
	bill_fini(&b);
	fake.cgroup.room = fake.dev.room = 1;
	fake.child[10] = 20;
	fake.item[0].n_devs = 2;
	fake.item[0].dev[1] = (struct softirq_dev){.netns = 1, .ifindex = 8};
	for (uint32_t i = 0; i < 2; i++) {
		b = next(c);
		assert_int_equal(b.n_left_out, 1);
		assert_int_equal(owner_of(&b, "c10"), owner);
		assert_int_equal(fake.cgroup.owner[10], owner);
		assert_int_equal(fake.cgroup.owner[20], 0);
		assert_int_equal(fake.netns.owner[100], owner);
		assert_int_equal(fake.dev.n, 1);
		bill_fini(&b);
	}
	fake.cgroup.room = 2;
	b = next(c);
	assert_int_equal(b.n_left_out, 1);
	assert_int_equal(fake.cgroup.owner[20], owner);
	bill_fini(&b);
	fake.dev.room = 2;
	b = next(c);
	assert_int_equal(b.n_left_out, 0);
	assert_int_equal(fake.dev.owner[7], owner);
	assert_int_equal(fake.dev.owner[8], owner);
	bill_fini(&b);
	charge_close(c);
}

/* Two in one namespace: one has its packets, and the other one when that is gone. */
static void shared_namespace(void **state)
{
	struct charge *c;
	struct bill b;
	uint32_t holder, other;

	(void)state;
	add(10, 100, 7);
	add(11, 100, 7);
	c = open_with(8, false);
	b = next(c);
	holder = fake.netns.owner[100];
	other = owner_of(&b, "c10") == holder ? owner_of(&b, "c11") : owner_of(&b, "c10");
	assert_int_equal(fake.dev.owner[7], holder);
	assert_int_equal(fake.cgroup.owner[10], owner_of(&b, "c10"));
	assert_int_equal(fake.cgroup.owner[11], owner_of(&b, "c11"));
	die(owner_of(&b, "c10") == holder ? 10 : 11);
	bill_fini(&b);
	b = next(c);
	assert_int_equal(fake.netns.owner[100], other);
	assert_int_equal(fake.dev.owner[7], other);
	bill_fini(&b);
	charge_close(c);
}

static void of_the_host(void **state)
{
	struct charge *c;

	(void)state;
	add(10, 100, 0);
	fake.item[0].host_netns = true;
	c = open_with(8, false);
	assert_int_equal(fake.netns.n, 0);
	assert_int_equal(fake.cgroup.owner[10], SOFTIRQ_FIRST);
	charge_close(c);
}

static void changes_its_device(void **state)
{
	struct charge *c;
	struct bill b;
	uint32_t before;

	(void)state;
	add(10, 100, 7);
	c = open_with(8, false);
	fake.item[0].dev[0].ifindex = 8;
	str_set(fake.item[0].name, "renamed");
	before = fake.n_changed;
	b = next(c);
	assert_int_equal(fake.dev.owner[7], 0);
	assert_int_equal(fake.dev.owner[8], SOFTIRQ_FIRST);
	assert_int_equal(owner_of(&b, "renamed"), SOFTIRQ_FIRST);
	assert_int_equal(b.n_rows, 3);
	assert_true(fake.n_changed > before);
	bill_fini(&b);
	charge_close(c);
}

/* Two that swap devices, whichever is looked at first; a namespace that is another one's now. */
static void devices_change_hands(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 7);
	add(11, 101, 8);
	c = open_with(8, false);
	fake.item[0].dev[0].ifindex = 8;
	fake.item[1].dev[0].ifindex = 7;
	b = next(c);
	assert_int_equal(fake.dev.owner[8], owner_of(&b, "c10"));
	assert_int_equal(fake.dev.owner[7], owner_of(&b, "c11"));
	bill_fini(&b);

	/* c12 has been asked for, say: it is the one that is charged from now on. */
	add(12, 100, 8);
	fake.item[0].shared_netns = true;
	fake.item[0].n_devs = 0;
	b = next(c);
	assert_int_equal(fake.netns.owner[100], owner_of(&b, "c12"));
	assert_int_equal(fake.dev.owner[8], owner_of(&b, "c12"));
	bill_fini(&b);
	charge_close(c);
}

/* A cgroup below is its own, until it becomes a container, and again when that one is gone. */
static void cgroups_below(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	fake.child[10] = 20;
	c = open_with(8, false);
	assert_int_equal(fake.cgroup.owner[20], SOFTIRQ_FIRST);
	add(20, 101, 0);
	str_set(fake.item[1].cgroup, "/docker/c10/c20");
	b = next(c);
	assert_int_equal(fake.cgroup.owner[20], owner_of(&b, "c20"));
	assert_int_equal(fake.cgroup.owner[10], SOFTIRQ_FIRST);
	bill_fini(&b);
	die(20);
	b = next(c);
	assert_int_equal(fake.cgroup.owner[20], SOFTIRQ_FIRST);
	bill_fini(&b);
	fake.child[10] = 0;
	b = next(c);
	assert_int_equal(fake.cgroup.owner[20], 0);
	bill_fini(&b);
	charge_close(c);
}

/* Neither ten thousand dead containers nor their numbers are kept, but all that they had is. */
static void thousands_come_and_go(void **state)
{
	const uint32_t n = CHARGE_MAX_GONE + 100;
	struct charge *c = open_with(4, true);
	uint64_t sum = 0;
	struct bill b;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = 10 + i;

		add(id, id, 0);
		b = next(c);
		work(i % N_CPUS, owner_of(&b, b.row[b.n_rows - 1].who.name), 3, 0, 1);
		bill_fini(&b);
		die(id);
		b = next(c);
		bill_fini(&b);
		b = next(c);
		bill_fini(&b);
	}
	b = total(c);
	assert_int_equal(b.n_rows, 2 + CHARGE_MAX_GONE);
	assert_int_equal(row(&b, "(earlier)")->soft.rx_ns, 101 * 3);
	for (uint32_t i = 0; i < b.n_rows; i++)
		sum += b.cpu_row[i].rx_ns + b.cpu_row[b.n_rows + i].rx_ns;
	assert_int_equal(sum, n * 3);
	assert_true(b.conservation == 1);
	bill_fini(&b);
	charge_close(c);
}

static void counters_that_go_back(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	work(0, SOFTIRQ_FIRST, 100, 0, 1);
	c = open_with(8, false);
	softirq_clear(NULL, SOFTIRQ_FIRST);
	fake.usage_ns[10] = 1;
	b = next(c);
	assert_int_equal(b.row[2].soft.rx_ns, 0);
	assert_int_equal(b.row[2].process_ns, 0);
	bill_fini(&b);
	charge_close(c);
}

static void unknown_processes(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	fake.item[0].cgroup[0] = '\0';
	c = open_with(8, false);
	b = next(c);
	assert_false(b.row[2].process_known);
	assert_true(b.row[1].process_known); /* overhead has none, and that is known */
	assert_int_equal(b.row[1].process_ns, 0);
	bill_fini(&b);
	charge_close(c);
}

static void named_and_gone(void **state)
{
	const char *const cgroups[] = {"/a", "/b", NULL};
	const struct charge_cfg cfg = {.find = {.cgroup = cgroups, .max = 8}};
	struct charge *c = NULL;
	struct err e = {0};
	struct bill b;

	(void)state;
	add(10, 100, 0);
	fake.missing = "/b";
	assert_int_equal(charge_open(&c, &cfg, &e), -ENOENT);
	assert_false(fake.open);
	fake.missing = NULL;
	assert_int_equal(charge_open(&c, &cfg, &e), 0);
	fake.missing = "/b";
	b = next(c);
	assert_non_null(row(&b, "c10"));
	bill_fini(&b);
	charge_close(c);
}

static void cannot_open(void **state)
{
	const struct charge_cfg cfg = {.find = {.max = 8}};
	struct charge *c = NULL;
	struct err e = {0};
	struct bill b;

	(void)state;
	fake.open_says = SOFTIRQ_UNAVAILABLE;
	assert_int_equal(charge_open(&c, &cfg, &e), SOFTIRQ_UNAVAILABLE);
	assert_string_equal(e.text, "no BTF");
	fake.open_says = 0;
	fake.scan_says = -EMFILE;
	assert_int_equal(charge_open(&c, &cfg, &e), -EMFILE);
	assert_false(fake.open);
	assert_null(c);
	fake.scan_says = 0;
	assert_int_equal(charge_open(&c, &cfg, &e), 0);
	fake.scan_says = -EMFILE;
	assert_int_equal(charge_bill(c, &b, &e), -EMFILE);
	charge_close(c);
}

/* Between bills, and only when something was said. */
static void watched(void **state)
{
	const struct charge_cfg cfg = {.find = {.max = 8}, .scan_ns = 3600 * NSEC_PER_SEC};
	struct charge *c = NULL;
	struct err e = {0};
	struct bill b;

	(void)state;
	fake.watched = true;
	assert_int_equal(charge_open(&c, &cfg, &e), 0);
	assert_int_equal(charge_fd(c), 99);
	add(10, 100, 0);
	assert_int_equal(charge_scan(c, &e), 0);
	assert_int_equal(fake.netns.n, 0);
	the_watch.said = true;
	assert_int_equal(charge_scan(c, &e), 0);
	assert_int_equal(fake.netns.n, 1);
	die(10);
	b = next(c);
	assert_false(row(&b, "c10")->is_gone); /* not looked for again yet */
	bill_fini(&b);
	charge_close(c);
}

static void never_quiet(void **state)
{
	struct charge *c;
	struct bill b;

	(void)state;
	add(10, 100, 0);
	fake.busy = true;
	c = open_with(8, false);
	work(0, SOFTIRQ_FIRST, 5, 0, 1);
	b = next(c);
	assert_int_equal(b.row[2].soft.rx_ns, 5);
	bill_fini(&b);
	charge_close(c);
}

static void words(void **state)
{
	static const struct {
		const char *netns, *cgroup;
		bool only;
		int r;
	} t[] = {
		{"", "", false, 0},
		{"", "", true, -EINVAL},
		{"pid:1,host", "/a,/b", true, 0},
		{"pid:1,", "", false, -EINVAL},
		{"", ",/b", false, -EINVAL},
		{"eth0", "", false, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct charge_words w = charge_words_default;
		struct charge_asked asked;
		struct err e = {0};

		str_set(w.netns, t[i].netns);
		str_set(w.cgroup, t[i].cgroup);
		w.only = t[i].only;
		assert_int_equal(charge_ask(&asked, &w, &e), t[i].r);
		if (t[i].r < 0 || !*t[i].netns)
			continue;
		assert_string_equal(asked.cfg.find.netns[0], "pid:1");
		assert_string_equal(asked.cfg.find.netns[1], "host");
		assert_null(asked.cfg.find.netns[2]);
		assert_string_equal(asked.cfg.find.cgroup[1], "/b");
	}
}

#define TEST(f) cmocka_unit_test_setup(f, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sums),
		TEST(totals_are_busy_time),
		TEST(nothing_is_no_number),
		TEST(differences),
		TEST(host_has_the_rest),
		TEST(comes_and_goes),
		TEST(quiet_ones_are_told_gone_once),
		TEST(too_many),
		TEST(kernel_tables_full),
		TEST(kernel_tables_full_for_a_part),
		TEST(shared_namespace),
		TEST(of_the_host),
		TEST(changes_its_device),
		TEST(devices_change_hands),
		TEST(cgroups_below),
		TEST(thousands_come_and_go),
		TEST(counters_that_go_back),
		TEST(unknown_processes),
		TEST(named_and_gone),
		TEST(cannot_open),
		TEST(watched),
		TEST(never_quiet),
		TEST(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
