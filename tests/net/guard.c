/*
 * The kernel's side of the guard: what a write of a quota does, what the control law makes of it,
 * and that cgroups are as they were, also after kill -9. Needs root and a hierarchy of cgroups with
 * CPU quotas; needs no network.
 *
 *	cgroup (20 % of a CPU) <- spinner            CPU time of the spinner by its own clock
 */
#include "base/clock.h"
#include "guard/control.h"
#include "guard/ward.h"
#include "net.h"
#include "sys/cgroup.h"
#include "sys/cpuquota.h"
#include "sys/file.h"
#include "sys/janitor.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUDGET  0.2
#define SPAN_NS NSEC_PER_SEC
/* Of a machine that is busy with something else, a spinner has less than its quota: once more. */
#define TRIES 3

static struct janitor *janitor;
static char cgroup_dir[512];

static int group_begin(void **state)
{
	char root[256];
	struct err e = {0};
	struct cpuquota q;

	(void)state;
	if (!cgroup_cpu_root(root, sizeof(root)))
		return -1;
	snprintf(cgroup_dir, sizeof(cgroup_dir), "%s/tare-test-guard-%d", root, getpid());
	if (janitor_start(&janitor, &e) < 0 || janitor_note_tree(janitor, cgroup_dir, &e) < 0)
		return -1;
	if (mkdir(cgroup_dir, 0755) < 0)
		return -1;
	return cpuquota_read(cgroup_dir, &q, &e);
}

static void set_quota(const char *dir, int64_t quota_us, uint64_t period_us)
{
	const struct cpuquota q = {quota_us, period_us};

	must(cpuquota_write(dir, &q, &e_));
}

/*
 * In v2 a group within has a quota only where its parent lets the controller down, and then the
 * parent has no processes. v1 has neither file nor rule.
 */
static void let_down(const char *words)
{
	char path[sizeof(cgroup_dir) + 32];
	struct err e = {0};
	int r;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", cgroup_dir);
	r = file_write(path, words, &e);
	if (r != -ENOENT)
		must(r);
}

static void inner_begin(const char *inner)
{
	let_down("+cpu");
	assert_int_equal(mkdir(inner, 0755), 0);
}

static void inner_end(const char *inner)
{
	assert_int_equal(rmdir(inner), 0);
	let_down("-cpu");
}

static void assert_quota(const char *dir, int64_t quota_us, uint64_t period_us)
{
	struct cpuquota q;

	must(cpuquota_read(dir, &q, &e_));
	assert_int_equal(q.quota_us, quota_us);
	assert_int_equal(q.period_us, period_us);
}

static pid_t spin_in(const char *dir)
{
	struct cgroup cg = {.n_dirs = 1};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			;
	}
	snprintf(cg.dir[0], sizeof(cg.dir[0]), "%s", dir);
	must(cgroup_move(&cg, pid, &e_));
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint64_t cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	assert_int_equal(clock_getcpuclockid(pid, &clock), 0);
	assert_int_equal(clock_gettime(clock, &ts), 0);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The same value over and over, which is no change to anybody but the kernel. */
static void write_quota(const char *dir)
{
	char path[PATH_MAX + 32];
	FILE *out;

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir);
	out = fopen(path, "r+e");
	if (out) {
		fputs("20000", out);
	} else {
		snprintf(path, sizeof(path), "%s/cpu.max", dir);
		out = fopen(path, "r+e");
		assert_non_null(out);
		fputs("20000 100000", out);
	}
	assert_int_equal(fclose(out), 0);
}

/* CPU time by time of a spinner, its quota written each @every_ns; 0: never. */
static double share_with_writes(const char *dir, uint64_t every_ns)
{
	const pid_t pid = spin_in(dir);
	const uint64_t begin_ns = clock_now_ns(), was_ns = cpu_ns(pid);
	double share;

	for (uint64_t at_ns = begin_ns + every_ns; every_ns && at_ns < begin_ns + SPAN_NS;
		at_ns += every_ns) {
		net_wait_until(at_ns);
		write_quota(dir);
	}
	net_wait_until(begin_ns + SPAN_NS);
	share = (double)(cpu_ns(pid) - was_ns) / (double)(clock_now_ns() - begin_ns);
	end(pid);
	return share;
}

/* Nobody has more than there is: of a machine like that nothing can be told. */
static bool too_busy(void)
{
	struct err e = {0};

	set_quota(cgroup_dir, CPUQUOTA_NONE, 100000);
	if (share_with_writes(cgroup_dir, 0) >= 2 * BUDGET)
		return false;
	err_say(&e, EBUSY, "no CPU is free for a spinner");
	net_skip("a_write_refills", &e);
	return true;
}

