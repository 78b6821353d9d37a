#include "guest/command.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "guest/boot.h"
#include "guest/relay.h"
#include "path/guest_link.h"
#include "sys/file.h"
#include "sys/rtnl.h"
#include "wire/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAY_NS (10 * NSEC_PER_SEC)
/* Whoever reads the output at the host may take his time. */
#define QUIT_NS (365ULL * 24 * 3600 * NSEC_PER_SEC)
/* Where the guest's own root has the host's. */
#define NEW_ROOT "/new"

struct command {
	struct doc *doc;
	struct guest_link ctl;
	struct relay relay;
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

/* What udev would add to /dev. */
static const struct {
	const char *to, *name;
} links[] = {
	{"/proc/self/fd", NEW_ROOT "/dev/fd"},
	{"/proc/self/fd/0", NEW_ROOT "/dev/stdin"},
	{"/proc/self/fd/1", NEW_ROOT "/dev/stdout"},
	{"/proc/self/fd/2", NEW_ROOT "/dev/stderr"},
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
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i].to, links[i].name) < 0 && errno != EEXIST)
			return err_set(e, errno, "cannot make %s", links[i].name);
	return 0;
}

/*
 * As systemd does it: a group's children may have quotas. Fine where the kernel lacks cgroups, or
 * the controller. Ref: Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling"
 */
static void let_cpu_down(void)
{
	(void)!file_write(NEW_ROOT "/sys/fs/cgroup/cgroup.subtree_control", "+cpu", NULL);
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

/* Borrowed words of a list, after @first if that is not NULL; NULL-terminated. */
static char **words_of(const struct doc *list, char *const *first)
{
	size_t n_first = 0, n = doc_len(list);
	char **words;

	while (first && first[n_first])
		n_first++;
	words = xcalloc(n_first + n + 1, sizeof(*words));
	for (size_t i = 0; i < n_first; i++)
		words[i] = first[i];
	for (size_t i = 0; i < n; i++)
		words[n_first + i] = (char *)(uintptr_t)doc_str(doc_at(list, i));
	return words;
}

static void enter(const char *dir)
{
	if (chroot(NEW_ROOT) == 0 && chdir(dir) == 0)
		return;
	dprintf(STDERR_FILENO,
		"tare: no folder %s in the guest, whose /dev, /proc, /run and /sys are its own: "
		"%s\n",
		dir, strerror(errno));
	_exit(126);
}

static _Noreturn void child_main(char **argv, char **env, const char *dir, int out_fd, int err_fd)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
		dup2(err_fd, STDERR_FILENO) < 0)
		_exit(126);
	close_range(3, ~0U, 0);
	enter(dir);
	environ = env;
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "tare: cannot run %s in the guest: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Modules whose device nodes programs open before anything would have them loaded. */
static void load_modules(const struct command *c, char **env)
{
	char *const first[] = {(char[]){"/sbin/modprobe"}, (char[]){"-qab"}, NULL};
	_cleanup_(freep) char **argv = words_of(doc_get(c->doc, "modules"), first);
	_cleanup_(closep) int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid;

	if (!argv[2])
		return;
	pid = fork();
	if (pid == 0)
		child_main(argv, env, "/", null_fd, null_fd);
	/* One that this kernel lacks is missed by whoever needs it, in words of his own. */
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int link_up(struct err *e)
{
	_cleanup_(rt_closep) struct rt *rt = NULL;
	int r = rt_open_here(&rt, e);

	return r < 0 ? r : rt_set_up(rt, "lo", e);
}

/* Runs the command to its end. Return: its exit status as a shell has it, or negative errno. */
static int run(struct command *c, char **env, struct err *e)
{
	_cleanup_(freep) char **argv = words_of(doc_get(c->doc, "argv"), NULL);
	int out[2], err[2], r;
	char dir[PATH_MAX];
	pid_t pid;

	r = doc_get_str(c->doc, "directory", dir, sizeof(dir), e);
	if (r < 0)
		return r;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return err_set(e, errno, "cannot create a pipe");
	pid = fork();
	if (pid == 0)
		child_main(argv, env, dir, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	if (pid < 0)
		return err_set(e, errno, "cannot fork");
	c->relay.from[0] = out[0];
	c->relay.from[1] = err[0];
	return relay_run(&c->relay, pid, e);
}

/* Return: the command's exit status, or negative errno before it has run. */
static int serve_command(struct command *c, struct err *e)
{
	_cleanup_(freep) char **env = NULL;
	int r = mount_root(e);

	let_cpu_down();
	if (r == 0)
		r = mount_modules(c->doc, e);
	if (r == 0)
		r = link_up(e);
	if (r < 0)
		return r;
	env = words_of(doc_get(c->doc, "environment"), NULL);
	load_modules(c, env);
	r = guest_say(&c->ctl, "ready", clock_now_ns() + SAY_NS);
	return r < 0 ? r : run(c, env, e);
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
	c->relay.to[0] = boot_port(COMMAND_PORT_OUT, e);
	if (c->relay.to[0] < 0)
		return c->relay.to[0];
	c->relay.to[1] = boot_port(COMMAND_PORT_ERR, e);
	return c->relay.to[1] < 0 ? c->relay.to[1] : read_command(c, e);
}

/* A program's standard streams wait, unlike ours. */
static void make_blocking(int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* The host hears of it, takes the rest of the output, and says quit or is gone. */
static void say_end(struct command *c, int r, const struct err *e)
{
	char line[sizeof(c->ctl.buf)];

	if (r < 0)
		snprintf(line, sizeof(line), "error %.500s", e->text);
	else
		snprintf(line, sizeof(line), "exit %d %" PRIu64 " %" PRIu64, r, c->relay.bytes[0],
			c->relay.bytes[1]);
	if (guest_say(&c->ctl, line, clock_now_ns() + SAY_NS) == 0)
		(void)!guest_hear(&c->ctl, line, sizeof(line), clock_now_ns() + QUIT_NS);
}

_Noreturn void command_main(void)
{
	struct command c = {.ctl.fd = -1, .relay = {.from = {-1, -1}, .to = {-1, -1}}};
	struct err e = {0};
	int r = start(&c, &e);

	block_sigchld();
	if (r < 0)
		dprintf(STDERR_FILENO, "tare: %s\n", e.text);
	if (c.ctl.fd < 0)
		boot_power_off();
	make_blocking(c.relay.to[0]);
	make_blocking(c.relay.to[1]);
	if (r == 0)
		r = serve_command(&c, &e);
	say_end(&c, r, &e);
	boot_power_off();
}
