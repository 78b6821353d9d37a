#include "guest/command.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "guest/boot.h"
#include "path/guest_link.h"
#include "sys/file.h"
#include "wire/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY_NS (10 * NSEC_PER_SEC)
/* Where the guest's own root has the host's. */
#define NEW_ROOT "/new"

struct command {
	struct doc *doc;
	struct guest_link ctl;
	int out_fd, err_fd;
};

/* In this order; @optional: an older kernel may lack it, or the host's files the mount point. */
static const struct {
	const char *source, *dir, *type, *options;
	bool optional;
} mounts[] = {
	{"hostroot", "/host", "9p", "trans=virtio,version=9p2000.L,msize=1048576,cache=loose"},
	{"tmpfs", "/over", "tmpfs", "size=75%"},
	{"overlay", NEW_ROOT, "overlay", "lowerdir=/host,upperdir=/over/up,workdir=/over/work"},
	{"proc", NEW_ROOT "/proc", "proc", NULL},
	{"sysfs", NEW_ROOT "/sys", "sysfs", NULL},
	{"devtmpfs", NEW_ROOT "/dev", "devtmpfs", NULL},
	{"devpts", NEW_ROOT "/dev/pts", "devpts", NULL},
	{"tmpfs", NEW_ROOT "/dev/shm", "tmpfs", NULL},
	{"tmpfs", NEW_ROOT "/run", "tmpfs", "mode=755"},
	{"cgroup2", NEW_ROOT "/sys/fs/cgroup", "cgroup2", NULL, true},
	{"bpf", NEW_ROOT "/sys/fs/bpf", "bpf", NULL, true},
};

static int mount_root(struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		unsigned long flags = strcmp(mounts[i].type, "9p") == 0 ? MS_RDONLY : 0;

		(void)mkdir(mounts[i].dir, 0755);
		if (mount(mounts[i].source, mounts[i].dir, mounts[i].type, flags,
			    mounts[i].options) < 0 &&
			!mounts[i].optional)
			return err_set(e, errno, "cannot mount %s", mounts[i].dir);
		if (strcmp(mounts[i].dir, "/over") == 0 &&
			(mkdir("/over/up", 0755) < 0 || mkdir("/over/work", 0755) < 0))
			return err_set(e, errno, "cannot make folders");
	}
	return 0;
}

/* The kernel's modules where modprobe looks for them, and us as what the kernel calls for one. */
static int mount_modules(const struct doc *doc, struct err *e)
{
	char dir[PATH_MAX], from[PATH_MAX + sizeof(NEW_ROOT)];
	int r = doc_get_str(doc, "module_dir", dir, sizeof(dir), e);

	if (r < 0)
		return r;
	snprintf(from, sizeof(from), NEW_ROOT "%s", dir);
	(void)mkdir(NEW_ROOT "/lib/modules", 0755);
	if (mount(from, NEW_ROOT "/lib/modules", NULL, MS_BIND, NULL) < 0)
		return err_set(e, errno, "cannot mount the kernel's modules from %s", dir);
	return file_sysctl_write("kernel/modprobe", "/init", e);
}

int command_modprobe(char **argv)
{
	char *const env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};

	/* One program of many names, which tell it what to do. */
	argv[0] = (char[]){"modprobe"};
	if (chroot(NEW_ROOT) == 0 && chdir("/") == 0)
		execve("/sbin/modprobe", argv, env);
	return 1;
}

static int read_command(struct command *c, struct err *e)
{
	_cleanup_(freep) char *text = xcalloc(1, COMMAND_FILE_BYTES);
	int n = file_read("/" COMMAND_FILE, text, COMMAND_FILE_BYTES, e);

	return n < 0 ? n : doc_parse(&c->doc, text, (size_t)n, e);
}

/* Borrowed words of a list, NULL-terminated. */
static void words_of(const struct doc *list, char *ret[static COMMAND_MAX_WORDS + 1])
{
	size_t n = MIN(doc_len(list), (size_t)COMMAND_MAX_WORDS);

	for (size_t i = 0; i < n; i++)
		ret[i] = (char *)(uintptr_t)doc_str(doc_at(list, i));
	ret[n] = NULL;
}

