/*
 * Containers made of cgroups and namespaces of the test's own, and what a scan says of them.
 *
 *	test's namespace, the host: h0 == veth == c0 :namespace of a process in .../docker/<id>
 */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "charge/bill.h"
#include "charge/container_watch.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/janitor.h"
#include "sys/ns.h"
#include "sys/rtdev.h"
#include "sys/rtlink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID_TAIL "23456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_A    "0a" ID_TAIL
#define ID_B    "0b" ID_TAIL
#define POD_UID "8a6b1c2d-3e4f-5a6b-7c8d-9e0f1a2b3c4d"

/* A device is what it is, whatever it is called. */
static void rename_device(const char *from, const char *to)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;

	must(rt_open_here(&rt, &e_));
	must(rt_rename(rt, from, to, &e_));
}

/* The test's own tree of cgroups, in each hierarchy that matters. */
static struct tree {
	struct janitor *janitor;
	char path[96], root[3][128];
	uint32_t n;
	const char *refusal;
	bool confined; /* the test itself runs in somebody's container */
} tree;

static void make_dirs(const char *below)
{
	for (uint32_t i = 0; i < tree.n; i++) {
		char path[600];

		snprintf(path, sizeof(path), "%s%s%s/", tree.root[i], tree.path, below);
		for (char *at = path + strlen(tree.root[i]) + 1; (at = strchr(at, '/')); at++) {
			*at = '\0';
			if (mkdir(path, 0755) < 0 && errno != EEXIST)
				fail_msg("cannot make %s: %s", path, strerror(errno));
			*at = '/';
		}
	}
}

static void remove_dirs(const char *below)
{
	for (uint32_t i = 0; i < tree.n; i++) {
		char path[600];

		snprintf(path, sizeof(path), "%s%s%s", tree.root[i], tree.path, below);
		/* Until what was in it has been reaped, by whomever. */
		for (uint64_t until = net_deadline();
			janitor_remove_tree(path) < 0 && access(path, F_OK) == 0;)
			assert_true(clock_now_ns() < until);
	}
}

static void move_to(pid_t pid, const char *below)
{
	for (uint32_t i = 0; i < tree.n; i++) {
		char path[600], text[16];

		snprintf(path, sizeof(path), "%s%s%s/cgroup.procs", tree.root[i], tree.path, below);
		snprintf(text, sizeof(text), "%d", pid);
		must(file_write(path, text, &e_));
	}
}

/* A process that does as it is told by a byte. */
struct box {
	pid_t pid;
	int command, answer;
	uint32_t netns;
};

static uint32_t netns_of(pid_t pid)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	assert_int_equal(stat(path, &st), 0);
	return (uint32_t)st.st_ino;
}

static void box_main(int command, int answer)
{
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(command, &byte, 1) == 1) {
		if (byte == 'n' && unshare(CLONE_NEWNET) < 0)
			_exit(1);
		for (uint64_t end = clock_now_ns() + 5 * NSEC_PER_MSEC;
			byte == 'b' && clock_now_ns() < end;)
			;
		if (write(answer, &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void tell(const struct box *b, char byte)
{
	char back = 0;

	assert_int_equal(write(b->command, &byte, 1), 1);
	assert_int_equal(read(b->answer, &back, 1), 1);
	assert_int_equal(back, byte);
}

/* In the cgroup @below (NULL: none of its own), with a namespace of its own or @like's. */
static struct box box_new(const char *below, const struct box *like)
{
	int to[2], from[2], fd = -1;
	struct box b = {0};
	char path[48];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	if (like) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", like->pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
	}
	b.pid = fork();
	assert_true(b.pid >= 0);
	if (b.pid == 0) {
		close(to[1]);
		close(from[0]);
		if (fd >= 0 && setns(fd, CLONE_NEWNET) < 0)
			_exit(1);
		box_main(to[0], from[1]);
	}
	closep(&fd);
	close(to[0]);
	close(from[1]);
	b.command = to[1];
	b.answer = from[0];
	if (below)
		move_to(b.pid, below);
	tell(&b, like ? 'h' : 'n');
	b.netns = netns_of(b.pid);
	return b;
}

static void box_end(struct box *b)
{
	close(b->command);
	close(b->answer);
	assert_int_equal(kill(b->pid, SIGKILL), 0);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
}

static const struct container *by_id(const struct container_list *l, const char *id)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (strcmp(l->item[i].id, id) == 0)
			return &l->item[i];
	return NULL;
}

static const struct container *by_netns(const struct container_list *l, uint32_t netns)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->item[i].netns == netns)
			return &l->item[i];
	return NULL;
}

