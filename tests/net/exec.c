/* Programs with deadlines, and rooms that leave nothing. */
#include "net.h"

#include "base/mem.h"
#include "base/str.h"
#include "sys/exec.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static int run(struct exec_result **ret, const char *const *argv, const struct room *room,
	struct err *e)
{
	const struct exec_args args = {.argv = argv,
		.input = "in\n",
		.env = ARGV("TARE_TEST=yes"),
		.room = room,
		.netns_fd = -1,
		.timeout_ns = NSEC_PER_SEC / 2,
		.cancel_fd = -1};

	return exec_run(ret, &args, e);
}

static void output_status_and_words_come_back(void **state)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	_cleanup_(freep) struct exec_result *y = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(
		must(run(&x, ARGV("sh", "-c", "cat; echo $TARE_TEST; exec sleep 0"), NULL, &e_)),
		0);
	assert_string_equal(x->out, "in\nyes\n");
	assert_int_equal(run(&y, ARGV("sh", "-c", "echo one >&2; echo two >&2; exit 7"), NULL, &e),
		EXEC_FAILED);
	assert_int_equal(y->status, 7);
	assert_string_equal(e.text, "sh ended with status 7: one;two");
}

static void a_hanging_program_is_killed(void **state)
{
	_cleanup_(freep) struct exec_result *x = NULL;
	_cleanup_(freep) struct exec_result *y = NULL;
	_cleanup_(freep) struct exec_result *z = NULL;
	struct err e = {0};

	(void)state;
	/* The grandchild holds the pipe open; the group is killed with it. */
	assert_int_equal(run(&x, ARGV("sh", "-c", "sleep 60 & sleep 60"), NULL, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "did not end within"));
	assert_int_equal(run(&y, ARGV("tare-no-such-program"), NULL, &e), -ENOENT);
	/* Nothing more is to be read of this one, but it goes on. */
	assert_int_equal(run(&z, ARGV("sh", "-c", "exec >&- 2>&-; sleep 9"), NULL, &e), -ETIMEDOUT);
}

static void more_output_than_is_kept(void **state)
{
	_cleanup_(freep) struct exec_result *x = NULL;

	(void)state;
	assert_int_equal(must(run(&x, ARGV("head", "-c", "1000000", "/dev/zero"), NULL, &e_)), 0);
	freep(&x);
	x = NULL;
	assert_int_equal(must(run(&x, ARGV("sh", "-c", "seq 100000 >&2; seq 100000 | tr -d '\\n'"),
				 NULL, &e_)),
		0);
	assert_int_equal(strlen(x->out), EXEC_OUT_BYTES - 1);
	assert_non_null(strstr(x->error, "\n100000\n"));
}