static void a_write_refills(void **state)
{
	double once = 0, often = 0;

	(void)state;
	set_quota(cgroup_dir, 20000, 100000);
	for (int i = 0; i < TRIES; i++) {
		once = share_with_writes(cgroup_dir, 0);
		often = share_with_writes(cgroup_dir, 50 * NSEC_PER_MSEC);
		if (often >= 1.5 * once)
			break;
	}
	if (often < 1.5 * once && too_busy())
		return;
	print_message("# a spinner with a quota of 0.2: %.3f, written 20 times a second %.3f\n",
		once, often);
	assert_true(often >= 1.5 * once);
}

/* Of a guard that has ended. */
static void state_dir_remove(const char *dir)
{
	char lock[64];

	snprintf(lock, sizeof(lock), "%s/lock", dir);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(dir), 0);
}

/*
 * The law with a credit that comes and goes, which is what makes it write. It is due its budget and
 * the credit, on the whole: a tenth more would be the refills.
 */
static double share_under_control(uint64_t *ret_writes)
{
	struct ward w = {0};
	struct guard_state *s = NULL;
	char state_dir[] = "/tmp/tare-guard-XXXXXX";
	uint64_t begin_ns, last_ns, used_ns, credit_ns = 0;
	struct stat st;
	pid_t pid;

	assert_non_null(mkdtemp(state_dir));
	assert_int_equal(must(guard_state_open(&s, state_dir, NULL, &e_)), 0);
	assert_int_equal(stat(cgroup_dir, &st), 0);
	snprintf(w.dir, sizeof(w.dir), "%s", cgroup_dir);
	w.id = st.st_ino;
	assert_int_equal(must(ward_begin(&w, s, &e_)), 0);
	pid = spin_in(cgroup_dir);
	begin_ns = last_ns = clock_now_ns();
	used_ns = cpu_ns(pid);
	for (int i = 1; i <= 20; i++) {
		const double phase = i % 4 < 2 ? 0.3 : 0.0;
		const uint64_t was_ns = used_ns;
		struct control_reading x = {0};

		net_wait_until(begin_ns + (uint64_t)i * 100 * NSEC_PER_MSEC);
		x.at_ns = clock_now_ns();
		x.dt_ns = x.at_ns - last_ns;
		used_ns = cpu_ns(pid);
		x.process_ns = used_ns - was_ns;
		x.credited_ns = (uint64_t)(phase * BUDGET * (double)x.dt_ns);
		credit_ns += x.credited_ns;
		last_ns = x.at_ns;
		assert_int_equal(must(ward_step(&w, s, &x, &e_)), 0);
	}
	*ret_writes = w.control.n_writes;
	used_ns = cpu_ns(pid) - credit_ns;
	end(pid);
	must(ward_end(&w, s, &e_));
	must(guard_state_close(s, &e_));
	state_dir_remove(state_dir);
	return (double)used_ns / (double)(last_ns - begin_ns);
}

static void control_takes_it_back(void **state)
{
	uint64_t writes = 0;
	double share = 0;

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		set_quota(cgroup_dir, 20000, 100000);
		share = share_under_control(&writes);
		assert_quota(cgroup_dir, 20000, 100000);
		if (share <= 1.1 * BUDGET)
			break;
	}
	print_message("# under control, written %llu times in 2 s: %.3f of 0.2\n",
		(unsigned long long)writes, share);
	assert_true(writes > 2);
	assert_true(share <= 1.1 * BUDGET);
}

static void every_order_of_writes(void **state)
{
	static const struct cpuquota q[] = {{20000, 100000}, {4000, 20000}, {CPUQUOTA_NONE, 20000},
		{2000, 10000}, {100000, 100000}, {CPUQUOTA_NONE, 100000}, {10000, 50000}};
	char inner[PATH_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(q); i++)
		for (size_t k = 0; k < ARRAY_SIZE(q); k++) {
			set_quota(cgroup_dir, q[i].quota_us, q[i].period_us);
			set_quota(cgroup_dir, q[k].quota_us, q[k].period_us);
			assert_quota(cgroup_dir, q[k].quota_us, q[k].period_us);
		}
	/* The same below a cgroup that has no more. */
	set_quota(cgroup_dir, 20000, 100000);
	snprintf(inner, sizeof(inner), "%s/inner", cgroup_dir);
	inner_begin(inner);
	set_quota(inner, 20000, 100000);
	set_quota(inner, 4000, 20000);
	set_quota(inner, 20000, 100000);
	inner_end(inner);
}