static struct container_list scan_with(const struct container_cfg *cfg)
{
	struct container_list l = {0};

	must(containers_scan(&l, cfg, &e_));
	return l;
}

static struct container_list scan(const struct container_list *before)
{
	return scan_with(&(struct container_cfg){.before = before});
}

/* A namespace is taken down in its own time, and its device with it. */
static void wait_gone(const char *dev)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct rt_id id;

	must(rt_open_here(&rt, &e_));
	for (uint64_t until = net_deadline(); rt_id(rt, dev, &id, NULL) == 0;)
		assert_true(clock_now_ns() < until);
}

static int open_netns(const struct box *b)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", b->pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void pair(const struct box *b, const char *here, const char *there)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	_cleanup_(closep) int fd = open_netns(b);

	must(rt_open_here(&rt, &e_));
	wait_gone(here);
	must(rt_veth_add(rt, here, there, fd, 1500, &e_));
}

static uint32_t ifindex(const char *dev)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	struct rt_id id;

	must(rt_open_here(&rt, &e_));
	must(rt_id(rt, dev, &id, &e_));
	return (uint32_t)id.ifindex;
}

static bool cgroups_here(void)
{
	if (tree.refusal)
		print_message("# skipped: %s\n", tree.refusal);
	return !tree.refusal;
}

/* A process with a namespace of its own is the test's own container's, if that runs in one. */
static bool free_here(void)
{
	if (tree.confined)
		print_message("# skipped: the test itself runs in a container\n");
	return !tree.confined;
}

static void found_with_namespace_device_and_usage(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list again = {0};
	char path[600], dir[700];
	const struct container *c;
	uint64_t used, more;
	_cleanup_(closep) int fd = -1;
	struct stat st;
	struct box b;

	(void)state;
	if (!cgroups_here())
		return;
	make_dirs("/docker/" ID_A);
	b = box_new("/docker/" ID_A, NULL);
	pair(&b, "h0", "c0");
	l = scan(NULL);
	c = by_id(&l, ID_A);
	assert_non_null(c);
	assert_int_equal(c->kind, CONTAINER_DOCKER);
	assert_string_equal(c->name, "0a23456789ab");
	assert_int_equal(c->pid, b.pid);
	assert_int_equal(c->netns, b.netns);
	assert_false(c->host_netns);
	assert_false(c->shared_netns);
	assert_int_equal(l.host_netns, netns_of(getpid()));
	assert_int_equal(c->n_devs, 1);
	assert_int_equal(c->dev[0].netns, l.host_netns);
	assert_int_equal(c->dev[0].ifindex, ifindex("h0"));
	snprintf(path, sizeof(path), "%s/docker/" ID_A, tree.path);
	assert_string_equal(c->cgroup, path);
	assert_true(container_dir(c, dir, sizeof(dir)));
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(c->cgroup_id, st.st_ino);

	fd = must(container_usage_open(c, &e_));
	must(container_usage(c, &used, &e_));
	tell(&b, 'b');
	must(container_usage_read(c, fd, &more, &e_));
	assert_true(more > used);
	/* What is known stays known, and is looked at again. */
	rename_device("h0", "renamed");
	pair(&b, "h0", "c1");
	again = scan(&l);
	assert_true(container_same(c, by_id(&again, ID_A)));
	assert_int_equal(by_id(&again, ID_A)->n_devs, 2);
	assert_int_equal(by_id(&again, ID_A)->dev[0].ifindex, ifindex("renamed"));
	assert_int_equal(by_id(&again, ID_A)->dev[1].ifindex, ifindex("h0"));
	box_end(&b);
	remove_dirs("/docker/" ID_A);
	assert_true(container_usage(c, &used, NULL) < 0);
	assert_true(container_usage_read(c, fd, &used, NULL) < 0);
	container_list_fini(&again);
	again = scan(&l);
	assert_null(by_id(&again, ID_A));
}

