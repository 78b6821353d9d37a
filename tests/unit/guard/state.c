/* What was comes back, however the guard ends; what can't be believed is not put anywhere. */
#include "guard/state.h"

#include "base/clock.h"
#include "fake.h"
#include "guard/record.h"
#include "sys/file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define DEADLINE_NS (10 * NSEC_PER_SEC)

#define must(call)                                                                                 \
	({                                                                                         \
		struct err e_ = {0};                                                               \
		int r_ = (call);                                                                   \
                                                                                                   \
		if (r_ < 0)                                                                        \
			fail_msg("%s: %s (%d)", #call, e_.text, r_);                               \
		r_;                                                                                \
	})

static struct guard_state *must_open(const struct fake *f)
{
	struct guard_state *s = NULL;

	assert_int_equal(must(guard_state_open(&s, f->state, NULL, &e_)), 0);
	return s;
}

static void note(struct guard_state *s, const char *dir)
{
	struct cpuquota was;

	must(cpuquota_read(dir, &was, &e_));
	must(guard_state_note(s, dir, fake_id(dir), &was, &e_));
}

static bool exists(const char *dir, const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

static void close_puts_back(void **state)
{
	char a[FAKE_PATH], b[FAKE_PATH], gone[FAKE_PATH];
	struct guard_state *s;
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_cgroup(&f, "a", 20000, 100000, a);
	fake_cgroup(&f, "b", CPUQUOTA_NONE, 100000, b);
	fake_cgroup(&f, "gone", 20000, 100000, gone);
	s = must_open(&f);
	note(s, a);
	note(s, b);
	note(s, gone);
	set_quota(a, 4000, 20000);
	set_quota(b, 10000, 20000);
	set_quota(gone, 4000, 20000);
	fake_remove(gone);
	assert_true(exists(f.state, "state"));
	must(guard_state_close(s, &e_));
	assert_quota(a, 20000, 100000);
	assert_quota(b, CPUQUOTA_NONE, 100000);
	assert_false(exists(f.state, "state"));
	fake_remove(a);
	fake_remove(b);
	fake_fini(&f);
}

static void v2_comes_back(void **state)
{
	struct guard_state *s;
	char dir[FAKE_PATH];
	struct fake f;

	(void)state;
	fake_init(&f);
	snprintf(dir, sizeof(dir), "%s/v2", f.top);
	assert_int_equal(mkdir(dir, 0755), 0);
	fake_put(dir, "cgroup.procs", "");
	fake_put(dir, "cpu.max", "max 100000\n");
	s = must_open(&f);
	note(s, dir);
	set_quota(dir, 4000, 20000);
	assert_quota(dir, 4000, 20000);
	must(guard_state_undo(s, fake_id(dir), NULL, &e_));
	assert_quota(dir, CPUQUOTA_NONE, 100000);
	fake_remove(dir);
	must(guard_state_close(s, &e_));
	fake_fini(&f);
}

/* The process that holds the lock, until it is killed. Return: its pid, once it is ready. */
static pid_t fork_guard(const struct fake *f, const char *dir)
{
	int ready[2];
	char word;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct guard_state *s = must_open(f);

		note(s, dir);
		set_quota(dir, 4000, 20000);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &word, 1), 1);
	close(ready[0]);
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* By the process beside it; a next guard waits for that. */
static void killed_is_put_back(void **state)
{
	uint64_t deadline_ns = clock_now_ns() + DEADLINE_NS;
	struct guard_state *s;
	char dir[FAKE_PATH];
	struct fake f;
	pid_t pid;

	(void)state;
	fake_init(&f);
	fake_cgroup(&f, "a", 20000, 100000, dir);
	pid = fork_guard(&f, dir);
	assert_quota(dir, 4000, 20000);
	kill_and_reap(pid);
	while (exists(f.state, "state") && clock_left_ms(deadline_ns) > 0)
		poll(NULL, 0, 1);
	assert_quota(dir, 20000, 100000);
	pid = fork_guard(&f, dir);
	kill_and_reap(pid);
	s = must_open(&f);
	assert_quota(dir, 20000, 100000);
	assert_int_equal(guard_state_restored(s).n_cgroups, 0);
	must(guard_state_close(s, &e_));
	fake_remove(dir);
	fake_fini(&f);
}

static void await_quota(const char *dir, int64_t quota_us)
{
	uint64_t deadline_ns = clock_now_ns() + DEADLINE_NS;
	struct cpuquota q;

	for (;;) {
		must(cpuquota_read(dir, &q, &e_));
		if (q.quota_us == quota_us || clock_left_ms(deadline_ns) == 0)
			break;
		poll(NULL, 0, 1);
	}
	assert_int_equal(q.quota_us, quota_us);
}

/* The only child that this process has. */
static pid_t watcher(void)
{
	char text[64];
	int pid = 0;

	must(file_read("/proc/thread-self/children", text, sizeof(text), &e_));
	assert_int_equal(sscanf(text, "%d", &pid), 1);
	return pid;
}

/* A cgroup with a quota of 0.2, and a guard's state that does not know it yet. */
static struct guard_state *begin(struct fake *f, char dir[static FAKE_PATH])
{
	fake_init(f);
	fake_cgroup(f, "a", 20000, 100000, dir);
	return must_open(f);
}

/* Stopped, or hung on who reads its output: quotas are not left as they happen to be. */
static void silent_is_put_back(void **state)
{
	struct guard_state *s;
	char dir[FAKE_PATH];
	struct fake f;

	(void)state;
	s = begin(&f, dir);
	note(s, dir);
	set_quota(dir, 4000, 20000);
	for (int i = 0; i < 2; i++) {
		guard_state_beat(s, 20);
		await_quota(dir, 20000);
		/* It goes on. */
		set_quota(dir, 5000, 20000);
	}
	assert_true(exists(f.state, "state"));
	/* A watcher that is stopped does not stop the guard, nor keep it from its end. */
	assert_int_equal(kill(watcher(), SIGSTOP), 0);
	for (int i = 0; i < 100000; i++)
		guard_state_beat(s, 20);
	must(guard_state_close(s, &e_));
	assert_quota(dir, 20000, 100000);
	fake_remove(dir);
	fake_fini(&f);
}

static void second_guard_refuses(void **state)
{
	struct guard_state *s = NULL;
	char dir[FAKE_PATH], word[32];
	struct err e = {0};
	struct fake f;
	pid_t pid;

	(void)state;
	fake_init(&f);
	fake_cgroup(&f, "a", 20000, 100000, dir);
	pid = fork_guard(&f, dir);
	assert_int_equal(guard_state_open(&s, f.state, NULL, &e), GUARD_STATE_BUSY);
	snprintf(word, sizeof(word), "process %d", pid);
	assert_non_null(strstr(e.text, word));
	assert_quota(dir, 4000, 20000);
	kill_and_reap(pid);
	s = must_open(&f);
	must(guard_state_close(s, &e_));
	fake_remove(dir);
	fake_fini(&f);
}

/* A state file as a guard leaves it that was killed with the process beside it. */
static void leave(const struct fake *f, const char *boot, const char *dir, uint64_t id, size_t cut)
{
	_cleanup_(guard_record_fini) struct guard_record r = {0};
	_cleanup_(freep) char *text = NULL;
	struct guard_entry x = {.id = id, .was = {20000, 100000}};

	snprintf(r.boot, sizeof(r.boot), "%s", boot);
	snprintf(x.dir, sizeof(x.dir), "%s", dir);
	guard_record_add(&r, &x);
	text = guard_record_text(&r);
	assert_true(cut < strlen(text));
	text[strlen(text) - cut] = '\0';
	(void)mkdir(f->state, 0700);
	fake_put(f->state, "state", text);
}

static void next_start_puts_back(void **state)
{
	char dir[FAKE_PATH], boot[40];
	struct guard_state *s;
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_cgroup(&f, "a", 4000, 20000, dir);
	must(file_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot), &e_));
	leave(&f, boot, dir, fake_id(dir), 0);
	s = must_open(&f);
	assert_int_equal(guard_state_restored(s).n_cgroups, 1);
	assert_quota(dir, 20000, 100000);
	must(guard_state_close(s, &e_));

	/* Another cgroup of that name; a kernel that has been booted since. */
	set_quota(dir, 4000, 20000);
	leave(&f, boot, dir, fake_id(dir) + 1, 0);
	s = must_open(&f);
	must(guard_state_close(s, &e_));
	assert_quota(dir, 4000, 20000);
	leave(&f, "another", dir, fake_id(dir), 0);
	s = must_open(&f);
	assert_int_equal(guard_state_restored(s).n_cgroups, 0);
	must(guard_state_close(s, &e_));
	assert_quota(dir, 4000, 20000);
	assert_false(exists(f.state, "state"));
	fake_remove(dir);
	fake_fini(&f);
}