/* v1 has no cgroup below another with more than that: what is refused leaves it as it was. */
static void refusal_leaves_it_as_it_was(void **state)
{
	const struct cpuquota less = {2000, 20000};
	char inner[PATH_MAX + 8], v1[PATH_MAX + 32];
	struct err e = {0};

	(void)state;
	snprintf(v1, sizeof(v1), "%s/cpu.cfs_quota_us", cgroup_dir);
	if (access(v1, F_OK) < 0) {
		err_say(&e, ENOTSUP, "cgroups of v2 may have more than those above");
		net_skip("refusal_leaves_it_as_it_was", &e);
		return;
	}
	set_quota(cgroup_dir, 20000, 100000);
	snprintf(inner, sizeof(inner), "%s/inner", cgroup_dir);
	inner_begin(inner);
	set_quota(inner, 20000, 100000);
	assert_int_equal(cpuquota_write(cgroup_dir, &less, &e), -EINVAL);
	assert_quota(cgroup_dir, 20000, 100000);
	inner_end(inner);
}

static void note(struct guard_state *s, const char *dir)
{
	struct cpuquota was;
	struct stat st;

	must(cpuquota_read(dir, &was, &e_));
	assert_int_equal(stat(dir, &st), 0);
	must(guard_state_note(s, dir, st.st_ino, &was, &e_));
}

/* In neither order but one does v1 take both back: the one above first. */
static void order_is_found(void **state)
{
	char inner[PATH_MAX + 8], state_dir[] = "/tmp/tare-guard-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(state_dir));
	snprintf(inner, sizeof(inner), "%s/inner", cgroup_dir);
	set_quota(cgroup_dir, 50000, 100000);
	inner_begin(inner);
	set_quota(inner, 50000, 100000);
	for (int i = 0; i < 2; i++) {
		struct guard_state *s = NULL;

		assert_int_equal(must(guard_state_open(&s, state_dir, NULL, &e_)), 0);
		note(s, i == 0 ? cgroup_dir : inner);
		note(s, i == 0 ? inner : cgroup_dir);
		set_quota(inner, 2000, 20000);
		set_quota(cgroup_dir, 4000, 20000);
		must(guard_state_close(s, &e_));
		assert_quota(inner, 50000, 100000);
		assert_quota(cgroup_dir, 50000, 100000);
	}
	/* For a while after its end it still counts as one below. */
	set_quota(inner, CPUQUOTA_NONE, 100000);
	inner_end(inner);
	state_dir_remove(state_dir);
}

static void gone_is_told(void **state)
{
	char inner[PATH_MAX + 8], path[GUARD_FD_PATH];
	struct err e = {0};
	struct cpuquota q;
	struct stat st;
	int fd;

	(void)state;
	snprintf(inner, sizeof(inner), "%s/inner", cgroup_dir);
	inner_begin(inner);
	assert_int_equal(stat(inner, &st), 0);
	fd = guard_cgroup_open(inner, st.st_ino);
	assert_true(fd >= 0);
	guard_cgroup_path(fd, path);
	must(cpuquota_read(path, &q, &e_));
	inner_end(inner);
	assert_int_equal(cpuquota_read(path, &q, &e), -ENOENT);
	assert_int_equal(cpuquota_read(inner, &q, &e), -ENOENT);
	assert_int_equal(guard_cgroup_open(inner, st.st_ino), -ENOENT);
	/* One of the same name is another one. */
	inner_begin(inner);
	assert_int_equal(guard_cgroup_open(inner, st.st_ino), -ENOENT);
	assert_int_equal(cpuquota_read(path, &q, &e), -ENOENT);
	close(fd);
	inner_end(inner);
}

static int group_end(void **state)
{
	(void)state;
	janitor_finish(janitor);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_of_writes),
		cmocka_unit_test(refusal_leaves_it_as_it_was),
		cmocka_unit_test(order_is_found),
		cmocka_unit_test(gone_is_told),
		cmocka_unit_test(a_write_refills),
		cmocka_unit_test(control_takes_it_back),
	};

	signal(SIGPIPE, SIG_IGN);
	if (group_begin(NULL) < 0) {
		group_end(NULL);
		printf("1..0 # SKIP no cgroup with a CPU quota can be made here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, group_end);
}