static void a_pod_is_one(void **state)
{
	static const char one[] = "/kubepods/burstable/pod" POD_UID "/" ID_A;
	static const char two[] = "/kubepods/burstable/pod" POD_UID "/" ID_B;
	_cleanup_(container_list_fini) struct container_list l = {0};
	const struct container *c;
	uint64_t id[8];
	struct box a, b;

	(void)state;
	if (!cgroups_here())
		return;
	make_dirs(one);
	make_dirs(two);
	a = box_new(one, NULL);
	b = box_new(two, &a);
	l = scan(NULL);
	c = by_id(&l, POD_UID);
	assert_non_null(c);
	assert_int_equal(c->kind, CONTAINER_POD);
	assert_int_equal(c->netns, a.netns);
	assert_false(c->shared_netns);
	assert_null(by_id(&l, ID_A));
	assert_null(by_id(&l, ID_B));
	assert_int_equal(must(container_cgroups(c, id, ARRAY_SIZE(id), &e_)), 3);
	assert_int_equal(id[0], c->cgroup_id);
	assert_int_equal(must(container_cgroups(c, id, 2, &e_)), 2);
	box_end(&a);
	box_end(&b);
	remove_dirs("/kubepods");
}

/* Who has it is charged for it as long as he is there. */
static void a_shared_namespace_is_charged_once(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list both = {0};
	_cleanup_(container_list_fini) struct container_list last = {0};
	struct box a, b;

	(void)state;
	if (!cgroups_here())
		return;
	make_dirs("/docker/" ID_A); /* older, but later in this namespace */
	make_dirs("/docker/" ID_B);
	b = box_new("/docker/" ID_B, NULL);
	pair(&b, "h0", "c0");
	l = scan(NULL);
	a = box_new("/docker/" ID_A, &b);
	both = scan(&l);
	assert_false(by_id(&both, ID_B)->shared_netns);
	assert_int_equal(by_id(&both, ID_B)->n_devs, 1);
	assert_true(by_id(&both, ID_A)->shared_netns);
	assert_int_equal(by_id(&both, ID_A)->n_devs, 0);
	box_end(&b);
	last = scan(&both);
	assert_null(by_id(&last, ID_B));
	assert_false(by_id(&last, ID_A)->shared_netns);
	assert_int_equal(by_id(&last, ID_A)->n_devs, 1);
	box_end(&a);
	remove_dirs("/docker");
}

static void a_namespace_without_cgroup_is_one(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list gone = {0};
	const struct container *c;
	struct err e = {0};
	struct box b;
	char name[32];
	uint64_t ns;

	(void)state;
	if (!free_here())
		return;
	b = box_new(NULL, NULL);
	pair(&b, "h0", "c0");
	l = scan(NULL);
	c = by_netns(&l, b.netns);
	assert_non_null(c);
	assert_int_equal(c->kind, CONTAINER_NETNS);
	snprintf(name, sizeof(name), "netns-%u", b.netns);
	assert_string_equal(c->name, name);
	assert_int_equal(c->n_devs, 1);
	assert_int_equal(container_usage(c, &ns, &e), -EOPNOTSUPP);
	box_end(&b);
	gone = scan(&l);
	assert_true(!by_netns(&gone, b.netns) || !container_same(by_netns(&gone, b.netns), c));
}

/* The kernel gives the lowest free number: soon the one of a namespace that has just gone. */
static void a_number_used_again_is_another_namespace(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list m = {0};
	struct box first, b[16];
	const struct container *c;
	size_t n = 0;

	(void)state;
	if (!free_here())
		return;
	first = box_new(NULL, NULL);
	pair(&first, "h0", "c0");
	l = scan(NULL);
	box_end(&first);
	wait_gone("h0");
	do
		b[n] = box_new(NULL, NULL);
	while (b[n++].netns != first.netns && n < ARRAY_SIZE(b));
	m = scan(&l);
	c = by_netns(&m, first.netns);
	if (!c || !c->netns_cookie)
		print_message("# skipped: the number of a namespace was not used again\n");
	else
		assert_false(container_same(c, by_netns(&l, first.netns)));
	while (n > 0)
		box_end(&b[--n]);
}