/* A daemon in a room: gone with it, and its files as well. */
static void a_room_takes_all_with_it(void **state)
{
	_cleanup_(room_closep) struct room *room = NULL;
	_cleanup_(freep) struct exec_result *x = NULL;
	char path[128];
	struct err e = {0};
	int r = room_open(&room, &e);
	pid_t pid;

	(void)state;
	if (r == -EPERM) {
		net_skip("rooms", &e);
		return;
	}
	assert_int_equal(must(r), 0);
	assert_int_equal(must(run(&x,
				 ARGV("sh", "-c",
					 "setsid sleep 1000 >/dev/null 2>&1 & echo > " ROOM_DIR
					 "/f; kill -0 $! && echo alive"),
				 room, &e_)),
		0);
	assert_string_equal(x->out, "alive\n");
	room_path(room, ROOM_DIR "/f", path, sizeof(path));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(access(ROOM_DIR "/f", F_OK), -1);
	pid = room->pid;
	room_close(take_ptr(room));
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_program_that_goes_on(void **state)
{
	struct exec_proc p = EXEC_PROC_NONE;
	const struct exec_args args = {
		.argv = ARGV("sh", "-c", "echo hello; echo bad >&2; read x; exit 3"),
		.netns_fd = -1,
		.cancel_fd = -1};
	uint64_t deadline_ns = net_deadline();
	struct err e = {0};

	(void)state;
	exec_stop(&p);
	assert_int_equal(must(exec_start(&p, &args, &e_)), 0);
	while (!exec_ended(&p, &e) && clock_left_ms(deadline_ns) > 0)
		poll(NULL, 0, 1);
	assert_string_equal(e.text, "sh ended with status 3: hello;bad");
	exec_stop(&p);
	exec_stop(&p);
}

/* Waits until so many processes of the room ("1\n") are in the state "T (stopped)". */
static void stopped_becomes(const struct room *room, const char *n)
{
	uint64_t deadline_ns = net_deadline();
	bool same = false;

	while (!same) {
		_cleanup_(freep) struct exec_result *x = NULL;

		must(run(&x,
			ARGV("sh", "-c", "cat /proc/[0-9]*/status | grep -c '^State:.T' || true"),
			room, &e_));
		same = strcmp(x->out, n) == 0;
		assert_true(clock_left_ms(deadline_ns) > 0);
	}
}

/* All in the room but its pid 1, which reaps and watches us. */
static void a_room_stops_and_goes_on(void **state)
{
	_cleanup_(room_closep) struct room *room = NULL;
	struct exec_proc p = EXEC_PROC_NONE;
	struct exec_args args = {.argv = ARGV("sh", "-c", "echo up; while :; do :; done"),
		.netns_fd = -1,
		.cancel_fd = -1};
	struct err e = {0};
	int r = room_open(&room, &e);

	(void)state;
	if (r == -EPERM) {
		net_skip("rooms", &e);
		return;
	}
	assert_int_equal(must(r), 0);
	must(room_freeze(room, true, &e_));
	args.room = room;
	must(exec_start(&p, &args, &e_));
	must(exec_wait_words(&p, "up", net_deadline(), -1, &e_));
	must(room_freeze(room, true, &e_));
	stopped_becomes(room, "1\n");
	must(room_freeze(room, false, &e_));
	stopped_becomes(room, "0\n");
	must(room_freeze(room, true, &e_));
	room_close(take_ptr(room));
	exec_stop(&p);
}

static void ready_ended_or_neither(void **state)
{
	struct exec_proc p = EXEC_PROC_NONE;
	struct exec_args args = {.argv = ARGV("sh", "-c", "echo starting; echo ready; read x"),
		.netns_fd = -1,
		.cancel_fd = -1,
		.input = "x\n"};
	struct err e = {0};

	(void)state;
	must(exec_start(&p, &args, &e_));
	must(exec_wait_words(&p, "ready", net_deadline(), -1, &e_));
	assert_int_equal(exec_wait_words(&p, "steady", net_deadline(), -1, &e), -EPIPE);
	assert_non_null(strstr(e.text, "sh ended with status 0: starting;ready"));
	exec_stop(&p);
	args.argv = ARGV("sleep", "60");
	must(exec_start(&p, &args, &e_));
	assert_int_equal(exec_wait_words(&p, "ready", clock_now_ns() + NSEC_PER_MSEC, -1, &e),
		-ETIMEDOUT);
	assert_string_equal(e.text, "sleep did not get ready; it said: nothing");
	exec_stop(&p);
}

/* In a child: "/" is a copy of itself, and /mnt/in exists in that one only. */
static bool enter_chroot(void)
{
	char dir[] = "/tmp/tare-root-XXXXXX";

	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("test", "/tmp", "tmpfs", 0, NULL) == 0 && mkdtemp(dir) &&
	       mount("/", dir, NULL, MS_BIND | MS_REC, NULL) == 0 && chroot(dir) == 0 &&
	       chdir("/") == 0 && mount("test", "/mnt", "tmpfs", 0, NULL) == 0 &&
	       mkdir("/mnt/in", 0755) == 0;
}

/* Without asserts: they would go on with the next test in the child. */
static bool in_chroot(void)
{
	_cleanup_(room_closep) struct room *room = NULL;
	_cleanup_(freep) struct exec_result *x = NULL;

	return room_open(&room, NULL) == 0 &&
	       room_private_dir(room, "/mnt/in/private", NULL) == 0 &&
	       run(&x, ARGV("sh", "-c", "echo > /mnt/in/private/f && ls /mnt/in"), room, NULL) ==
		       0 &&
	       strcmp(x->out, "private\n") == 0 && access("/mnt/in/private", F_OK) < 0;
}

/* An empty directory of the room's own, whether tare lives in a chroot or not. */
static void a_private_directory_in_a_chroot(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (!enter_chroot())
			_exit(77);
		_exit(in_chroot() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		const struct err e = {.text = "it cannot be entered here"};

		net_skip("a chroot", &e);
		return;
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_status_and_words_come_back),
		cmocka_unit_test(a_hanging_program_is_killed),
		cmocka_unit_test(more_output_than_is_kept),
		cmocka_unit_test(a_room_takes_all_with_it),
		cmocka_unit_test(a_private_directory_in_a_chroot),
		cmocka_unit_test(a_program_that_goes_on),
		cmocka_unit_test(a_room_stops_and_goes_on),
		cmocka_unit_test(ready_ended_or_neither),
	};

	return net_begin() ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
