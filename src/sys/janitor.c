#include "sys/janitor.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Processes inside a cgroup die a moment after tare does; a daemon may take its time. */
#define JANITOR_DIR_NS     (5 * NSEC_PER_SEC)
#define JANITOR_COMMAND_NS (10 * NSEC_PER_SEC)
/* Between the words of a noted command: a character that none has. */
#define JANITOR_SEPARATOR "\x1f"
#define JANITOR_MAX_WORDS 16
/* The last note of a tare that was not killed. */
#define JANITOR_ORDERLY  'q'
#define JANITOR_AGAIN_MS 3000

struct janitor {
	int pipe_fd;
	pid_t pid;
};

static int remove_if_dir(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DP && rmdir(path) < 0 ? -errno : 0;
}

int janitor_remove_tree(const char *dir)
{
	int r = nftw(dir, remove_if_dir, 8, FTW_DEPTH | FTW_PHYS);

	return r == -1 ? -errno : r;
}

static void remove_dir(char *dir)
{
	uint64_t deadline_ns = clock_now_ns() + JANITOR_DIR_NS;

	while (rmdir(dir) < 0 && errno == EBUSY && clock_left_ms(deadline_ns) > 0)
		poll(NULL, 0, 10);
}

static void remove_tree(char *dir)
{
	uint64_t deadline_ns = clock_now_ns() + JANITOR_DIR_NS;

	/* What is below may go by itself meanwhile; it's done when the directory is gone. */
	while (janitor_remove_tree(dir) < 0 && access(dir, F_OK) == 0 &&
		clock_left_ms(deadline_ns) > 0)
		poll(NULL, 0, 10);
}

static _Noreturn void become(char *words)
{
	char *argv[JANITOR_MAX_WORDS + 1] = {NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	for (int i = 0; i < JANITOR_MAX_WORDS && words; i++)
		argv[i] = strsep(&words, JANITOR_SEPARATOR);
	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	_exit(127);
}

static void run_command(char *words)
{
	uint64_t deadline_ns = clock_now_ns() + JANITOR_COMMAND_NS;
	pid_t pid = fork();

	if (pid == 0)
		become(words);
	while (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0) {
		if (clock_left_ms(deadline_ns) == 0)
			kill(pid, SIGKILL);
		poll(NULL, 0, 10);
	}
}

/* By the first letter of a note. */
static const struct {
	char letter;
	void (*work)(char *text);
} chore[] = {{'d', remove_dir}, {'t', remove_tree}, {'c', run_command}};

static void clean(char *note)
{
	for (size_t i = 0; i < ARRAY_SIZE(chore); i++)
		if (note[0] == chore[i].letter)
			chore[i].work(note + 1);
}

static bool has_command(char **note, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (note[i][0] == 'c')
			return true;
	return false;
}

/* Until the other end of the pipe is closed, however many they are. Sets *ret_n. */
static char **read_notes(int fd, size_t *ret_n)
{
	FILE *in = fdopen(fd, "r");
	char line[PATH_MAX + 1];
	char **note = NULL;
	size_t n = 0;

	while (in && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		note = xreallocarray(note, n + 1, sizeof(*note));
		note[n++] = xstrdup(line);
	}
	*ret_n = n;
	return note;
}

/*
 * A daemon may go on with what a tare that was killed had asked for, and be done with it only after
 * the command that was to remove it: then all is done once more.
 */
static _Noreturn void janitor_main(int fd)
{
	char **note;
	sigset_t all;
	size_t n;

	prctl(PR_SET_NAME, "tare-janitor");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	note = read_notes(fd, &n);
	for (size_t i = n; i-- > 0;)
		clean(note[i]);
	if (!n || note[n - 1][0] == JANITOR_ORDERLY || !has_command(note, n))
		_exit(0);
	poll(NULL, 0, JANITOR_AGAIN_MS);
	for (size_t i = n; i-- > 0;)
		clean(note[i]);
	_exit(0);
}

int janitor_start(struct janitor **ret, struct err *e)
{
	_cleanup_(closep) int read_fd = -1;
	struct janitor *j;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot create a pipe");
	read_fd = fd[0];
	pid = fork();
	if (pid < 0) {
		close(fd[1]);
		return err_set(e, errno, "cannot fork");
	}
	if (pid == 0) {
		/* No terminal, no pipe of the caller's, no copy of the write end may stay open. */
		if (dup2(read_fd, 0) < 0)
			_exit(1);
		close_range(1, ~0U, 0);
		janitor_main(0);
	}
	j = xcalloc(1, sizeof(*j));
	j->pipe_fd = fd[1];
	j->pid = pid;
	*ret = j;
	return 0;
}

static int note(struct janitor *j, char letter, const char *text, struct err *e)
{
	char line[PATH_MAX + 1];
	int n = snprintf(line, sizeof(line), "%c%s\n", letter, text);

	if (n >= PATH_MAX)
		return err_say(e, ENAMETOOLONG, "path too long: %s", text);
	/* At most PIPE_BUF bytes: one write, whole. */
	if (write(j->pipe_fd, line, (size_t)n) != n)
		return err_set(e, errno, "cannot tell the janitor of %s", text);
	return 0;
}

int janitor_note(struct janitor *j, const char *dir, struct err *e)
{
	return note(j, 'd', dir, e);
}

int janitor_note_tree(struct janitor *j, const char *dir, struct err *e)
{
	return note(j, 't', dir, e);
}

int janitor_note_command(struct janitor *j, const char *const *argv, struct err *e)
{
	char words[PATH_MAX] = "";

	for (size_t i = 0; argv[i]; i++) {
		assert(i < JANITOR_MAX_WORDS);
		str_addf(words, sizeof(words), "%s%s", i ? JANITOR_SEPARATOR : "", argv[i]);
	}
	return note(j, 'c', words, e);
}

void janitor_finish(struct janitor *j)
{
	if (!j)
		return;
	(void)note(j, JANITOR_ORDERLY, "", NULL);
	closep(&j->pipe_fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(j);
}