static void a_process_that_moved_is_seen_where_it_is(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list m = {0};
	_cleanup_(container_list_fini) struct container_list n = {0};
	struct box b;

	(void)state;
	if (!cgroups_here())
		return;
	make_dirs("/docker/" ID_A);
	make_dirs("/docker/" ID_B);
	b = box_new("/docker/" ID_A, NULL);
	l = scan(NULL);
	tell(&b, 'n'); /* into another namespace */
	m = scan(&l);
	assert_int_equal(by_id(&m, ID_A)->netns, netns_of(b.pid));
	assert_false(container_same(by_id(&m, ID_A), by_id(&l, ID_A)));
	move_to(b.pid, "/docker/" ID_B);
	n = scan(&m);
	assert_null(by_id(&n, ID_A));
	assert_int_equal(by_id(&n, ID_B)->netns, netns_of(b.pid));
	box_end(&b);
	remove_dirs("/docker");
}

static void named_ones_are_found_or_said_to_be_missing(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	_cleanup_(container_list_fini) struct container_list m = {0};
	char words[32], dir[700];
	const char *netns[] = {words, NULL}, *cgroup[] = {dir, NULL};
	struct container_cfg cfg = {.netns = netns, .only = true};
	struct err e = {0};
	struct box b;

	(void)state;
	if (!free_here())
		return;
	b = box_new(NULL, NULL);
	snprintf(words, sizeof(words), "pid:%d", b.pid);
	must(containers_scan(&l, &cfg, &e_));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.item[0].netns, b.netns);
	assert_string_equal(l.item[0].name, words);
	str_set(words, "netns:tare-no-such");
	assert_int_equal(containers_scan(&m, &cfg, &e), -ENOENT);
	str_set(words, "host");
	assert_int_equal(containers_scan(&m, &cfg, &e), -EINVAL);
	box_end(&b);
	if (!cgroups_here())
		return;
	cfg.netns = NULL;
	cfg.cgroup = cgroup;
	make_dirs("/people");
	b = box_new("/people", NULL);
	snprintf(dir, sizeof(dir), "%s%s/people", tree.root[0], tree.path);
	container_list_fini(&l);
	must(containers_scan(&l, &cfg, &e_));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.item[0].kind, CONTAINER_CGROUP);
	assert_string_equal(l.item[0].name, "people");
	assert_int_equal(l.item[0].netns, b.netns);
	box_end(&b);
	must(containers_scan(&m, &cfg, &e_)); /* of nobody, and there */
	assert_int_equal(m.n, 1);
	assert_true(container_same(&m.item[0], &m.item[0]));
	assert_int_equal(m.item[0].cgroup_id, l.item[0].cgroup_id);
	remove_dirs("/people");
	assert_int_equal(containers_scan(&m, &cfg, &e), -ENOENT);
	str_set(dir, "/proc");
	assert_int_equal(containers_scan(&m, &cfg, &e), -EINVAL);
}

static void no_more_than_the_limit(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	const struct container_cfg cfg = {.max = 2};
	struct box b[3];

	(void)state;
	if (!free_here())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		b[i] = box_new(NULL, NULL);
	must(containers_scan(&l, &cfg, &e_));
	assert_int_equal(l.n, 2);
	assert_true(l.n_left_out >= 1);
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		box_end(&b[i]);
}

/* Places in the kernel's own table that no container has. */
static void take_places(struct softirq *s, uint64_t first, uint32_t *n)
{
	struct err e = {0};
	int r;

	for (*n = 0; (r = softirq_set_cgroup(s, first + *n, SOFTIRQ_FIRST, &e)) == 0; (*n)++)
		;
	assert_int_equal(r, -ENOSPC);
}

static uint32_t left_out(struct charge *c)
{
	struct bill b;
	uint32_t n;

	must(charge_bill(c, &b, &e_));
	n = b.n_left_out;
	bill_fini(&b);
	return n;
}