static void half_a_file_is_refused(void **state)
{
	char dir[FAKE_PATH], boot[40], path[PATH_MAX];
	struct guard_state *s = NULL;
	struct err e = {0};
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_cgroup(&f, "a", 4000, 20000, dir);
	must(file_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot), &e_));
	for (size_t cut = 1; cut < 60; cut++) {
		leave(&f, boot, dir, fake_id(dir), cut);
		assert_int_equal(guard_state_open(&s, f.state, NULL, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "damaged"));
		assert_quota(dir, 4000, 20000);
		assert_true(exists(f.state, "state"));
	}
	/* A file that was not finished yet is none. */
	snprintf(path, sizeof(path), "%s/state", f.state);
	assert_int_equal(unlink(path), 0);
	fake_put(f.state, "state.new", "tare-gu");
	s = must_open(&f);
	must(guard_state_close(s, &e_));
	assert_false(exists(f.state, "state.new"));
	fake_remove(dir);
	fake_fini(&f);
}

/* Somebody's change while it is under guard is no mistake to be undone. */
static void others_changes_stay(void **state)
{
	const struct cpuquota last = {4000, 20000};
	struct guard_state *s;
	char dir[FAKE_PATH];
	struct fake f;

	(void)state;
	s = begin(&f, dir);
	note(s, dir);
	set_quota(dir, 50000, 20000);
	must(guard_state_undo(s, fake_id(dir), &last, &e_));
	assert_quota(dir, 50000, 100000);
	must(guard_state_close(s, &e_));
	assert_quota(dir, 50000, 100000);
	fake_remove(dir);
	fake_fini(&f);
}