static _Noreturn void child_main(const struct command *c, char **argv, char **env, const char *dir)
{
	setsid();
	if (dup2(c->out_fd, STDOUT_FILENO) < 0 || dup2(c->err_fd, STDERR_FILENO) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	if (chroot(NEW_ROOT) < 0 || chdir(dir) < 0) {
		dprintf(STDERR_FILENO, "tare: no folder %s in the guest\n", dir);
		_exit(126);
	}
	signal(SIGPIPE, SIG_DFL);
	environ = env;
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "tare: cannot run %s in the guest: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Runs @argv to its end. Return: its exit status as a shell has it, or negative errno. */
static int run(const struct command *c, char **argv, char **env, const char *dir, struct err *e)
{
	pid_t pid = fork(), ended;
	int status = 0;

	if (pid == 0)
		child_main(c, argv, env, dir);
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	/* Orphans of the command are ours to reap. */
	do
		ended = waitpid(-1, &status, 0);
	while (ended != pid && (ended > 0 || errno == EINTR));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Modules whose device nodes programs open before anything would have them loaded. */
static void load_modules(const struct command *c, char **env)
{
	char *argv[COMMAND_MAX_WORDS + 3] = {(char[]){"/sbin/modprobe"}, (char[]){"-qab"}};
	struct err e = {0};
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct command quiet = {.out_fd = null_fd, .err_fd = null_fd};

	words_of(doc_get(c->doc, "modules"), argv + 2);
	/* One that this kernel lacks is missed by whoever needs it, in words of his own. */
	if (argv[2])
		(void)run(&quiet, argv, env, "/", &e);
	close(null_fd);
}

static int serve_command(struct command *c, struct err *e)
{
	char *argv[COMMAND_MAX_WORDS + 1], *env[COMMAND_MAX_WORDS + 1], dir[PATH_MAX];
	int r = mount_root(e);

	if (r == 0)
		r = mount_modules(c->doc, e);
	if (r == 0)
		r = doc_get_str(c->doc, "directory", dir, sizeof(dir), e);
	if (r < 0)
		return r;
	words_of(doc_get(c->doc, "argv"), argv);
	words_of(doc_get(c->doc, "environment"), env);
	load_modules(c, env);
	return run(c, argv, env, dir, e);
}

static int start(struct command *c, struct err *e)
{
	int r = boot_mount(e);

	if (r == 0)
		r = boot_modules(e);
	if (r < 0)
		return r;
	c->ctl.fd = boot_port(COMMAND_PORT_CTL, e);
	if (c->ctl.fd < 0)
		return c->ctl.fd;
	c->out_fd = boot_port(COMMAND_PORT_OUT, e);
	if (c->out_fd < 0)
		return c->out_fd;
	c->err_fd = boot_port(COMMAND_PORT_ERR, e);
	return c->err_fd < 0 ? c->err_fd : read_command(c, e);
}

/* A program's standard streams wait, unlike ours. */
static void make_blocking(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

_Noreturn void command_main(void)
{
	struct command c = {.ctl.fd = -1, .out_fd = -1, .err_fd = -1};
	struct err e = {0};
	char line[sizeof(e.text) + 16];
	int r = start(&c, &e);

	if (r < 0)
		dprintf(STDERR_FILENO, "tare: %s\n", e.text);
	if (c.ctl.fd < 0)
		boot_power_off();
	make_blocking(c.out_fd);
	make_blocking(c.err_fd);
	if (r == 0)
		r = serve_command(&c, &e);
	if (r < 0)
		snprintf(line, sizeof(line), "error %s", e.text);
	else
		snprintf(line, sizeof(line), "exit %d", r);
	/* The host hears of it, reads the rest of the output, and says quit or is gone. */
	if (guest_say(&c.ctl, line, clock_now_ns() + SAY_NS) == 0)
		(void)!guest_hear(&c.ctl, line, sizeof(line), clock_now_ns() + SAY_NS);
	boot_power_off();
}