/* A cgroup more of one that is billed, and one that is new: both when there is room again. */
static void what_the_kernel_refused_is_tried_again(void **state)
{
	static const uint64_t nobody = 1ULL << 60, later = 1ULL << 61;
	_cleanup_(charge_closep) struct charge *c = NULL;
	char dir[2][600];
	const char *const cgroup[] = {dir[0], dir[1], NULL};
	const struct charge_cfg cfg = {.find = {.cgroup = cgroup, .only = true, .max = 8}};
	struct softirq *s;
	struct err e = {0};
	uint32_t n;

	(void)state;
	if (!cgroups_here())
		return;
	make_dirs("/docker/" ID_A);
	make_dirs("/docker/" ID_B);
	snprintf(dir[0], sizeof(dir[0]), "%s%s/docker/" ID_A, tree.root[0], tree.path);
	snprintf(dir[1], sizeof(dir[1]), "%s%s/docker/" ID_B, tree.root[0], tree.path);
	if (must(charge_open(&c, &cfg, &e)) > 0) {
		net_skip("the kernel's tables", &e);
		remove_dirs("/docker");
		return;
	}
	s = charge_softirq(c);
	remove_dirs("/docker/" ID_B);
	assert_int_equal(left_out(c), 0);
	take_places(s, nobody, &n);
	make_dirs("/docker/" ID_A "/part");
	make_dirs("/docker/" ID_B);
	assert_int_equal(left_out(c), 2);
	softirq_unset_cgroup(s, nobody);
	assert_int_equal(left_out(c), 1);
	softirq_unset_cgroup(s, nobody + 1);
	assert_int_equal(left_out(c), 0);
	take_places(s, later, &n);
	assert_int_equal(n, 0); /* both have theirs */
	remove_dirs("/docker");
}

#define N_LIVES 100

/* Comes, has a device, and goes, 100 times, as fast as the kernel can. */
static void live_and_die(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < N_LIVES; i++) {
		char name[16];
		struct box b;

		make_dirs("/docker/" ID_A);
		b = box_new("/docker/" ID_A, NULL);
		/* Of its own name: the one before is taken down in its own time. */
		snprintf(name, sizeof(name), "h0-%d", i);
		pair(&b, name, "c0");
		box_end(&b);
		remove_dirs("/docker/" ID_A);
	}
	_exit(0);
}

static void those_who_come_and_go_are_no_error(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0};
	uint32_t n_scans = 0, n_seen = 0, fds = net_count_fds();
	int status = -1;
	pid_t pid;

	(void)state;
	if (!cgroups_here())
		return;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		live_and_die();
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct container_list m = scan(&l);
		const struct container *c = by_id(&m, ID_A);

		container_list_fini(&l);
		l = m;
		n_scans++;
		n_seen += c != NULL;
		if (!c)
			continue;
		assert_int_equal(c->kind, CONTAINER_DOCKER);
		assert_true(c->cgroup_id != 0);
		assert_true(c->n_devs <= 1);
	}
	assert_int_equal(status, 0);
	assert_int_equal(net_count_fds(), fds);
	print_message("# %u scans, seen in %u\n", n_scans, n_seen);
	assert_true(n_scans > 0);
}

static void wait_due(struct container_watch *w)
{
	struct pollfd p = {.fd = container_watch_fd(w), .events = POLLIN};
	uint64_t until = net_deadline();

	do {
		assert_int_equal(poll(&p, 1, clock_left_ms(until)), 1);
	} while (!container_watch_take(w));
}

/* What was done just now is said already, without a wait. */
static void assert_said(struct container_watch *w)
{
	struct pollfd p = {.fd = container_watch_fd(w), .events = POLLIN};

	assert_int_equal(poll(&p, 1, 0), 1);
	(void)container_watch_take(w);
}

static void the_kernel_says_when_to_look(void **state)
{
	_cleanup_(container_watch_closep) struct container_watch *w = NULL;
	_cleanup_(rt_closep) struct rt *rt = NULL;

	(void)state;
	must(container_watch_open(&w, &e_));
	must(rt_open_here(&rt, &e_));
	must(rt_bridge_add(rt, "br7", 1500, &e_));
	assert_said(w);
	if (cgroups_here()) {
		assert_false(container_watch_is_short(w));
		remove_dirs("/docker"); /* of the tests before */
		(void)container_watch_take(w);
		make_dirs("/docker"); /* watched from now on */
		assert_said(w);
		make_dirs("/docker/" ID_A);
		assert_said(w);
		remove_dirs("/docker");
		assert_said(w);
	}
	wait_due(w); /* soon after it happened */
	wait_due(w); /* and later */
}

static const struct softirq_dev *only_dev(const struct container_list *l, const struct box *b)
{
	const struct container *c = by_netns(l, b->netns);

	assert_non_null(c);
	assert_int_equal(c->n_devs, 1);
	return &c->dev[0];
}