/* No room for the file: nothing is noted, nothing may be changed, and nothing is left. */
static void full_disk(void **state)
{
	struct rlimit was, small;
	struct guard_state *s;
	char dir[FAKE_PATH];
	struct fake f;

	(void)state;
	s = begin(&f, dir);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 20;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(
		guard_state_note(s, dir, fake_id(dir), &(struct cpuquota){20000, 100000}, NULL),
		-EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_false(exists(f.state, "state"));
	assert_false(exists(f.state, "state.new"));
	must(guard_state_close(s, &e_));
	assert_quota(dir, 20000, 100000);
	fake_remove(dir);
	fake_fini(&f);
}

static void others_directory_is_refused(void **state)
{
	struct guard_state *s = NULL;
	struct err e = {0};
	struct fake f;

	(void)state;
	fake_init(&f);
	assert_int_equal(mkdir(f.state, 0700), 0);
	assert_int_equal(chmod(f.state, 0777), 0);
	assert_int_equal(guard_state_open(&s, f.state, NULL, &e), -EPERM);
	fake_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_puts_back),
		cmocka_unit_test(v2_comes_back),
		cmocka_unit_test(killed_is_put_back),
		cmocka_unit_test(silent_is_put_back),
		cmocka_unit_test(second_guard_refuses),
		cmocka_unit_test(next_start_puts_back),
		cmocka_unit_test(half_a_file_is_refused),
		cmocka_unit_test(others_changes_stay),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(others_directory_is_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