/* h0 == c0 in a's namespace, and then in b's, which is known by h1 == c1: h0 has no carrier. */
static void what_moves_between_known_ones_is_said(void **state)
{
	_cleanup_(container_list_fini) struct container_list l = {0}, same = {0}, now = {0};
	_cleanup_(container_watch_closep) struct container_watch *w = NULL;
	_cleanup_(rt_closep) struct rt *rt = NULL, *in_a = NULL, *in_b = NULL;
	_cleanup_(closep) int a_fd = -1, b_fd = -1;
	struct box a, b;

	(void)state;
	if (!free_here())
		return;
	a = box_new(NULL, NULL);
	b = box_new(NULL, NULL);
	a_fd = open_netns(&a);
	b_fd = open_netns(&b);
	pair(&a, "h0", "c0");
	pair(&b, "h1", "c1");
	must(rt_open_here(&rt, &e_));
	must(rt_open(&in_a, a_fd, &e_));
	must(rt_open(&in_b, b_fd, &e_));
	must(rt_set_up(rt, "h0", &e_));
	must(rt_set_up(in_a, "c0", &e_));
	must(container_watch_open(&w, &e_));
	l = scan(NULL);
	assert_int_equal(only_dev(&l, &a)->ifindex, ifindex("h0"));
	assert_int_equal(only_dev(&l, &b)->ifindex, ifindex("h1"));
	must(rt_dev_move(in_a, "c0", b_fd, &e_));
	must(rt_set_up(in_b, "c0", &e_));
	same = scan_with(&(struct container_cfg){.before = &l, .same_devs = true});
	assert_memory_equal(only_dev(&same, &a), only_dev(&l, &a), sizeof(struct softirq_dev));
	for (uint64_t until = net_deadline(); !container_watch_take_devs(w);)
		assert_true(clock_now_ns() < until);
	now = scan(&l);
	assert_int_equal(by_netns(&now, a.netns)->n_devs, 0);
	assert_int_equal(by_netns(&now, b.netns)->n_devs, 2);
	box_end(&a);
	box_end(&b);
}

static int tree_open(void)
{
	static const char *const hierarchy[] = {"cpu", "cpuacct", ""};
	char text[8192], path[PATH_MAX];
	struct container self;
	struct err e = {0};

	tree.confined = file_read("/proc/self/cgroup", text, sizeof(text), NULL) > 0 &&
			(cgroup_path_of(text, "cpu", path, sizeof(path)) ||
				cgroup_path_of(text, "", path, sizeof(path))) &&
			container_of_path(path, &self) && self.kind != CONTAINER_SERVICE;
	if (janitor_start(&tree.janitor, &e) < 0 ||
		cgroup_note_trees(tree.path, sizeof(tree.path), "ct", tree.janitor, &e) < 0) {
		tree.refusal = "no janitor";
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(hierarchy); i++)
		if (cgroup_mount_point(hierarchy[i], tree.root[tree.n], sizeof(tree.root[0])))
			tree.n++;
	for (uint32_t i = 0; i < tree.n; i++) {
		snprintf(path, sizeof(path), "%s%s", tree.root[i], tree.path);
		if (mkdir(path, 0755) < 0)
			tree.refusal = "no cgroup can be created";
	}
	if (tree.n == 0)
		tree.refusal = "no hierarchy of cgroups is mounted";
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_with_namespace_device_and_usage),
		cmocka_unit_test(a_pod_is_one),
		cmocka_unit_test(a_shared_namespace_is_charged_once),
		cmocka_unit_test(a_namespace_without_cgroup_is_one),
		cmocka_unit_test(a_number_used_again_is_another_namespace),
		cmocka_unit_test(a_process_that_moved_is_seen_where_it_is),
		cmocka_unit_test(named_ones_are_found_or_said_to_be_missing),
		cmocka_unit_test(no_more_than_the_limit),
		cmocka_unit_test(what_the_kernel_refused_is_tried_again),
		cmocka_unit_test(those_who_come_and_go_are_no_error),
		cmocka_unit_test(the_kernel_says_when_to_look),
		cmocka_unit_test(what_moves_between_known_ones_is_said),
	};
	int r;

	if (net_begin() < 0)
		return 0;
	(void)tree_open();
	r = cmocka_run_group_tests_name("container", tests, NULL, NULL);
	janitor_finish(tree.janitor);
	return r;
}
